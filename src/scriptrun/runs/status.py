"""The status of a run: from its files, or else from its engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from scriptrun import remote
from scriptrun.engines import launchers
from scriptrun.engines.base import ALIVE, ENDED, QUEUED, UNKNOWN, PollRound, View
from scriptrun.queue import tickets, wait_reasons, workers
from scriptrun.registry import compute_targets
from scriptrun.runtime import identity, results
from scriptrun.runtime.launcher import retry
from scriptrun.spec import states
from scriptrun.spec.errors import ScriptrunError, WorkspaceException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.later import later
from scriptrun.spec.run_kinds import SCRIPT, handler, run_kind
from scriptrun.tracking import events, run_folder, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.data.mount import mount as dataset_mount
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.remote.client import RemoteRuns
else:
    dataset_mount = later("scriptrun.data.mount.mount")

#: seconds in which the submitter may still start the run that it has queued
JUST_NOW = 1.0


def status_of(
    workspace: WorkspaceFiles,
    folder: Path,
    job: JobSpec,
    waiting: Mapping[str, str] | None = None,
    poll_round: PollRound | None = None,
) -> run_state.RunState:
    """The run's state. A run whose processes are gone is ended here.

    For listings of many runs, ``waiting`` says why each queued run waits, by its ID, and
    ``poll_round`` is shared by all of them. For a single run, raises Unreachable if its cluster
    cannot be reached. Raises RunMissing if the run's folder was removed.
    """
    if not run_folder.exists(folder):
        raise RunMissing(folder)
    kind = run_kind(job.kind)
    if kind.name != SCRIPT:
        decided: run_state.RunState = handler(kind.status)(workspace, folder, job)
        return decided
    return of_script(workspace, folder, job, waiting, poll_round)


def of_damaged(folder: Path, problem: str) -> run_state.RunState:
    """The state of a run whose job.json cannot be read, with the ``problem`` as its reason.

    It has failed unless it has a result or its launcher lives. Nothing is written: a newer
    scriptrun may be able to read it.
    """
    status = run_state.read_status(folder)
    if status.is_final:
        reason = f"{status.reason}; {problem}" if status.reason else problem
        return status.replace(reason=reason)
    is_running = launchers.view(folder).state in (ALIVE, UNKNOWN)
    return status.replace(state=status.state if is_running else states.FAILED, reason=problem)


class RunMissing(WorkspaceException):
    """The run's folder was removed while it was waited for, or looked at."""

    exit_code = 1

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Run {folder.name!r} no longer exists: its folder {str(folder)!r} was removed.",
            "Its record and its outputs are lost. Submit it again to run it again.",
        )


def of_script(
    workspace: WorkspaceFiles,
    folder: Path,
    job: JobSpec,
    waiting: Mapping[str, str] | None = None,
    poll_round: PollRound | None = None,
) -> run_state.RunState:
    """The state of a run of a script or command; see ``status_of``."""
    remote_runs = remote.for_target(job.target)
    if remote_runs is not None:
        return _remote_status(remote_runs, folder, job, waiting is not None)
    try:
        refresh(folder, job)
    except ScriptrunError as error:
        if waiting is None:
            raise
        return run_state.read_status(folder).replace(reason=error.message)
    for _ in range(3):  # a run may change between the checks
        status = run_state.read_status(folder)
        if status.is_final:
            return status
        verdict = _check_engine(workspace, folder, job, status, waiting, poll_round)
        if verdict is not None:
            return verdict
    return run_state.read_status(folder)


def refresh(folder: Path, job: JobSpec, at_once: bool = False) -> None:
    """Update the record of a run whose node and the workspace share no files.

    A record updated a moment ago is kept, unless ``at_once``. Raises NoAnswer if the node does not
    respond.
    """
    there = compute_targets.engine_of(job.target).home(folder)
    if there is None or run_folder.read_result(folder) is not None:
        return
    if at_once:
        remote.mirror.expire(folder)
    remote.mirror.refresh_if_due(folder, there)


def _remote_status(
    remote_runs: RemoteRuns, folder: Path, job: JobSpec, is_listing: bool
) -> run_state.RunState:
    """The state of a remote run; in a listing, the last known one if the host is unreachable."""
    try:
        return remote_runs.status(folder, job)
    except ScriptrunError as error:
        if not is_listing:
            raise
        return run_state.read_status(folder).replace(reason=error.message)


def _check_engine(  # noqa: PLR0911 (one return for each answer)
    workspace: WorkspaceFiles,
    folder: Path,
    job: JobSpec,
    status: run_state.RunState,
    waiting: Mapping[str, str] | None,
    poll_round: PollRound | None,
) -> run_state.RunState | None:
    engine = compute_targets.engine_of(job.target)
    view = engine.poll([folder], poll_round)[0]
    if view.state in (ALIVE, UNKNOWN):
        return _with_evidence(status, view)
    if view.state == QUEUED:
        return run_state.RunState(states.QUEUED, view.evidence)
    if view.submitted:
        return _end_handed_over(folder, job, view)
    is_local = identity.is_of_this_host(job.submitted_by)
    if not is_local and (view.state != ENDED or job.retry.limit):
        host = job.submitted_by.get("host")
        return _with_reason(status, f"is in the queue of another host, {host}")
    queued = _queued_status(workspace, job, status, view, waiting) if is_local else None
    if queued is not None:
        return queued
    refresh(folder, job, at_once=True)
    current = run_state.read_status(folder)
    if current.is_final or engine.poll([folder], poll_round)[0] != view:
        return None
    if view.state == ENDED:
        engine.clean(folder)
        if _try_requeue(workspace, folder, job, view.evidence):
            return run_state.RunState(states.QUEUED, "retrying")
        if job.data.inputs:
            dataset_mount.clear_stale()
        return run_state.record_lost(folder, _missing_result_reason(folder, job, view.evidence))
    if identity.may_be_alive(job.submitted_by):
        is_seen = identity.is_local(job.submitted_by)
        container = "is in the queue of another PID namespace (a container) of this machine"
        return _with_reason(status, "is being submitted" if is_seen else container)
    return run_state.record_lost(folder, "its queue entry is missing")


def _with_evidence(status: run_state.RunState, view: View) -> run_state.RunState:
    """``status``, with the engine's evidence if it cannot determine the state."""
    if view.state == UNKNOWN and view.submitted:
        return status.replace(reason=view.evidence)
    if status.state == states.QUEUED and not status.reason:
        return status.replace(reason=wait_reasons.STARTING)
    return status


def _end_handed_over(folder: Path, job: JobSpec, view: View) -> run_state.RunState | None:
    """End a run whose job is over in the engine's queue, unless it has a result by now."""
    refresh(folder, job, at_once=True)
    if run_state.read_status(folder).is_final:
        return None
    compute_targets.engine_of(job.target).clean(folder)
    if view.canceled or os.path.lexists(folder / "cancel.json"):
        return run_state.record_lost(folder, view.evidence, states.CANCELED)
    return run_state.record_lost(folder, view.evidence)


def _try_requeue(workspace: WorkspaceFiles, folder: Path, job: JobSpec, evidence: str) -> bool:
    """Requeue a run whose launcher and guard are gone, if its retry policy allows it."""
    if not job.retry.limit:
        return False
    attempt = (run_folder.attempts(folder) or [1])[-1]
    value = results.result(states.FAILED, evidence, by="guard")
    if not retry.should_retry(job.to_dict(), str(folder), attempt, value):
        return False
    queue = Path(job.submitted_by.get("queue") or tickets.queue_of(workspace.id))
    if tickets.put_back(queue, job.id):
        results.publish_node(str(folder), attempt, 0, value)
        workers.ensure_runner(workspace)
    return tickets.find(queue, job.id) is not None


def _missing_result_reason(folder: Path, job: JobSpec, evidence: str) -> str:
    if job.is_interactive:
        uncaught = events.collect_facts(events.read(folder)).uncaught
        if uncaught:
            return uncaught
        evidence = evidence.replace("the launcher", "the process that logged it")
        return f"{evidence}; neither complete() nor fail() was called"
    return f"the run ended without reporting a result: {evidence}"


def _with_reason(status: run_state.RunState, reason: str) -> run_state.RunState:
    """The status of a run that waits for ``reason``, unless it is further."""
    waiting = (states.QUEUED, states.PREPARING)
    return status.replace(reason=reason) if status.state in waiting else status


def _queued_status(
    workspace: WorkspaceFiles,
    job: JobSpec,
    status: run_state.RunState,
    view: View,
    waiting: Mapping[str, str] | None,
) -> run_state.RunState | None:
    """The status of a run that has a ticket, with the reason why it waits; None if it has none."""
    try:
        reason = _why_waiting(workspace, job, waiting)
    except PermissionError:
        owner = job.submitted_by.get("user") or "another user"
        return _with_reason(status, f"is in the queue of {owner}")
    if reason is not None and view.state == ENDED:
        return run_state.RunState(states.QUEUED, f"retrying; {reason}")
    return None if reason is None else _with_reason(status, reason)


def _why_waiting(
    workspace: WorkspaceFiles, job: JobSpec, waiting: Mapping[str, str] | None
) -> str | None:
    """Why the run, which has a ticket, waits; None if it has none.

    If it is in this user's queue, ensure a runner. Raises PermissionError for another user's.
    """
    if waiting is not None and job.id in waiting:
        was_running = workers.ensure_runner(workspace)
        # good enough for a listing: a removed ticket shows in the next one
        return waiting[job.id] if was_running else wait_reasons.UNANSWERED
    local_queue = tickets.queue_of(workspace.id)
    queue = Path(job.submitted_by.get("queue") or local_queue)
    ticket = tickets.find(queue, job.id)
    if ticket is None:
        return None
    is_ours = queue == local_queue and tickets.age(ticket) > JUST_NOW
    if is_ours and not workers.ensure_runner(workspace):
        return wait_reasons.UNANSWERED
    return wait_reasons.reasons_of(queue).get(job.id, wait_reasons.BEHIND)
