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

from scriptrun.runtime.serving.http.clients import Clients
from scriptrun.runtime.serving.http.connection import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.serving.http.access_log import AccessLog
    from scriptrun.runtime.serving.service import Service

#: what the state of a service names
NAME = "scriptrun"
#: seconds of run() after which the deputy takes over; shorter, it disturbs fast models
_TICK = 0.05
#: ticks without a call after which the deputy sleeps
_IDLE_TICKS = 20
#: seconds that run() may be called again and again without a look at the clients
_POLL_SECONDS = 0.005
#: seconds that the deputy waits for something to do, and for answers to be sent at the end
_REST_SECONDS, _LEAVE_SECONDS = 0.5, 1.0


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
        self._clients = Clients(listener, service, log)
        self._lock = threading.Lock()
        self._alarm = threading.Event()
        self._deputy_sleeps, self._is_wanted, self._run_began = False, False, 0.0
        self._wake_reader, self._wake_writer = os.pipe()

    # -- the main thread

    def serve(self) -> None:
        """Answer requests until stopped, and what has been accepted by then."""
        self._listener.setblocking(False)
        for descriptor in (self._wake_reader, self._wake_writer):
            os.set_blocking(descriptor, False)
        clients = self._clients
        clients.await_descriptor(self._wake_reader, self._clear_wake)
        clients.await_descriptor(self._control.descriptor, self._hear)
        clients.listen()
        threading.Thread(target=self._stand_in, name="scriptrun-deputy", daemon=True).start()
        with self._lock:
            while not self._clients.is_done:
                clients.turn(clients.patience())
                while self._clients.jobs:
                    self._run(self._clients.jobs.popleft())
                    if time.monotonic() - self._clients.polled > _POLL_SECONDS:
                        self._clients.turn(0)
                self._log.flush()

    def _run(self, job: Connection) -> None:
        request = job.request
        assert request is not None
        self._clients.current, self._run_began = job, time.monotonic()
        self._control.begin_run(self._run_began)
        if self._deputy_sleeps:
            self._deputy_sleeps = False
            self._alarm.set()
        self._lock.release()
        try:
            response = self._service.score(request)
        finally:
            if not self._lock.acquire(False):
                self._is_wanted = True
                self._wake()
                self._lock.acquire()
                self._is_wanted = False
            self._clients.current = None
        self._control.end_run()
        self._clients.answer(job, response)

    def _clear_wake(self) -> None:
        os.read(self._wake_reader, 4096)

    def _hear(self) -> None:
        if self._control.must_stop():
            self._clients.stop()

    def _wake(self) -> None:
        try:
            os.write(self._wake_writer, b"w")
        except BlockingIOError:
            pass

    # -- the deputy

    def _stand_in(self) -> None:
        idle = 0
        while True:
            if self._clients.current is None:
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
            except Exception:  # it must live on: nobody else answers while run() works
                traceback.print_exc()
            finally:
                self._lock.release()
            time.sleep(_TICK)

    def _sleep(self) -> None:
        """Wait for the next call of run(), whose thread sets the alarm if it sees us asleep."""
        self._alarm.clear()
        self._deputy_sleeps = True
        if self._clients.current is None:
            self._alarm.wait()
        self._deputy_sleeps = False

    def _replace_main(self) -> None:
        """Own the connections until run() returns.

        With other workers about, they get new connections first: here a client would wait.
        """
        shares = self._order.workers > 1 and self._clients.listens
        waits = False
        if shares:
            self._clients.poller.unregister(self._listener.fileno())
        try:
            while self._clients.current is not None and not self._is_wanted:
                self._clients.turn(_TICK if shares else self._rest_of_run())
                if shares:
                    waits = self._accept_left(waits)
                self._log.flush()
                self._check_time()
        finally:
            if shares and self._clients.listens:
                self._clients.poller.register_shared(self._listener.fileno())

    def _accept_left(self, has_waited: bool) -> bool:
        """Accept a client that no other worker has accepted for a tick; whether one waits now."""
        if not self._clients.listens:
            return False
        waits = self._clients.poller.is_readable(self._listener.fileno())
        if waits and has_waited:
            self._clients.accept(1)
        return waits

    def _rest_of_run(self) -> float:
        limit = self._order.timeout_seconds
        if limit is None:
            return _REST_SECONDS
        return min(_REST_SECONDS, max(0.0, self._run_began + limit - time.monotonic()))

    def _check_time(self) -> None:
        limit, job = self._order.timeout_seconds, self._clients.current
        if limit is None or job is None or self._is_wanted:
            return
        if self._clients.now - self._run_began < limit:
            return
        text = "run() took longer than {:g} seconds (timeout_seconds).".format(limit)
        self._clients.respond(job, self._service.failure(job.request, 504, text))
        until = time.monotonic() + _LEAVE_SECONDS
        while self._clients.send_back() and time.monotonic() < until:
            self._clients.turn(_TICK)
        self._log.flush()
        self._control.end_overdue(limit)


class Control:
    """How the server hears from, and reports to, the process that started it."""

    #: readable when there is something to hear
    descriptor: int
    must_stop: "Callable[[], bool]"
    begin_run: "Callable[[float], None]"
    end_run: "Callable[[], None]"
    end_overdue: "Callable[[float], None]"
