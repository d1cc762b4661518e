"""Polls Slurm for runs: one squeue for all, and sacct for jobs that squeue no longer lists."""

from __future__ import annotations

import os
import time
from pathlib import Path

from scriptrun.engines.base import ALIVE, ENDED, QUEUED, UNKNOWN, WAITING, PollRound, View
from scriptrun.engines.slurm import commands as slurm_commands
from scriptrun.engines.slurm import handles as books
from scriptrun.engines.slurm import script as slurm_script
from scriptrun.engines.slurm import states as slurm_states
from scriptrun.runtime import files
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.values import Value
from scriptrun.store import filesystem_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: seconds for which squeue's answer is reused if it lists the job
FRESH = 1.0
#: seconds after which squeue's answer no longer proves that a job is missing
OLD = 0.05
#: seconds to wait for a result that was written before the job ended to become visible
PATIENCE, PATIENCE_SHARED = 2.0, 60.0
#: seconds after the grace period after which a canceled job is killed through Slurm
SAVING = 30.0
UNTOLD = "the run ended without reporting a result"


class _Answer(Value):
    """squeue's rows for some users' jobs, and when it was called."""

    when: float
    rows: dict[str, slurm_states.Row]


_answers: dict[tuple[str, str], _Answer] = {}
_ended_since: dict[str, float] = {}
_forgotten: dict[tuple[str, str], str] = {}


def views(
    folders: list[Path], ssh: str | None = None, poll_round: PollRound | None = None
) -> list[View]:
    """The view of each run. Without ``poll_round``, this call is a round of its own."""
    handles = [books.handle_of(folder) for folder in folders]
    users = ",".join(sorted({each["user"] for each in handles if each}))
    if not users:
        return [View(WAITING)] * len(folders)
    poll_round = poll_round or PollRound()
    try:
        _asked(users, ssh, poll_round)
        pairs = zip(folders, handles, strict=True)
        return [_view(*each, users, ssh, poll_round) for each in pairs]
    except slurm_commands.Unreachable as error:
        return [View(UNKNOWN if x else WAITING, error.message, handed=bool(x)) for x in handles]


def _asked(users: str, ssh: str | None, poll_round: PollRound, fresh: bool = False) -> _Answer:
    """squeue's answer for the users' jobs: the round's, one of the last second, or a new one."""
    now, which = time.monotonic(), (slurm_commands.cluster(ssh), users)
    known, last = poll_round.answers.get(which), _answers.get(which)
    if known is None and last is not None and now - last.when < FRESH:
        known = last
    if fresh or not isinstance(known, _Answer):
        argv = ["squeue", "--noheader", "--array", "--states=all", f"--user={users}"]
        said = slurm_commands.ask([*argv, f"--format={slurm_states.FORMAT}"], ssh)
        if said.code:
            trouble = slurm_commands.trouble(said)
            raise slurm_commands.Unreachable(f"Slurm does not respond: {trouble}")
        known = _answers[which] = _Answer(now, slurm_states.rows(said.text))
    poll_round.answers[which] = known
    return known


def _view(
    folder: Path,
    handle: dict[str, Any] | None,
    users: str,
    ssh: str | None,
    poll_round: PollRound,
) -> View:
    if handle is None:
        return View(WAITING)
    job = str(handle["job"])
    found = _asked(users, ssh, poll_round)
    row = slurm_states.of_task(found.rows, job)
    if row is None and time.monotonic() - found.when > OLD:
        row = slurm_states.of_task(_asked(users, ssh, poll_round, fresh=True).rows, job)
    if row is not None and row.state in slurm_states.QUEUED:
        return View(QUEUED, slurm_states.why_it_waits(row))
    if row is not None and row.state in slurm_states.ALIVE:
        _see_to_cancel(folder, job, ssh)
        return View(ALIVE, f"job {job} on {row.nodes}: {row.state}")
    if row is not None:
        return _ended(folder, slurm_states.how_it_ended(job, row.state, row.nodes), row.state)
    state = _of_accounting(job, ssh)
    if state and not slurm_states.is_ended(state):
        return View(UNKNOWN, f"job {job}: {state}")
    said = slurm_states.how_it_ended(job, state) if state else f"Slurm no longer knows job {job}"
    return _ended(folder, said, state)


def _ended(folder: Path, evidence: str, state: str) -> View:
    """The view of an ended job; unknown for as long as its result may still become visible."""
    now = time.monotonic()
    began = any((folder / "attempts").glob("*/node-0.start.json"))
    if books.has_result(folder):
        return View(ENDED, evidence, handed=True)
    patience = PATIENCE_SHARED if filesystem_kind.is_shared(folder) else PATIENCE
    if began or state in ("COMPLETED", "FAILED", ""):
        since = _ended_since.setdefault(str(folder), now)
        if now - since < patience:
            return View(UNKNOWN, f"{evidence}; waiting for its result")
    canceled = state.startswith("CANCELLED")
    if state in ("COMPLETED", "FAILED", ""):
        memory = slurm_states.of_memory(_log(folder))
        evidence = f"{memory} ({evidence})" if memory else f"{UNTOLD}: {evidence}"
    if not began and not canceled:
        evidence += f"; no launcher started{_last_words(folder)}"
    return View(ENDED, evidence, handed=True, canceled=canceled)


def _last_words(folder: Path) -> str:
    """The last lines of the job's Slurm log, to append to a sentence."""
    told = [line.strip() for line in _log(folder).splitlines() if line.strip()]
    return f": {'; '.join(told[-2:])}" if told else f" (see {folder / slurm_script.LOG})"


def _log(folder: Path) -> str:
    """The end of the job's Slurm log."""
    try:
        with open(folder / slurm_script.LOG, "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _of_accounting(job: str, ssh: str | None) -> str:
    """The job's state in sacct; "" without accounting, or if sacct does not know the job."""
    which = (slurm_commands.cluster(ssh), job)
    if which in _forgotten:
        return _forgotten[which]
    argv = ["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}"]
    try:
        said = slurm_commands.ask([*argv, "--format=State"], ssh)
    except ExperimentExecutionException:
        return ""
    state = said.text.split("\n")[0].strip() if not said.code else ""
    if not state or slurm_states.is_ended(state):
        _forgotten[which] = state
    return state


def cancel(folder: Path, ssh: str | None = None) -> None:
    """Cancel the run's job if it is pending; a running one sees the request in its folder.

    Raises SlurmUnreachable if Slurm does not respond; the request stays.
    """
    handle = books.handle_of(folder)
    if handle is None:
        return
    job = str(handle["job"])
    if "_" not in job:
        try:
            slurm_commands.ask(["scancel", "--state=PENDING", job], ssh)
        except slurm_commands.Unreachable as error:
            hint = "Cancellation is still requested; a run that has started will stop by itself."
            raise slurm_commands.Unreachable(error.message, hint) from None
    elif views([folder], ssh)[0].what == WAITING:  # with --state the whole array would be meant
        slurm_commands.ask(["scancel", job], ssh)
    _answers.clear()


def clear(folder: Path, ssh: str | None = None) -> None:
    """Cancel the run's job in Slurm, whatever its state."""
    handle = books.handle_of(folder)
    if handle is None:
        return
    try:
        slurm_commands.ask(["scancel", "--quiet", str(handle["job"])], ssh)
    except ExperimentExecutionException:
        pass  # as far as can be known, it has ended


def _see_to_cancel(folder: Path, job: str, ssh: str | None) -> None:
    """Kill a job through Slurm if it has not ended long after its cancellation."""
    try:
        asked = os.stat(folder / "cancel.json").st_mtime
    except OSError:
        return
    spec = files.read_json(str(folder / "job.json")) or {}
    if time.time() - asked > float(spec.get("grace_seconds", 10.0)) + SAVING:
        slurm_commands.ask(["scancel", job], ssh)
