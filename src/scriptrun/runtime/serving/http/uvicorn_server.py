"""The server of a worker where the model's environment has uvicorn: an ASGI application.

Uvicorn and its event loop run in a second thread. The main thread, which called init(), takes
complete requests from a queue and calls run(), one at a time. So health checks are answered, bodies
read and time limits kept while run() works.
"""

import asyncio
import importlib
import queue
import threading
import time
import traceback
from collections import deque

from scriptrun.runtime.serving.errors import Refused, ServiceError
from scriptrun.runtime.serving.http import asyncio_clients, parser
from scriptrun.runtime.serving.http.asyncio_clients import Client, Clients, Door
from scriptrun.runtime.serving.http.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from typing import Deque, Dict, List, Optional, Tuple, TypedDict

    from scriptrun.runtime.serving.http.access_log import AccessLog
    from scriptrun.runtime.serving.http.messages import Response
    from scriptrun.runtime.serving.http.server import Control
    from scriptrun.runtime.serving.service import Service

    class Scope(TypedDict):
        """What ASGI says of a request."""

        type: str
        method: str
        raw_path: bytes
        query_string: bytes
        http_version: str
        headers: "list[tuple[bytes, bytes]]"
        client: "Optional[Tuple[str, int]]"
        server: "Optional[Tuple[str, int]]"

    Message = Dict[str, object]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

#: what the state of a service names
NAME = "uvicorn"
#: the oldest version that has all that is used here
OLDEST = (0, 30)
#: bytes of unfinished bodies that a worker holds at most, beside one of the largest size
_HELD_SIZE = 512 * 1024 * 1024
_IDLE_SECONDS = 75
#: seconds between looks at a run(), and to send the answers before a worker ends itself
_WATCH_SECONDS, _LEAVE_SECONDS = 0.5, 1.0


class Unusable(Exception):
    """The environment's uvicorn cannot be used; the message says why."""


class Job:
    """A complete request that waits for run()."""

    __slots__ = ("client", "future", "request")

    def __init__(
        self, request: Request, client: Client, future: "asyncio.Future[Response]"
    ) -> None:
        self.request, self.client, self.future = request, client, future

    def answer(self, response: "Response") -> None:
        """In the thread of the event loop: let the application send ``response``."""
        if not self.future.done():
            self.future.set_result(response)


class UvicornServer:
    """Serves ``service`` on a listening socket until what ``control`` says."""

    name = NAME

    def __init__(
        self,
        listener: "socket.socket",
        service: "Service",
        log: "AccessLog",
        control: "Control",
    ) -> None:
        """Raises Unusable if uvicorn is missing, broken or too old."""
        self._listener, self._service, self._log, self._control = listener, service, log, control
        self._order = service.order
        self._jobs: "queue.SimpleQueue[Optional[Job]]" = queue.SimpleQueue()
        self._answered: "Deque[Tuple[Job, Response]]" = deque()
        self._is_told, self._waiting, self._open, self._held = False, 0, 0, 0
        self._current: "Optional[Job]" = None
        self._run_began = 0.0
        self._has_failed = False
        try:
            uvicorn = importlib.import_module("uvicorn")
            _check_version(str(uvicorn.__version__))
            config = uvicorn.Config(
                self._answer, lifespan="off", ws="none", interface="asgi3", log_config=None,
                log_level="error", access_log=False, proxy_headers=False, server_header=False,
                timeout_keep_alive=_IDLE_SECONDS, h11_max_incomplete_event_size=parser.HEAD_LIMIT,
            )  # fmt: skip
            config.load()
            self._server = uvicorn.Server(config)
            self._loop = asyncio_clients.new_loop(self._open_door)
        except Unusable:
            raise
        except Exception as problem:
            raise Unusable("{}: {}".format(type(problem).__name__, problem)) from problem
        self._clients = Clients(self._loop, service, log)

    def _open_door(
        self, listener: "socket.socket", factory: "Callable[[], asyncio.Protocol]"
    ) -> Door:
        return Door(self._clients, listener, factory, self._is_busy)

    def _is_busy(self) -> bool:
        return self._waiting > 0

    # -- the main thread

    def serve(self) -> None:
        """Answer requests until stopped, and what has been accepted by then.

        Raises ServiceError if uvicorn ends by itself.
        """
        thread = threading.Thread(target=self._run_loop, name="scriptrun-uvicorn", daemon=True)
        thread.start()
        while True:
            job = self._jobs.get()
            if job is None:
                break
            self._run(job)
        thread.join()
        if self._has_failed:
            raise ServiceError("The server of the service, uvicorn, has ended.")

    def _run(self, job: Job) -> None:
        if not job.client.is_gone:
            self._run_began = time.monotonic()
            self._current = job
            self._control.begin_run(self._run_began)
            response = self._service.score(job.request)
            self._current = None
            self._control.end_run()
        else:
            response = self._service.failure(job.request, 503, "The client has gone.")
        self._answered.append((job, response))
        if not self._is_told:
            self._is_told = True
            self._loop.call_soon_threadsafe(self._deliver)

    # -- the thread of the event loop

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.add_reader(self._control.descriptor, self._hear)
            if self._order.timeout_seconds is not None:
                self._loop.call_soon(self._watch, self._order.timeout_seconds)
            self._loop.run_until_complete(self._server.serve(sockets=[self._listener]))
        except BaseException:
            traceback.print_exc()
            self._has_failed = True
        finally:
            self._has_failed = self._has_failed or not self._clients.is_stopping
            self._log.flush()
            self._jobs.put(None)

    def _hear(self) -> None:
        if self._control.must_stop():
            self._clients.stop()
            self._server.should_exit = True

    def _deliver(self) -> None:
        self._is_told = False
        while self._answered:
            job, response = self._answered.popleft()
            job.answer(response)

    def _watch(self, limit: float) -> None:
        job, pause = self._current, min(_WATCH_SECONDS, limit)
        if job is not None:
            left = self._run_began + limit - time.monotonic()
            if left <= 0 and self._current is job:
                self._loop.create_task(self._leave(job, limit))
                return
            pause = min(pause, max(left, 0.001))
        self._loop.call_later(pause, self._watch, limit)

    async def _leave(self, job: Job, limit: float) -> None:
        """End this process, as run() cannot be interrupted; all that wait get an answer."""
        text = "run() took longer than {:g} seconds (timeout_seconds).".format(limit)
        job.answer(self._service.failure(job.request, 504, text))
        text = "The worker is being replaced. Send the request again."
        until = time.monotonic() + _LEAVE_SECONDS
        while self._waiting and time.monotonic() < until:
            try:
                waiting = self._jobs.get_nowait()
            except queue.Empty:
                await asyncio.sleep(0.005)
                continue
            if waiting is not None:
                waiting.answer(self._service.failure(waiting.request, 503, text))
        await asyncio.sleep(0.02)  # the event loop sends
        self._log.flush()
        self._control.end_overdue(limit)

    # -- the application

    async def _answer(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """What ASGI calls for each request."""
        since = time.perf_counter()
        client = self._clients.find(scope["client"], scope["server"])
        if client is None:
            return  # it went as soon as it came
        client.begin_request()
        request, is_last, lingers = None, False, False
        try:
            request = _to_request(scope)
            framing = parser.Framing(request)
            is_last = not framing.keep_alive
            response = self._service.begin(request)
            if response is None:
                response = await self._score(client, request, framing, receive)
            else:
                is_last = lingers = framing.chunked or framing.length > 0
        except Refused as problem:
            response = self._service.failure(request, problem.status, str(problem))
            is_last = lingers = True
        except _Gone:
            self._note(request, 499, since)
            return
        self._note(request, 499 if client.is_gone else response.status, since)
        if is_last or client.has_ended or self._clients.is_stopping:
            response.headers.append(("connection", "close"))
        await _send(client, response, send, lingers)
        if lingers:
            while (await receive())["type"] != "http.disconnect":
                pass

    def _note(self, request: "Optional[Request]", status: int, since: float) -> None:
        self._log.add(request, status, since)
        self._clients.flush_soon()

    async def _score(
        self, client: Client, request: Request, framing: parser.Framing, receive: "Receive"
    ) -> "Response":
        if framing.length > self._order.body_limit:
            raise parser.too_large(self._order.body_limit)
        request.body = await self._read_body(client, receive)
        client.await_run()
        job = Job(request, client, self._loop.create_future())
        self._waiting += 1
        try:
            self._jobs.put(job)
            return await job.future
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._clients.run_has_ended()

    async def _read_body(self, client: Client, receive: "Receive") -> bytes:
        """The body. Raises Refused, and _Gone if the client goes before it is complete."""
        client.reader = asyncio.current_task()
        parts: "List[bytes]" = []
        size = 0
        try:
            while True:
                message = await receive()
                part = message.get("body", b"")
                if message["type"] != "http.request" or not isinstance(part, bytes):
                    raise _Gone
                if not message.get("more_body"):
                    if size + len(part) > self._order.body_limit:
                        raise parser.too_large(self._order.body_limit)
                    return b"".join([*parts, part]) if parts else part
                parts.append(part)
                size += len(part)
                client.note_body(size)
                self._held += len(part)
                self._check_size(size)
        except asyncio.CancelledError:
            if client.problem is None:
                raise
            raise client.problem from None
        finally:
            client.reader = None
            self._held -= size

    def _check_size(self, size: int) -> None:
        if size > self._order.body_limit:
            raise parser.too_large(self._order.body_limit)
        if self._held > max(_HELD_SIZE, self._order.body_limit):
            raise Refused(503, "The service is receiving too much. Send the request again.")


class _Gone(Exception):
    """The client went before its request was complete."""


def _to_request(scope: "Scope") -> Request:
    """The request of ``scope``. Raises Refused."""
    if not scope["http_version"].startswith("1."):
        raise Refused(505, "The server speaks HTTP/1.1 and HTTP/1.0.")
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
    if len(headers) > parser.HEADER_COUNT:
        raise Refused(431, "The request has more than {} headers.".format(parser.HEADER_COUNT))
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    if len(path) + len(query) + sum(len(n) + len(v) for n, v in headers) > parser.HEAD_LIMIT:
        raise Refused(431, "The request's headers are too large.")
    if not path.startswith("/"):
        path = parser.split_target(path)[0]
    peer = scope["client"]
    remote = peer[0] if peer else ""
    return Request(scope["method"], path, query, headers, b"", remote, scope["http_version"])


async def _send(client: Client, response: "Response", send: "Send", lingers: bool) -> None:
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in response.headers
    ]
    body = response.body
    if response.status in (204, 304):
        body = b""
    else:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if lingers:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        client.linger()
    else:
        client.end_request()
        await send({"type": "http.response.body", "body": body})


def _check_version(version: str) -> None:
    parts = version.split(".")[:2]
    found = tuple(int(part) for part in parts if part.isdigit())
    if found < OLDEST:
        text = "version {} is too old: {} or newer is needed"
        raise Unusable(text.format(version, ".".join(str(part) for part in OLDEST)))
