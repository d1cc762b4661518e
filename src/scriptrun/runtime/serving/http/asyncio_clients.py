"""The clients of an asyncio server: accepts them, and ends those that send or read too slowly.

A ``Client`` is between a connection and the protocol that reads its requests, uvicorn's. It uses
nothing of that protocol but what ``asyncio.Protocol`` documents; the application reports where a
request begins and ends.
"""

import asyncio
import select
import socket
import time
import typing

from scriptrun.runtime.serving.errors import Refused
from scriptrun.runtime.serving.http import connection, parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Dict, List, Optional, Set, Tuple

    from scriptrun.runtime.serving.http.access_log import AccessLog
    from scriptrun.runtime.serving.service import Service

    Address = Tuple[str, int]
    Key = Tuple[Optional[Address], Optional[Address]]

#: between requests or in a head; in a body; waits for run(); the response is sent, and what still
#: arrives is discarded
HEAD, BODY, WAITING, LINGERING = range(4)
#: seconds that a client has to read, and to stop sending
_SEND_SECONDS, _LINGER_SECONDS = 60.0, 2.0
#: seconds to finish sending a request, or reading a response, once the service stops
_STOP_SECONDS = 2.0
#: bytes kept while run() works, and connections at most
_AHEAD, _CONNECTIONS = 64 * 1024, 1000
_SWEEP_SECONDS = 0.25
#: bytes that arrive for each byte of a body, and beside it, at most: chunks have sizes and trailers
_RAW_RATIO, _RAW_MORE = 8, 2 * 1024 * 1024
#: seconds that a client waits for another worker before a busy one accepts it
_TICK = 0.05
_ACCEPTED_AT_ONCE = 16


class Client(asyncio.Protocol):
    """One connection. ``inner`` reads its requests."""

    def __init__(self, inner: asyncio.Protocol, clients: "Clients") -> None:
        self._inner, self._clients = inner, clients
        self.state, self._size, self._unsent = HEAD, 0, 0
        #: the moment at which the client must have sent its request, or read the response
        self.deadline: "Optional[float]" = time.monotonic() + clients.read_seconds
        self._send_deadline: "Optional[float]" = None
        #: what reads its body, how much it has, and why it was canceled
        self.reader: "Optional[asyncio.Task[None]]" = None
        self._body_size = 0
        self.problem: "Optional[Refused]" = None
        #: whether it sends no more, and whether it has gone
        self.has_ended, self.is_gone, self._is_paused = False, False, False

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self.transport = typing.cast(asyncio.Transport, transport)
        peer, own = (transport.get_extra_info(name) for name in ("peername", "sockname"))
        self.key: "Key" = (_address(peer), _address(own))
        self._clients.add(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        if self.state == LINGERING:
            return
        if self.state == HEAD and not self._size:
            self.deadline = time.monotonic() + self._clients.read_seconds
        self._size += len(data)
        self._inner.data_received(data)
        if self.transport.is_closing():
            self._clients.log.add(None, 400, 0.0)  # it was no HTTP
            self._clients.flush_soon()
        elif self.state == WAITING and self._size > _AHEAD:
            self._is_paused = True
            self.transport.pause_reading()
        elif self.state == BODY and self._size > _RAW_RATIO * self._body_size + _RAW_MORE:
            self._end_reader(Refused(431, "The trailers are too large."))
        elif self.state == HEAD and self._size > parser.HEAD_LIMIT:
            self._clients.loop.call_soon(self._check_head)  # after the start of its request

    def eof_received(self) -> bool:
        """The client sends no more; it may still read the response."""
        self.has_ended = True
        self._clients.loop.call_soon(self._check_end)  # after the start of its request
        return self.state != LINGERING

    def connection_lost(self, problem: "Optional[Exception]") -> None:
        """The connection is closed."""
        self.is_gone = True
        self._clients.remove(self)
        self._inner.connection_lost(problem)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is sent to."""
        self._unsent = self.transport.get_write_buffer_size()
        self._send_deadline = time.monotonic() + _SEND_SECONDS
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has read."""
        self._send_deadline = None
        self._inner.resume_writing()

    # -- what the application calls

    def begin_request(self) -> None:
        """A head has been read."""
        self.state, self._body_size, self.problem = BODY, 0, None
        if self.deadline is None:
            self.deadline = time.monotonic() + self._clients.read_seconds

    def note_body(self, size: int) -> None:
        """So many bytes of the body have been read."""
        self._body_size = size

    def await_run(self) -> None:
        """The request is complete."""
        self.state, self._size, self.deadline = WAITING, 0, None

    def end_request(self) -> None:
        """The response has been made; the next request may come."""
        self.state, self._size, self.deadline = HEAD, 0, None
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()

    def linger(self) -> None:
        """Say that nothing more will come, and discard what arrives, for a while.

        Closing instead would reset the connection before the client has read the response.
        """
        if self.is_gone:
            return
        self.state, self.deadline = LINGERING, time.monotonic() + _LINGER_SECONDS
        try:
            self.transport.write_eof()
        except (OSError, RuntimeError):
            self.transport.abort()

    # -- limits

    def _check_end(self) -> None:
        if self.state in (HEAD, BODY) and not self.is_gone:
            self.transport.close()

    def _end_reader(self, problem: Refused) -> None:
        if self.reader is not None:
            self.problem, self.deadline = problem, None
            self.reader.cancel()

    def _check_head(self) -> None:
        if self.state == HEAD and self._size > parser.HEAD_LIMIT and not self.is_gone:
            self._refuse(431, "The request's headers are too large.")

    def _refuse(self, status: int, text: str) -> None:
        """Answer in place of the inner protocol, which waits for the rest of a head."""
        response = self._clients.service.failure(None, status, text)
        date = self._clients.date.header()
        self.transport.write(connection.serialize(response, True, False, date, False))
        self._clients.log.add(None, status, 0.0)
        self._clients.flush_soon()
        self.linger()

    def check(self, now: float) -> None:
        """End what takes too long."""
        if self._send_deadline is not None:
            unsent = self.transport.get_write_buffer_size()
            if unsent < self._unsent:
                self._send_deadline = now + _SEND_SECONDS
            elif now >= self._send_deadline:
                self.transport.abort()
            self._unsent = unsent
        if self.deadline is None or now < self.deadline:
            return
        if self.state == LINGERING or (self.state == HEAD and not self._size):
            self.transport.abort()
        elif self.state == HEAD:
            self._refuse(408, self._late_text())
        else:
            self._end_reader(Refused(408, self._late_text()))

    def _late_text(self) -> str:
        text = "The request did not arrive within {:g} seconds."
        return text.format(self._clients.read_seconds)

    def hurry(self, now: float) -> None:
        """The service stops: leave little time."""
        limit = now + _STOP_SECONDS
        if self.deadline is not None:
            self.deadline = min(self.deadline, limit)
        if self._send_deadline is not None:
            self._send_deadline = min(self._send_deadline, limit)


def _address(name: object) -> "Optional[Address]":
    if not isinstance(name, tuple) or len(name) < 2:
        return None
    return str(name[0]), int(name[1])


class Clients:
    """All clients of a worker, in the thread of ``loop``."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, service: "Service", log: "AccessLog"
    ) -> None:
        self.loop, self.service, self.log = loop, service, log
        self.read_seconds, self.date = service.order.read_seconds, connection.Date()
        self._clients: "Dict[Key, Client]" = {}
        self._doors: "List[Door]" = []
        self._will_flush, self.is_stopping = False, False
        loop.call_soon(self._sweep)

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, client: Client) -> None:
        """A client has come."""
        self._clients[client.key] = client

    def remove(self, client: Client) -> None:
        """A client has gone."""
        self._clients.pop(client.key, None)
        for door in self._doors:
            door.reopen()

    def find(self, peer: "Optional[Address]", own: "Optional[Address]") -> "Optional[Client]":
        """The client at ``peer`` that is connected to ``own``; None if it has gone."""
        return self._clients.get((peer, own))

    def add_door(self, door: "Door") -> None:
        """Accept clients through ``door``."""
        self._doors.append(door)

    def run_has_ended(self) -> None:
        """The worker has time: accept clients again."""
        for door in self._doors:
            door.reopen()

    def flush_soon(self) -> None:
        """Write the log's lines when all that is due has been done."""
        if not self._will_flush:
            self._will_flush = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._will_flush = False
        self.log.flush()

    def _sweep(self) -> None:
        now = time.monotonic()
        for client in list(self._clients.values()):
            client.check(now)
        for door in self._doors:
            door.reopen()
        self.loop.call_later(_SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """Accept no more than those that the system has accepted already."""
        self.is_stopping = True
        for door in self._doors:
            door.close()
        now = time.monotonic()
        for client in list(self._clients.values()):
            client.hurry(now)


class Door(asyncio.AbstractServer):
    """Accepts clients on ``listener``: as many as the worker may have.

    If the worker shares the listener with others and is busy, they get new clients first.
    """

    def __init__(
        self,
        clients: Clients,
        listener: "socket.socket",
        factory: "Callable[[], asyncio.Protocol]",
        is_busy: "Callable[[], bool]",
    ) -> None:
        self._clients, self._loop, self._listener = clients, clients.loop, listener
        self._factory, self._is_busy = factory, is_busy
        self._shares = clients.service.order.workers > 1
        self._is_open, self._is_closed = False, False
        self._looking: "Optional[asyncio.TimerHandle]" = None
        self._entering: "Set[asyncio.Task[None]]" = set()
        listener.setblocking(False)
        clients.add_door(self)
        self.reopen()

    def reopen(self) -> None:
        """Accept again, unless there are too many clients, or others have time for them."""
        if self._is_open or self._is_closed or self._is_full():
            return
        if not (self._shares and self._is_busy()):
            self._is_open = True
            self._loop.add_reader(self._listener.fileno(), self._welcome)

    def _is_full(self) -> bool:
        return len(self._clients) + len(self._entering) >= _CONNECTIONS

    def _shut(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listener.fileno())

    def _welcome(self) -> None:
        """A client waits."""
        if self._shares and self._is_busy():
            self._shut()
            self._look_later(False)
        else:
            self._accept(1 if self._shares else _ACCEPTED_AT_ONCE)

    def _look_later(self, waits: bool) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._looking = self._loop.call_later(_TICK, self._look, waits)

    def _look(self, has_waited: bool) -> None:
        """Accept a client that no other worker has accepted for a tick, though this one is busy."""
        if self._is_closed or self._is_open:
            return
        poll = select.poll()
        poll.register(self._listener.fileno(), select.POLLIN)
        waits = bool(poll.poll(0))
        if waits and has_waited:
            self._accept(1)
        self.reopen()
        if not self._is_open:
            self._look_later(waits)

    def _accept(self, count: int) -> None:
        for _ in range(count):
            if self._is_full() and not self._is_closed:
                self._shut()
                return
            try:
                sock, _address = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:  # no more descriptors: wait until some are free
                self._shut()
                return
            sock.setblocking(False)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                pass
            task = self._loop.create_task(self._enter(sock))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, sock: "socket.socket") -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: Client(self._factory(), self._clients), sock
            )
        except OSError:
            sock.close()  # it has gone already

    def close(self) -> None:
        """Accept those that wait, and no more."""
        if self._is_closed:
            return
        self._shut()
        self._is_closed = True
        self._accept(_CONNECTIONS)
        self._listener.close()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for: whoever closes the door ends the clients."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether clients can come."""
        return not self._is_closed

    async def start_serving(self) -> None:
        """It accepts from the beginning."""

    async def serve_forever(self) -> None:
        """Uvicorn waits by itself."""
        raise NotImplementedError


def new_loop(door: "Callable[..., Door]") -> asyncio.AbstractEventLoop:
    """An event loop, uvloop's if it is installed, whose ``create_server`` opens a ``door``.

    ``door`` is called with the socket and the protocol's factory.
    """

    async def create_server(
        loop: asyncio.AbstractEventLoop,
        protocol_factory: "Callable[[], asyncio.Protocol]",
        *,
        sock: "socket.socket",
        **_: object,
    ) -> Door:
        return door(sock, protocol_factory)

    kind = type("ServiceLoop", (_loop_class(),), {"create_server": create_server})
    made: asyncio.AbstractEventLoop = kind()
    return made


def _loop_class() -> type:
    try:
        import uvloop
    except ImportError:
        return asyncio.SelectorEventLoop
    return uvloop.Loop
