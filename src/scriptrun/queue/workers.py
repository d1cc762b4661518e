"""Workers: detached processes of a workspace on this host, at most one for each lock.

A worker holds its lock while it lives, and ends when it finds nothing to do. Whoever queues, ends
or looks at a run calls ``ensure``. The runner, which starts waiting runs, is one; each sweep has
another.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from scriptrun.queue import tickets
from scriptrun.runtime import processes
from scriptrun.spec.values import Value
from scriptrun.store import detached, paths
from scriptrun.store.locks import flocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.registry.workspace_files import Home

#: seconds in which a runner that was started takes its lock
RUNNER_BOOT = 1.0


class Worker(Value):
    """One worker: what starts it, and what tells that it lives.

    ``queue`` is the folder of its tickets (``*.json``): while it holds any, the worker is wanted.
    ``lock`` is the file that it locks. ``name`` is the process name that it takes. It is not
    started again within ``boot`` seconds of its start, in which it takes its lock.
    """

    queue: Path
    lock: Path
    command: tuple[str, ...]
    name: str
    boot: float

    def wake(self) -> dict[str, Any]:
        """What a launcher needs to start it at a run's end, while anything waits."""
        return {"queue": str(self.queue), "lock": str(self.lock), "command": list(self.command)}


def ensure(worker: Worker, is_wanted: Callable[[], bool] = lambda: True) -> None:
    """Start the worker unless it lives, or was started a moment ago.

    ``is_wanted`` is asked when it doesn't live.
    """
    began, process = _started.get(worker.lock, (0.0, None))
    if process is not None and time.monotonic() - began < worker.boot and process.poll() is None:
        return
    lock = flocks.try_flock(worker.lock)
    if lock is None:
        return
    lock.close()
    if is_wanted():
        _started[worker.lock] = time.monotonic(), detached.start(worker.command, worker.name)


#: the last start of each worker by this process, by its lock: until it takes that, nothing else
#: tells that it lives
_started: dict[Path, tuple[float, Any]] = {}


def command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line that calls ``main(*arguments)`` of a module of scriptrun."""
    home = str(Path(__file__).resolve().parents[2])
    package, _, name = module.rpartition(".")
    program = (
        f"import sys; sys.path.insert(0, {home!r}); from {package} import {name}; "
        f"{name}.main({', '.join(map(repr, arguments))})"
    )
    return (sys.executable, "-I", "-c", program)


def runner(workspace: Home) -> Worker:
    """The worker that starts the workspace's waiting runs."""
    return Worker(
        queue=tickets.queue_of(workspace.id),
        lock=paths.runtime_folder("runners") / f"{workspace.id}.lock",
        command=command("scriptrun.queue.runner", str(workspace.root)),
        name=processes.RUNNER,
        boot=RUNNER_BOOT,
    )


def ensure_runner(workspace: Home) -> None:
    """Start the workspace's runner unless it lives."""
    ensure(runner(workspace))
