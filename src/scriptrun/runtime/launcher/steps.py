"""The steps of a node's job that one process and several ranks have in common (Python 3.8+)."""

import os

from .. import identity, processes, results
from . import collect, oom, supervise, variables

#: seconds before a time limit of the engine's own at which the stacks are looked at
PEEK = 20.0


def move_in(order, log, data):
    """Make what was laid out this node's working directory and bring the data; give its path."""
    work = collect.move_in(order["folder"], order["attempt"], order["node"])
    if order.get("own_environment"):
        log.write("state", state="Preparing", reason="its environment is built on the node")
        data.build()
    if data.wanted:
        log.write("state", state="Preparing", reason="its data is brought")
    order["brought"] = data.bring(work)
    return work


def start(job, order, task, work, log):
    """Start ``task`` in the working directory ``work``, say that it began, and return its pid."""
    output = open_log(order["folder"], task.log)
    try:
        if order.get("container"):
            from scriptrun.runtime.containers import (
                launcher_hooks,  # only jobs in containers load it
            )

            pid = launcher_hooks.start(job, order, task, work, output)
        else:
            environ = variables.process_environment(job, order, task.variables)
            pid = processes.spawn(task.argv, work, environ, output)
    finally:
        os.close(output)
    more = {"rank": task.rank, "log": task.log} if task.name else {}
    log.write(
        "began",
        attempt=order["attempt"],
        node=order["node"],
        pid=pid,
        launcher=identity.of_process(),
        script=identity.of_process(pid),
        **more,
    )
    return pid


def watch(job, order, pids):
    """The supervision of this node's processes ``pids``."""
    folder = order["folder"]
    beat = os.path.join(
        results.attempt_folder(folder, order["attempt"]), "node-{}.beat".format(order["node"])
    )
    cancel = os.path.join(folder, "cancel.json")
    grace = job.get("grace_seconds", 10.0)
    made = supervise.Watch(pids, job.get("max_run_duration_seconds"), grace, cancel, beat)
    made.warn = job.get("warn_before_seconds") or 0.0
    made.on_term = order.get("on_term", "")
    made.on_limit = lambda living: _stacks(order, living)
    if order.get("seconds"):
        made.peek_at = made.started + max(0.0, order["seconds"] - PEEK)
    if order.get("slurm"):
        made.on_told = lambda living: _stacks_of_slurm(order, living)
    if order.get("container"):
        from scriptrun.runtime.containers import launcher_hooks

        launcher_hooks.look_after(made, order)
    return made


def _stacks(order, living):
    from scriptrun.runtime.launcher import stacks  # only what hangs is looked into

    below = order["ranks_here"]() if order.get("ranks_here") else []
    stacks.collect(order, [*living, *below])


def _stacks_of_slurm(order, living):
    """The stacks of what hangs until its warning, where nothing goes on after it."""
    from scriptrun.runtime.schedulers import slurm_signals

    if slurm_signals.is_the_last_warning(order):
        _stacks(order, living)


def outcome(ending, what):
    """How it ended, as a result; ``what`` is "train.py", "train.py on rank 3" or the like."""
    facts = {"exit_code": ending.exit_code, "signal": ending.signal, "usage": ending.usage}
    if ending.canceled:
        return results.result(results.CANCELED, "canceled while it ran", **facts)
    if ending.stopped:
        if ending.stopped.startswith(supervise.TOO_LONG):
            facts["ended_by"] = "time-limit"
        return results.result(
            results.FAILED, "{} was stopped: {}".format(what, ending.stopped), **facts
        )
    if ending.signal:
        reason = "{} was ended by {}".format(what, ending.signal)
        if ending.starved or (ending.signal == "SIGKILL" and oom.ended()):
            reason += ": it used more memory than it was given"
        elif ending.signal == "SIGKILL":
            reason += " (by a person, or by the system for want of memory)"
        return results.result(results.FAILED, reason, **facts)
    if ending.exit_code:
        reason = "{} ended with exit code {}".format(what, ending.exit_code)
        if oom.ended():  # what a script started may be ended, and the script tells of it
            reason += ", after a process was ended that used more memory than it was given"
        return results.result(results.FAILED, reason, **facts)
    return results.result(results.COMPLETED, **facts)


def sentence(error, job, order):
    """Why the job could not be started, of the OSError that kept it."""
    name = error.filename
    if order.get("container") and name == order["container"]["tool"]:
        return "the container tool {} cannot be executed: {}".format(name, error.strerror)
    if name and name == order.get("python"):
        return "the interpreter {} cannot be executed: {}".format(name, error.strerror)
    where = ": {}".format(name) if name else ""
    return "{} could not be started: {}{}".format(
        job.get("script") or "the command", error.strerror or error, where
    )


def open_log(folder, name):
    """The log ``name`` of the run, open for appending."""
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
