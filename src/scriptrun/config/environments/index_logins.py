"""Turn passwords in index URLs, which old code contains, into secrets.

``--extra-index-url https://user:token@host/simple`` becomes ``https://user:${secret:NAME}@...`` in
requests and records. This process can use the value at once; submitting the job stores it as this
user's secret.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import unquote

from scriptrun.spec import url_logins
from scriptrun.spec.url_logins import UrlLogin
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def replace_passwords(lines: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """``lines`` with references to secrets instead of passwords, and the secrets' values."""
    values: dict[str, str] = {}

    def reference(name: str, value: str) -> str:
        name = re.sub(r"[{}$\s]", "-", name)
        values[name] = unquote(value)
        vault.offer(name, values[name])
        return f"${{secret:{name}}}"

    def login_reference(login: UrlLogin) -> str | None:
        if not login.is_secret:
            return None
        if login.password is None:
            return reference(f"login-{login.host}", login.user) + "@"
        name = f"login-{unquote(login.user)}-{login.host}"
        return f"{login.user}:{reference(name, login.password)}@"

    def query_reference(name: str, value: str) -> str:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return reference(f"query-{name}-{digest}", value)

    clean = [url_logins.replace(line, login_reference) for line in lines]
    return [url_logins.replace_query_secrets(line, query_reference) for line in clean], values


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
