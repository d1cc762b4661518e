"""What the master knows of one worker, and how it starts and ends it."""

import json
import os
import signal
import sys
import time

from scriptrun.runtime.serving import pulse
from scriptrun.runtime.serving.worker import STOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

    from scriptrun.runtime.hints import Json

_NO_EXECUTION = 127


class WorkerProcess:
    """A worker: ``number`` counts from 1 and goes to its successor too."""

    def __init__(self, number: int, program: str, listener: int) -> None:
        self.number, self.started = number, time.monotonic()
        self.server: "Optional[str]" = None
        self.failure: "Optional[str]" = None
        self.overdue: "Optional[float]" = None
        self.has_answered, self.is_late, self.is_killed = False, False, False
        self.status: "Optional[int]" = None
        orders_out, self._orders = os.pipe()
        self.reports, reports_in = os.pipe()
        self._rest = b""
        memory = pulse.create()
        self.pulse = pulse.Pulse(memory)
        try:
            self.pid = _start(program, [listener, orders_out, reports_in, memory])
        finally:
            for descriptor in (orders_out, reports_in, memory):
                os.close(descriptor)
        os.set_blocking(self.reports, False)

    @property
    def is_ready(self) -> bool:
        """Whether it answers requests."""
        return self.server is not None and self.status is None

    def read_reports(self) -> bool:
        """Read what it has reported; False when it will report no more."""
        try:
            data = os.read(self.reports, 65536)
        except BlockingIOError:
            return True
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._note(json.loads(line.decode()))
        return bool(data)

    def _note(self, facts: "Json") -> None:
        self.server = facts.get("ready", self.server)
        self.failure = facts.get("failed", self.failure)
        self.overdue = facts.get("overdue", self.overdue)
        self.has_answered = self.has_answered or "answered" in facts

    def stop(self) -> None:
        """Ask it to answer what it has accepted, and to end."""
        try:
            os.write(self._orders, STOP)
        except OSError:
            pass

    def kill(self) -> None:
        """End it, and what it has started, at once."""
        self.is_killed = True
        for send in (os.killpg, os.kill):
            try:
                send(self.pid, signal.SIGKILL)
            except OSError:
                pass

    def reap(self) -> bool:
        """Whether it has ended; then what it left behind is ended too."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                self.read_reports()
                try:
                    os.killpg(self.pid, signal.SIGKILL)
                except OSError:
                    pass
        return self.status is not None

    def close(self) -> None:
        """Close the pipes of a worker that has ended."""
        os.close(self._orders)
        os.close(self.reports)
        self.pulse.close()

    def describe_end(self) -> str:
        """How it ended, as the end of a sentence about it."""
        status = self.status or 0
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            text = "was killed by signal {}".format(number)
            return text + (", perhaps by the OOM killer" if number == signal.SIGKILL else "")
        return "exited with code {}".format(os.WEXITSTATUS(status))


def _start(program: str, descriptors: "List[int]") -> int:
    argv = [sys.executable, "-u", program, "--worker"]
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execv(argv[0], argv + [str(each) for each in descriptors])
    except BaseException as problem:
        os.write(2, "error: cannot start a worker: {}\n".format(problem).encode())
    finally:
        os._exit(_NO_EXECUTION)
