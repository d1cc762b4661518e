"""The files that ``uv pip compile`` reads for a request: requirements, or a project."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable

from scriptrun.environments.uv import index_credentials
from scriptrun.environments.uv.requirements import Request
from scriptrun.runtime.files import write_atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CREDENTIALS = re.compile(r"(?<=://)([^/@\s:]*)(?::([^/@\s]*))?@")


def write(
    request: Request, minor: tuple[int, int], folder: str
) -> tuple[list[str], dict[str, str]]:
    """Write the files into ``folder``; returns their paths and the variables with their secrets."""
    lines = [*request.options, *([] if request.uv else request.lines), ""]
    told, private = index_credentials.filled("\n".join(lines))
    paths = [_written(folder, "requirements.in", told)] if told.strip() else []
    if request.uv:
        table, more = _without_credentials(request.uv)
        paths.append(_written(folder, "pyproject.toml", _project(request, minor, table)))
        private |= more
    return paths, private


def with_given_digests(locked: str, lines: Iterable[str]) -> str:
    """``locked`` with the digests that ``lines`` name (``--hash=``) instead of the index's.

    uv checks packages against them when installing, but lists the index's digests when locking.
    """
    given = {
        _pin(line): line[line.index("--hash=") :].split() for line in lines if "--hash=" in line
    }
    if not given:
        return locked
    made = []
    for line in locked.replace("\\\n", " ").splitlines():
        digests = given.get(_pin(line)) or re.findall(r"--hash=\S+", line)
        made.append(" \\\n    ".join([line.partition(" --hash=")[0].strip(), *digests]) + "\n")
    return "".join(made)


def _pin(line: str) -> str:
    """The requirement's name and version without extras, to match requirements by."""
    return re.sub(r"\[[^\]]*\]|\s", "", line.partition(";")[0].partition(" --hash=")[0]).lower()


def _written(folder: str, name: str, text: str) -> str:
    path = os.path.join(folder, name)
    write_atomic(path, text.encode(), 0o600)
    return path


def _project(request: Request, minor: tuple[int, int], table: dict[str, Any]) -> str:
    project = {
        "name": "scriptrun-request",
        "version": "0",
        "requires-python": f">={minor[0]}.{minor[1]}",
        "dependencies": list(request.lines),
    }
    return (
        f"[project]\n{_table(project)}\n"
        f"[tool.uv]\n{_table({**table, 'package': False})}\n"
    )


def _without_credentials(table: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """``table`` with URLs without credentials, and uv's variables for those of named indexes."""
    indexes: list[dict[str, Any]] = []
    private: dict[str, str] = {}
    for each in table.get("index") or ():
        filled, values = index_credentials.filled(f"--extra-index-url {each.get('url', '')}")
        pair = _CREDENTIALS.search(index_credentials.expanded(filled, values))
        bare = _CREDENTIALS.sub("", str(each.get("url", "")))
        name = str(each.get("name") or f"index-{len(indexes)}")
        indexes.append({**each, "name": name, "url": bare})
        if pair:
            variable = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
            private[f"{variable}_USERNAME"] = index_credentials.unquoted(pair[1])
            private[f"{variable}_PASSWORD"] = index_credentials.unquoted(pair[2] or "")
    return ({**table, "index": indexes} if indexes else table), private


def _table(values: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(name)} = {_value(value)}\n" for name, value in values.items())


def _value(value: Any) -> str:
    """A value as TOML, whose strings and numbers match JSON but whose tables do not."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)} = {_value(each)}" for name, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
