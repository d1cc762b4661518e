"""Steps of a node's job shared by single processes and several ranks (Python 3.8+)."""

import os

from .. import identity, process_record, processes, results
from . import collect, oom, supervise, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.delivery_client import DeliveryClient
    from scriptrun.runtime.launcher.supervise import ExitSummary, Supervisor
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


#: seconds before the engine's own time limit at which the stacks are dumped
PEEK_SECONDS = 20.0


def set_up_work_folder(attempt: "Attempt", log: "EventWriter", delivery: "DeliveryClient") -> str:
    """Set up this node's working directory, environment and data; return the directory's path."""
    order = attempt.order
    work = collect.promote_staging(order.folder, order.attempt, order.node)
    if order.own_environment:
        log.write("state", state="Preparing", reason="building its environment on the node")
        delivery.build_environment()
    if delivery.has_data:
        log.write("state", state="Preparing", reason="delivering its data")
    attempt.brought = delivery.deliver(work)
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
    attempt.groups = [*attempt.groups, pid]
    launcher = attempt.launcher or identity.identify()
    script = dict(launcher, pid=pid, start=identity.start_time(pid))
    process_record.add(order, attempt.guard, process_record.SCRIPT, **script)
    fields = {"rank": task.rank, "log": task.log} if task.name else {}
    scheduler = order.load_scheduler()
    if scheduler is not None and scheduler.node_name():
        fields["node_name"] = scheduler.node_name()
    log.write(
        "began",
        attempt=order.attempt,
        node=order.node,
        pid=pid,
        launcher=launcher,
        script=script,
        **fields,
    )
    return pid


def make_supervisor(job: "Json", attempt: "Attempt", pids: "list[int]") -> "Supervisor":
    """The supervisor of this node's processes ``pids``."""
    order = attempt.order
    folder = order.folder
    heartbeat_path = os.path.join(
        results.attempt_folder(folder, order.attempt), "node-{}.beat".format(order.node)
    )
    cancel_path = os.path.join(folder, "cancel.json")
    grace = job.get("grace_seconds", 10.0)
    supervisor = supervise.Supervisor(
        pids, job.get("max_run_duration_seconds"), grace, cancel_path, heartbeat_path
    )
    supervisor.warn = job.get("warn_before_seconds") or 0.0
    supervisor.on_term = order.on_term
    supervisor.on_limit = lambda running: _dump_stacks(attempt, running)
    if order.seconds:
        supervisor.peek_at = supervisor.started + max(0.0, order.seconds - PEEK_SECONDS)
    if order.scheduler:
        supervisor.on_stop_signal = lambda running_pids: _stacks_at_the_last_warning(
            attempt, running_pids
        )
    if order.container:
        from scriptrun.runtime.containers import launcher_hooks

        launcher_hooks.configure_supervisor(supervisor, attempt)
    return supervisor


def _dump_stacks(attempt: "Attempt", running: "list[int]") -> None:
    from scriptrun.runtime.launcher import stacks  # loaded only for hanging processes

    rank_pids = attempt.local_ranks() if attempt.local_ranks is not None else []
    stacks.collect(attempt.order, [*running, *rank_pids])


def _stacks_at_the_last_warning(attempt: "Attempt", living: "list[int]") -> None:
    """Dump the stacks at Slurm's warning before the time limit, if the job is not requeued."""
    scheduler = attempt.order.load_scheduler()
    if scheduler is not None and scheduler.is_last_warning(attempt.order):
        _dump_stacks(attempt, living)


def subject_of(job: "Json") -> str:
    """What the job runs, in messages: its script, its command, or a service's server."""
    if job.get("kind") == "service":
        return "the server"
    return str(job.get("script") or "the command")


def outcome(ending: "ExitSummary", subject: str, who: str = "") -> "Json":
    """The result of an ended job; ``subject`` is, e.g., "train.py" or "train.py on rank 3".

    ``who`` is the rank, if there are several. ``failure.explain`` looks for the cause of a failure.
    """
    facts: "Json" = {"exit_code": ending.exit_code, "signal": ending.signal}
    facts["usage"] = ending.usage
    if ending.canceled:
        return results.result(results.CANCELED, "canceled while running", **facts)
    if ending.stop_reason:
        if ending.stop_reason.startswith(supervise.TOO_LONG):
            facts["ended_by"] = "time-limit"
        return results.result(
            results.FAILED, "{} was stopped: {}".format(subject, ending.stop_reason), **facts
        )
    facts.update(subject=subject, who=who)
    if ending.signal:
        reason = "{} was killed by {}".format(subject, ending.signal)
        if ending.starved or (ending.signal == "SIGKILL" and oom.killed_since_start()):
            reason += ": out of memory"
        elif ending.signal == "SIGKILL":
            reason += " (by a user or the OOM killer)"
        return results.result(results.FAILED, reason, **facts)
    if ending.exit_code:
        reason = "{} exited with code {}".format(subject, ending.exit_code)
        if oom.killed_since_start():  # a child of the script may be OOM-killed
            reason += " after one of its processes ran out of memory"
        return results.result(results.FAILED, reason, **facts)
    del facts["subject"], facts["who"]
    return results.result(results.COMPLETED, **facts)


def start_error(error: OSError, job: "Json", order: "LaunchOrder") -> str:
    """Why the job could not start, from the OSError that prevented it."""
    name = error.filename
    if order.container and name == order.container["tool"]:
        return "cannot execute container tool {}: {}".format(name, error.strerror)
    if name and name == order.python:
        return "cannot execute interpreter {}: {}".format(name, error.strerror)
    from scriptrun.runtime import disks  # loaded only for jobs that cannot start

    if disks.is_about_disk(error):
        return "cannot start {}: {}".format(subject_of(job), disks.describe(error, order.folder))
    suffix = ": {}".format(name) if name else ""
    return "cannot start {}: {}{}".format(subject_of(job), error.strerror or error, suffix)


def open_log(folder: str, name: str) -> int:
    """Open the run's log ``name`` for appending."""
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
