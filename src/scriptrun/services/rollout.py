"""Start, replace and stop the runs of a service, so that its record is true at every moment.

A run starts in place of another as ``next`` of the record. Once it is healthy, the old run is
canceled and ``next`` becomes ``run``; if it fails, the old run keeps serving. ``advance`` takes the
step that is due: a worker does (``finish``), as does everybody who waits or looks. So a service is
never lost, whoever is killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.queue import workers
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime import identity, process_record, processes
from scriptrun.services import notices, status
from scriptrun.services.prepare import SERVICE_PROPERTY, PreparedService, again, replaced_by
from scriptrun.services.request import ServiceRequest, of_record
from scriptrun.spec import ids
from scriptrun.spec.errors import ScriptrunError, WebserviceException
from scriptrun.store import detached, paths
from scriptrun.store.records import DamagedRecord
from scriptrun.submission import submit as job_submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: seconds between two looks at a server that starts
POLL_SECONDS = 0.1
#: the runs that threads of this process are about to submit
_submitting: set[str] = set()
#: seconds in which another process submits a run that it has recorded
_SUBMISSION_SECONDS = 600.0
#: seconds after which a run that does not end is canceled once more
_AGAIN_SECONDS = 30.0
#: seconds beyond its grace period in which a canceled run ends
_SLACK_SECONDS = 30.0


class NameTaken(WebserviceException):
    """Another service has the name."""


NameTaken.__name__ = WebserviceException.__name__  # which old code prints


class Outdated(WebserviceException):
    """The service's run is another one than when its successor was prepared."""


def replace(
    workspace: Workspace,
    record: ServiceRecord,
    make: Callable[[ServiceRecord], PreparedService],
) -> PreparedService:
    """Start what ``make`` prepares in place of the service's run; prepare again if that changes.

    Raises ServiceMissing if the service was removed.
    """
    while True:
        settled = _await_submitted(workspace, record.name)
        prepared = make(settled)
        try:
            begin(workspace, prepared, settled)
        except Outdated:
            continue
        return prepared


def _await_submitted(workspace: Workspace, name: str) -> ServiceRecord:
    """The record, once no run of the service is about to be submitted."""
    record = advance(workspace, name) or registry.get(workspace, name)
    deadline = time.monotonic() + _SUBMISSION_SECONDS
    while _is_being_submitted(workspace, record):
        _refuse_late(record, deadline)
        time.sleep(POLL_SECONDS)
        record = advance(workspace, name) or registry.get(workspace, name)
    return record


def _refuse_late(record: ServiceRecord, deadline: float) -> None:
    if time.monotonic() > deadline:
        by = record.by or {}
        raise WebserviceException(
            f"Service {record.name!r} is still being deployed after {_SUBMISSION_SECONDS:g} s, by "
            f"process {by.get('pid')} on {by.get('host')}.",
            hint="Wait for that process, or end it; then try again.",
        )


def begin(workspace: Workspace, prepared: PreparedService, existing: ServiceRecord | None) -> None:
    """Record the prepared run as the service's next one, and start it.

    Raises NameTaken if there is no ``existing`` service and the name was taken meanwhile,
    ServiceMissing if the ``existing`` one was removed, and Outdated if its run has changed since
    the new one was prepared.
    """
    _submitting.add(prepared.job.id)
    try:
        record = _begin(workspace, prepared, existing)
    finally:
        _submitting.discard(prepared.job.id)
    if record.next is not None or record.retired:
        command = workers.command("scriptrun.services.finish", str(workspace.root), record.name)
        detached.start(command, processes.SERVICE)


def _begin(
    workspace: Workspace, prepared: PreparedService, existing: ServiceRecord | None
) -> ServiceRecord:
    name, run_id = prepared.request.name, prepared.job.id
    if existing is not None:
        _set_next(workspace, prepared)
    elif not registry.create(workspace, _new_record(prepared)):
        raise taken(name)
    try:
        if prepared.keys is not None:
            record = registry.get(workspace, name)
            registry.store_keys(workspace, record, run_id, prepared.keys)
        submit(workspace, prepared)
        if prepared.order["replaces"] is None:  # nothing else serves
            registry.change(workspace, name, lambda found: _switched(found, run_id))
    except BaseException:
        _withdraw(workspace, prepared)
        raise
    return registry.get(workspace, name)


def submit(workspace: Workspace, prepared: PreparedService) -> Path:
    """Start the prepared run; returns its folder."""
    return job_submit.submit_job(
        prepared.job, workspace, prepared.warnings, prepared.lockfile, prepared.extras()
    )


def taken(name: str) -> NameTaken:
    """The error of a name that another service has."""
    return NameTaken(
        f"Service {name!r} already exists.",
        hint="Use overwrite=True (scriptrun serve --replace) to replace it, delete it first, or "
        "choose another name.",
    )


def _new_record(prepared: PreparedService) -> ServiceRecord:
    request, now = prepared.request, ids.now()
    return ServiceRecord(
        request.name,
        request.to_json(),
        next=prepared.job.id,
        next_request=request.to_json(),
        by=identity.identify(),
        created=now,
        updated=now,
        description=request.description,
        compute_type=request.compute_type,
        tags=dict(request.tags),
        properties=dict(request.properties),
    )


def _set_next(workspace: Workspace, prepared: PreparedService) -> None:
    """Record the run that starts; it replaces one that was to follow and is not ready yet.

    That one must have been submitted: until then nobody can cancel it.
    """
    request, run_id = prepared.request, prepared.job.id

    def update(record: ServiceRecord) -> ServiceRecord | None:
        if _is_being_submitted(workspace, record):
            return None
        if not prepared.replaced.is_same(replaced_by(workspace, record)):
            raise Outdated(f"The run of service {request.name!r} has changed.", hint="Try again.")
        return record.replace(
            next=run_id,
            next_request=request.to_json(),
            retired=_with(record.retired, record.next),
            by=identity.identify(),
            failure=None,
        )

    deadline = time.monotonic() + _SUBMISSION_SECONDS
    while (record := registry.change(workspace, request.name, update)).next != run_id:
        _refuse_late(record, deadline)
        time.sleep(POLL_SECONDS)


def _is_being_submitted(workspace: Workspace, record: ServiceRecord) -> bool:
    """Whether a living process is about to submit the run that is to follow."""
    if record.next is None or workspace.find_run(record.next) is not None:
        return False
    if record.by == identity.identify():
        return record.next in _submitting  # else it could not undo what it had begun
    return record.by is not None and identity.may_be_alive(record.by)


def _with(run_ids: list[str], run_id: str | None) -> list[str]:
    return list(dict.fromkeys([*run_ids, *([run_id] if run_id else [])]))


def _switched(record: ServiceRecord, run_id: str) -> ServiceRecord | None:
    """The record once ``run_id`` is the service's run; None if another one is to be."""
    if record.next != run_id:
        return None
    request = record.next_request or record.request
    return record.replace(
        run=run_id,
        retired=_with(record.retired, record.run),
        request=request,
        next=None,
        next_request=None,
        by=None,
        compute_type=request.get("compute_type") or record.compute_type,
        **{name: request.get(name, getattr(record, name)) for name in registry.METADATA},
    )


def _withdraw(workspace: Workspace, prepared: PreparedService) -> None:
    """Undo what ``begin`` has recorded of a run that could not be submitted."""
    name, run_id = prepared.request.name, prepared.job.id
    cancel(workspace, run_id)  # if it was interrupted just after that
    record = registry.read(workspace, name)
    if record is not None and record.run is None:
        registry.remove(workspace, name, run_id)
    elif record is not None:
        registry.change(workspace, name, lambda found: _without_next(found, run_id, None))


def _without_next(record: ServiceRecord, run_id: str, reason: str | None) -> ServiceRecord | None:
    """The record without the run that was to follow; ``reason`` says why it failed."""
    if record.next != run_id:
        return None
    failure = None if reason is None else {"run": run_id, "reason": reason}
    return record.replace(next=None, next_request=None, by=None, failure=failure)


def advance(workspace: Workspace, name: str) -> ServiceRecord | None:
    """Take the step that is due, if any; returns the record, None if the service is gone."""
    try:
        record = registry.read(workspace, name)
        if record is not None and record.next is not None:
            record = _advance_next(workspace, record)
        if record is not None and record.retired:
            record = _end_retired(workspace, record)
    except registry.ServiceMissing:
        return None
    return record


def look(workspace: Workspace, name: str) -> ServiceRecord | None:
    """As ``advance``, for those who only look: without the step if this process cannot take it."""
    try:
        return advance(workspace, name)
    except (ScriptrunError, OSError):
        return registry.read(workspace, name)


def _advance_next(workspace: Workspace, record: ServiceRecord) -> ServiceRecord | None:
    run_id = record.next or ""
    if workspace.find_run(run_id) is None:
        return _await_submission(workspace, record)
    found = status.of_run(workspace, run_id)
    is_alone = record.run is None or (
        found.state != status.TRANSITIONING
        and status.of_run(workspace, record.run, probe=False).has_ended
    )
    if is_alone or found.state == status.HEALTHY:
        return registry.change(workspace, record.name, lambda current: _switched(current, run_id))
    return _give_up(workspace, record, found.reason) if found.has_ended else record


def _end_retired(workspace: Workspace, record: ServiceRecord) -> ServiceRecord:
    """Cancel the runs that were replaced; forget those that have ended."""
    ended = []
    for run_id in record.retired:
        _cancel_when_due(workspace, run_id)
        if status.of_run(workspace, run_id, probe=False).has_ended:
            ended.append(run_id)
    if not ended:
        return record

    def forget(current: ServiceRecord) -> ServiceRecord:
        return current.replace(retired=[each for each in current.retired if each not in ended])

    return registry.change(workspace, record.name, forget)


def _await_submission(workspace: Workspace, record: ServiceRecord) -> ServiceRecord | None:
    """Forget a run that its submitter did not live to submit; else leave it."""
    assert record.next is not None
    if _is_being_submitted(workspace, record):
        return record
    if workspace.find_run(record.next) is not None:  # it did, just before it ended
        return record
    if record.run is None:
        registry.remove(workspace, record.name, record.next)
        return registry.read(workspace, record.name)
    return _give_up(workspace, record, "its deployment was interrupted")


def _give_up(workspace: Workspace, record: ServiceRecord, reason: str) -> ServiceRecord:
    """Record that the run that was to follow has failed; the one before keeps serving."""
    run_id = record.next or ""
    return registry.change(
        workspace, record.name, lambda found: _without_next(found, run_id, reason)
    )


def cancel(workspace: Workspace, run_id: str) -> None:
    """Cancel the run if it exists and has not ended."""
    folder = workspace.find_run(run_id)
    if folder is not None:
        Run.at(workspace, folder).cancel()
        _stop_moved(folder)


def _cancel_when_due(workspace: Workspace, run_id: str) -> None:
    """Cancel the run, also if that was requested long ago: its engine may have failed."""
    folder = workspace.find_run(run_id)
    path = None if folder is None else folder / "cancel.json"
    try:
        if path is not None and time.time() - path.stat().st_mtime < _AGAIN_SECONDS:
            return
        if path is not None:
            os.utime(path)
    except FileNotFoundError:
        pass
    cancel(workspace, run_id)


def _stop_moved(folder: Path) -> None:
    """Ask the server of a run whose folder was moved to stop: its launcher looks at the old one.

    Only this user's private record says which process that is.
    """
    for record in process_record.find(paths.processes_folder(), str(folder)):
        if record.is_local and not os.path.exists(record.folder):
            for pid in record.living_scripts():
                processes.send(pid, signal.SIGTERM)


def stop(workspace: Workspace, name: str) -> str:
    """Stop the service and wait until its runs have ended; its record stays.

    Returns the ID of the newest of them. Raises WebserviceException if there is no such service, or
    if it does not stop.
    """
    record = _await_submitted(workspace, name)
    runs = [run_id for run_id in (record.next, record.run, *record.retired) if run_id]
    for run_id in runs:
        cancel(workspace, run_id)
    for run_id in runs:
        _await_end(workspace, name, run_id)
    advance(workspace, name)
    return record.newest


def _await_end(workspace: Workspace, name: str, run_id: str) -> None:
    seconds = 2 * _SLACK_SECONDS + _grace_seconds(workspace, run_id)
    deadline = time.monotonic() + seconds
    while not status.of_run(workspace, run_id, probe=False).has_ended:
        if time.monotonic() > deadline:
            raise WebserviceException(
                f"Service {name!r} did not stop within {seconds:g} s.",
                hint=f"To see why, use: scriptrun show {run_id}",
            )
        _cancel_when_due(workspace, run_id)
        time.sleep(POLL_SECONDS)


def _grace_seconds(workspace: Workspace, run_id: str) -> float:
    folder = workspace.find_run(run_id)
    return 0.0 if folder is None else Run.at(workspace, folder).known_job.grace_seconds


def remove(workspace: Workspace, name: str) -> None:
    """Stop the service, and remove its record and its keys. Its runs stay in the list.

    A run that is deployed meanwhile is stopped too. If the record is damaged, those of its runs are
    stopped that have not ended.
    """
    try:
        registry.get(workspace, name)
    except DamagedRecord:
        _remove_damaged(workspace, name)
        return
    while registry.read(workspace, name) is not None:
        try:
            registry.remove(workspace, name, stop(workspace, name))
        except registry.ServiceMissing:
            return  # another process has removed it


def _remove_damaged(workspace: Workspace, name: str) -> None:
    runs = [
        run.id
        for run in Run.unfinished(workspace)
        if run.known_job.properties.get(SERVICE_PROPERTY) == name
    ]
    for run_id in runs:
        cancel(workspace, run_id)
    for run_id in runs:
        _await_end(workspace, name, run_id)
    registry.remove(workspace, name)


def start(workspace: Workspace, name: str) -> bool:
    """Start a service that has ended, from its latest snapshot, on the same port.

    Returns False if it is running. Raises WebserviceException if that is impossible.
    """
    while True:
        record = _await_submitted(workspace, name)
        if not status.of_run(workspace, record.newest, probe=False).has_ended:
            return False
        try:
            prepared = again(workspace, record, of_record(record))
            begin(workspace, prepared, record)
        except Outdated:
            continue  # another process starts it
        notices.warn(prepared.warnings)
        return True


def restart(
    workspace: Workspace, record: ServiceRecord, request: ServiceRequest | None = None
) -> None:
    """Replace the service's run by one with the same snapshot and environment.

    ``request`` is what else to change. Raises WebserviceException with all problems.
    """
    wanted = request or of_record(record)
    prepared = replace(workspace, record, lambda current: again(workspace, current, wanted))
    notices.warn(prepared.warnings)
