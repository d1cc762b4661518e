"""Turn passwords in index URLs, which old code contains, into secrets.

``--extra-index-url https://user:token@host/simple`` becomes ``https://user:${secret:NAME}@...`` in
requests and records. This process can use the value at once; submitting the job stores it as this
user's secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_LOGIN = r"(https?://)(?!git@)([^/@\s:$]+)(?::([^/@\s$]*))?@([^/\s]+)"


def replace_passwords(lines: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """``lines`` with references to secrets instead of passwords, and the secrets' values."""
    values: dict[str, str] = {}
    return [
        re.sub(_LOGIN, lambda match: _secret_reference(match, values), line) for line in lines
    ], values


def without_passwords(content: Json) -> Json:
    """The content of a conda file with references to secrets instead of passwords."""
    dependencies = [
        {"pip": replace_passwords(entry["pip"])[0]} if isinstance(entry, dict) else entry
        for entry in content.get("dependencies") or ()
    ]
    return {**content, "dependencies": dependencies}


def notes(values: Iterable[str]) -> list[str]:
    """Notes for the user about the secrets that replace passwords."""
    return [
        f"The password in an index URL is not recorded; it is stored as your secret "
        f"{name!r} (see scriptrun secret)."
        for name in values
    ]


def _secret_reference(match: re.Match[str], values: dict[str, str]) -> str:
    scheme, user, password, host = match.groups()
    name = f"login-{unquote(user)}-{host}" if password else f"login-{host}"
    values[name] = unquote(password or user)
    vault.offer(name, values[name])
    user_prefix = f"{user}:" if password else ""
    return f"{scheme}{user_prefix}${{secret:{name}}}@{host}"
