"""scriptrun on a cluster's login node, for submissions over ssh.

Started over ssh for one question: a line of JSON on standard input, followed by its data; the
answer is a line of JSON on standard output, followed by the bytes of files. The workspace in
``root`` and its runs are ordinary ones; only the caller is remote.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from scriptrun.cleanup import prune
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.engines.base import PollRound
from scriptrun.environments import builder as environments
from scriptrun.preparation import data_bundle
from scriptrun.registry import compute_targets
from scriptrun.runs import status as run_status
from scriptrun.runtime import identity
from scriptrun.runtime.injob import artifacts
from scriptrun.spec import accounts
from scriptrun.spec.errors import ScriptrunError, refuse
from scriptrun.spec.job import JobSpec
from scriptrun.store import dependents
from scriptrun.store.secrets import vault
from scriptrun.store.snapshots import bundle as snapshot_bundle
from scriptrun.store.snapshots import prune_lease
from scriptrun.submission import submit
from scriptrun.tracking import mirror, run_folder
from scriptrun.tracking.run_files import FolderFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.tracking.run_state import RunState

#: seconds that recording a run may take
WRITE_TIMEOUT = 10.0
WORKSPACE_NAME = "outpost"
#: what may be uploaded with a job, below the workspace's directory
_UPLOADED = ("snapshots/", "wheels/")

Piece = tuple[Path, int, int]
Answer = tuple["Json", list[Piece]]


def main() -> None:
    """Answer the question on standard input."""
    source, output = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is not part of the answer
    dependents.end_with()
    question = json.loads(source.readline())
    os.environ.update({**(question.get("environ") or {}), **(question.get("secrets") or {})})
    try:
        answer, pieces = _VERBS[question["verb"]](question, source)
    except ScriptrunError as error:
        answer, pieces = {"error": error.message, "hint": error.hint}, []
    output.write(json.dumps(answer).encode() + b"\n")
    for path, start, size in pieces:
        _write_piece(path, start, size, output)
    output.flush()


def _write_piece(path: Path, start: int, size: int, output: IO[bytes]) -> None:
    """Write exactly ``size`` bytes, even if the file has shrunk since."""
    try:
        with open(path, "rb") as handle:
            handle.seek(start)
            while size and (data := handle.read(min(size, 1 << 20))):
                output.write(data)
                size -= len(data)
    except OSError:
        pass
    output.write(b"\0" * size)


def _workspace(question: Json) -> Workspace:
    root = Path(question["root"]).expanduser()
    if (root / ".scriptrun" / "workspace.json").exists():
        return Workspace(root)
    return Workspace.create(WORKSPACE_NAME, path=root, exist_ok=True)


def _have(question: Json, _: IO[bytes]) -> Answer:
    """Which parts of a snapshot are missing here, and where the root is."""
    workspace = _workspace(question)
    store = workspace.snapshots_folder
    missing = prune_lease.outside(store, lambda: snapshot_bundle.missing(store, question["parts"]))
    return {"missing": missing, "root": str(workspace.root)}, []


def _submit(question: Json, source: IO[bytes]) -> Answer:
    """Store the uploaded parts of the snapshot, record the run and start it."""
    workspace = _workspace(question)
    for name, part in snapshot_bundle.members(source):
        if name.startswith(_UPLOADED):
            snapshot_bundle.store_part(workspace.directory, name, part)
    job = JobSpec.from_dict(question["job"])
    folder = _recorded_run(workspace, job)
    if folder is None:  # otherwise it is a repeated question whose answer was lost
        job = job.replace(submitted_by={**identity.identify(), "user": os.environ.get("USER")})
        if question.get("data"):
            data_bundle.unpack(workspace, question["data"])
        with vault.for_workspace(workspace.id):
            problems = environments.check(job.environment)
        refuse([*problems, *compute_targets.engine_of(job.target).check(job)])
        folder = submit.submit_job(job, workspace, list(question["warnings"]), question.get("lock"))
    return {"folder": str(folder)}, []


def _recorded_run(workspace: Workspace, job: JobSpec) -> Path | None:
    """The run's folder if it is recorded; waits for one that is being recorded."""
    folder = run_folder.folder_of(workspace.runs_folder, job)
    deadline = time.monotonic() + WRITE_TIMEOUT
    while folder.is_dir() and not (folder / "job.json").exists():
        if time.monotonic() > deadline:  # whoever wrote it was killed
            shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)
    return workspace.find_run(job.id)


def _report(question: Json, _: IO[bytes]) -> Answer:
    """The status of runs, and the parts of their files that the mirror lacks."""
    workspace = _workspace(question)
    runs: Json = {}
    pieces: list[Piece] = []
    poll_round = PollRound()
    for run_id, mirrored in question["runs"].items():
        folder = workspace.find_run(run_id)
        job = run_folder.read_job(folder) if folder else None
        if folder is None or job is None:
            runs[run_id] = None
            continue
        status = run_status.status_of(workspace, folder, job, poll_round=poll_round)
        states = FolderFiles(folder, outputs=False).changed(mirrored)  # outputs come when asked for
        pieces += [
            (folder / p.state.name, p.start, p.size) for p in mirror.plan_pieces(states, mirrored)
        ]
        files = [(each.name, each.size, each.changed) for each in states]
        runs[run_id] = {"status": _status_values(status), "files": files}
    return {"runs": runs}, pieces


def _status_values(status: RunState) -> Json:
    return {
        name: getattr(status, name)
        for name in ("state", "reason", "began", "ended", "exit_code", "result")
    }


def _run(question: Json) -> Run:
    return Run.get(_workspace(question), question["id"])


def _names(question: Json, _: IO[bytes]) -> Answer:
    """The names of a run's artifacts."""
    return {"names": artifacts.names(_run(question).path)}, []


def _fetch(question: Json, _: IO[bytes]) -> Answer:
    """A piece of an artifact, from ``start`` on; not ``found`` where the run has none."""
    path = artifacts.path_of(_run(question).path, question["name"])
    if path is None:
        return {"found": False}, []
    start, size = question["start"], question["size"]
    return {"found": True}, [(Path(path), start, max(0, min(os.path.getsize(path) - start, size)))]


def _cancel(question: Json, _: IO[bytes]) -> Answer:
    """Request the cancellation of a run."""
    _run(question).cancel()
    return {}, []


def _prune(question: Json, _: IO[bytes]) -> Answer:
    """Delete runs, and what nothing refers to; answers which are kept, and why."""
    workspace = _workspace(question)
    report = prune.prune_runs(workspace, question["runs"])
    reasons = {run_id: _why_there(workspace, run_id) for run_id in question["runs"]}
    kept = {run_id: reason for run_id, reason in reasons.items() if reason}
    kept.update({run.id: run.reason for run in report.kept})
    return {"kept": kept, "size": report.size}, []


def _why_there(workspace: Workspace, run_id: str) -> str:
    """Why a run still exists that a prune did not report as kept; "" if it does not exist."""
    folder = workspace.find_run(run_id)
    try:
        return "" if folder is None else f"it belongs to {accounts.user_name(folder.stat().st_uid)}"
    except FileNotFoundError:
        return ""


def _version(_: Json, __: IO[bytes]) -> Answer:
    facts = {"python": sys.version.split()[0], "prefix": sys.prefix, "executable": sys.executable}
    return facts, []


_VERBS: dict[str, Callable[[Json, IO[bytes]], Answer]] = {
    "have": _have,
    "submit": _submit,
    "look": _report,
    "names": _names,
    "fetch": _fetch,
    "cancel": _cancel,
    "prune": _prune,
    "version": _version,
}

if __name__ == "__main__":
    main()
