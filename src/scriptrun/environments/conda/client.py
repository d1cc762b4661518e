"""Run py-rattler in a separate worker process (worker.py)."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scriptrun.environments import build_process
from scriptrun.environments.builder import BuildCanceled, Log, Stop
from scriptrun.spec import tool_python
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later
from scriptrun.store import dependents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.conda import errors as conda_errors
    from scriptrun.runtime.hints import Json
else:
    conda_errors = later("scriptrun.environments.conda.errors")

_WORKER = str(Path(__file__).with_name("worker.py"))
Ask = Callable[..., "Json"]


def cache_folder() -> Path:
    """The cache of packages and channel data: rattler's own, which pixi shares.

    RATTLER_CACHE_DIR, else ``rattler/cache`` in the user's cache directory.
    """
    folder = os.environ.get("RATTLER_CACHE_DIR")
    if folder:
        return Path(folder).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "rattler", "cache")


def _command() -> list[str]:
    """The command that starts a worker, which finds what this process finds."""
    python = tool_python.path()
    if python != sys.executable:
        return [python, "-P", _WORKER]
    return [python, "-S", "-P", _WORKER, *filter(None, sys.path)]


class _Worker:
    """A worker process, and the thread that reads its output."""

    def __init__(self) -> None:
        self.owner_pid, self.last_used = os.getpid(), time.monotonic()
        self.environ = dict(os.environ)
        self.process = subprocess.Popen(
            _command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**self.environ, "RUST_BACKTRACE": "0"},
        )
        dependents.tie(self.process)
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def send(self, question: Json) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        build_process.end(self.process)  # including a package's link script that it started
        self.process.communicate()
        dependents.untie(self.process)
        self.reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, b""):
            self.lines.put(line)
        self.lines.put(b"")


#: seconds for which an idle worker may be reused: less than it waits for a request
_MAX_IDLE = 2.0
#: workers that wait briefly for the next request
_idle_workers: list[_Worker] = []


@contextmanager
def asking(log: Log, stop: Stop) -> Iterator[Ask]:
    """Yield ``ask``, which sends rattler a request: ``ask("solve", specs=[...], ...)``.

    rattler's progress goes to ``log``. Raises EnvironmentException with rattler's reason, and
    BuildCanceled if ``stop`` returns true; the worker is then ended.
    """
    worker = _take_worker()

    def ask(verb: str, **arguments: object) -> Json:
        question = {"verb": verb, "cache": str(cache_folder()), **arguments}
        try:
            worker.send(question)
        except BrokenPipeError:
            raise _exit_error(worker) from None
        return _wait_for_answer(worker, log, stop)

    try:
        yield ask
    except BaseException:
        worker.end()
        raise
    worker.last_used = time.monotonic()
    _idle_workers.append(worker)


def prepare() -> None:
    """Start a worker that imports rattler before its first request."""
    _idle_workers.append(_take_worker())


def _take_worker() -> _Worker:
    """Take an idle worker, or start a new one.

    A worker that may be about to exit, or was started with other variables (CONDA_OVERRIDE_CUDA, a
    proxy, ...), is not reused.
    """
    while True:
        try:
            worker = _idle_workers.pop()
        except IndexError:
            return _Worker()
        if worker.owner_pid != os.getpid():
            continue  # this process was forked; the worker belongs to the parent
        is_usable = time.monotonic() - worker.last_used < _MAX_IDLE and worker.environ == os.environ
        if is_usable and worker.process.poll() is None:
            return worker
        worker.end()


def _wait_for_answer(worker: _Worker, log: Log, stop: Stop) -> Json:
    began, limit = time.monotonic(), build_process.limit()
    while True:
        if stop():
            raise BuildCanceled("The conda environment build was canceled.")
        if limit and time.monotonic() - began > limit:
            raise EnvironmentException(
                f"The conda environment build timed out after {limit:g} s.",
                f"To change the limit, set {build_process.VARIABLE} (0: no limit).",
            )
        try:
            line = worker.lines.get(timeout=0.1)
        except queue.Empty:
            continue
        if not line:
            raise _exit_error(worker)
        message = json.loads(line)
        if "said" in message:
            log(message["said"])
        elif "error" in message:
            raise conda_errors.explain(message["error"], message["message"])
        else:
            answer: Json = message["answer"]
            return answer


def _exit_error(worker: _Worker) -> EnvironmentException:
    code = worker.process.wait()
    return EnvironmentException(
        f"py-rattler exited unexpectedly (exit code {code}).",
        f"Check its installation: {sys.executable} -c 'import rattler'",
    )
