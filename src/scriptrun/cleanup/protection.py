"""Which runs are never pruned, and why.

A run is protected if it is pinned, active or damaged, if a registered model came from it, if it is
the run of a service (also of one that was stopped: it can be started again), if a registered
dataset refers to files in its folder, if an active run refers to it (it resumes from it, or reruns
it), or if it was restored and its parent was not. With a protected run stay the runs that
it consists of, all its descendants, and the runs that it belongs to: its parent, whose record a
sweep's run needs, and so on upwards.
"""

from __future__ import annotations

from collections.abc import Iterator

from scriptrun.cleanup import stored_runs
from scriptrun.cleanup.stored_runs import StoredRun, StoredRuns
from scriptrun.registry import models, service_use
from scriptrun.tracking.run_marks import PINNED, REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles


def find(workspace: WorkspaceFiles, runs: StoredRuns) -> dict[str, str]:
    """Why each protected run is kept, by its ID: a phrase.

    Raises DamagedRecord if a model's record cannot be read: it may come from any run.
    """
    broken = stored_runs.broken_link(workspace)
    if broken:
        why = f"{broken} is a link to a missing folder, whose runs may need it"
        return dict.fromkeys(runs.runs, why)
    reasons: dict[str, str] = {}
    for run_id, reason in _direct(workspace, runs):
        if run_id in runs.runs:
            reasons.setdefault(run_id, reason)
    for run_id in list(reasons):
        for child in runs.descendants(run_id):
            reasons.setdefault(child, f"part of {runs.runs[run_id].row.title}, which is kept")
    for run_id in list(reasons):
        for parent in runs.ancestors(run_id):
            reasons.setdefault(parent, f"its run {runs.runs[run_id].row.title} is kept")
    return reasons


def _direct(workspace: WorkspaceFiles, runs: StoredRuns) -> Iterator[tuple[str, str]]:
    for version in models.all_versions(workspace):
        if version.get("run_id"):
            yield (
                str(version["run_id"]),
                f"model {version['name']}:{version['version']} came from it",
            )
    for run_id, name in service_use.services_by_run(workspace).items():
        yield run_id, f"the service {name} needs it"
    for path, references in stored_runs.registered(workspace):
        for run_id in references.runs:
            name = path.relative_to(workspace.directory).as_posix()
            yield run_id, f"{name} refers to its files"
    for run in runs.runs.values():
        yield from _of_run(run)
        yield from _of_others(run, runs)


def _of_run(run: StoredRun) -> Iterator[tuple[str, str]]:
    if PINNED in run.references.marks:
        yield run.row.id, "pinned"
    if not run.is_final:
        yield run.row.id, f"active ({run.row.state})"
    elif run.is_damaged or run.references.is_foreign:
        yield run.row.id, "its record cannot be read"


def _of_others(run: StoredRun, runs: StoredRuns) -> Iterator[tuple[str, str]]:
    """The runs that ``run`` needs, and the run itself if a removed one would take it along."""
    if not run.is_final or run.references.is_foreign:
        kind = "run" if run.is_final else "active run"
        for other in {*run.references.runs, *runs.resumed_from(run.row.id)} - {run.row.id}:
            yield other, f"{kind} {run.row.title} refers to it"
    if REMOVED not in run.references.marks and any(
        REMOVED in runs.runs[parent].references.marks for parent in runs.ancestors(run.row.id)
    ):
        yield run.row.id, "restored"
