"""Run a file of old code and record what it would submit.

``python -m scriptrun.migration.proof.recorder FILE RESULT ROOT [GRANTED [PLAIN [ARGS]]]`` executes
FILE like ``scriptrun exec``, or if PLAIN is "plain" like ``python``, but submits nothing: each job
is checked and described, and the code gets a stand-in for its run. A notebook continues after a
failing cell. GRANTED is a JSON list of kinds and names that the workspace must have. ROOT is the
directory whose code is run. RESULT gets JSON: ``jobs``, each a JobSpec, ``{"refused": reason}`` or
what an interactive run left; ``stopped``, the errors that ended the file or its cells, and
``stopped_at`` with their places; ``assumed``, the assumptions made; ``adopted``, the compute
targets that azureml's names created, and the commands that do; and ``lacked``, the kinds and names
that were looked up but missing.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import random
import re
import sys
import traceback
import types
import uuid
from pathlib import Path

from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.core import experiment as experiments
from scriptrun.data.datasets.consumption import DOWNLOAD
from scriptrun.data.datasets.content import Content
from scriptrun.environments import builder
from scriptrun.migration.proof import (
    fake_runs,
    interactive_runs,
    missing_modules,
    pipelines,
    plain_python,
    services,
    waits,
)
from scriptrun.migration.proof import stubs as proof_stubs
from scriptrun.runs import follow
from scriptrun.spec.environment import EXACT
from scriptrun.spec.errors import ScriptrunError, refuse
from scriptrun.spec.job_data import JobInput
from scriptrun.spec.values import fresh
from scriptrun.submission import check, data_binding, defaults
from scriptrun.submission.bound_data import DataItem, DatasetInput, ReferenceInput
from scriptrun.submission.check import Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from scriptrun.config.script_run_config import ScriptRunConfig
    from scriptrun.core.experiment import Experiment
    from scriptrun.core.workspace import Workspace
    from scriptrun.dropin.notebook.cells import CodeCell
    from scriptrun.migration.proof.pipelines import Config
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

    T = TypeVar("T")
    Item = TypeVar("Item", bound=DataItem)
    #: describes a job's input for its record
    Describe = Callable[[Item, WorkspaceFiles], JobInput]


class Recorder:
    """Replaces submission: records the jobs instead."""

    def __init__(self) -> None:
        self.jobs: list[Json] = []

    def submit(
        self,
        experiment: Experiment,
        config: Config | pipelines.Pipeline,
        tags: dict[str, str] | None = None,
        *,
        pins: str = EXACT,
        origin: Origin | None = None,
        **kwargs: object,
    ) -> fake_runs.FakeRun:
        """Record the job of ``config``, and return a stand-in for its run."""
        if isinstance(config, pipelines.Pipeline):  # its steps are already recorded
            return self._run_of(experiment, Origin())
        try:
            job, filled = config, defaults.Filled(origin or check.with_pins(pins), tags)
            if origin is None:  # as scriptrun's own experiments do
                job, filled = defaults.fill(config, experiment.workspace, filled)
        except ScriptrunError as error:
            self.jobs.append({"refused": str(error)})
            return self._run_of(experiment, Origin())
        origin = filled.origin.replace(notes=())
        self.record(job, experiment.workspace, {}, experiment.name, filled.tags, origin)
        return self._run_of(experiment, origin)

    def _run_of(self, experiment: Experiment, origin: Origin) -> fake_runs.FakeRun:
        """A stand-in for a submitted run, whose children are recorded, too."""
        run = fake_runs.new_run()
        run.submit_child = lambda config, tags=None, pins=None, **_: self.submit(
            experiment,
            experiments.as_configuration(config),
            tags,
            origin=check.with_pins(pins) if pins else origin,
        )
        return run

    def record(
        self,
        config: Config,
        workspace: Workspace,
        step: Json,
        experiment: str = "pipeline",
        tags: Mapping[str, object] | None = None,
        origin: Origin | None = None,
    ) -> None:
        """Record the job of ``config``, with the facts of the ``step`` if it is in a pipeline."""
        extra_fields: Json = {"step": step} if step else {}
        try:
            if isinstance(config, HyperDriveConfig):
                extra_fields["sweep"] = _sweep_fields(config)
            job_config: ScriptRunConfig = experiments.as_configuration(
                config.run_config if isinstance(config, HyperDriveConfig) else config
            )
            if step:  # as an experiment does on submission
                proof_stubs.adopt(workspace, job_config.run_config.target)
            job = check.check(job_config, workspace, experiment, tags, origin).job
            has_parent = {"parent": job.parent is not None}
            self.jobs.append({**job.to_dict(), **has_parent, **extra_fields})
        except (ScriptrunError, NotImplementedError) as error:
            self.jobs.append({"refused": str(error)})

    def submit_many(
        self,
        experiment: Experiment,
        configs: Iterable[Config],
        tags: dict[str, str] | None = None,
        *,
        pins: str = EXACT,
        origin: Origin | None = None,
    ) -> list[fake_runs.FakeRun]:
        """Record the jobs of all ``configs``."""
        return [
            self.submit(experiment, config, tags, pins=pins, origin=origin) for config in configs
        ]


def _sweep_fields(config: HyperDriveConfig) -> Json:
    """The settings of a sweep besides its job. Raises RunConfigurationException."""
    refuse(config.problems(), "Cannot submit this sweep")
    limits = ("max_total_runs", "max_concurrent_runs", "max_duration_minutes")
    return {
        "sampling": config.hyperparameter_sampling.as_dict(),
        "policy": config.policy.as_dict(),
        "metric": config.primary_metric_name,
        "goal": config.goal,
        **{name: getattr(config, name) for name in limits},
    }


def _skip_machine_checks() -> None:
    """Skip all checks of this machine and of the data, so that every job is recorded."""
    original: Callable[..., object] = check._engine

    def engine_without_checks(*args: object) -> object:
        engine = original(*args)
        if engine is not None:
            setattr(type(engine), "check", lambda self, job: [])  # noqa: B010
        return engine

    setattr(check, "_engine", engine_without_checks)  # noqa: B010
    setattr(follow, "wait", lambda *_, **__: None)  # noqa: B010
    setattr(builder, "check", lambda environment: [])  # noqa: B010
    setattr(data_binding.DataBinding, "problems", lambda self, here, afar=False: list(self.wrong))  # noqa: B010
    setattr(ReferenceInput, "described", _with_found_by(ReferenceInput.described))  # noqa: B010
    setattr(DatasetInput, "described", _with_found_by(DatasetInput.described))  # noqa: B010


class RecordedInput(JobInput):
    """An input with how its files are found, where they are downloaded."""

    found_by: Json = fresh(default_factory=dict)


def _with_found_by(describe: Describe[Item]) -> Describe[Item]:
    """Extend a description with how a downloaded input's files are found (``found_by``)."""

    def method(self: Item, workspace: WorkspaceFiles) -> JobInput:
        found_by, described = _download_definition(self), describe(self, workspace)
        return RecordedInput(**vars(described), found_by=found_by) if found_by else described

    return method


def _download_definition(bound: DataItem) -> Json:
    """The definition of a download's files; {} for other modes and registered datasets."""
    if isinstance(bound, ReferenceInput) and bound.reference.mode == DOWNLOAD:
        return Content([bound._source()]).definition()
    if isinstance(bound, DatasetInput) and bound.config.mode == DOWNLOAD:
        dataset = bound.config.dataset
        return {} if dataset.name else dataset._definition()
    return {}


def _record_services(recorder: Recorder, assumptions: proof_stubs.Assumptions) -> services.Services:
    """Record services as jobs from now on."""

    def lack(name: str) -> None:
        assumptions.note_missing(services.KIND, name)

    recorded = services.Services(recorder.jobs.append, assumptions.note, lack)
    recorded.replace_all()
    return recorded


def _continue_after_errors(errors: list[str]) -> None:
    """Let a notebook continue after a failing cell, as in Jupyter, and collect the errors."""
    runner = importlib.import_module("scriptrun.dropin.notebook.runner")

    def after_error(cell: CodeCell, error: Exception, show_error: object) -> None:
        errors.append(f"cell {cell.number} fails: {_first_line(error)}")

    setattr(runner, "after_error", after_error)  # noqa: B010


def _place(error: BaseException, file: str) -> str:
    """The last line of ``file`` that ran, as the beginning of a sentence; "" if none did."""
    lines = [
        number
        for frame, number in traceback.walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename) == Path(file)
    ]
    return f"line {lines[-1]}: " if lines else ""


def _first_line(error: BaseException) -> str:
    line = "".join(traceback.format_exception_only(error)).strip().splitlines()[0]
    return re.sub(r" id='\d+'", "", line)  # of a mock


def _draw_alike() -> None:
    """Let the code draw the same random names before and after; scriptrun's own stay unique."""
    numbers, unique = itertools.count(1), uuid.uuid4

    def draw() -> uuid.UUID:
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        if caller.partition(".")[0] == "scriptrun":
            return unique()
        digest = hashlib.sha256(str(next(numbers)).encode()).digest()
        return uuid.UUID(bytes=digest[:16], version=4)

    setattr(uuid, "uuid4", draw)  # noqa: B010
    random.seed(0)


def main(
    file: str, result: str, root: str, granted: str = "[]", plain: str = "", *arguments: str
) -> int:
    """Run ``file`` with the arguments ``arguments`` and write ``result``; return the exit code."""
    recorder, assumptions, errors = Recorder(), proof_stubs.Assumptions(), list[str]()
    before = plain_python.Before()
    exec_module = importlib.import_module("scriptrun.dropin.exec")
    _skip_machine_checks()
    _draw_alike()
    setattr(experiments.Experiment, "submit", _as_method(recorder.submit))  # noqa: B010
    setattr(experiments.Experiment, "submit_many", _as_method(recorder.submit_many))  # noqa: B010
    get_runs = _as_method(lambda *_, **__: iter([fake_runs.new_run() for _ in recorder.jobs]))
    setattr(experiments.Experiment, "get_runs", get_runs)  # noqa: B010
    widgets = importlib.import_module("scriptrun.dropin.azureml.widgets")
    setattr(widgets.RunDetails, "show", lambda *_, **__: None)  # noqa: B010
    proof_stubs.assume(assumptions)
    workspace = proof_stubs.only_workspace()
    deployed = _record_services(recorder, assumptions)
    proof_stubs.grant(workspace, json.loads(granted), assumptions, deployed.grant)
    pipelines.record_steps(recorder.record)
    if plain:
        before.restore()
    missing_modules.stand_in(root, assumptions.note)
    waits.Waits(root, errors).shorten()
    _continue_after_errors(errors)
    final_errors: list[BaseException] = []
    fake_traceback = types.SimpleNamespace(print_exception=final_errors.append)
    setattr(exec_module, "traceback", fake_traceback)  # noqa: B010
    code = 1
    try:
        code = exec_module.script(file, arguments)
    finally:
        places = [_place(error, file) for error in final_errors] or [""]
        if code:
            errors += [*map(_first_line, final_errors)] or [f"it exited with code {code}"]
        content = {
            "jobs": [*recorder.jobs, *interactive_runs.describe(workspace)],
            "stopped": errors,
            "stopped_at": [*errors[:-1], f"{places[-1]}{errors[-1]}"] if errors else [],
            "assumed": list(assumptions.notes),
            "adopted": assumptions.adopted,
            "lacked": assumptions.missing,
        }
        Path(result).write_text(json.dumps(content, default=str), "utf-8")
    return 0


def _as_method(function: Callable[..., T]) -> Callable[..., T]:
    def method(self: object, *args: object, **kwargs: object) -> T:
        return function(self, *args, **kwargs)

    return method


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
