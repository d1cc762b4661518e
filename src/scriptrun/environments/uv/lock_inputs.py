"""The files that ``uv pip compile`` reads for a request: requirements, or a project."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable

from scriptrun.environments.uv import index_credentials
from scriptrun.environments.uv.requirements import Request
from scriptrun.runtime.files import write_atomic
from scriptrun.spec import url_logins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def write(
    request: Request, minor: tuple[int, int], folder: str
) -> tuple[list[str], dict[str, str]]:
    """Write the files into ``folder``; returns their paths and the variables with their secrets."""
    lines = [*request.options, *([] if request.uv else request.lines), ""]
    text, secrets = index_credentials.filled("\n".join(lines))
    paths = [_write_file(folder, "requirements.in", text)] if text.strip() else []
    if request.uv:
        table, index_secrets = _without_credentials(request.uv)
        paths.append(_write_file(folder, "pyproject.toml", _project(request, minor, table)))
        secrets |= index_secrets
    return paths, secrets


def keep_requested_digests(locked: str, lines: Iterable[str]) -> str:
    """``locked`` with the digests that ``lines`` name (``--hash=``) instead of the index's.

    uv checks packages against them when installing, but lists the index's digests when locking.
    """
    digests_by_pin = {
        _pin_key(line): line[line.index("--hash=") :].split() for line in lines if "--hash=" in line
    }
    if not digests_by_pin:
        return locked
    parts = []
    for line in locked.replace("\\\n", " ").splitlines():
        digests = digests_by_pin.get(_pin_key(line)) or re.findall(r"--hash=\S+", line)
        parts.append(" \\\n    ".join([line.partition(" --hash=")[0].strip(), *digests]) + "\n")
    return "".join(parts)


def _pin_key(line: str) -> str:
    """The requirement's name and version without extras, to match requirements by."""
    return re.sub(r"\[[^\]]*\]|\s", "", line.partition(";")[0].partition(" --hash=")[0]).lower()


def _write_file(folder: str, name: str, text: str) -> str:
    path = os.path.join(folder, name)
    write_atomic(path, text.encode(), 0o600, durable=False)
    return path


def _project(request: Request, minor: tuple[int, int], table: Json) -> str:
    project = {
        "name": "scriptrun-request",
        "version": "0",
        "requires-python": f">={minor[0]}.{minor[1]}",
        "dependencies": list(request.lines),
    }
    return (
        f"[project]\n{_toml_table(project)}\n"
        f"[tool.uv]\n{_toml_table({**table, 'package': False})}\n"
    )


def _without_credentials(table: Json) -> tuple[Json, dict[str, str]]:
    """``table`` with URLs without credentials, and uv's variables for those of named indexes."""
    indexes: list[Json] = []
    secrets: dict[str, str] = {}
    for index in table.get("index") or ():
        option, values = index_credentials.filled(f"--extra-index-url {index.get('url', '')}")
        expanded = index_credentials.expand_variables(option, values)
        login = next(url_logins.find(expanded), None)
        url = url_logins.remove(str(index.get("url", "")))
        name = str(index.get("name") or f"index-{len(indexes)}")
        indexes.append({**index, "name": name, "url": url})
        if login:
            variable = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
            secrets[f"{variable}_USERNAME"] = index_credentials.unquote(login.user)
            secrets[f"{variable}_PASSWORD"] = index_credentials.unquote(login.password or "")
    return ({**table, "index": indexes} if indexes else table), secrets


def _toml_table(values: Json) -> str:
    return "".join(f"{_toml_text(name)} = {_toml_value(value)}\n" for name, value in values.items())


def _toml_value(value: object) -> str:
    """A value as TOML, whose strings and most numbers match JSON but whose tables do not."""
    if isinstance(value, dict):
        pairs = (f"{_toml_text(name)} = {_toml_value(item)}" for name, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, str):
        return _toml_text(value)
    if isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value)  # also inf and nan
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat() if isoformat else value)


def _toml_text(text: str) -> str:
    """A string as TOML, which takes neither JSON's surrogate pairs nor a raw DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
