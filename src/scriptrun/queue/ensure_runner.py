"""Seeing to it that a runner lives: it takes waiting runs in their order (``runner``)."""

from __future__ import annotations

import atexit
import os
import time

from scriptrun.queue import start as start_run
from scriptrun.runtime import identity, processes
from scriptrun.spec.hints import TYPE_CHECKING, Any
from scriptrun.store.locks import flocks

if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import Home

#: seconds in which a runner that was started is about to look at the queue
BOOT = 1.0


def see_to_it(workspace: Home) -> None:
    """Start a runner unless one lives; called by whoever queues, ends or looks."""
    _started[:] = [each for each in _started if each[2].poll() is None]
    now = time.monotonic()
    if any(of == workspace.id and now - when < BOOT for of, when, _ in _started):
        return  # it is about to look at the queue
    lock = flocks.try_flock(start_run.runner_lock(workspace.id))
    if lock is None:
        return
    lock.close()
    import subprocess

    process = subprocess.Popen(
        start_run.runner_command(workspace),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/" if os.name == "posix" else None,
        env={name: os.environ[name] for name in os.environ if name not in identity.OF_A_JOB},
    )
    if processes.in_job():
        processes.await_name(process.pid, processes.RUNNER)
    _started.append((workspace.id, now, process))


#: the runners that this process has started and that live: workspace, when, process
_started: list[tuple[str, float, Any]] = []


@atexit.register
def _let_go() -> None:
    """Runners outlive this process, which is no cause for Python to warn."""
    for _, _, process in _started:
        process.returncode = 0
