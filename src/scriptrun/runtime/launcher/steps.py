"""Steps of a node's job shared by single processes and several ranks (Python 3.8+)."""

import os

from .. import identity, processes, results
from . import collect, oom, supervise, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.delivery_client import Helper
    from scriptrun.runtime.launcher.supervise import Ending, Watch
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


#: seconds before the engine's own time limit at which the stacks are dumped
PEEK = 20.0


def move_in(attempt: "Attempt", log: "EventWriter", data: "Helper") -> str:
    """Set up this node's working directory, environment and data; return the directory's path."""
    order = attempt.order
    work = collect.move_in(order.folder, order.attempt, order.node)
    if order.own_environment:
        log.write("state", state="Preparing", reason="building its environment on the node")
        data.build()
    if data.wanted:
        log.write("state", state="Preparing", reason="delivering its data")
    attempt.brought = data.bring(work)
    return work


def start(job: "Json", attempt: "Attempt", task: "Task", work: str, log: "EventWriter") -> int:
    """Start ``task`` in the working directory ``work``, log it, and return its pid."""
    order = attempt.order
    output = open_log(order.folder, task.log)
    try:
        if order.container:
            from scriptrun.runtime.containers import (
                launcher_hooks,  # loaded only for containers
            )

            pid = launcher_hooks.start(job, attempt, task, work, output)
        else:
            environ = variables.process_environment(job, order, task.variables)
            pid = processes.spawn(task.argv, work, environ, output)
    finally:
        os.close(output)
    more = {"rank": task.rank, "log": task.log} if task.name else {}
    log.write(
        "began",
        attempt=order.attempt,
        node=order.node,
        pid=pid,
        launcher=identity.of_process(),
        script=identity.of_process(pid),
        **more,
    )
    return pid


def watch(job: "Json", attempt: "Attempt", pids: "list[int]") -> "Watch":
    """The supervisor of this node's processes ``pids``."""
    order = attempt.order
    folder = order.folder
    beat = os.path.join(
        results.attempt_folder(folder, order.attempt), "node-{}.beat".format(order.node)
    )
    cancel = os.path.join(folder, "cancel.json")
    grace = job.get("grace_seconds", 10.0)
    made = supervise.Watch(pids, job.get("max_run_duration_seconds"), grace, cancel, beat)
    made.warn = job.get("warn_before_seconds") or 0.0
    made.on_term = order.on_term
    made.on_limit = lambda living: _stacks(attempt, living)
    if order.seconds:
        made.peek_at = made.started + max(0.0, order.seconds - PEEK)
    if order.scheduler:
        made.on_told = lambda living: _stacks_at_the_last_warning(attempt, living)
    if order.container:
        from scriptrun.runtime.containers import launcher_hooks

        launcher_hooks.look_after(made, attempt)
    return made


def _stacks(attempt: "Attempt", living: "list[int]") -> None:
    from scriptrun.runtime.launcher import stacks  # loaded only for hanging processes

    below = attempt.ranks_here() if attempt.ranks_here is not None else []
    stacks.collect(attempt.order, [*living, *below])


def _stacks_at_the_last_warning(attempt: "Attempt", living: "list[int]") -> None:
    """Dump the stacks at Slurm's warning before the time limit, if the job is not requeued."""
    scheduler = attempt.order.load_scheduler()
    if scheduler is not None and scheduler.is_the_last_warning(attempt.order):
        _stacks(attempt, living)


def outcome(ending: "Ending", what: str) -> "Json":
    """The result of an ended job; ``what`` is, e.g., "train.py" or "train.py on rank 3"."""
    facts: "Json" = {"exit_code": ending.exit_code, "signal": ending.signal}
    facts["usage"] = ending.usage
    if ending.canceled:
        return results.result(results.CANCELED, "canceled while running", **facts)
    if ending.stopped:
        if ending.stopped.startswith(supervise.TOO_LONG):
            facts["ended_by"] = "time-limit"
        return results.result(
            results.FAILED, "{} was stopped: {}".format(what, ending.stopped), **facts
        )
    if ending.signal:
        reason = "{} was killed by {}".format(what, ending.signal)
        if ending.starved or (ending.signal == "SIGKILL" and oom.ended()):
            reason += ": out of memory"
        elif ending.signal == "SIGKILL":
            reason += " (by a user or the OOM killer)"
        return results.result(results.FAILED, reason, **facts)
    if ending.exit_code:
        reason = "{} exited with code {}".format(what, ending.exit_code)
        if oom.ended():  # a child of the script may be OOM-killed
            reason += " after one of its processes ran out of memory"
        return results.result(results.FAILED, reason, **facts)
    return results.result(results.COMPLETED, **facts)


def sentence(error: OSError, job: "Json", order: "LaunchOrder") -> str:
    """Why the job could not start, from the OSError that prevented it."""
    name = error.filename
    if order.container and name == order.container["tool"]:
        return "cannot execute container tool {}: {}".format(name, error.strerror)
    if name and name == order.python:
        return "cannot execute interpreter {}: {}".format(name, error.strerror)
    where = ": {}".format(name) if name else ""
    return "cannot start {}: {}{}".format(
        job.get("script") or "the command", error.strerror or error, where
    )


def open_log(folder: str, name: str) -> int:
    """Open the run's log ``name`` for appending."""
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
