"""Plan a submission without doing any of it."""

from __future__ import annotations

from scriptrun import remote
from scriptrun.core.workspace import Workspace
from scriptrun.data import summary
from scriptrun.preparation import build as build_environment
from scriptrun.registry import compute_targets
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value, fresh
from scriptrun.store.snapshots import snapshots
from scriptrun.submission.check import Submission
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


class SubmissionPlan(Value):
    """What a submission would upload, prepare and execute. Sizes are in bytes.

    ``files`` is path to size and ``ignored`` path to the rule that ignores it; ``environment`` has
    ``kind``, ``cached``, ``steps`` and more; ``execution`` is the engine's own text; ``data``
    describes the delivery of each input and output, by name.
    """

    source: str
    files: dict[str, int]
    ignored: dict[str, str]
    size: int
    environment: Json
    execution: str
    run: Json
    data: dict[str, str] = fresh(default_factory=dict)
    warnings: list[str] = fresh(default_factory=list)
    notes: list[str] = fresh(default_factory=list)


def plan(submission: Submission, workspace: Workspace) -> SubmissionPlan:
    """Plan ``submission``. Raises SnapshotException for an unreadable source."""
    job = submission.job
    inspection = snapshots.inspect(submission.source or job.source_directory)
    warnings = [*submission.warnings, *inspection.warnings]
    return _plan(job, workspace, inspection.files, warnings).replace(
        ignored={path: str(reason) for path, reason in inspection.ignored.items()},
        size=inspection.size,
    )


def plan_rerun(job: JobSpec, workspace: Workspace, warnings: list[str]) -> SubmissionPlan:
    """Plan a job whose snapshot the workspace has. Raises SnapshotException if it is damaged."""
    entries = snapshots.manifest(workspace.snapshots_folder, job.snapshot or "")
    files = {entry.path: entry.size for entry in entries if entry.kind != "folder"}
    return _plan(job, workspace, files, warnings)


def _plan(
    job: JobSpec, workspace: Workspace, files: dict[str, int], warnings: list[str]
) -> SubmissionPlan:
    remote_runs = remote.for_target(job.target)
    folder = run_folder.folder_of(workspace.runs_folder, job)
    folder = remote_runs.folder_of(job) if remote_runs is not None else folder
    return SubmissionPlan(
        source=job.source_directory,
        files=files,
        ignored={},
        size=sum(files.values()),
        environment=_plan_environment(job.environment, workspace),
        execution=compute_targets.engine_of(job.target).render(job, folder),
        run={
            "experiment": job.experiment,
            "workspace": str(workspace.directory),
            "compute_target": job.target.name,
            "target_options": dict(job.target.run_options),
            "script": job.script,
            "command": job.command,
            "arguments": list(job.arguments),
            "variables": sorted({*job.variables, *job.passed}),
        },
        data=summary.describe_data(job),
        warnings=warnings,
        notes=list(job.notes),
    )


def _plan_environment(spec: EnvironmentSpec, workspace: Workspace) -> Json:
    build_plan = build_environment.plan(workspace, spec)
    return {
        "kind": spec.kind,
        "name": spec.name,
        "interpreter": spec.interpreter,
        "python": spec.python,
        "requirements": [*spec.pip, *spec.brought],
        "conda": list(spec.conda),
        "locked": build_plan.locked,
        "cached": build_plan.cached,
        "steps": list(build_plan.steps),
        "last_seconds": build_plan.last_seconds,
        "place": build_plan.place,
    }
