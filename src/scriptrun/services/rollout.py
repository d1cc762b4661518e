"""Start, replace and stop the runs of a service, so that its record is true at every moment.

A run starts in place of another as ``next`` of the record. Once it is healthy, the old run is
canceled and ``next`` becomes ``run``; if it fails, the old run goes on. ``advance`` takes the step
that is due: a worker does (``finish``), as does everybody who waits or looks. So a service is never
lost, whoever is killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.queue import workers
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime import identity
from scriptrun.services import prepare, status
from scriptrun.services.prepare import PreparedService
from scriptrun.spec import ids
from scriptrun.spec.errors import WebserviceException
from scriptrun.store import detached
from scriptrun.submission import submit as job_submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: seconds between two looks at a server that starts
POLL_SECONDS = 0.1
#: seconds in which a canceled run ends
_STOP_SECONDS = 120.0


def begin(workspace: Workspace, prepared: PreparedService, existing: ServiceRecord | None) -> None:
    """Record the service with its run, and start that. Raises WebserviceException if the name is
    taken.
    """
    superseded = None
    if existing is None:
        record = _new_record(prepared)
        if not registry.create(workspace, record):
            raise taken(prepared.request.name)
    else:
        superseded = _set_next(workspace, prepared)
    try:
        if prepared.keys is not None:
            registry.store_keys(workspace, prepared.request.name, prepared.keys)
        submit(workspace, prepared)
    except BaseException:
        _withdraw(workspace, prepared)
        raise
    if superseded:
        cancel(workspace, superseded)
    name = prepared.request.name
    registry.change(workspace, name, lambda found: _started(found, prepared.job.id))
    if existing is not None:
        _start_worker(workspace, name)


def submit(workspace: Workspace, prepared: PreparedService) -> Path:
    """Start the prepared run; returns its folder."""
    return job_submit.submit_job(
        prepared.job, workspace, prepared.warnings, prepared.lockfile, prepared.extras()
    )


def taken(name: str) -> WebserviceException:
    """The error of a name that another service has."""
    return WebserviceException(
        f"Service {name!r} already exists.",
        hint="Use overwrite=True to replace it, delete it first, or choose another name.",
    )


def _new_record(prepared: PreparedService) -> ServiceRecord:
    request = prepared.request
    now = ids.now()
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
        port=request.port or None,
    )


def _set_next(workspace: Workspace, prepared: PreparedService) -> str | None:
    """Record the run that starts; returns the ID of one that it replaces before that was ready."""
    superseded: list[str | None] = []

    def update(record: ServiceRecord) -> ServiceRecord:
        superseded.append(record.next)
        return record.replace(
            next=prepared.job.id,
            next_request=prepared.request.to_json(),
            by=identity.identify(),
            failure=None,
        )

    registry.change(workspace, prepared.request.name, update)
    return superseded[-1]


def _started(record: ServiceRecord, run_id: str) -> ServiceRecord:
    """The record once its first run exists: nothing else serves, so it is the service's run."""
    if record.next != run_id or record.run is not None:
        return record
    return _switched(record)


def _switched(record: ServiceRecord) -> ServiceRecord:
    request = record.next_request or record.request
    return record.replace(
        run=record.next,
        request=request,
        next=None,
        next_request=None,
        by=None,
        compute_type=request.get("compute_type") or record.compute_type,
    )


def _withdraw(workspace: Workspace, prepared: PreparedService) -> None:
    """Undo what ``begin`` has recorded of a run that could not be submitted."""
    name, run_id = prepared.request.name, prepared.job.id
    record = registry.read(workspace, name)
    if record is not None and record.run is None:
        registry.remove(workspace, name, run_id)
    elif record is not None:
        registry.change(workspace, name, lambda found: _without_next(found, run_id, None))


def _without_next(record: ServiceRecord, run_id: str, reason: str | None) -> ServiceRecord:
    if record.next != run_id:
        return record
    failure = None if reason is None else {"run": run_id, "reason": reason}
    return record.replace(next=None, next_request=None, by=None, failure=failure)


def advance(workspace: Workspace, name: str) -> ServiceRecord | None:
    """Take the step that is due, if any; returns the record, None if the service is gone."""
    record = registry.read(workspace, name)
    if record is None or record.next is None:
        return record
    run_id = record.next
    if workspace.find_run(run_id) is None:
        if record.by is not None and identity.may_be_alive(record.by):
            return record  # it is being submitted
        return _forget_unsubmitted(workspace, record)
    if record.run is None:
        return registry.change(workspace, name, lambda found: _started(found, run_id))
    found = status.of_run(workspace, run_id)
    if found.has_ended:
        reason = found.reason
        return registry.change(
            workspace, name, lambda current: _without_next(current, run_id, reason)
        )
    if found.state == status.HEALTHY:
        return _switch(workspace, record, found)
    return record


def _forget_unsubmitted(workspace: Workspace, record: ServiceRecord) -> ServiceRecord | None:
    """Forget a run whose submitter was killed before it existed."""
    assert record.next is not None
    if record.run is None:
        registry.remove(workspace, record.name, record.next)
        return registry.read(workspace, record.name)
    run_id, reason = record.next, "the process that deployed it was killed"
    return registry.change(
        workspace, record.name, lambda found: _without_next(found, run_id, reason)
    )


def _switch(
    workspace: Workspace, record: ServiceRecord, found: status.ServiceState
) -> ServiceRecord:
    """Stop the old run, now that the new one answers; then the record names the new one."""

    def update(current: ServiceRecord) -> ServiceRecord | None:
        if current.next != record.next:
            return None
        if current.run:
            cancel(workspace, current.run)  # first: whoever goes on from here does it again
        return _switched(current).replace(port=found.port or current.port, failure=None)

    return registry.change(workspace, record.name, update)


def cancel(workspace: Workspace, run_id: str) -> None:
    """Cancel the run if it exists and has not ended."""
    folder = workspace.find_run(run_id)
    if folder is not None:
        Run.at(workspace, folder).cancel()


def stop(workspace: Workspace, name: str) -> None:
    """Stop the service and wait until its runs have ended; its record stays."""
    record = registry.get(workspace, name)
    runs = [run_id for run_id in (record.next, record.run) if run_id]
    for run_id in runs:
        cancel(workspace, run_id)
    deadline = time.monotonic() + _STOP_SECONDS
    for run_id in runs:
        while not status.of_run(workspace, run_id, probe=False).has_ended:
            if time.monotonic() > deadline:
                raise WebserviceException(
                    f"Service {name!r} did not stop within {_STOP_SECONDS:g} s.",
                    hint=f"To see its run: scriptrun show {run_id}",
                )
            time.sleep(POLL_SECONDS)


def remove(workspace: Workspace, name: str) -> None:
    """Stop the service, and remove its record and its keys. Its runs stay in the list."""
    stop(workspace, name)
    registry.remove(workspace, name)


def _start_worker(workspace: Workspace, name: str) -> None:
    """Start the process that finishes the replacement of the service's run."""
    command = workers.command("scriptrun.services.finish", str(workspace.root), name)
    detached.start(command, "scriptrun-service")


def wait(
    workspace: Workspace,
    name: str,
    is_done: Callable[[ServiceRecord], bool],
    pause: Callable[[], None] = lambda: time.sleep(POLL_SECONDS),
) -> ServiceRecord | None:
    """Advance the service until ``is_done``; returns its record, None if it was removed."""
    while True:
        record = advance(workspace, name)
        if record is None or is_done(record):
            return record
        pause()


__all__ = ["advance", "begin", "cancel", "prepare", "remove", "stop", "submit", "taken", "wait"]
