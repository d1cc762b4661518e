"""Talking to py-rattler, which works in a process of its own (conda_worker.py)."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scriptrun.environments.base import Log, Stop, Stopped
from scriptrun.environments.conda_errors import explain
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.hints import Any

Ask = Callable[..., dict[str, Any]]


def version() -> str:
    """What made the lock, such as "py-rattler 0.28.0"."""
    import importlib.metadata

    return f"py-rattler {importlib.metadata.version('py-rattler')}"


def cache() -> Path:
    """Where packages and channels' lists are kept: rattler's own cache, which pixi shares.

    RATTLER_CACHE_DIR, else ``rattler/cache`` in the user's cache directory.
    """
    given = os.environ.get("RATTLER_CACHE_DIR")
    if given:
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "rattler", "cache")


@contextmanager
def asking(log: Log, stop: Stop) -> Iterator[Ask]:
    """A way to ask rattler, for the block: ``ask("solve", specs=[...], ...)`` gives its answer.

    What it does goes to ``log`` as it is done. Raises EnvironmentException with rattler's reason in
    words, Stopped where ``stop`` said so: then nothing goes on.
    """
    worker = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("conda_worker.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RUST_BACKTRACE": "0"},
    )
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(worker, lines), daemon=True)
    reader.start()

    def ask(verb: str, **told: Any) -> dict[str, Any]:
        question = {"verb": verb, "cache": str(cache()), **told}
        assert worker.stdin is not None
        try:
            worker.stdin.write(json.dumps(question).encode() + b"\n")
            worker.stdin.flush()
        except BrokenPipeError:
            raise _broken(worker) from None
        return _answer(worker, lines, log, stop)

    try:
        yield ask
    finally:
        worker.kill()
        worker.communicate()
        reader.join()


def _read(worker: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    assert worker.stdout is not None
    for line in iter(worker.stdout.readline, b""):
        lines.put(line)
    lines.put(b"")


def _answer(
    worker: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes], log: Log, stop: Stop
) -> dict[str, Any]:
    while True:
        if stop():
            raise Stopped("Making the conda environment was stopped.")
        try:
            line = lines.get(timeout=0.1)
        except queue.Empty:
            continue
        if not line:
            raise _broken(worker)
        told = json.loads(line)
        if "said" in told:
            log(told["said"])
        elif "error" in told:
            raise explain(told["error"], told["message"])
        else:
            found: dict[str, Any] = told["answer"]
            return found


def _broken(worker: subprocess.Popen[bytes]) -> EnvironmentException:
    code = worker.wait()
    return EnvironmentException(
        f"py-rattler ended without an answer (exit code {code}).",
        f"Is it well? {sys.executable} -c 'import rattler'",
    )
