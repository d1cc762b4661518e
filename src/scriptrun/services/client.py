"""Requests to a service, over HTTP on this machine or its network."""

from __future__ import annotations

import datetime
import http.client
import json
import urllib.error
import urllib.request

from scriptrun.spec.errors import WebserviceException
from scriptrun.spec.values import Value

#: seconds to wait for an answer beyond the limit of run()
EXTRA_SECONDS = 60.0


class AccessToken(Value):
    """A token that callers send: ``access_token``, with the times of v1's tokens."""

    access_token: str
    token_type: str = "Bearer"
    refresh_after: datetime.datetime | None = None
    expiry_on: datetime.datetime | None = None


def call(name: str, url: str, data: object, key: str | None, timeout: float | None) -> object:
    """Post ``data`` (text, bytes, an open file; else as JSON) and return the parsed answer.

    An answer that is not JSON is returned as text. Raises WebserviceException, with the status, for
    any other answer than 200, and if the service cannot be reached.
    """
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, _body(data), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as response:
            return _parsed(response.read())
    except urllib.error.HTTPError as error:
        with error:
            content = error.read().decode("utf-8", "replace")
        raise WebserviceException(
            f"Service {name!r} answered with status {error.code}: {content[:2000]}",
            error.code,
            hint="" if error.code < 500 else f"For the traceback, {_log_of(name)}",
        ) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise WebserviceException(
            f"Service {name!r} does not answer at {url}: {reason}.",
            hint=f"For the reason, {_log_of(name)}",
        ) from None


def _log_of(name: str) -> str:
    return f"see get_logs(), or: scriptrun service logs {name}"


def _body(data: object) -> bytes:
    read = getattr(data, "read", None)
    if callable(read):
        data = read()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    try:
        return data.encode() if isinstance(data, str) else json.dumps(data).encode()
    except (TypeError, ValueError) as error:
        raise WebserviceException(
            f"The request cannot be sent: {error}.",
            hint="Give text, bytes or a file, e.g. json.dumps({'data': array.tolist()}).",
        ) from None


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
