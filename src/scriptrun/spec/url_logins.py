"""Logins in URLs: find them wherever a text has any, to mask, remove or replace them.

``https://user:p@ss@host/`` has the login ``user:p@ss``: a login ends at the last ``@`` before the
path, as URL parsers have it. A password may contain anything but spaces and double quotes.
References (``${NAME}``, ``${secret:NAME}``) stand for values that are stored elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib.parse import SplitResult

# Patterns are compiled on first use: a warm submission seldom needs any.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,30}$"
#: all that may belong to a login and the host after it: references count as one character
_AUTHORITY = r"(?:\$\{[^}\s]*\}|[^\s\"<>`/?#])*"
#: the same where a password contains what ends an authority
_LONG_AUTHORITY = r"(?:\$\{[^}\s]*\}|[^\s\"<>`@]){0,512}@[^\s\"<>`/?#]*"
_HOST_AND_PORT = r"(?:\[[^\]]*\]|[^:@\[\]]*)(?::\d+)?"
_REFERENCE = r"\$\{[^}\s]+\}"
#: parameters of a query whose values are credentials, such as those of signed URLs
_QUERY_SECRET = (
    r"(?i)([?&;](?:[\w.%-]*(?:sig|signature|token|secret|password|passwd|credential|api_?key"
    r"|access_?key))=)([^\s\"<>`&;#]+)"
)
#: users without a password that are not secret
_PLAIN_USERS = ("git", "hg", "anonymous")


class UrlLogin(Value):
    """A login in a text, from ``start`` to ``end`` (its ``@``), and the ``host`` after it."""

    start: int
    end: int
    scheme: str
    user: str
    password: str | None
    host: str

    @property
    def is_secret(self) -> bool:
        """Whether it holds a secret itself: a password, or a token in the user's place."""
        value = self.user if self.password is None else self.password
        if not value or re.search(_REFERENCE, value):
            return False
        if self.password is not None:
            return True
        return value not in _PLAIN_USERS and self.scheme.lower().endswith(("http", "https"))


def find(text: str) -> Iterator[UrlLogin]:
    """The logins of the URLs in ``text``, in order."""
    position, mark = 0, text.find("://") if "@" in text else -1
    while mark >= 0:
        scheme = re.search(_SCHEME, text[max(position, mark - 31) : mark])
        login = _login_at(text, mark + 3, scheme[0]) if scheme is not None else None
        if login is not None:
            yield login
        position = mark + 3 if login is None else login.end
        mark = text.find("://", position)


def replace(text: str, new: Callable[[UrlLogin], str | None]) -> str:
    """``text`` with each login, up to its ``@``, replaced by ``new(login)``; None keeps it."""
    parts, position = [], 0
    for login in find(text):
        value = new(login)
        if value is not None:
            parts += [text[position : login.start], value]
            position = login.end
    return "".join([*parts, text[position:]])


def remove(text: str) -> str:
    """``text`` without the logins in its URLs."""
    return replace(text, lambda login: "")


def mask(text: str) -> str:
    """``text`` for people: stars instead of logins, and of credentials in queries."""
    return re.sub(_QUERY_SECRET, r"\1***", replace(text, lambda login: "***@"))


def replace_query_secrets(text: str, new: Callable[[str, str], str]) -> str:
    """``text`` with the values of credentials in queries replaced by ``new(name, value)``.

    References are kept.
    """

    def substitute(match: re.Match[str]) -> str:
        if re.search(_REFERENCE, match[2]):
            return match[0]
        return match[1] + new(match[1].strip("?&;="), match[2])

    return re.sub(_QUERY_SECRET, substitute, text)


def _login_at(text: str, start: int, scheme: str) -> UrlLogin | None:
    """The login of the URL whose authority begins at ``start``."""
    found = re.compile(_AUTHORITY).match(text, start)
    authority = found[0] if found else ""
    has_no_host = authority.endswith("@")  # so that it ends within a password: u:a@/b@host
    if "@" not in re.sub(_REFERENCE, "", authority) or has_no_host:
        if ":" not in authority or re.fullmatch(_HOST_AND_PORT, authority):
            return None
        found = re.compile(_LONG_AUTHORITY).match(text, start + has_no_host * len(authority))
        if found is None and not has_no_host:
            return None
        authority = text[start : found.end()] if found is not None else authority
    login, _, host = authority.rpartition("@")
    user, colon, password = _split(login)
    end = start + len(login) + 1
    return UrlLogin(start, end, scheme, user, password if colon else None, host)


def _split(login: str) -> tuple[str, str, str]:
    """User, colon and password; a colon in a reference does not count."""
    plain = re.sub(_REFERENCE, lambda match: "x" * len(match[0]), login)
    index = plain.find(":")
    return (login, "", "") if index < 0 else (login[:index], ":", login[index + 1 :])


def split_url(url: str) -> SplitResult:
    """The parts of ``url``. Raises UserErrorException if its host or port cannot be one."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        problem = f"{mask(url)!r} is not a valid URL."
        raise UserErrorException(problem, "Check its host and port.") from None
    return parts
