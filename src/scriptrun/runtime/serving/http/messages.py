"""Requests and responses, whichever server reads and writes them."""

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

    Headers = List[Tuple[str, str]]

REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
    206: "Partial Content", 301: "Moved Permanently", 302: "Found", 303: "See Other",
    304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 409: "Conflict", 411: "Length Required", 413: "Content Too Large",
    415: "Unsupported Media Type", 422: "Unprocessable Content", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}  # fmt: skip
JSON, TEXT = "application/json", "text/plain; charset=utf-8"


class Request:
    """A request: ``headers`` have lower-case names, ``query`` is what follows the "?".

    ``body`` is empty until it has been read. ``remote`` is the client's address.
    """

    __slots__ = ("body", "headers", "method", "path", "query", "remote", "version")

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: "Optional[Headers]" = None,
        body: bytes = b"",
        remote: str = "",
        version: str = "1.1",
    ) -> None:
        self.method, self.path, self.query = method, path, query
        self.headers: "Headers" = headers if headers is not None else []
        self.body, self.remote, self.version = body, remote, version

    def header(self, name: str) -> "Optional[str]":
        """The value of the header ``name`` (in lower case); None if it is not sent."""
        for each, value in self.headers:
            if each == name:
                return value
        return None


class Response:
    """What the client gets: a status, headers and a body."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        content_type: "Optional[str]" = JSON,
        headers: "Optional[Headers]" = None,
    ) -> None:
        self.status, self.body = status, body
        self.headers: "Headers" = [("content-type", content_type)] if content_type else []
        if headers:
            self.headers.extend(headers)

    def header(self, name: str) -> "Optional[str]":
        """The value of the header ``name`` (in lower case); None if there is none."""
        for each, value in self.headers:
            if each.lower() == name:
                return value
        return None


def as_json(value: object, status: int = 200) -> Response:
    """``value`` as a JSON response. Raises TypeError or ValueError if json cannot write it."""
    return Response(status, json.dumps(value).encode())


def message(status: int, text: str, *headers: "Tuple[str, str]") -> Response:
    """A response whose JSON object says ``text``."""
    return Response(status, json.dumps({"message": text}).encode(), headers=list(headers))


def new_id() -> str:
    """A random identifier in the form of a UUID (version 4)."""
    text = os.urandom(16).hex()
    return "-".join((text[:8], text[8:12], "4" + text[13:16], "a" + text[17:20], text[20:]))
