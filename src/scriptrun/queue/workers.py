"""Workers: detached processes of a workspace on this host, at most one per lock.

A worker holds its lock while it runs, and exits when it has nothing to do. Code that queues, ends
or checks a run calls ``ensure``. The runner, which starts queued runs, is one; each sweep has
another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from scriptrun.queue import tickets
from scriptrun.runtime import processes
from scriptrun.spec import tool_python
from scriptrun.spec.values import Value
from scriptrun.store import detached, paths
from scriptrun.store.locks import flocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

#: seconds that a new runner has to take its lock
RUNNER_BOOT = 1.0


class Worker(Value):
    """How to start a worker, and how to tell that it is running.

    ``queue`` is the folder of its tickets (``*.json``): while it has any, the worker is needed.
    ``lock_path`` is the file that it locks. ``name`` is its process name. It is not started again
    within ``boot_seconds``, in which it takes its lock.
    """

    queue: Path
    lock_path: Path
    command: tuple[str, ...]
    name: str
    boot_seconds: float

    def wake(self) -> Json:
        """The values with which a launcher starts it at a run's end, while runs are queued."""
        return {
            "queue": str(self.queue),
            "lock": str(self.lock_path),
            "command": list(self.command),
        }


def ensure(worker: Worker, is_needed: Callable[[], bool] = lambda: True) -> bool:
    """Start the worker unless it is running or was just started; returns whether it was running.

    ``is_needed`` is called if it is not running.
    """
    started, process = _started.get(worker.lock_path, (0.0, None))
    if (
        process is not None
        and time.monotonic() - started < worker.boot_seconds
        and process.poll() is None
    ):
        return False
    flock = flocks.try_flock(worker.lock_path)
    if flock is None:
        return True
    flock.close()
    if is_needed():
        _started[worker.lock_path] = time.monotonic(), detached.start(worker.command, worker.name)
    return False


#: the last start of each worker by this process, by lock path: until it has taken its lock, nothing
#: else shows that it is running
_started: dict[Path, tuple[float, Popen[bytes]]] = {}


def command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line that calls ``main(*arguments)`` of a scriptrun module."""
    source_root = str(Path(__file__).resolve().parents[2])
    package, _, name = module.rpartition(".")
    program = (
        f"import sys; sys.path.insert(0, {source_root!r}); from {package} import {name}; "
        f"{name}.main({', '.join(map(repr, arguments))})"
    )
    return (tool_python.path(), "-I", "-c", program)


def runner(workspace: WorkspaceFiles) -> Worker:
    """The worker that starts the workspace's queued runs."""
    return Worker(
        queue=tickets.queue_of(workspace.id),
        lock_path=paths.runtime_folder("runners") / f"{workspace.id}.lock",
        command=command("scriptrun.queue.runner", str(workspace.root)),
        name=processes.RUNNER,
        boot_seconds=RUNNER_BOOT,
    )


def ensure_runner(workspace: WorkspaceFiles) -> bool:
    """Start the workspace's runner unless it is running; returns whether it was."""
    return ensure(runner(workspace))
