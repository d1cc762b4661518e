"""The master process of a service: listens, starts workers and replaces them, reports its state."""

import datetime
import math
import os
import select
import signal
import sys
import time

from scriptrun.runtime.serving import listener, state
from scriptrun.runtime.serving.errors import ServiceError
from scriptrun.runtime.serving.worker_process import WorkerProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional, Tuple

    from scriptrun.runtime.serving.order import ServiceOrder

#: seconds before the first replacement and before the last; it doubles
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
#: seconds that a worker has to end itself when run() takes too long
_OVERDUE_SECONDS = 2.0
#: seconds after which a worker that lived so long counts as sound: the pause begins small again
_SOUND_SECONDS = 60.0
#: seconds with all workers healthy after which the restarts until then no longer count
FORGIVING_SECONDS = 600.0


class Master:
    """Runs one service until it is stopped or fails. ``program`` is what workers execute.

    When all workers have been healthy for ``forgiving`` seconds, it counts restarts from 0 again.
    """

    def __init__(
        self,
        order: "ServiceOrder",
        folder: str,
        program: str,
        forgiving: float = FORGIVING_SECONDS,
    ) -> None:
        self._order, self._folder, self._program = order, folder, program
        self._forgiving = forgiving
        self._workers: "Dict[int, WorkerProcess]" = {}
        #: when the worker of a number starts, and how long the last pauses were
        self._planned: "Dict[int, float]" = {}
        self._deaths: "Dict[int, int]" = {}
        #: all restarts, and those that count; since when all workers have been healthy
        self._restarts, self._counted, self._signals = 0, 0, 0
        self._healthy_since: "Optional[float]" = None
        #: when workers that still load the model are killed
        self._hopeless = math.inf
        self._has_been_healthy = False
        self._reason: "Optional[str]" = None
        self._written: "Optional[Tuple[object, ...]]" = None
        self._since, self._port = "", order.port

    def run(self) -> int:
        """Serve; returns the exit code."""
        wake = self._watch_signals()
        try:
            self._listener = listener.open_listener(self._order)
        except ServiceError as problem:
            return self._give_up(str(problem))
        self._port = self._listener.getsockname()[1]
        self._report()
        try:
            for number in range(1, self._order.workers + 1):
                self._start(number)
            while not self._signals:
                self._wait(wake)
                self._look()
                self._report()
            self._drain(wake)
        except ServiceError as problem:
            return self._give_up(str(problem))
        except OSError as problem:  # no more processes, descriptors or memory
            text = "The service cannot go on: {}. Check the limits of the machine (ulimit -a)."
            return self._give_up(text.format(problem))
        return 0

    def _give_up(self, reason: str) -> int:
        code = self._fail(reason)
        self._end_all()
        self._reason = reason
        self._write(state.FAILED, 0, None)
        return code

    def _watch_signals(self) -> int:
        reader, writer = os.pipe()
        for descriptor in (reader, writer):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._count_signal)
        return reader

    def _count_signal(self, number: int, frame: object) -> None:
        self._signals += 1

    def _start(self, number: int) -> None:
        self._workers[number] = WorkerProcess(number, self._program, self._listener.fileno())

    # -- waiting

    def _wait(self, wake: int) -> None:
        """Wait until a signal or a report arrives, or until something is due."""
        reports = {w.reports: w for w in self._workers.values() if w.status is None}
        due = self._next_moment()
        seconds = None if due is None else max(0.0, due - time.monotonic())
        awaited = select.poll()  # select() takes no descriptors above 1023
        for descriptor in [wake, *reports]:
            awaited.register(descriptor, select.POLLIN)
        for descriptor, _ in awaited.poll(None if seconds is None else seconds * 1000):
            if descriptor == wake:
                _empty(wake)
            elif not reports[descriptor].read_reports():
                time.sleep(0.005)  # it is about to end
        for worker in self._workers.values():
            worker.reap()

    def _next_moment(self) -> "Optional[float]":
        moments = list(self._planned.values())
        living = [w for w in self._workers.values() if not w.is_killed]
        limit = self._order.start_seconds
        limit = math.inf if limit is None else limit
        starting = [w for w in living if w.server is None]
        moments += [min(w.started + limit, self._hopeless) for w in starting]
        if self._order.timeout_seconds is not None:
            limit = self._order.timeout_seconds + _OVERDUE_SECONDS
            now = time.monotonic()
            ready = [w for w in living if w.is_ready]
            moments += [(w.pulse.since() or now) + limit for w in ready]
        first = min(moments) if moments else math.inf
        return None if first == math.inf else first

    # -- what is due

    def _look(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers.values()):
            if worker.status is not None:
                self._bury(worker)
            elif worker.server is None:
                self._check_start(worker, now)
            else:
                self._check_run(worker, now)
        for number, moment in list(self._planned.items()):
            if now >= moment:
                del self._planned[number]
                self._start(number)

    def _check_start(self, worker: WorkerProcess, now: float) -> None:
        limit = self._order.start_seconds
        if limit is None or now - worker.started < limit or worker.is_late:
            return
        worker.is_late = True
        worker.failure = "The model did not load within {:g} seconds (start_seconds).".format(limit)
        worker.kill()

    def _check_run(self, worker: WorkerProcess, now: float) -> None:
        limit, since = self._order.timeout_seconds, worker.pulse.since()
        if limit is None or since is None or worker.overdue is not None:
            return
        if now - since >= limit + _OVERDUE_SECONDS:
            worker.overdue = limit
            worker.kill()

    def _bury(self, worker: WorkerProcess) -> None:
        """Plan the successor of a worker that has ended. Raises ServiceError if there is none."""
        worker.close()
        del self._workers[worker.number]
        reason = self._why(worker)
        if worker.server is None and not self._has_been_healthy:
            text = "The model could not be loaded: {}"
            raise ServiceError(worker.failure or text.format(reason))
        if worker.overdue is None:
            self._count_restart(reason)
        pause = self._next_pause(worker)
        self._planned[worker.number] = time.monotonic() + pause
        self._reason = reason
        _say("{}; starting it again in {:g} s{}".format(reason, pause, self._count_text(worker)))

    @staticmethod
    def _why(worker: WorkerProcess) -> str:
        if worker.overdue is not None:
            text = "run() of worker {} took longer than {:g} seconds"
            return text.format(worker.number, worker.overdue)
        return worker.failure or "worker {} {}".format(worker.number, worker.describe_end())

    def _next_pause(self, worker: WorkerProcess) -> float:
        """Seconds until the successor starts: more after each death soon after a start."""
        lived = time.monotonic() - worker.started
        is_sound = lived > _SOUND_SECONDS or (worker.overdue is not None and worker.has_answered)
        deaths = 0 if is_sound else self._deaths.get(worker.number, -1) + 1
        self._deaths[worker.number] = deaths
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * (1 << min(deaths, 10)))

    def _count_restart(self, reason: str) -> None:
        since, now = self._healthy_since, time.monotonic()
        if since is not None and now - since >= self._forgiving:
            self._counted = 0
        self._healthy_since = None
        if self._counted >= self._order.restarts:
            text = "{}, and the service has used up its {} restarts."
            raise ServiceError(text.format(reason[:1].upper() + reason[1:], self._order.restarts))
        self._restarts += 1
        self._counted += 1

    def _count_text(self, worker: WorkerProcess) -> str:
        if worker.overdue is not None:
            return ""
        return " (restart {} of {})".format(self._counted, self._order.restarts)

    # -- the state

    def _report(self) -> None:
        ready = [w for w in self._workers.values() if w.is_ready]
        if len(ready) == self._order.workers:
            self._has_been_healthy = True
            self._healthy_since = self._healthy_since or time.monotonic()
            name, self._reason = state.HEALTHY, None
        else:
            self._healthy_since = None
            name = state.UNHEALTHY if self._has_been_healthy else state.STARTING
        servers = sorted({w.server or "" for w in ready})
        self._write(name, len(ready), servers[0] if servers else None)

    def _write(self, name: str, ready: int, server: "Optional[str]") -> None:
        facts = (name, ready, self._restarts, self._reason)
        if facts == self._written:
            return
        if not self._written or self._written[0] != name:
            now = datetime.datetime.now(datetime.timezone.utc)
            self._since = now.isoformat()
        self._written = facts
        try:
            state.write(
                self._folder, name, host=self._order.host, port=self._port, pid=os.getpid(),
                node=os.uname().nodename, workers=ready, restarts=self._restarts, server=server,
                since=self._since, reason=self._reason,
            )  # fmt: skip
        except OSError as problem:
            _say("the state of the service could not be written: {}".format(problem))

    # -- the end

    def _fail(self, sentence: str) -> int:
        sys.stderr.write("error: {}\n".format(sentence))
        sys.stderr.flush()
        return 1

    def _drain(self, wake: int) -> None:
        """Let the workers answer what they have accepted; a second signal ends them at once."""
        self._hopeless = time.monotonic() + _OVERDUE_SECONDS
        self._write(state.STOPPING, len(self._workers), None)
        self._listener.close()
        for worker in self._workers.values():
            worker.stop()
        self._planned.clear()
        while any(not worker.reap() for worker in self._workers.values()):
            if self._signals > 1:
                self._end_all()
                return
            self._wait(wake)
            for worker in self._workers.values():
                self._check_drain(worker, time.monotonic())

    def _check_drain(self, worker: WorkerProcess, now: float) -> None:
        """End a worker that cannot hear that it must stop: what it runs holds Python's lock."""
        if worker.status is not None:
            return
        if worker.server is not None:
            self._check_run(worker, now)
        elif now >= self._hopeless:
            worker.kill()

    def _end_all(self) -> None:
        for worker in self._workers.values():
            worker.kill()
        while any(not worker.reap() for worker in self._workers.values()):
            time.sleep(0.005)


def _empty(descriptor: int) -> None:
    try:
        while os.read(descriptor, 4096):
            pass
    except BlockingIOError:
        pass


def _say(sentence: str) -> None:
    sys.stderr.write("warning: {}\n".format(sentence))
    sys.stderr.flush()
