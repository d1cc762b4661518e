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

_SECRET_REFERENCE = re.compile(r"\$\{secret:([^}]+)\}")
_SECRET_VARIABLE = re.compile(r"\$\{SCRIPTRUN_FILLED_([0-9A-F]+)\}")
_BASIC = "Authorization: Basic "
#: a repository whose URL references a secret: the text before the login, the login, the host
_REPOSITORY = re.compile(
    r"(git\+https?://)([^/@\s]*\$\{secret:[^}]+\}[^/@\s]*)@([^/\s]+)(?=/)", re.IGNORECASE
)
#: a URL without credentials: the text before its host, and the host
_BARE_ADDRESS = re.compile(r"(https?://)([^\s/@,\"'$]+)(?=[/\s,\"']|$)", re.IGNORECASE)
#: the index name in uv's notation: ``house=https://...``
_INDEX_NAME = re.compile(r"^[\w-]+=")
_DEFAULT_INDEX = re.compile(r"(?:--index-url|-i)[\s=]+(\S+)")
#: uv's variables that hold index URLs
_INDEX_VARIABLES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
)


def secret_names(text: str) -> list[str]:
    """The names of the secrets that ``text`` references as ``${secret:NAME}``."""
    return _SECRET_REFERENCE.findall(text)


def host_secret_name(host: str) -> str:
    """The name of the secret for all indexes on ``host`` (which may include a port)."""
    return f"index-{host}"


def filled(text: str) -> tuple[str, dict[str, str]]:
    """``text`` with references to variables instead of secrets, and the variables.

    Lines that name an index get the secret of its host, if there is one. A line ``--index-url``
    also becomes a variable, which overrides this process's own: uv prefers that over a file's line.
    Raises SecretException for a missing secret.
    """
    environ: dict[str, str] = {}

    def variable_for(match: re.Match[str]) -> str:
        return f"${{{_add_variable(match[1], environ)}}}"

    text = _move_git_logins(text, environ)
    lines = [
        _with_host_variable(line, environ)
        for line in _SECRET_REFERENCE.sub(variable_for, text).split("\n")
    ]
    for line in lines:
        option = _DEFAULT_INDEX.match(line)
        if option:
            environ[_INDEX_VARIABLES[0]] = expand_variables(option[1], environ)
    return "\n".join(lines), environ


def restore_references(text: str, lines: Iterable[str] = ()) -> str:
    """``text`` with the secret references of ``lines`` that ``filled`` replaced."""
    for match in _REPOSITORY.finditer("\n".join(lines)):
        text = text.replace(f"{match[1]}{match[3]}/", f"{match[0]}/")
    return _SECRET_VARIABLE.sub(
        lambda match: f"${{secret:{bytes.fromhex(match[1]).decode()}}}", text
    )


def expand_variables(text: str, variables: Mapping[str, str]) -> str:
    """``text`` with references to ``variables`` (and this process's) replaced by their values."""
    values = {**os.environ, **variables}
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: values.get(match[1], match[0]), text)


def unquote(text: str) -> str:
    """``text`` of a URL with its percent escapes decoded."""
    return parse.unquote(text)


def with_index_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """uv's variables with the secrets filled in to their index URLs."""
    return {
        name: _with_secret_values(value) if name in _INDEX_VARIABLES else value
        for name, value in variables.items()
    }


def split_index_options(variables: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """``variables`` without those that hold index URLs, and these as option lines."""
    options = {"UV_FIND_LINKS": "--find-links", "UV_INDEX_URL": "--index-url"}
    options |= {"UV_DEFAULT_INDEX": "--index-url"}
    lines = [
        f"{options.get(name, '--extra-index-url')} {_INDEX_NAME.sub('', address)}"
        for name in _INDEX_VARIABLES
        for address in re.split(r"[\s,]+", variables.get(name, ""))
        if address and not (name == "UV_INDEX_URL" and variables.get("UV_DEFAULT_INDEX"))
    ]
    return {name: value for name, value in variables.items() if name not in _INDEX_VARIABLES}, lines


def values_to_mask(values: Mapping[str, str]) -> list[str]:
    """The secret parts of ``values`` to mask in output, both URL-encoded and decoded."""
    git_prefixes = ("GIT_CONFIG_KEY", "GIT_CONFIG_COUNT")
    secret_values = [
        value.removeprefix(_BASIC)
        for name, value in values.items()
        if name not in _INDEX_VARIABLES and not name.startswith(git_prefixes)
    ]
    parts = {part for value in secret_values for part in (value, *value.split(":"))}
    all_parts = parts | {parse.unquote(part) for part in parts}
    return sorted((part for part in all_parts if len(part) > 3), key=len, reverse=True)


def login_for(host: str) -> str:
    """``USER:PASSWORD`` for ``host``, URL-encoded; "" if it has no secret."""
    name = host_secret_name(host)
    if not vault.exists(name):
        return ""
    user, colon, password = vault.find(name).partition(":")
    if not colon:
        user, password = "__token__", user
    return f"{parse.quote(user, safe='')}:{parse.quote(password, safe='')}"


def _move_git_logins(text: str, environ: dict[str, str]) -> str:
    """``text`` with repository URLs without logins, which git gets from variables instead.

    Otherwise uv would pass them to git on its command line
    (https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT).
    """
    headers: dict[str, str] = {}
    for match in _REPOSITORY.finditer(text):
        login = _SECRET_REFERENCE.sub(
            lambda reference: vault.find(reference[1]), parse.unquote(match[2])
        )
        pair = login if ":" in login else f"{login}:"
        base = match[1].removeprefix("git+") + match[3] + "/"
        token = base64.b64encode(pair.encode()).decode()
        headers[f"http.{base}.extraHeader"] = f"{_BASIC}{token}"
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(headers.items(), first):
        environ[f"GIT_CONFIG_KEY_{number}"], environ[f"GIT_CONFIG_VALUE_{number}"] = key, value
        environ["GIT_CONFIG_COUNT"] = str(number + 1)
    return _REPOSITORY.sub(r"\1\3", text)


def _add_variable(name: str, environ: dict[str, str]) -> str:
    variable = "SCRIPTRUN_FILLED_" + name.encode().hex().upper()
    environ[variable] = parse.quote(vault.find(name), safe="")
    return variable


def _with_host_variable(line: str, environ: dict[str, str]) -> str:
    if not line.startswith("-") or line.startswith(("-e", "--editable", "--hash")):
        return line

    def replace(match: re.Match[str]) -> str:
        value = login_for(match[2])
        if not value:
            return match[0]
        variable = "SCRIPTRUN_INDEX_" + match[2].encode().hex().upper()
        environ[variable] = value
        return f"{match[1]}${{{variable}}}@{match[2]}"

    return _BARE_ADDRESS.sub(replace, line)


def _with_secret_values(text: str) -> str:
    text = _SECRET_REFERENCE.sub(lambda match: parse.quote(vault.find(match[1]), safe=""), text)

    def replace(match: re.Match[str]) -> str:
        value = login_for(match[2])
        return f"{match[1]}{value}@{match[2]}" if value else match[0]

    return _BARE_ADDRESS.sub(replace, text)
