"""The request and response objects that entry scripts of v1 use: no Flask is needed.

``AMLRequest`` has the attributes of Flask's request that scripts read; ``AMLResponse`` those of its
response. Scripts import them from ``azureml.contrib.services.aml_request`` and ``aml_response``.
"""

import functools
import io
import json
import re

from scriptrun.runtime.serving.errors import BadRequest
from scriptrun.runtime.serving.http import form_data, messages
from scriptrun.runtime.serving.http.messages import Response
from scriptrun.runtime.serving.http.multi_dict import Headers, MultiDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Dict, Mapping, Optional, Union

    from scriptrun.runtime.serving.http.messages import Request

#: the attribute of a run() that takes the request itself
RAW = "__scriptrun_raw__"


def rawhttp(function: "Callable[..., object]") -> "Callable[..., object]":
    """Decorate ``run``: it then takes an ``AMLRequest``, of any method, with the raw body."""

    @functools.wraps(function)
    def call(*args: object, **named: object) -> object:
        return function(*args, **named)

    setattr(call, RAW, True)
    return call


class AMLRequest:
    """A request, as Flask shows it.

    ``method``, ``headers``, ``args`` (the query), ``form``, ``files``, ``values`` (query and form),
    ``data`` (the body as bytes), ``json``, ``path``, ``full_path``, ``url``, ``base_url``,
    ``host``, ``remote_addr``, ``content_type``, ``mimetype``, ``content_length``, ``cookies``.
    """

    def __init__(self, request: "Request") -> None:
        self._request = request
        self.method, self.path, self.data = request.method, request.path, request.body
        self.remote_addr = request.remote
        self.scheme, self.script_root, self.root_path = "http", "", ""
        self.query_string = request.query.encode("latin-1")
        self.headers = Headers(request.headers)
        self.content_type: "Optional[str]" = request.header("content-type")
        self.mimetype = (self.content_type or "").partition(";")[0].strip().lower()
        self.content_length = len(request.body)
        self.host = request.header("host") or ""
        self.args = form_data.parse_query(request.query)
        self._form: "Optional[form_data.Form]" = None

    @property
    def full_path(self) -> str:
        """The path with "?" and the query, as Flask has it: with "?" even without a query."""
        return "{}?{}".format(self.path, self._request.query)

    @property
    def base_url(self) -> str:
        """The URL without the query."""
        return "http://{}{}".format(self.host, self.path)

    @property
    def url(self) -> str:
        """The URL with the query."""
        return self.base_url + ("?" + self._request.query if self._request.query else "")

    @property
    def is_json(self) -> bool:
        """Whether the content type is JSON."""
        kind = self.mimetype
        return kind == "application/json" or (
            kind.startswith("application/") and kind.endswith("+json")
        )

    @property
    def stream(self) -> io.BytesIO:
        """The body as a file."""
        return io.BytesIO(self.data)

    @property
    def form(self) -> MultiDict:
        """The fields of a form in the body. Raises BadRequest for a damaged one."""
        return self._read_form().fields

    @property
    def files(self) -> MultiDict:
        """The files of a form in the body. Raises BadRequest for a damaged one."""
        return self._read_form().files

    @property
    def values(self) -> MultiDict:
        """The query and the form's fields."""
        return MultiDict(list(self.args.items(multi=True)) + list(self.form.items(multi=True)))

    def _read_form(self) -> "form_data.Form":
        if self._form is None:
            self._form = form_data.parse_form(self.content_type or "", self.data)
        return self._form

    @property
    def cookies(self) -> "Dict[str, str]":
        """The cookies that the client sent."""
        pairs = [each.partition("=") for each in (self.headers.get("Cookie") or "").split(";")]
        return {name.strip(): value.strip().strip('"') for name, equals, value in pairs if equals}

    def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> "Union[str, bytes]":
        """The body: bytes, or text with ``as_text``."""
        return self.data.decode("utf-8", "replace") if as_text else self.data

    @property
    def json(self) -> "Any":
        """The body's JSON value. Raises BadRequest if it is none."""
        return self.get_json()

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> "Any":
        """The body's JSON value.

        Raises BadRequest if the content type (unless ``force``) or the body is not JSON; with
        ``silent`` it returns None instead.
        """
        try:
            if not force and not self.is_json:
                raise BadRequest("The request's content type is not application/json.")
            return json.loads(self.data.decode("utf-8"))
        except (ValueError, RecursionError, BadRequest) as problem:
            if silent:
                return None
            if isinstance(problem, BadRequest):
                raise
            raise BadRequest("The body is not valid JSON: {}".format(problem)) from None

    def __repr__(self) -> str:
        return "<AMLRequest {} {}>".format(self.url, self.method)


class AMLResponse:
    """A response with its own status and headers.

    ``message`` is text, bytes, or a value that becomes JSON; with ``json_str`` it always becomes
    JSON. ``run_function_failed`` sets the header x-ms-run-function-failed.
    """

    def __init__(
        self,
        message: object,
        status_code: int = 200,
        response_headers: "Mapping[str, str]" = {},  # noqa: B006 - the SDK's signature
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        self.status_code, self.run_function_failed = int(status_code), run_function_failed
        kind = "text/html; charset=utf-8"
        if not json_str and isinstance(message, (str, bytes, bytearray)):
            self.set_data(message)
        else:
            self.set_data(json.dumps(message))
            kind = "application/json"
        self.headers = Headers([("Content-Type", kind)])
        for name, value in dict(response_headers or {}).items():
            self.headers[name] = str(value)

    def set_data(self, value: "Union[str, bytes, bytearray]") -> None:
        """Replace the body. Raises TypeError for what is neither bytes nor text."""
        self._data = _as_body(value)

    def get_data(self, as_text: bool = False) -> "Union[str, bytes]":
        """The body: bytes, or text with ``as_text``."""
        return self._data.decode("utf-8", "replace") if as_text else self._data

    @property
    def content_type(self) -> "Optional[str]":
        """The header Content-Type."""
        kind: "Optional[str]" = self.headers.get("Content-Type")
        return kind

    @content_type.setter
    def content_type(self, value: str) -> None:
        self.headers["Content-Type"] = value

    @property
    def mimetype(self) -> str:
        """The content type without parameters; one that is set gets a charset if it is text."""
        return (self.content_type or "").partition(";")[0].strip().lower()

    @mimetype.setter
    def mimetype(self, value: str) -> None:
        self.content_type = value + ("; charset=utf-8" if value.startswith("text/") else "")

    @property
    def status(self) -> str:
        """The status with its name, such as "200 OK"; a number sets it too."""
        return "{} {}".format(
            self.status_code, messages.REASONS.get(self.status_code, "Unknown").upper()
        )

    @status.setter
    def status(self, value: "Union[str, int]") -> None:
        self.status_code = int(str(value).split()[0])

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: "Optional[int]" = None,
        path: "Optional[str]" = "/",
        domain: "Optional[str]" = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: "Optional[str]" = None,
    ) -> None:
        """Let the client keep a cookie, by a header Set-Cookie."""
        given = (
            ("Domain", domain), ("Max-Age", max_age), ("Path", path), ("SameSite", samesite),
        )  # fmt: skip
        parts = ["{}={}".format(key, value)]
        parts += ["{}={}".format(name, each) for name, each in given if each is not None]
        parts += [name for name, each in (("Secure", secure), ("HttpOnly", httponly)) if each]
        self.headers.add("Set-Cookie", "; ".join(parts))

    @property
    def data(self) -> bytes:
        """The body; text that is set becomes UTF-8."""
        return self._data

    @data.setter
    def data(self, value: "Union[str, bytes, bytearray]") -> None:
        self.set_data(value)


#: headers that are the server's business
_OWN_HEADERS = (
    *("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"),
)
_LINE_ENDS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def from_script(result: object) -> "Optional[Response]":
    """The response in ``result`` if run() returned one, ours or Flask's; None for other values.

    Raises ValueError for a status or a header that HTTP does not have.
    """
    if not (hasattr(result, "status_code") and hasattr(result, "get_data")):
        return None
    if not hasattr(result, "headers"):
        return None
    status, headers = int(result.status_code), []
    if not 200 <= status <= 599:
        raise ValueError("The status of a response must be from 200 to 599, not {}".format(status))
    for name, value in result.headers.items():
        name, value = str(name), str(value)
        if _LINE_ENDS.search(name + value) or not name or set(name) & set(" :"):
            raise ValueError("The header {!r}: {!r} is not valid".format(name, value))
        if name.lower() not in _OWN_HEADERS:
            headers.append((name, value))
    if getattr(result, "run_function_failed", False):
        headers.append(("x-ms-run-function-failed", "True"))
    return Response(status, _as_body(result.get_data()), None, headers)


def _as_body(data: object) -> bytes:
    if isinstance(data, str):
        return data.encode("utf-8")
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    text = "The body of a response must be bytes or text, not {}"
    raise TypeError(text.format(type(data).__name__))
