"""The clients of a worker: their connections, from the first byte to the last."""

import socket
import time
import traceback
from collections import deque

from scriptrun.runtime.serving.errors import Refused
from scriptrun.runtime.serving.http import connection, poller
from scriptrun.runtime.serving.http.connection import (
    BODY,
    CLOSED,
    HEAD,
    LINGERING,
    SENDING,
    WAITING,
    Connection,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Deque, Dict, Optional

    from scriptrun.runtime.serving.http.access_log import AccessLog
    from scriptrun.runtime.serving.http.messages import Response
    from scriptrun.runtime.serving.service import Service

#: seconds that a kept connection may be silent, that a client has to read, and to stop sending
_IDLE_SECONDS, _SEND_SECONDS, _LINGER_SECONDS = 75.0, 60.0, 2.0
#: seconds to finish sending a request, or reading a response, once the service stops
_STOP_SECONDS = 2.0
#: an idle connection that was used so recently stays open so long once the service stops: its
#: client may be sending a request. The response tells it to connect again
_RECENT_SECONDS, _FAREWELL_SECONDS = 2.0, 1.0
#: connections at most, and bytes read at once and kept while run() works
_CONNECTIONS, _READ_SIZE, _AHEAD = 1000, 256 * 1024, 64 * 1024
#: bytes of unfinished bodies that a worker holds at most, beside one of the largest size
_HELD_SIZE = 512 * 1024 * 1024
_SWEEP_SECONDS = 0.5
#: seconds in which a new client sends its first byte
FIRST_SECONDS = 5.0
#: bytes per second of a body that arrives for longer than ``read_seconds``, at least
LEAST_RATE = 8192
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Clients:
    """The connections of one worker. Only the thread that owns them calls these methods."""

    def __init__(self, listener: "socket.socket", service: "Service", log: "AccessLog") -> None:
        self._listener, self._service, self._log = listener, service, log
        self._order = service.order
        self._connections: "Dict[int, Connection]" = {}
        self._date, self._held = connection.Date(), 0
        self.poller = poller.Poller()
        #: what to do when other descriptors are readable
        self.handlers: "Dict[int, Callable[[], None]]" = {}
        #: the requests that wait for run(), and the one that it answers
        self.jobs: "Deque[Connection]" = deque()
        self.current: "Optional[Connection]" = None
        self.now = self.polled = time.monotonic()
        self.next_sweep = 0.0
        self.listens, self.is_stopping, self.is_done = False, False, False

    def await_descriptor(self, descriptor: int, handler: "Callable[[], None]") -> None:
        """Call ``handler`` whenever ``descriptor`` is readable."""
        self.handlers[descriptor] = handler
        self.poller.register(descriptor, poller.READ)

    def patience(self) -> "Optional[float]":
        """Seconds until a client may be too slow; None if there is none."""
        if not self._connections and self.listens:
            return None
        return max(0.0, self.next_sweep - self.now)

    def turn(self, seconds: "Optional[float]") -> None:
        """Wait up to ``seconds`` for something to do, and do it."""
        events = self.poller.poll(seconds)
        self.now = time.monotonic()
        if seconds is not None:
            self._excuse(self.now - self.polled - seconds)
        self.polled = self.now
        for descriptor, flags in events:
            client = self._connections.get(descriptor)
            if client is not None:
                try:
                    self._serve_client(client, flags)
                except Exception:  # a mistake of ours costs one client, not all
                    traceback.print_exc()
                    self._close(client)
            elif descriptor in self.handlers:
                self.handlers[descriptor]()
            elif self.listens:
                try:
                    self.accept(16 if self._order.workers == 1 else 1)
                except Exception:
                    traceback.print_exc()
        if self.now >= self.next_sweep:
            self._sweep()

    def _excuse(self, late: float) -> None:
        """Give the clients the seconds in which nobody looked at them: run() held Python's lock."""
        if late < _SWEEP_SECONDS:
            return
        for client in self._connections.values():
            if client.deadline is not None:
                client.deadline += late

    def listen(self) -> None:
        """Accept clients from now on."""
        self.poller.register_shared(self._listener.fileno())
        self.listens = True

    def _stop_listening(self) -> None:
        if self.listens:
            self.listens = False
            self.poller.unregister(self._listener.fileno())

    def accept(self, count: int) -> None:
        """Accept up to ``count`` clients."""
        for _ in range(count):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:  # no more descriptors: wait until some are free
                self._stop_listening()
                return
            sock.setblocking(False)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                pass
            self._admit(sock, str(address[0]))
            if len(self._connections) >= _CONNECTIONS and not self._close_idle():
                self._stop_listening()
                return

    def _admit(self, sock: "socket.socket", remote: str) -> None:
        patience = min(FIRST_SECONDS, self._order.read_seconds)
        client = Connection(sock, remote, self.now + patience)
        client.idle_since = self.now
        self._connections[client.fd] = client
        client.interest = poller.READ
        self.poller.register(client.fd, poller.READ)

    def _close_idle(self) -> bool:
        """Close what has been idle for longest, but the newest; False if none is idle."""
        idle = [client for client in list(self._connections.values())[:-1] if client.is_idle()]
        if idle:
            self._close(min(idle, key=lambda client: client.idle_since))
        return bool(idle)

    def _serve_client(self, client: Connection, flags: int) -> None:
        if flags & poller.WRITE and client.out is not None:
            self._send_rest(client)
        elif flags & poller.READ and client.interest & poller.READ:
            self._receive(client)
        elif flags & poller.BROKEN:
            self._close(client)

    def _receive(self, client: Connection) -> None:
        try:
            data = client.sock.recv(_READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._close(client)
            return
        if client.state == LINGERING:
            if not data:
                self._close(client)
            return
        if not data:
            client.has_ended = True
            if client.state == WAITING:
                self._await(client, 0)  # it may still read the response
            else:
                self._close(client)
            return
        if client.state == HEAD and not client.buffer and data.strip(b"\r\n"):
            client.deadline = self.now + self._order.read_seconds
        elif client.state == BODY and client.deadline is not None and not self.is_stopping:
            latest = self.now + self._order.read_seconds
            client.deadline = min(latest, client.deadline + len(data) / LEAST_RATE)
        client.buffer += data
        if client.state == WAITING:
            if len(client.buffer) >= _AHEAD:
                self._await(client, 0)
            return
        self.advance(client)

    def advance(self, client: Connection) -> None:
        """Read requests from what has arrived."""
        try:
            while client.state in (HEAD, BODY):
                if client.state == HEAD and not self._begin(client):
                    return
                if client.state == BODY:
                    if not client.take_body():
                        self._check_memory(client)
                        return
                    client.state, client.deadline = WAITING, None
                    self.jobs.append(client)
        except Refused as problem:
            client.is_last = True
            failure = self._service.failure(client.request, problem.status, str(problem))
            self.respond(client, failure, lingers=True)

    def _check_memory(self, client: Connection) -> None:
        size = client.size()
        self._held += size - client.held
        client.held = size
        if self._held > max(_HELD_SIZE, self._order.body_limit):
            raise Refused(503, "The service is receiving too much. Send the request again.")

    def _begin(self, client: Connection) -> bool:
        """Read a head and answer it, or go on to its body; False if more bytes are needed."""
        request = client.take_head()
        if request is None:
            return False
        assert client.framing is not None
        client.since = time.perf_counter()
        client.is_last = not client.framing.keep_alive
        response = self._service.begin(request)
        if response is None:
            client.begin_body(self._order.body_limit)
            if client.has_body() and client.wants_continue():
                self._invite(client)
            return True
        has_body = client.has_body()
        client.is_last = client.is_last or has_body
        self.respond(client, response, lingers=has_body)
        return True

    @staticmethod
    def _invite(client: Connection) -> None:
        try:
            client.sock.send(_CONTINUE)
        except OSError:
            pass  # the next read finds out

    def answer(self, client: Connection, response: "Response") -> None:
        """Send what run() returned, and read what the client has sent since."""
        try:
            self.respond(client, response)
            if client.buffer and client.state == HEAD:
                self.advance(client)
        except Exception:  # as in ``turn``
            traceback.print_exc()
            self._close(client)

    def respond(self, client: Connection, response: "Response", lingers: bool = False) -> None:
        """Send a response; ``lingers`` if the client may still be sending."""
        request = client.request
        if client.state == CLOSED:
            self._log.add(request, 499, client.since)  # the client has gone
            return
        client.is_last = client.is_last or self.is_stopping or client.has_ended
        data = connection.serialize(
            response,
            client.is_last,
            request is not None and request.version == "1.0",
            self._date.header(),
            request is not None and request.method == "HEAD",
        )
        self._log.add(request, response.status, client.since)
        client.state, client.deadline = SENDING, self.now + _SEND_SECONDS
        client.chunks = None
        self._release(client)
        if lingers:
            client.framing = None
        try:
            sent = client.sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._close(client)
            return
        if sent < len(data):
            client.out = memoryview(data)[sent:]
            self._await(client, poller.WRITE)
        else:
            self._finish_response(client)

    def _send_rest(self, client: Connection) -> None:
        assert client.out is not None
        try:
            sent = client.sock.send(client.out)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._close(client)
            return
        client.deadline = self.now + _SEND_SECONDS
        client.out = client.out[sent:]
        if not client.out:
            client.out = None
            self._finish_response(client)
            if client.state == HEAD and client.buffer:
                self.advance(client)

    def _finish_response(self, client: Connection) -> None:
        if client.is_last:
            self._hang_up(client)
            return
        client.state, client.deadline = HEAD, self.now + _IDLE_SECONDS
        client.idle_since = self.now
        client.request = None
        if client.buffer:
            client.deadline = self.now + self._order.read_seconds
        if client.interest != poller.READ:
            self._await(client, poller.READ)

    def _hang_up(self, client: Connection) -> None:
        """Close a connection so that the client can read the response first.

        If it is still sending, closing would reset it: what arrives for a while is discarded.
        """
        if client.framing is not None and not client.buffer:
            self._close(client)
            return
        try:
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(client)
            return
        client.buffer = bytearray()
        client.state, client.deadline = LINGERING, self.now + _LINGER_SECONDS
        self._await(client, poller.READ)

    def _await(self, client: Connection, interest: int) -> None:
        if client.interest != interest:
            client.interest = interest
            self.poller.modify(client.fd, interest)

    def _close(self, client: Connection) -> None:
        if client.state == CLOSED:
            return
        if client.state == WAITING and client in self.jobs:
            self.jobs.remove(client)
        client.state = CLOSED
        self._release(client)
        del self._connections[client.fd]
        self.poller.unregister(client.fd)
        client.sock.close()
        if self.is_stopping and not self._connections:
            self.is_done = True

    def _release(self, client: Connection) -> None:
        self._held -= client.held
        client.held = 0

    def _sweep(self) -> None:
        """Close the connections of clients that are too slow."""
        self.next_sweep = self.now + _SWEEP_SECONDS
        if not self.listens and not self.is_stopping and len(self._connections) < _CONNECTIONS:
            self.listen()
        for client in list(self._connections.values()):
            if client.deadline is None or self.now < client.deadline:
                continue
            if client.state == BODY or (client.state == HEAD and client.buffer):
                client.is_last = True
                if client.state == HEAD:
                    client.request = None
                text = "The request did not arrive within {:g} seconds."
                text = text.format(self._order.read_seconds)
                response = self._service.failure(client.request, 408, text)
                self.respond(client, response, lingers=True)
            else:
                self._close(client)

    def send_back(self) -> bool:
        """Answer 503 to all whose requests run() has not begun; whether answers are being sent."""
        text = "The worker is being replaced. Send the request again."
        for client in list(self._connections.values()):
            is_reading = client.state == BODY or (client.state == HEAD and bool(client.buffer))
            if is_reading or (client.state == WAITING and client is not self.current):
                if client.state == HEAD:
                    client.request = None
                client.is_last = True
                self.respond(client, self._service.failure(client.request, 503, text), is_reading)
        self.jobs.clear()
        return any(c.state in (SENDING, LINGERING) for c in self._connections.values())

    def stop(self) -> None:
        """Accept no more, and close what is idle."""
        if self.is_stopping:
            return
        if self.listens:
            self.accept(_CONNECTIONS)  # they have been accepted by the system already
        self._stop_listening()
        self._listener.close()
        self.is_stopping = True
        self.next_sweep = self.now
        for client in list(self._connections.values()):
            if client.is_idle():
                self._receive_last(client)
            elif client.deadline is not None:
                client.deadline = min(client.deadline, self.now + _STOP_SECONDS)
        self.is_done = not self._connections

    def _receive_last(self, client: Connection) -> None:
        self._receive(client)
        if client.state == CLOSED or not client.is_idle():
            return
        if self.now - client.idle_since < _RECENT_SECONDS:
            client.deadline = self.now + _FAREWELL_SECONDS
        else:
            self._close(client)
