"""Who may call a service: keys, the Host header, and the origins of web pages.

A page on another site can make a browser send requests to this machine. Without keys the server
therefore answers only to its own names, and refuses pages of origins that are not allowed.
"""

import fnmatch
import hmac
import os
import re
import socket

from scriptrun.runtime.serving import state
from scriptrun.runtime.serving.http import messages
from scriptrun.runtime.serving.order import KEY, KEYS_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Mapping, Optional, Set

    from scriptrun.runtime.serving.http.messages import Headers, Request, Response
    from scriptrun.runtime.serving.order import ServiceOrder

#: v1's variable with allowed origins, separated by commas
ORIGINS_VARIABLE = "AML_CORS_ORIGINS"
_ADDRESS = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+(%[\w.~-]+)?\])\Z")
_METHODS = "GET, POST, OPTIONS"
_EXPOSED = "x-request-id, x-ms-request-id, x-ms-run-function-failed, x-ms-run-fn-exec-ms"
_KNOWN_HOSTS = 100
_OTHER_SITE = ("cross-site", "same-site")


class Access:
    """The rules of one service."""

    def __init__(self, order: "ServiceOrder", environ: "Mapping[str, str]") -> None:
        self._keys: "List[bytes]" = []
        if order.auth == KEY:
            self._keys = [key.encode() for key in environ.get(KEYS_VARIABLE, "").split()]
        self._needs_key = order.auth == KEY
        listed = environ.get(ORIGINS_VARIABLE, "").split(",")
        origins = [origin.strip().rstrip("/").lower() for origin in listed]
        origins += [origin.rstrip("/").lower() for origin in order.allowed_origins]
        self._origins = [origin for origin in origins if origin]
        self._names = _names(order)
        self._accepted: "Dict[str, bool]" = {}

    def refuse(self, request: "Request") -> "Optional[Response]":
        """The response that refuses ``request``; None if it may go on. The key is not checked."""
        host = request.header("host")
        is_old_check = host is None and request.version == "1.0" and request.path == "/"
        if self._needs_key or is_old_check:
            return None  # a page of another site has no key, and always a host
        if not self._is_own(host):
            text = "The service does not answer to the host name {!r}: add it to allowed_hosts."
            return messages.message(403, text.format(host or ""))
        origin = request.header("origin")
        if origin is None:
            if request.path == "/score" and request.header("sec-fetch-site") in _OTHER_SITE:
                return _refuse_origin("another site")
            return None
        if self._is_same(origin, host or "") or self.allows(origin):
            return None
        return _refuse_origin(repr(origin))

    def check_key(self, request: "Request") -> "Optional[Response]":
        """The response to a request without an accepted key; None if it may go on."""
        if not self._needs_key:
            return None
        scheme, _, given = (request.header("authorization") or "").partition(" ")
        key = given.strip().encode("utf-8", "surrogateescape")
        # all are compared, so that the time does not say which one is near
        matches = [hmac.compare_digest(key, each) for each in self._keys]
        if scheme.lower() == "bearer" and any(matches):
            return None
        text = "The request needs the header 'Authorization: Bearer KEY' with a key of the service."
        return messages.message(401, text, ("www-authenticate", "Bearer"))

    def _is_own(self, host: "Optional[str]") -> bool:
        if host is None:
            return False
        known = self._accepted.get(host)
        if known is None:
            known = self._matches(host)
            if len(self._accepted) < _KNOWN_HOSTS:
                self._accepted[host] = known
        return known

    def _matches(self, host: str) -> bool:
        name = _without_port(host.lower())
        if _ADDRESS.match(name) or name == "localhost" or name.endswith(".localhost"):
            return True  # no name that a stranger can make resolve to this machine
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._names)

    def allows(self, origin: "Optional[str]") -> bool:
        """Whether pages of ``origin`` may call the service."""
        if not origin or not self._origins:
            return False
        origin = origin.lower()
        host = origin.partition("://")[2]
        names = (origin, host, _without_port(host))
        return any(fnmatch.fnmatchcase(n, each) for each in self._origins for n in names if n)

    @staticmethod
    def _is_same(origin: str, host: str) -> bool:
        return origin.lower().partition("://")[2] == host.lower() != ""

    def cors_headers(self, request: "Request") -> "Headers":
        """The headers that let the page that sent ``request`` read the response."""
        origin = request.header("origin")
        if origin is None or not self.allows(origin):
            return []
        return [
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", _EXPOSED),
            ("vary", "Origin"),
        ]

    def preflight(self, request: "Request") -> "Optional[Response]":
        """The response to a browser that asks whether it may send a request; None for others."""
        wanted = request.header("access-control-request-method")
        if request.method != "OPTIONS" or wanted is None:
            return None
        if not self.allows(request.header("origin")):
            return None
        headers = [("access-control-allow-methods", _METHODS), ("access-control-max-age", "600")]
        names = request.header("access-control-request-headers")
        if names:
            headers.append(("access-control-allow-headers", names))
        return messages.Response(204, b"", None, headers)


def _refuse_origin(origin: str) -> "Response":
    text = "The service does not answer to pages of {}: add their origin to allowed_origins, or to "
    text += "the variable {}."
    return messages.message(403, text.format(origin, ORIGINS_VARIABLE))


def _names(order: "ServiceOrder") -> "Set[str]":
    names = {name.lower() for name in order.allowed_hosts}
    if order.host in state.EVERYWHERE:
        own = socket.gethostname().lower()
        names |= {own, own.partition(".")[0]}
    else:
        names.add(order.host.lower())
    return names


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and not host.endswith("]") else host


def environment_access(order: "ServiceOrder") -> Access:
    """The rules with the keys and origins in this process's environment."""
    return Access(order, os.environ)
