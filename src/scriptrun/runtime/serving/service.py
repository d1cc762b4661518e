"""A service's answers: the one core that every server asks, whoever reads the bytes.

A server calls ``begin`` with a request's head. What it returns is the answer; None means that the
server reads the body and calls ``score``, in the thread that called init(), one at a time.
"""

import json
import os
import sys
import time
import traceback

from scriptrun.runtime.serving import aml_request, input_schema, swagger
from scriptrun.runtime.serving.errors import BadRequest
from scriptrun.runtime.serving.http import form_data, messages
from scriptrun.runtime.serving.http.messages import Response
from scriptrun.runtime.serving.order import KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from scriptrun.runtime.serving.access import Access
    from scriptrun.runtime.serving.entry_script import EntryScript
    from scriptrun.runtime.serving.http.messages import Request
    from scriptrun.runtime.serving.order import ServiceOrder

_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
_OWN_FAILURE = "The service failed to answer. Its log says why."
_VERSION = ("x-ms-server-version", "scriptrun/1")
_READ, _SCORE = ("GET", "HEAD"), ("POST", "GET", "HEAD", "OPTIONS")
_ROUTES = {"/": _READ, "/swagger.json": _READ, "/score": _SCORE}
_ID_LENGTH = 100


class NotJson(ValueError):
    """run() returned what JSON cannot represent."""

    def __init__(self, problem: Exception) -> None:
        text = "run() returned what JSON cannot represent: {}; convert it first, NumPy arrays with "
        text += ".tolist()"
        super().__init__(text.format(problem))


class Service:
    """What is served, and by which rules."""

    def __init__(self, order: "ServiceOrder", script: "EntryScript", access: "Access") -> None:
        self.order, self.access, self._script = order, access, script
        self._schema = None if script.is_raw else input_schema.of(script.run)
        self._noted, self._pid = False, os.getpid()

    def begin(self, request: "Request") -> "Optional[Response]":
        """The answer to a request that does not reach run(); None if run() must answer."""
        try:
            response = self._refuse(request) or self._route(request)
        except BadRequest as problem:
            response = messages.message(400, problem.message)
        except Exception as problem:
            _print_traceback(problem)
            response = messages.message(500, _OWN_FAILURE)
        return None if response is None else self.finish(request, response)

    def _refuse(self, request: "Request") -> "Optional[Response]":
        response = self.access.refuse(request)
        origin = request.header("origin")
        if response is not None and origin and self._script.is_raw and not self._noted:
            self._noted = True
            text = "note: a page of {:.100} was refused before run(): let it call the service with "
            text += "AML_CORS_ORIGINS or allowed_origins, whatever headers run() sets\n"
            _log(text.format(ascii(origin)))
        return response

    def _route(self, request: "Request") -> "Optional[Response]":
        methods = _ROUTES.get(request.path)
        if methods is None:
            text = "The service has no page {}. It has /, /score and /swagger.json."
            return messages.message(404, text.format(request.path[:200]))
        if request.method not in methods:
            text = "{} takes no {} requests, only {}."
            text = text.format(request.path, request.method[:20], ", ".join(methods))
            return messages.message(405, text, ("allow", ", ".join(methods)))
        if request.path == "/":
            return Response(200, b"Healthy", messages.TEXT)
        return (
            self.access.preflight(request) or self.access.check_key(request) or self._own(request)
        )

    def _own(self, request: "Request") -> "Optional[Response]":
        """The answer that needs no call of run(), to a caller who may have it."""
        if request.path == "/swagger.json":
            return self._describe(request)
        if request.method == "OPTIONS" and not self._script.is_raw:
            return Response(200, b"", None, [("allow", ", ".join(_SCORE))])
        return None

    def _describe(self, request: "Request") -> Response:
        version = form_data.parse_query(request.query).get("version", "2")
        if version not in ("2", "3"):
            return messages.message(404, "The versions of swagger.json are 2 and 3.")
        host = request.header("host") or "{}:{}".format(self.order.host, self.order.port)
        content = swagger.describe(
            self.order.name, self._schema, int(version), host, self.order.auth == KEY
        )
        return Response(200, json.dumps(content, default=str).encode())  # samples may be anything

    def score(self, request: "Request") -> Response:
        """Call run(), and return its answer. Raises nothing but what ends the process."""
        began = time.perf_counter()
        failed = True
        try:
            response = self._run(request)
            failed = response.status == 500
        except BadRequest as problem:
            response = messages.message(400, problem.message)
            failed = False
        except NotJson as problem:
            _log("error: {}\n".format(problem))
            response = messages.message(500, _FAILED)
        except BaseException as problem:  # SystemExit too: a script does not end the server
            if os.getpid() != self._pid:
                _end_child(problem)
            _print_traceback(problem)
            response = messages.message(500, _FAILED)
        if response.header("x-ms-run-function-failed") is None:
            response.headers.append(("x-ms-run-function-failed", str(failed)))
        milliseconds = (time.perf_counter() - began) * 1000
        response.headers.append(("x-ms-run-fn-exec-ms", "{:.3f}".format(milliseconds)))
        return self.finish(request, response)

    def _run(self, request: "Request") -> Response:
        script = self._script
        if script.is_raw:
            result = script.run(aml_request.AMLRequest(request))
        elif self._schema is not None and self._schema.input:
            result = script.run(**self._schema.arguments(self._text(request)))
        else:
            result = script.run(self._text(request))
        if os.getpid() != self._pid:
            _end_child(SystemExit(0))
        return to_response(result)

    def _text(self, request: "Request") -> str:
        """The body as text; of a GET the query as JSON; of a form nothing, as in v1."""
        if request.method != "POST":
            return query_text(request.query)
        kind = request.header("content-type")
        if kind == messages.JSON or kind is None:
            return request.body.decode("utf-8", "replace")
        if form_data.is_form(kind):
            self._note_form(kind)
            return ""
        return request.body.decode(form_data.charset(kind), "replace")

    def _note_form(self, kind: str) -> None:
        if not self._noted:
            self._noted = True
            text = "note: the request's content type is {}, so run() gets no body; send it with "
            text += "the header 'Content-Type: application/json'\n"
            _log(text.format(kind.partition(";")[0]))

    def finish(self, request: "Optional[Request]", response: Response) -> Response:
        """``response`` with the headers that all have; ``request`` is None if it was not valid."""
        identifier = messages.new_id()
        headers = response.headers
        headers.append(("x-ms-request-id", identifier))
        given = request.header("x-request-id") if request is not None else None
        if given and len(given) <= _ID_LENGTH and given.isprintable():
            identifier = given
        headers.append(("x-request-id", identifier))
        headers.append(_VERSION)
        if request is not None and response.header("access-control-allow-origin") is None:
            headers.extend(self.access.cors_headers(request))
        return response

    def failure(self, request: "Optional[Request]", status: int, text: str) -> Response:
        """The answer to what the server itself refuses."""
        more = [("retry-after", "1")] if status == 503 else []
        return self.finish(request, messages.message(status, text, *more))


def to_response(result: object) -> Response:
    """What run() returned as a response: its own one, else JSON; None is ``{}``.

    Raises NotJson if json cannot write it.
    """
    own = aml_request.from_script(result)
    if own is not None:
        return own
    try:
        return messages.as_json({} if result is None else result)
    except (TypeError, ValueError) as problem:
        raise NotJson(problem)  # noqa: B904 (its traceback is of no use to the script's author)


def query_text(query: str) -> str:
    """A query as JSON text: ``data=1`` is '{"data": 1}'. Other values become strings."""
    values = form_data.parse_query(query)
    return json.dumps({name: _value(text) for name, text in values.items()})


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _print_traceback(problem: BaseException) -> None:
    """Print a traceback that begins in the script, as its author knows it."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
        trace = trace.tb_next
    _log("".join(traceback.format_exception(type(problem), problem, trace)))


def _end_child(problem: BaseException) -> None:
    """End a process that run() forked, which returned from it: the client is not its own."""
    code = problem.code if isinstance(problem, SystemExit) else 1
    try:
        if not isinstance(problem, SystemExit):
            _print_traceback(problem)
        sys.stdout.flush()
    except Exception:
        pass  # the script has closed it
    finally:
        os._exit(code if isinstance(code, int) else int(code is not None))


def _log(text: str) -> None:
    """Write to the log, even if the script has closed or replaced sys.stderr."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except Exception:
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # there is no log
