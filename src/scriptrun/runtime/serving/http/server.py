"""The server of a worker, with nothing but the standard library.

One thread at a time owns the connections. Normally that is the main thread, which calls run()
itself as soon as a request is complete: no hand-over delays a fast model. While run() takes long, a
second thread, the deputy, takes the connections over: it answers health checks, reads bodies, ends
what takes too long, and queues further calls. When run() returns, the main thread takes them
back.
"""

import os
import socket
import threading
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

#: what the state of a service names
NAME = "scriptrun"
#: seconds of run() after which the deputy takes over; shorter, it disturbs fast models
_TICK = 0.05
#: ticks without a call after which the deputy sleeps
_IDLE_TICKS = 20
#: seconds that a kept connection may be silent, that a client has to read, and to stop sending
_IDLE_SECONDS, _SEND_SECONDS, _LINGER_SECONDS = 75.0, 60.0, 2.0
#: seconds to finish sending a request, or reading a response, once the service stops
_STOP_SECONDS = 2.0
#: connections at most, and bytes read at once and kept while run() works
_CONNECTIONS, _READ_SIZE, _AHEAD = 1000, 256 * 1024, 64 * 1024
#: bytes of unfinished bodies that a worker holds at most, beside one of the largest size
_HELD_SIZE = 512 * 1024 * 1024
_SWEEP_SECONDS = 0.5
_POLL_SECONDS = 0.005
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class HttpServer:
    """Serves ``service`` on a listening socket until ``stop``, or what ``control`` says."""

    def __init__(
        self,
        listener: "socket.socket",
        service: "Service",
        log: "AccessLog",
        control: "Control",
    ) -> None:
        self._listener, self._service, self._log, self._control = listener, service, log, control
        self._order = service.order
        self._connections: "Dict[int, Connection]" = {}
        self._jobs: "Deque[Connection]" = deque()
        self._poller = poller.Poller()
        self._lock = threading.Lock()
        self._alarm = threading.Lock()
        self._alarm.acquire()
        self._deputy_sleeps, self._is_wanted = False, False
        self._current: "Optional[Connection]" = None
        self._run_began, self._polled, self._next_sweep = 0.0, 0.0, 0.0
        self._now = time.monotonic()
        self._is_stopping, self._listens, self._is_done = False, False, False
        self._date, self._held = connection.Date(), 0
        self._wake_reader, self._wake_writer = os.pipe()

    # -- the main thread

    def serve(self) -> None:
        """Answer requests until stopped, and what has been accepted by then."""
        self._listener.setblocking(False)
        for descriptor in (self._wake_reader, self._wake_writer):
            os.set_blocking(descriptor, False)
        self._poller.register(self._wake_reader, poller.READ)
        self._poller.register(self._control.descriptor, poller.READ)
        self._listen()
        threading.Thread(target=self._stand_in, name="scriptrun-deputy", daemon=True).start()
        with self._lock:
            while not self._is_done:
                self._turn(self._patience())
                while self._jobs:
                    self._run(self._jobs.popleft())
                    if time.monotonic() - self._polled > _POLL_SECONDS:
                        self._turn(0)
                self._log.flush()

    def _patience(self) -> "Optional[float]":
        if not self._connections and self._listens:
            return None
        return max(0.0, self._next_sweep - self._now)

    def _run(self, job: Connection) -> None:
        request = job.request
        assert request is not None
        self._current, self._run_began = job, time.monotonic()
        self._control.begin_run(self._run_began)
        if self._deputy_sleeps:
            self._deputy_sleeps = False
            self._alarm.release()
        self._lock.release()
        try:
            response = self._service.score(request)
        finally:
            if not self._lock.acquire(False):
                self._is_wanted = True
                self._wake()
                self._lock.acquire()
                self._is_wanted = False
            self._current = None
        self._control.end_run()
        self._respond(job, response)
        if job.buffer and job.state == HEAD:
            self._advance(job)

    def _wake(self) -> None:
        try:
            os.write(self._wake_writer, b"w")
        except BlockingIOError:
            pass

    # -- the deputy

    def _stand_in(self) -> None:
        idle = 0
        while True:
            if self._current is None:
                idle += 1
                if idle > _IDLE_TICKS:
                    self._sleep()
                    idle = 0
                else:
                    time.sleep(_TICK)
                continue
            idle = 0
            if time.monotonic() - self._run_began < _TICK or not self._lock.acquire(False):
                time.sleep(_TICK)
                continue
            try:
                self._replace_main()
            finally:
                self._lock.release()
            time.sleep(_TICK)

    def _sleep(self) -> None:
        self._deputy_sleeps = True
        if self._current is None:
            self._alarm.acquire()
        elif self._deputy_sleeps:
            self._deputy_sleeps = False
        else:  # woken in this moment
            self._alarm.acquire()

    def _replace_main(self) -> None:
        """Own the connections until run() returns.

        With other workers about, they get new connections first: here a client would wait.
        """
        shares = self._order.workers > 1 and self._listens
        waits = False
        if shares:
            self._poller.unregister(self._listener.fileno())
        try:
            while self._current is not None and not self._is_wanted:
                self._turn(_TICK if shares else self._rest_of_run())
                if shares:
                    waits = self._accept_left(waits)
                self._log.flush()
                self._check_time()
        finally:
            if shares and self._listens:
                self._poller.register_shared(self._listener.fileno())

    def _accept_left(self, has_waited: bool) -> bool:
        """Accept a client that no other worker has accepted for a tick; whether one waits now."""
        if not self._listens:
            return False
        door = poller.Poller()
        door.register(self._listener.fileno(), poller.READ)
        waits = bool(door.poll(0))
        door.close()
        if waits and has_waited:
            self._accept(1)
        return waits

    def _rest_of_run(self) -> float:
        limit = self._order.timeout_seconds
        if limit is None:
            return _SWEEP_SECONDS
        return min(_SWEEP_SECONDS, max(0.0, self._run_began + limit - time.monotonic()))

    def _check_time(self) -> None:
        limit, job = self._order.timeout_seconds, self._current
        if limit is None or job is None or self._now - self._run_began < limit:
            return
        text = "run() took longer than {:g} seconds (timeout_seconds).".format(limit)
        self._respond(job, self._service.failure(job.request, 504, text))
        for waiting in self._jobs:
            text = "The worker is being replaced. Send the request again."
            self._respond(waiting, self._service.failure(waiting.request, 503, text))
        self._log.flush()
        self._control.end_overdue(limit)

    # -- what the owner of the connections does

    def _turn(self, seconds: "Optional[float]") -> None:
        events = self._poller.poll(seconds)
        self._now = self._polled = time.monotonic()
        for descriptor, flags in events:
            client = self._connections.get(descriptor)
            if client is not None:
                try:
                    self._serve_client(client, flags)
                except Exception:  # a mistake of ours costs one client, not all
                    traceback.print_exc()
                    self._close(client)
            elif descriptor == self._wake_reader:
                os.read(self._wake_reader, 4096)
            elif descriptor == self._control.descriptor:
                if self._control.must_stop():
                    self._stop()
            elif self._listens:
                self._accept(16 if self._order.workers == 1 else 1)
        if self._now >= self._next_sweep:
            self._sweep()

    def _listen(self) -> None:
        self._poller.register_shared(self._listener.fileno())
        self._listens = True

    def _stop_listening(self) -> None:
        if self._listens:
            self._listens = False
            try:
                self._poller.unregister(self._listener.fileno())
            except (OSError, KeyError):
                pass  # the deputy shares it

    def _accept(self, count: int) -> None:
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
            client = Connection(sock, str(address[0]), self._now + self._order.read_seconds)
            self._connections[client.fd] = client
            client.interest = poller.READ
            self._poller.register(client.fd, poller.READ)
            if len(self._connections) >= _CONNECTIONS:
                self._stop_listening()
                return

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
        if client.state == HEAD and not client.buffer:
            client.deadline = self._now + self._order.read_seconds
        client.buffer += data
        if client.state == WAITING:
            if len(client.buffer) >= _AHEAD:
                self._await(client, 0)
            return
        self._advance(client)

    def _advance(self, client: Connection) -> None:
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
                    self._jobs.append(client)
        except Refused as problem:
            client.is_last = True
            failure = self._service.failure(client.request, problem.status, str(problem))
            self._respond(client, failure, lingers=True)

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
        self._respond(client, response, lingers=has_body)
        return True

    @staticmethod
    def _invite(client: Connection) -> None:
        try:
            client.sock.send(_CONTINUE)
        except OSError:
            pass  # the next read finds out

    def _respond(self, client: Connection, response: "Response", lingers: bool = False) -> None:
        request = client.request
        if client.state == CLOSED:
            self._log.add(request, 499, client.since)  # the client has gone
            return
        client.is_last = client.is_last or self._is_stopping or client.has_ended
        data = connection.serialize(
            response,
            client.is_last,
            request is not None and request.version == "1.0",
            self._date.header(),
            request is not None and request.method == "HEAD",
        )
        self._log.add(request, response.status, client.since)
        client.state, client.deadline = SENDING, self._now + _SEND_SECONDS
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
        client.deadline = self._now + _SEND_SECONDS
        client.out = client.out[sent:]
        if not client.out:
            client.out = None
            self._finish_response(client)
            if client.state == HEAD and client.buffer:
                self._advance(client)

    def _finish_response(self, client: Connection) -> None:
        if client.is_last:
            self._hang_up(client)
            return
        client.state, client.deadline = HEAD, self._now + _IDLE_SECONDS
        client.request = None
        if client.buffer:
            client.deadline = self._now + self._order.read_seconds
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
        client.state, client.deadline = LINGERING, self._now + _LINGER_SECONDS
        self._await(client, poller.READ)

    def _await(self, client: Connection, interest: int) -> None:
        if client.interest != interest:
            client.interest = interest
            self._poller.modify(client.fd, interest)

    def _close(self, client: Connection) -> None:
        if client.state == CLOSED:
            return
        if client.state == WAITING and client is not self._current:
            self._jobs.remove(client)
        client.state = CLOSED
        self._release(client)
        del self._connections[client.fd]
        self._poller.unregister(client.fd)
        client.sock.close()
        if self._is_stopping and not self._connections:
            self._is_done = True

    def _release(self, client: Connection) -> None:
        self._held -= client.held
        client.held = 0

    def _sweep(self) -> None:
        """Close the connections of clients that are too slow."""
        self._next_sweep = self._now + _SWEEP_SECONDS
        if not self._listens and not self._is_stopping and len(self._connections) < _CONNECTIONS:
            self._listen()
        for client in list(self._connections.values()):
            if client.deadline is None or self._now < client.deadline:
                continue
            if client.state == BODY or (client.state == HEAD and client.buffer):
                client.is_last = True
                if client.state == HEAD:
                    client.request = None
                text = "The request did not arrive within {:g} seconds."
                text = text.format(self._order.read_seconds)
                response = self._service.failure(client.request, 408, text)
                self._respond(client, response, lingers=True)
            else:
                self._close(client)

    def _stop(self) -> None:
        """Accept no more, and close what is idle."""
        if self._is_stopping:
            return
        if self._listens:
            self._accept(_CONNECTIONS)  # they have been accepted by the system already
        self._stop_listening()
        self._listener.close()
        self._is_stopping = True
        self._next_sweep = self._now
        for client in list(self._connections.values()):
            if client.is_idle():
                self._receive_last(client)
            elif client.deadline is not None:
                client.deadline = min(client.deadline, self._now + _STOP_SECONDS)
        self._is_done = not self._connections

    def _receive_last(self, client: Connection) -> None:
        self._receive(client)
        if client.state != CLOSED and client.is_idle():
            self._close(client)


class Control:
    """How the server hears from, and reports to, the process that started it."""

    #: readable when there is something to hear
    descriptor: int
    must_stop: "Callable[[], bool]"
    begin_run: "Callable[[float], None]"
    end_run: "Callable[[], None]"
    end_overdue: "Callable[[float], None]"
