"""Rerun a run with the same snapshot and lockfile, with or without changes, and verify it."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun import remote
from scriptrun.core.run import Run
from scriptrun.data.datasets import manifest
from scriptrun.environments import builder, ensure
from scriptrun.history import compare as compare_runs
from scriptrun.history import job_changes
from scriptrun.history.job_changes import Changes
from scriptrun.registry import compute_targets, experiments, wheels
from scriptrun.runs import details, marks, service_facts
from scriptrun.runtime import identity
from scriptrun.spec import ids, states
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.job import JobSpec
from scriptrun.spec.run_kinds import SERVICE, SWEEP
from scriptrun.spec.values import Value, fresh
from scriptrun.store.secrets import vault
from scriptrun.store.snapshots import snapshots
from scriptrun.submission import submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace
    from scriptrun.runtime.hints import Json


class PreparedRerun(Value):
    """A rerun that can be started.

    ``changes`` are phrases about what differs from the original's job, ``warnings`` about what has
    changed around it.
    """

    workspace: Workspace
    job: JobSpec
    lockfile: Json | None
    warnings: list[str] = fresh(default_factory=list)
    changes: list[str] = fresh(default_factory=list)


class StartedRerun(Value):
    """A started rerun, and warnings about what has changed since the original."""

    run: Run
    warnings: list[str] = fresh(default_factory=list)


class Verdict(Value):
    """Whether a rerun matches: ``answer`` is same, drifted or cannot; ``what`` has the details.

    ``metrics`` and ``outputs`` hold the differences: the original's value and the rerun's.
    """

    answer: str
    what: list[str] = fresh(default_factory=list)
    metrics: dict[str, compare_runs.Pair[object]] = fresh(default_factory=dict)
    outputs: dict[str, compare_runs.Pair[str]] = fresh(default_factory=dict)


def start(run: Run, changes: Changes | None = None) -> StartedRerun:
    """Rerun ``run``, with ``changes``, and return at once; raises what ``prepare`` does."""
    return start_prepared(prepare(run, changes))


def prepare(run: Run, changes: Changes | None = None) -> PreparedRerun:
    """Check a rerun of ``run`` with ``changes``; starts nothing.

    Raises RunConfigurationException with all problems, UserErrorException for impossible changes.
    """
    marks.refuse_removed(run, "rerun")
    workspace, changes = run.workspace, changes or Changes()
    changed = job_changes.apply(_rerunnable(run), changes, workspace)
    job = _new_job(run, changed.job, changes.display_name)
    refuse(_problems(job, workspace), f"Cannot rerun {details.title(run)}")
    lockfile, warnings = _choose_lockfile(run, job, workspace)
    return PreparedRerun(workspace, job, lockfile, warnings, changed.phrases)


def start_prepared(prepared: PreparedRerun) -> StartedRerun:
    """Record a prepared rerun and start or queue it."""
    job, workspace = prepared.job, prepared.workspace
    experiments.make(workspace, job.experiment)
    folder = submit.submit_job(job, workspace, prepared.warnings, lockfile=prepared.lockfile)
    return StartedRerun(Run.at(workspace, folder), prepared.warnings)


def _rerunnable(run: Run) -> JobSpec:
    """The run's job. Raises UserErrorException if it is of a kind that cannot be rerun."""
    original = run.job
    if original.kind == SWEEP:
        raise UserErrorException(
            f"Run {details.title(run)} is a sweep and cannot be rerun.",
            "Rerun one of its runs, or continue it with `scriptrun sweep resume`.",
        )
    if original.kind == SERVICE:
        facts = service_facts.read(str(run.path), original, run.standing)
        hint = f"Start it again: scriptrun service restart {facts.name}"
        if facts.is_test:
            hint = "Use `scriptrun serve --test` again."
        raise UserErrorException(
            f"Run {details.title(run)} is a service and cannot be rerun.", hint
        )
    if original.is_interactive:
        raise UserErrorException(
            f"Run {details.title(run)} is an interactive run and cannot be rerun.",
            "Only runs of a script or a command can be rerun.",
        )
    return original


def _new_job(run: Run, job: JobSpec, display_name: str) -> JobSpec:
    """``job`` with a new ID; everything that affects its outcome is unchanged."""
    new_id = ids.new_id(job.experiment)
    name = "" if job.display_name == job.id else job.display_name
    environment = wheels.of_workspace(run.workspace, job.environment.to_dict())
    return job.replace(
        id=new_id,
        environment=EnvironmentSpec.from_dict(environment),
        created=ids.now(),
        display_name=display_name or name or new_id,
        parent=None,
        root=new_id,
        submitted_by={**identity.identify(), "user": job.submitted_by.get("user", "")},
        rerun_of=run.id,
    )


def _problems(job: JobSpec, workspace: Workspace) -> list[str]:
    with vault.for_workspace(workspace.id):
        problems = builder.check(job.environment)
    problems += compute_targets.engine_of(job.target).check(job)
    manifests = [_manifest_path(workspace, pin.manifest) for pin in job.data.pins]
    is_stored = snapshots.claim(workspace.snapshots_folder, job.snapshot or "", *manifests)
    if job.snapshot is None or not is_stored:
        problems.append(f"snapshot {(job.snapshot or '')[:16]} is missing from the workspace")
    problems += _data_problems(job, workspace)
    missing = [name for name in job.passed if name not in os.environ]
    return problems + [f"the passed-through variable {name} is not set" for name in missing]


def _data_problems(job: JobSpec, workspace: Workspace) -> list[str]:
    """Report missing dataset manifests: without them the same files cannot be read."""
    return [
        f"dataset manifest {pin.manifest[:16]} is missing from the workspace"
        for pin in job.data.pins
        if not _manifest_path(workspace, pin.manifest).exists()
    ]


def _manifest_path(workspace: Workspace, digest: str) -> Path:
    return manifest.manifest_path(workspace.directory / "manifests", digest)


def _choose_lockfile(run: Run, job: JobSpec, workspace: Workspace) -> tuple[Json | None, list[str]]:
    """The lockfile to use, and warnings about what has changed since the run."""
    lockfile = compare_runs.lockfile_of(run) or None
    if job.environment.kind != INTERPRETER:
        if lockfile is None:
            return None, [f"{details.title(run)} has no lockfile; resolving its requirements again"]
        return wheels.of_workspace(workspace, lockfile), []
    if remote.for_target(job.target) is not None:
        return None, []  # its interpreter is on the cluster and is checked there
    now = ensure.ensure(job.environment, workspace.locks_folder, lambda line: None).lock
    return None, [f"{line} since {details.title(run)}" for line in drift(lockfile or {}, now)]


def drift(then: Json, now: Json) -> list[str]:
    """The package changes of an interpreter, which is never locked, as phrases."""
    if not then:
        return []
    changes = []
    pairs = compare_runs.differences(compare_runs.packages(then), compare_runs.packages(now))
    for name, (before, after) in pairs.items():
        if before is None:
            changes.append(f"{name} {after} was installed")
        elif after is None:
            changes.append(f"{name} {before} was removed")
        else:
            changes.append(f"{name} changed from {before} to {after}")
    return changes


def verify(first: Run, rerun: Run) -> Verdict:
    """Compare a finished rerun with its original: states, metrics, digests of outputs."""
    before, after = first.standing, rerun.standing
    if not before.is_final:
        return Verdict("cannot", [f"{first.id} has not finished (state: {before.state})"])
    if after.state == states.CANCELED or not after.is_final:
        return Verdict("cannot", [f"{rerun.id} is {after.state}"])
    if after.exit_code is None and after.state == states.FAILED:
        return Verdict("cannot", [f"{rerun.id} did not finish: {after.reason}"])
    comparison = compare_runs.compare(first, rerun)
    differences = []
    if before.state != after.state:
        differences.append(f"state changed from {before.state} to {after.state}")
    elif before.exit_code != after.exit_code:
        differences.append(f"exit code changed from {before.exit_code} to {after.exit_code}")
    differences += [f"metric {name!r} differs" for name in comparison.metrics]
    differences += [f"file {name!r} differs" for name in comparison.outputs]
    if differences:
        return Verdict("drifted", differences, comparison.metrics, comparison.outputs)
    if not first.get_metrics() and not compare_runs.digests(first.path):
        return Verdict(
            "same", ["neither run has metrics or outputs; compared only their final states"]
        )
    return Verdict("same")
