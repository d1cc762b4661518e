"""Credentials of package indexes: named secrets that reach uv only as variables.

A secret is referenced as ``${secret:NAME}`` anywhere in a URL, or by the host alone, as the secret
``index-HOST`` (``index-pypi.example.org:8443``), whose value is ``USER:PASSWORD`` or a token. Files
and command lines for uv refer to variables of its process, so that no value is on disk or in the
process list; a lockfile refers to the secret by name again.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping

from scriptrun.spec.later import later
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib import parse
else:
    parse = later("urllib.parse")

_NAMED = re.compile(r"\$\{secret:([^}]+)\}")
_FILLED = re.compile(r"\$\{SCRIPTRUN_FILLED_([0-9A-F]+)\}")
_BASIC = "Authorization: Basic "
#: a repository whose URL references a secret: the text before the login, the login, the host
_REPOSITORY = re.compile(r"(git\+https?://)([^/@\s]*\$\{secret:[^}]+\}[^/@\s]*)@([^/\s]+)(?=/)")
#: a URL without credentials: the text before its host, and the host
_BARE = re.compile(r"(https?://)([^\s/@,\"'$]+)(?=[/\s,\"']|$)")
#: the index name in uv's notation: ``house=https://...``
_NAME = re.compile(r"^[\w-]+=")
_DEFAULT = re.compile(r"(?:--index-url|-i)[\s=]+(\S+)")
#: uv's variables that hold index URLs
_INDEXES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
)


def named(text: str) -> list[str]:
    """The names of the secrets that ``text`` references as ``${secret:NAME}``."""
    return _NAMED.findall(text)


def by_host(host: str) -> str:
    """The name of the secret for all indexes on ``host`` (which may include a port)."""
    return f"index-{host}"


def filled(text: str) -> tuple[str, dict[str, str]]:
    """``text`` with references to variables instead of secrets, and the variables.

    Lines that name an index get the secret of its host, if there is one. A line ``--index-url``
    also becomes a variable, which overrides this process's own: uv prefers that over a file's line.
    Raises SecretException for a missing secret.
    """
    environ: dict[str, str] = {}

    def by_name(match: re.Match[str]) -> str:
        return f"${{{_variable(match[1], environ)}}}"

    text = _for_git(text, environ)
    lines = [_with_host(line, environ) for line in _NAMED.sub(by_name, text).split("\n")]
    for line in lines:
        option = _DEFAULT.match(line)
        if option:
            environ[_INDEXES[0]] = expanded(option[1], environ)
    return "\n".join(lines), environ


def restored(text: str, lines: Iterable[str] = ()) -> str:
    """``text`` with the secret references of ``lines`` that ``filled`` replaced."""
    for match in _REPOSITORY.finditer("\n".join(lines)):
        text = text.replace(f"{match[1]}{match[3]}/", f"{match[0]}/")
    return _FILLED.sub(lambda match: f"${{secret:{bytes.fromhex(match[1]).decode()}}}", text)


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """``text`` with references to ``variables`` (and this process's) replaced by their values."""
    every = {**os.environ, **variables}
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: every.get(match[1], match[0]), text)


def unquoted(text: str) -> str:
    """``text`` of a URL with its percent escapes decoded."""
    return parse.unquote(text)


def in_addresses(variables: Mapping[str, str]) -> dict[str, str]:
    """uv's variables with the secrets filled in to their index URLs."""
    return {
        name: _with_values(value) if name in _INDEXES else value
        for name, value in variables.items()
    }


def as_lines(variables: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """``variables`` without those that hold index URLs, and these as option lines."""
    words = {"UV_FIND_LINKS": "--find-links", "UV_INDEX_URL": "--index-url"}
    words |= {"UV_DEFAULT_INDEX": "--index-url"}
    lines = [
        f"{words.get(name, '--extra-index-url')} {_NAME.sub('', address)}"
        for name in _INDEXES
        for address in re.split(r"[\s,]+", variables.get(name, ""))
        if address and not (name == "UV_INDEX_URL" and variables.get("UV_DEFAULT_INDEX"))
    ]
    return {name: each for name, each in variables.items() if name not in _INDEXES}, lines


def told(values: Mapping[str, str]) -> list[str]:
    """The secret parts of ``values`` to mask in output, both URL-encoded and decoded."""
    git = ("GIT_CONFIG_KEY", "GIT_CONFIG_COUNT")
    private = [
        value.removeprefix(_BASIC)
        for name, value in values.items()
        if name not in _INDEXES and not name.startswith(git)
    ]
    parts = {part for value in private for part in (value, *value.split(":"))}
    whole = parts | {parse.unquote(part) for part in parts}
    return sorted((part for part in whole if len(part) > 3), key=len, reverse=True)


def of_host(host: str) -> str:
    """``USER:PASSWORD`` for ``host``, URL-encoded; "" if it has no secret."""
    name = by_host(host)
    if not vault.exists(name):
        return ""
    user, colon, password = vault.find(name).partition(":")
    if not colon:
        user, password = "__token__", user
    return f"{parse.quote(user, safe='')}:{parse.quote(password, safe='')}"


def _for_git(text: str, environ: dict[str, str]) -> str:
    """``text`` with repository URLs without logins, which git gets from variables instead.

    Otherwise uv would pass them to git on its command line
    (https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT).
    """
    headers: dict[str, str] = {}
    for match in _REPOSITORY.finditer(text):
        login = _NAMED.sub(lambda named: vault.find(named[1]), parse.unquote(match[2]))
        pair = login if ":" in login else f"{login}:"
        base = match[1].removeprefix("git+") + match[3] + "/"
        token = base64.b64encode(pair.encode()).decode()
        headers[f"http.{base}.extraHeader"] = f"{_BASIC}{token}"
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(headers.items(), first):
        environ[f"GIT_CONFIG_KEY_{number}"], environ[f"GIT_CONFIG_VALUE_{number}"] = key, value
        environ["GIT_CONFIG_COUNT"] = str(number + 1)
    return _REPOSITORY.sub(r"\1\3", text)


def _variable(name: str, environ: dict[str, str]) -> str:
    made = "SCRIPTRUN_FILLED_" + name.encode().hex().upper()
    environ[made] = parse.quote(vault.find(name), safe="")
    return made


def _with_host(line: str, environ: dict[str, str]) -> str:
    if not line.startswith("-") or line.startswith(("-e", "--editable", "--hash")):
        return line

    def put(match: re.Match[str]) -> str:
        value = of_host(match[2])
        if not value:
            return match[0]
        made = "SCRIPTRUN_INDEX_" + match[2].encode().hex().upper()
        environ[made] = value
        return f"{match[1]}${{{made}}}@{match[2]}"

    return _BARE.sub(put, line)


def _with_values(text: str) -> str:
    text = _NAMED.sub(lambda match: parse.quote(vault.find(match[1]), safe=""), text)

    def put(match: re.Match[str]) -> str:
        value = of_host(match[2])
        return f"{match[1]}{value}@{match[2]}" if value else match[0]

    return _BARE.sub(put, text)
