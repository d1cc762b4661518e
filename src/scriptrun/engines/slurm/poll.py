"""Polls Slurm for runs: one squeue for all, and sacct for jobs that squeue no longer lists."""

from __future__ import annotations

import os
import time
from pathlib import Path

from scriptrun.engines.base import ALIVE, ENDED, QUEUED, UNKNOWN, WAITING, PollRound, View
from scriptrun.engines.slurm import arrays
from scriptrun.engines.slurm import commands as slurm_commands
from scriptrun.engines.slurm import handles as slurm_handles
from scriptrun.engines.slurm import script as slurm_script
from scriptrun.engines.slurm import states as slurm_states
from scriptrun.runtime import files
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.values import Value
from scriptrun.store import filesystem_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: seconds for which squeue's answer is reused if it lists the job
FRESH = 1.0
#: seconds after which squeue's answer no longer proves that a job is missing
OLD = 0.05
#: seconds to wait for a result that was written before the job ended to become visible
PATIENCE, PATIENCE_SHARED = 2.0, 60.0
#: seconds after the grace period after which a canceled job is killed through Slurm
SAVE_SECONDS = 30.0
NO_RESULT = "the run ended without reporting a result"


class _SqueueAnswer(Value):
    """squeue's rows for some users' jobs, and when it was called."""

    asked_at: float
    rows: dict[str, slurm_states.SqueueRow]


_answers: dict[tuple[str, str], _SqueueAnswer] = {}
_ended_since: dict[str, float] = {}
_final_states: dict[tuple[str, str], str] = {}


def views(
    folders: list[Path], ssh: str | None = None, poll_round: PollRound | None = None
) -> list[View]:
    """The view of each run. Without ``poll_round``, this call is a separate round."""
    handles = [slurm_handles.latest_handle(folder) for folder in folders]
    users = ",".join(sorted({handle["user"] for handle in handles if handle}))
    if not users:
        return [View(WAITING)] * len(folders)
    poll_round = poll_round or PollRound()
    try:
        _ask_squeue(users, ssh, poll_round)
        pairs = zip(folders, handles, strict=True)
        return [_view(*pair, users, ssh, poll_round) for pair in pairs]
    except slurm_commands.SlurmUnreachable as error:
        return [
            View(UNKNOWN if job_handle else WAITING, error.message, submitted=bool(job_handle))
            for job_handle in handles
        ]


def _ask_squeue(
    users: str, ssh: str | None, poll_round: PollRound, fresh: bool = False
) -> _SqueueAnswer:
    """squeue's answer for the users' jobs: the round's, one of the last second, or a new one."""
    now, key = time.monotonic(), (slurm_commands.cluster_key(ssh), users)
    answer, previous = poll_round.answers.get(key), _answers.get(key)
    if answer is None and previous is not None and now - previous.asked_at < FRESH:
        answer = previous
    if fresh or not isinstance(answer, _SqueueAnswer):
        argv = ["squeue", "--noheader", "--array", "--states=all", f"--user={users}"]
        result = slurm_commands.run([*argv, f"--format={slurm_states.SQUEUE_FORMAT}"], ssh)
        if result.code:
            message = slurm_commands.error_text(result)
            raise slurm_commands.SlurmUnreachable(f"Slurm does not respond: {message}")
        answer = _answers[key] = _SqueueAnswer(now, slurm_states.parse_rows(result.text))
    poll_round.answers[key] = answer
    return answer


def _view(
    folder: Path,
    handle: Json | None,
    users: str,
    ssh: str | None,
    poll_round: PollRound,
) -> View:
    if handle is None:
        return View(WAITING)
    job = str(handle["job"])
    answer = _ask_squeue(users, ssh, poll_round)
    row = slurm_states.find_row(answer.rows, job)
    if row is None and time.monotonic() - answer.asked_at > OLD:
        row = slurm_states.find_row(_ask_squeue(users, ssh, poll_round, fresh=True).rows, job)
    if row is not None and row.state in slurm_states.QUEUED:
        return View(QUEUED, slurm_states.pending_reason(row))
    if row is not None and row.state in slurm_states.ALIVE:
        _enforce_cancel(folder, handle, ssh)
        return View(ALIVE, f"job {job} on {row.nodes}: {row.state}")
    if row is not None:
        return _ended_view(folder, slurm_states.end_reason(job, row.state, row.nodes), row.state)
    state = _accounting_state(job, ssh)
    if state and not slurm_states.is_ended(state):
        return View(UNKNOWN, f"job {job}: {state}")
    said = slurm_states.end_reason(job, state) if state else f"Slurm no longer knows job {job}"
    return _ended_view(folder, said, state)


def _ended_view(folder: Path, evidence: str, state: str) -> View:
    """The view of an ended job; unknown for as long as its result may still become visible."""
    now = time.monotonic()
    started = any((folder / "attempts").glob("*/node-0.start.json"))
    if slurm_handles.has_result(folder):
        return View(ENDED, evidence, submitted=True)
    patience = PATIENCE_SHARED if filesystem_kind.is_shared(folder) else PATIENCE
    if started or state in ("COMPLETED", "FAILED", ""):
        since = _ended_since.setdefault(str(folder), now)
        if now - since < patience:
            return View(UNKNOWN, f"{evidence}; waiting for its result")
    canceled = state.startswith("CANCELLED")
    if state in ("COMPLETED", "FAILED", ""):
        memory_reason = slurm_states.memory_reason(_log_tail(folder))
        evidence = f"{memory_reason} ({evidence})" if memory_reason else f"{NO_RESULT}: {evidence}"
    if not started and not canceled:
        evidence += f"; no launcher started{_log_ending(folder)}"
    return View(ENDED, evidence, submitted=True, canceled=canceled)


def _log_ending(folder: Path) -> str:
    """The last lines of the job's Slurm log, to append to a sentence."""
    lines = [line.strip() for line in _log_tail(folder).splitlines() if line.strip()]
    return f": {'; '.join(lines[-2:])}" if lines else f" (see {folder / slurm_script.LOG})"


def _log_tail(folder: Path) -> str:
    """The end of the job's Slurm log."""
    try:
        with files.open_record(folder / slurm_script.LOG) as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _accounting_state(job: str, ssh: str | None) -> str:
    """The job's state in sacct; "" without accounting, or if sacct does not know the job."""
    key = (slurm_commands.cluster_key(ssh), job)
    if key in _final_states:
        return _final_states[key]
    argv = ["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}"]
    try:
        result = slurm_commands.run([*argv, "--format=State"], ssh)
    except ExperimentExecutionException:
        return ""
    state = result.text.split("\n")[0].strip() if not result.code else ""
    if not state or slurm_states.is_ended(state):
        _final_states[key] = state
    return state


def cancel(folder: Path, ssh: str | None = None) -> None:
    """Cancel the run's job if it is pending; a running one sees the request in its folder.

    Raises SlurmUnreachable if Slurm does not respond; the request stays.
    """
    handle = slurm_handles.latest_handle(folder)
    if handle is None:
        return
    try:
        if "_" not in handle["job"]:
            _scancel(folder, handle, ssh, "--state=PENDING")
        elif views([folder], ssh)[0].state == QUEUED:  # --state would mean the whole array
            _scancel(folder, handle, ssh)
    except slurm_commands.SlurmUnreachable as error:
        hint = "Cancellation is still requested; a run that has started will stop by itself."
        raise slurm_commands.SlurmUnreachable(error.message, hint) from None
    _answers.clear()


def clear(folder: Path, ssh: str | None = None) -> None:
    """Cancel the run's job in Slurm, whatever its state."""
    handle = slurm_handles.latest_handle(folder)
    if handle is None:
        return
    try:
        _scancel(folder, handle, ssh, "--quiet")
    except ExperimentExecutionException:
        pass  # as far as can be known, it has ended


def _scancel(folder: Path, handle: Json, ssh: str | None, *options: str) -> None:
    """Have Slurm end the job if Slurm says that it is the run's: a forged handle ends no other.

    A job's comment names the run; a task of an array has the array's, which names all its runs.
    """
    job = str(handle["job"])
    if "_" not in job:
        is_ours = slurm_handles.is_job_of(job, slurm_script.comment_of(folder.name), ssh)
    else:
        is_ours = not ssh and arrays.is_task_of(folder, handle)
    if is_ours:
        slurm_commands.run(["scancel", *options, job], ssh)


def _enforce_cancel(folder: Path, handle: Json, ssh: str | None) -> None:
    """Kill a job through Slurm if it has not ended long after its cancellation."""
    try:
        requested_at = os.stat(folder / "cancel.json").st_mtime
    except OSError:
        return
    spec = files.read_json(str(folder / "job.json")) or {}
    if time.time() - requested_at > float(spec.get("grace_seconds", 10.0)) + SAVE_SECONDS:
        _scancel(folder, handle, ssh)
