"""Submit a sweep: check it, take one snapshot, and start its driver."""

from __future__ import annotations

import json
import random
import re
import shutil
import uuid
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scriptrun.config.sweeps import search_space
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.config.sweeps.sampling import BayesianParameterSampling
from scriptrun.core.workspace import Workspace
from scriptrun.runtime import events
from scriptrun.spec import states
from scriptrun.spec.control_characters import escape
from scriptrun.spec.errors import RunConfigurationException, ScriptrunError, refuse
from scriptrun.spec.job import JobSpec, Resources, Retry, Target
from scriptrun.spec.job_data import JobData
from scriptrun.spec.values import fresh
from scriptrun.store import paths
from scriptrun.submission import check as submission_check
from scriptrun.submission import remarks, resume_from
from scriptrun.submission import submit as job_submit
from scriptrun.sweeps import bayesian, ensure_driver, record
from scriptrun.tracking import run_folder, run_marks
from scriptrun.tracking.events import later_writer


class SweepSubmission(submission_check.Submission, frozen=False):
    """A checked sweep, ready to submit: the submission of its runs' job, and its record.

    ``run_id`` is the ID that the user chose, or None.
    """

    sweep: record.Sweep | None = None
    run_id: str | None = None
    origin: submission_check.Origin = fresh(default_factory=submission_check.Origin)


_ID = re.compile(r"[A-Za-z0-9][\w.\-]{0,199}")


def check(
    config: HyperDriveConfig,
    workspace: Workspace,
    experiment: str,
    tags: Mapping[str, object] | None = None,
    origin: submission_check.Origin | None = None,
) -> SweepSubmission:
    """Check the sweep and return the submission of its runs' job; nothing is written.

    Raises RunConfigurationException with all problems.
    """
    problems = config.problems()
    if not problems:
        problems += _resume_problems(config, workspace)
        if isinstance(config.hyperparameter_sampling, BayesianParameterSampling):
            bayesian.load()
    submission = None
    if hasattr(config.run_config, "run_config"):
        try:
            submission = submission_check.check(
                config.run_config, workspace, experiment, tags, origin
            )
            for run in _as_list(config.resume_child_runs):
                if hasattr(run, "job"):
                    problems += resume_from.access_problems(run, submission.job.target)
        except RunConfigurationException as error:
            problems += error.reasons or [str(error)]
    refuse(problems, "Cannot submit this sweep")
    assert submission is not None
    return SweepSubmission(
        **vars(submission),
        sweep=_create_sweep(config),
        run_id=config.custom_run_id,
        origin=origin or submission_check.Origin(),
    )


def submit(submission: SweepSubmission, workspace: Workspace) -> Path:
    """Record the sweep, start its driver and return its folder."""
    assert submission.sweep is not None
    child = job_submit.complete(submission, workspace)
    sweep = submission.sweep.replace(child=child.to_dict())
    job = _sweep_job(submission, child, sweep)
    folder = run_folder.make(workspace.runs_folder, job)
    ticket = None
    try:
        record.write(folder, sweep)
        writer = events.EventWriter(folder, "submit")
        for note in (*job.notes, *_notes(sweep)):
            writer.write("note", message=note)
        for warning in submission.warnings:
            writer.write("warning", message=warning)
        writer.write("state", state=states.QUEUED)
        ticket = ensure_driver.write_ticket(workspace.id, folder)
        run_folder.publish(folder, job)
    except (ScriptrunError, OSError) as error:
        if ticket is not None:
            ticket.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise paths.not_writable(folder, error) from error
        raise
    ensure_driver.ensure(workspace, job.id)
    _record_import_warnings(child, folder, submission)
    return folder


def _record_import_warnings(
    child: JobSpec, folder: Path, submission: submission_check.Submission
) -> None:
    """Warn about missing imports of the job, after the driver was started."""
    messages = remarks.remarks(child, None)
    for message in messages:
        later_writer(folder, "remarks").write("warning", message=message)
    submission.warnings += messages


def warn(submission: submission_check.Submission, stacklevel: int = 3) -> None:
    """Issue the submission's warnings as Python warnings."""
    for message in submission.warnings:
        warnings.warn(escape(message), stacklevel=stacklevel)


def _create_sweep(config: HyperDriveConfig) -> record.Sweep:
    sampling = config.hyperparameter_sampling.as_dict()
    seed = sampling["properties"].get("seed")
    return record.Sweep(
        sampling=sampling,
        policy=config.policy.as_dict(),
        metric=config.primary_metric_name,
        goal=config.goal,
        limits={
            "max_total_runs": config.total_runs,
            "max_concurrent_runs": config.max_concurrent_runs,
            "max_duration_minutes": config.max_duration_minutes,
        },
        seed=random.SystemRandom().randrange(2**31) if seed is None else seed,
        resume_from=[resumed_sweep.id for resumed_sweep in _as_list(config.resume_from)],
        resume_child_runs=[resumed_run.id for resumed_run in _as_list(config.resume_child_runs)],
    )


def _sweep_job(submission: SweepSubmission, child: JobSpec, sweep: record.Sweep) -> JobSpec:
    """The sweep's own job, which executes nothing."""
    run_id, origin = submission.run_id or f"HD_{uuid.uuid4()}", submission.origin
    goal = {"name": sweep.metric, "goal": sweep.goal}
    return child.replace(
        id=run_id,
        kind=record.KIND,
        arguments=(),
        data=JobData(),
        retry=Retry(),
        resources=Resources(),
        target=Target(name=child.target.name),
        display_name=origin.display_name or run_id,
        parent=origin.parent,
        root=origin.root or origin.parent or run_id,
        properties={
            **child.properties,
            "azureml.runsource": "hyperdrive",
            "runTemplate": "HyperDrive",
            "platform": "AML",
            "space_size": str(search_space.space_size(sweep.space) or "infinite_space_size"),
            "primary_metric_config": json.dumps(goal),
            "resume_from": json.dumps(sweep.resume_from or None),
        },
    )


def _notes(sweep: record.Sweep) -> list[str]:
    count = search_space.space_size(sweep.space)
    notes = [f"sampling seed: {sweep.seed}"]
    if sweep.sampling["name"] == "GRID" and count is not None:
        max_runs = sweep.limits["max_total_runs"]
        if max_runs != count:
            notes.append(f"the grid has {count} points, but max_total_runs is {max_runs}")
    return notes


def _resume_problems(config: HyperDriveConfig, workspace: Workspace) -> list[str]:
    problems = [
        f"resume_from expects sweeps, but {_label(sweep)} is not a sweep"
        for sweep in _as_list(config.resume_from)
        if not (hasattr(sweep, "path") and (sweep.path / record.FILE).exists())
    ]
    problems += [
        f"run {run.id} was removed; to restore it, run: scriptrun remove --undo {run.id}"
        for run in _as_list(config.resume_from)
        if hasattr(run, "path") and run_marks.REMOVED in run_marks.read(run.path)
    ]
    problems += [
        f"resume_child_runs expects child runs of a sweep, but {_label(run)} is not one"
        for run in _as_list(config.resume_child_runs)
        if not (hasattr(run, "path") and run.job.parent)
    ]
    count = len(list(_as_list(config.resume_child_runs)))
    if config.total_runs is not None and count > config.total_runs:
        problems.append(f"cannot resume {count} runs: max_total_runs is {config.total_runs}")
    run_id = config.custom_run_id
    if run_id is not None and not _ID.fullmatch(str(run_id)):
        problems.append(f"invalid custom_run_id {run_id!r}; use letters, digits, '_', '-' and '.'")
    elif run_id is not None and workspace.find_run(run_id) is not None:
        problems.append(f"run {run_id!r} already exists")
    return problems


def _as_list(value: object) -> Iterable[Any]:
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]


def _label(value: object) -> str:
    return str(getattr(value, "id", None) or type(value).__name__)
