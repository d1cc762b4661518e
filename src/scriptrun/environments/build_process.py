"""End a build tool when the build is canceled or exceeds its time limit.

A package's build script may hang forever, and it is a grandchild of the tool: every process that
the tool started ends with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time

from scriptrun.environments.builder import BuildCanceled, Stop
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import dependents

TYPE_CHECKING = False
if TYPE_CHECKING:
    import psutil

#: seconds that one call of a tool may take by default
DEFAULT_LIMIT = 3600.0
VARIABLE = "SCRIPTRUN_BUILD_TIMEOUT"


def limit() -> float:
    """The seconds that one call may take, from the variable or an hour; 0 means no limit.

    Raises EnvironmentException if the variable is not a number.
    """
    text = os.environ.get(VARIABLE, "").strip()
    try:
        return float(text) if text else DEFAULT_LIMIT
    except ValueError:
        raise EnvironmentException(
            f"Invalid {VARIABLE}={text!r}: expected a number of seconds.",
            "Use a number, or 0 for no limit.",
        ) from None


def end(process: subprocess.Popen[bytes], grace: float = 0.0) -> None:
    """End ``process`` and its descendants; ``grace`` is how long it may take to exit by itself.

    Returns when they are gone, or after a minute if the system does not reap them.
    """
    import psutil

    descendants = _descendants(process.pid)
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
    while descendants:  # they may have started more in the meantime
        late_starters = {
            child for parent in descendants for child in _descendants(parent.pid)
        } - descendants
        for descendant in descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                descendant.kill()
        _wait_until_gone(descendants)
        descendants = late_starters


def _descendants(pid: int) -> set[psutil.Process]:
    import psutil

    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _wait_until_gone(processes: set[psutil.Process], timeout: float = 60.0) -> None:
    """Wait until none of them is alive; a zombie counts as gone."""
    deadline = time.monotonic() + timeout
    while any(_is_alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_alive(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Watchdog:
    """A thread that ends ``process`` when ``stop`` returns true or the time limit is exceeded.

    ``seconds`` is another time limit than that of all builds.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], stop: Stop, seconds: float | None = None
    ) -> None:
        self._process, self._stop = process, stop
        self._limit = limit() if seconds is None else seconds
        self._closed = threading.Event()
        self._reason = ""
        dependents.tie(process)
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching: the process has ended."""
        self._closed.set()
        self._thread.join()
        dependents.untie(self._process)

    def raise_if_ended(self, action: str = "Building the environment") -> None:
        """Raise BuildCanceled or EnvironmentException if the watchdog ended the process."""
        if self._reason == "stopped":
            raise BuildCanceled(f"{action} was canceled.")
        if self._reason:
            raise EnvironmentException(
                f"{action} timed out after {self._limit:g} s.",
                f"See the environment's log. To change the limit, set {VARIABLE} (0: no limit).",
            )

    def _poll(self) -> None:
        began = time.monotonic()
        while not self._closed.wait(0.1):
            if self._stop():
                self._reason = "stopped"
            elif self._limit and time.monotonic() - began > self._limit:
                self._reason = "limit"
            if self._reason:
                end(self._process, grace=5)
                return
