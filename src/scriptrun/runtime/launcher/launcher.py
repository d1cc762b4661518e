"""One node's part of a job: working directory, start, supervision, outputs, result."""

import os
import time

from .. import (
    events,
    files,
    identity,
    mlflow_store,
    process_record,
    processes,
    results,
    source_files,
    workdir,
)
from . import (
    collect,
    delivery_client,
    oom,
    parent_job,
    retry,
    steps,
    supervise,
    variables,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.delivery_client import DeliveryClient
    from scriptrun.runtime.order import Attempt, LaunchOrder


#: seconds to wait after the script's end for a SIGTERM that the script may have got earlier
SIGNAL_DELAY = 0.1


class Superseded(Exception):
    """This launcher may not start the run; it exits without a result."""


class DamagedJob(Exception):
    """The run's job.json cannot be read, or a field of it is not what launchers rely on."""


#: the types of the fields that launchers rely on
_FIELDS: "dict[str, type]" = {
    "distribution": dict,
    "arguments": list,
    "variables": dict,
    "data": dict,
    "retry": dict,
    "snapshot": str,
    "script": str,
}
_TEXTS = ("id", "experiment", "workspace")


def launch(attempt: "Attempt", fork: "Callable[[LaunchOrder], int]") -> None:
    """Run the job of ``attempt`` on this node and publish its result.

    ``fork(order)`` starts the launchers of the other nodes if all are simulated on this machine (a
    rehearsal). Failures of the job are part of the result. Raises Superseded if
    this launcher may not start the run, and DamagedJob.
    """
    identity.set_process_name(processes.LAUNCHER)
    order = attempt.order
    if order.on_term:
        supervise.handle_sigterm()
    folder = order.folder
    attempt.launcher = identity.identify()
    process_record.add(order, attempt.guard, process_record.KEEPER, **attempt.launcher)
    log = events.EventWriter(folder, "node-{}".format(order.node))
    job = _read_job(folder)
    attempt.order = order = _without_submitters(job, order, log)
    oom.start_counting()
    began = time.time()
    delivery = delivery_client.DeliveryClient(job, attempt)
    try:
        result = _run(job, attempt, log, delivery, fork)
    except Superseded:
        import shutil

        shutil.rmtree(collect.staging_folder(folder, order.attempt), ignore_errors=True)
        raise
    except delivery_client.DeliveryFailure as error:
        result = results.result(error.state, str(error))
    except OSError as error:
        result = results.result(results.FAILED, steps.start_error(error, job, attempt.order))
    except Exception as error:  # a damaged snapshot, or a bug in scriptrun: the run must still end
        _log_error(folder, _trace(error))
        result = results.result(results.FAILED, "failed to start: {}".format(error))
    _name_full_disk(result, job, order)
    if order.on_term and not supervise.stop_requested():
        time.sleep(SIGNAL_DELAY)
    attempt.stop_requested = supervise.stop_requested() or _ranks_stopped(job, order)
    if order.container:
        from scriptrun.runtime.containers import launcher_hooks

        launcher_hooks.finish(attempt, result)
    _clear_leftovers(job, attempt, log)
    _explain_failure(result, job, folder)
    ended = time.time()
    result.update(began=began, script_ended=ended, ended=ended, node=order.node, by="launcher")
    _finish(job, attempt, result, log, delivery)


def _clear_leftovers(job: "Json", attempt: "Attempt", log: "EventWriter") -> None:
    leftovers = processes.clear_descendants(attempt.groups)
    if leftovers:
        who = "the server" if job.get("kind") == "service" else "the script"
        message = "stopped processes that {} left running: {}"
        log.write("note", message=message.format(who, ", ".join(sorted(leftovers))))


def _without_submitters(job: "Json", order: "LaunchOrder", log: "EventWriter") -> "LaunchOrder":
    """The order without variables of the submitting process that are not the job's."""
    if order.environ is None:
        return order
    note = "" if order.node else mlflow_store.note(job, order)
    if note:
        log.write("note", message=note)
    return order.replace(environ=parent_job.without_its_variables(job, order.environ))


def _read_job(folder: str) -> "Json":
    path = os.path.join(folder, "job.json")
    job = files.read_object(path)
    if job is None:
        raise DamagedJob("{} is damaged or gone".format(path))
    distribution = job.get("distribution")
    wrong = [n for n, kind in _FIELDS.items() if not isinstance(job.get(n), (kind, type(None)))]
    wrong += [name for name in _TEXTS if not isinstance(job.get(name), str)]
    if not (isinstance(distribution, dict) and isinstance(distribution.get("kind"), str)):
        wrong.append("distribution")
    if wrong:
        raise DamagedJob("{} is damaged: its field '{}'".format(path, wrong[0]))
    return job


def _trace(error: Exception) -> object:
    if isinstance(error, workdir.SnapshotDamaged):
        return error
    import traceback  # loaded only when something has gone wrong

    return traceback.format_exc()


def _name_full_disk(result: "Json", job: "Json", order: "LaunchOrder") -> None:
    """Name the full disk in the reason of a script that failed because of it."""
    if result["state"] != results.FAILED or "ended_by" in result:
        return
    if not (result["exit_code"] or result["signal"] == "SIGBUS"):
        return
    from scriptrun.runtime import disks  # loaded only for scripts that failed

    logs_folder = os.path.join(order.folder, "user_logs")
    try:
        logs = [os.path.join(logs_folder, name) for name in sorted(os.listdir(logs_folder))[:64]]
    except OSError:
        logs = []
    staging = collect.staging_folder(order.folder, order.attempt, order.node)
    environ = dict(order.inherited, **(job.get("variables") or {}))
    others = [environ.get("TMPDIR") or "/tmp", "/dev/shm", environ.get("HOME") or "/"]
    others += [str(word) for word in job.get("arguments") or () if os.path.isabs(str(word))]
    cause = disks.cause_of_failure(logs, [order.folder, staging], others)
    failure = result["reason"]
    for part in (result, result.get("cause") or {}):  # the latter is compared with other nodes'
        if cause and part.get("reason") == failure:
            part["reason"] = "{}; {}".format(cause, failure)


def _explain_failure(result: "Json", job: "Json", folder: str) -> None:
    """Name the script's exception in the reason, now that secrets are masked in its log."""
    if "subject" in result:
        from . import failure  # loaded only for scripts that failed

        failure.explain(result, folder, bool(job.get("command")), job.get("kind") == "service")


def _ranks_stopped(job: "Json", order: "LaunchOrder") -> bool:
    """Whether the scheduler stopped the MPI ranks; if it starts them, it signals no launcher."""
    if order.node or job["distribution"]["kind"] != "mpi":
        return False
    scheduler = order.load_scheduler()
    return scheduler is not None and scheduler.is_preempted()


def _run(
    job: "Json",
    attempt: "Attempt",
    log: "EventWriter",
    delivery: "DeliveryClient",
    fork: "Callable[[LaunchOrder], int]",
) -> "Json":
    order = attempt.order
    folder, began = order.folder, time.time()
    try:
        if not order.node:
            results.reserve(folder, order.attempt)
        _prepare_staging(job, order)
    finally:
        _take_ticket(job, attempt)  # from here on nothing else starts the run
    if not order.node:
        log.write("launched", attempt=order.attempt, began=began)
    if order.nodes > 1 or job["distribution"]["kind"]:
        from scriptrun.runtime.multinode import gang  # loaded only for several ranks

        return gang.run(job, attempt, log, delivery, fork)
    work = steps.set_up_work_folder(attempt, log, delivery)
    task = variables.single_task(job, attempt)
    log.write("state", state="Running")
    pid = steps.start(job, attempt, task, work, log)
    processes.become_subreaper()
    ending = steps.make_supervisor(job, attempt, [pid]).wait()
    return steps.outcome(ending, steps.subject_of(job))


def _prepare_staging(job: "Json", order: "LaunchOrder") -> None:
    work_folder = collect.staging_folder(order.folder, order.attempt, order.node)
    collect.make_staging(order, work_folder)
    os.makedirs(collect.checkpoints(order.folder), exist_ok=True)
    if job.get("snapshot"):
        workdir.materialise(order.store, job["snapshot"], work_folder)
    collect.make_artifact_folders(work_folder)
    if job.get("snapshot"):
        source_files.record(work_folder, order.store, job["snapshot"], _collected_folders(job))


def _collected_folders(job: "Json") -> "list[str]":
    """The folders of the working directory whose files are kept or uploaded."""
    outputs = (job.get("data") or {}).get("outputs") or ()
    sources = [os.path.expandvars(output.get("source") or "") for output in outputs]
    return [*collect.ARTIFACT_FOLDERS, *filter(None, sources)]


def _take_ticket(job: "Json", attempt: "Attempt") -> None:
    """Take the run's ticket: whichever launcher removes it starts the script.

    Raises Superseded for all others, and if the guard is gone, as the attempt then counts as ended
    and may have been replaced.
    """
    ticket = attempt.order.ticket
    if not ticket:
        return
    if os.getppid() != attempt.guard:
        raise Superseded("its guard process is gone")
    try:
        retry.take_ticket(job, ticket)
    except FileNotFoundError:
        raise Superseded("its ticket is gone") from None


def _finish(
    job: "Json", attempt: "Attempt", value: "Json", log: "EventWriter", delivery: "DeliveryClient"
) -> None:
    """Collect outputs and publish the result, even on a full disk."""
    order = attempt.order
    folder = order.folder
    _run_and_log_errors(folder, lambda: _keep_linked_content(order, log))
    if order.nodes > 1:
        from scriptrun.runtime.multinode import gang

        _run_and_log_errors(folder, lambda: delivery.finish(value))
        if gang.end(job, attempt, value, log):
            return
    _run_and_log_errors(folder, lambda: log.write("state", state="Finalizing"))
    _run_and_log_errors(folder, lambda: delivery.finish(value))
    _run_and_log_errors(folder, lambda: collect.collect(folder))
    _run_and_log_errors(folder, lambda: _take_mlflow_tags(job, folder, log))
    if order.nodes > 1:
        from scriptrun.runtime.multinode import gather

        _run_and_log_errors(folder, lambda: gather.gather(folder, log))
    scheduler = order.load_scheduler() if attempt.stop_requested else None
    is_final = scheduler is None or scheduler.why_stopped(order, value)
    publish(job, order, value, log, is_final)
    if value["state"] == results.COMPLETED:
        _run_and_log_errors(folder, lambda: _warn_of_full_disk(order, log))


def _keep_linked_content(order: "LaunchOrder", log: "EventWriter") -> None:
    from scriptrun.runtime.launcher import output_links  # loaded when the script has ended

    output_links.keep_content(order.folder, order.node, order.nodes, log, order.inherited)


def _take_mlflow_tags(job: "Json", folder: str, log: "EventWriter") -> None:
    """Make the tags that the script set with MLflow tags of the run."""
    if os.path.isdir(os.path.join(folder, mlflow_store.ROOT)):
        tags = mlflow_store.read_tags(job, folder)
        if tags:
            log.write("tag", set=tags)


def _warn_of_full_disk(order: "LaunchOrder", log: "EventWriter") -> None:
    """Warn that a script that completed may lack what it wrote, metrics and log included."""
    from scriptrun.runtime import disks  # loaded when the script has ended

    full = disks.full_among([order.folder])
    if full:
        message = "{}: files, metrics and lines of the log may be missing".format(full)
        log.write("warning", message=message)


def publish(
    job: "Json", order: "LaunchOrder", value: "Json", log: "EventWriter", is_final: bool = True
) -> None:
    """Publish the attempt's result, and the run's unless it is retried."""
    folder, attempt = order.folder, order.attempt
    value["finalized"] = time.time()
    if is_final and retry.should_retry(job, folder, attempt, value):
        results.publish_with_retry(folder, attempt, value, log, is_final=False)
        is_final = not retry.schedule_retry(job, order, value, log)
        if not is_final:
            return
    if is_final:
        retry.drop_began_ticket(order)
    results.publish_with_retry(folder, attempt, value, log, is_final=is_final)


def _run_and_log_errors(folder: str, step: "Callable[[], object]") -> None:
    try:
        step()
    except OSError as error:
        _log_error(folder, error)


def _log_error(folder: str, error: object) -> None:
    try:
        path = os.path.join(folder, "system_logs", "launcher.txt")
        events.append(path, "{}\n".format(error).encode("utf-8", "backslashreplace"))
    except OSError:
        pass
