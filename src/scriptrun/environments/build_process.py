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

from scriptrun.environments.builder import Stop, Stopped
from scriptrun.spec.errors import EnvironmentException

TYPE_CHECKING = False
if TYPE_CHECKING:
    import psutil

#: seconds that one call of a tool may take by default
DEFAULT = 3600.0
VARIABLE = "SCRIPTRUN_BUILD_TIMEOUT"


def limit() -> float:
    """The seconds that one call may take, from the variable or an hour; 0 means no limit.

    Raises EnvironmentException if the variable is not a number.
    """
    text = os.environ.get(VARIABLE, "").strip()
    try:
        return float(text) if text else DEFAULT
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

    family = _below(process.pid)
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
    while family:  # they may have started more in the meantime
        more = {child for each in family for child in _below(each.pid)} - family
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        _wait(family)
        family = more


def _below(pid: int) -> set[psutil.Process]:
    import psutil

    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _wait(family: set[psutil.Process], patience: float = 60.0) -> None:
    """Wait until none of them is alive; a zombie counts as gone."""
    until = time.monotonic() + patience
    while any(_lives(each) for each in family) and time.monotonic() < until:
        time.sleep(0.01)


def _lives(one: psutil.Process) -> bool:
    import psutil

    try:
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Watch:
    """A thread that ends ``process`` when ``stop`` returns true or the time limit is exceeded."""

    def __init__(self, process: subprocess.Popen[bytes], stop: Stop) -> None:
        self._process, self._stop, self._limit = process, stop, limit()
        self._over = threading.Event()
        self._reason = ""
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def over(self) -> None:
        """Stop watching: the process has ended."""
        self._over.set()
        self._thread.join()

    def judge(self, doing: str = "Building the environment") -> None:
        """Raise BuildCanceled or EnvironmentException if the watchdog ended the process."""
        if self._reason == "stopped":
            raise Stopped(f"{doing} was canceled.")
        if self._reason:
            raise EnvironmentException(
                f"{doing} timed out after {self._limit:g} s.",
                f"See the environment's log. To change the limit, set {VARIABLE} (0: no limit).",
            )

    def _look(self) -> None:
        began = time.monotonic()
        while not self._over.wait(0.1):
            if self._stop():
                self._reason = "stopped"
            elif self._limit and time.monotonic() - began > self._limit:
                self._reason = "limit"
            if self._reason:
                end(self._process, grace=5)
                return
