"""Runs one file of old code up to its submissions, and writes down what would be submitted.

``python -m scriptrun.migration.proof.recorder FILE RESULT [GRANTED [ARGS]]`` executes FILE as
``scriptrun exec`` does, but nothing is submitted: each job is checked and described, and a stand-in
for its run goes on. A notebook goes on after a cell that fails. GRANTED is JSON, a list of kinds
and names that the workspace is to have. RESULT gets JSON: ``jobs``, each a JobSpec or
``{"refused": why}``; ``stopped``, the errors that ended the file or its cells; ``assumed``, what
was taken for given; and ``lacked``, the kinds and names that were looked up in vain.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
import types
from pathlib import Path
from typing import Any
from unittest import mock

from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.core import experiment
from scriptrun.data.datasets.consumption import DOWNLOAD
from scriptrun.data.datasets.content import Content
from scriptrun.environments import builder
from scriptrun.migration.proof import missing_modules, pipelines
from scriptrun.migration.proof import stubs as proof_stubs
from scriptrun.spec.errors import ScriptrunError, refuse
from scriptrun.submission import check, data_binding
from scriptrun.submission.bound_data import Bound, BoundDataset, BoundReference


class Recorder:
    """Takes the place of submission, and keeps the jobs."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []

    def submit(self, here: Any, config: Any, tags: Any = None, **kwargs: Any) -> Any:
        """Describe the job that ``config`` is, and give a stand-in for its run."""
        if not isinstance(config, pipelines.Pipeline):  # whose steps are told already
            self.tell(config, here.workspace, {}, here.name, tags)
        return _stand_in()

    def tell(
        self, config: Any, workspace: Any, step: Any, experiment: str = "pipeline", tags: Any = None
    ) -> None:
        """Describe the job that ``config`` is; of a pipeline's ``step`` what else it says."""
        sweep: dict[str, Any] = {"step": step} if step else {}
        try:
            if isinstance(config, HyperDriveConfig):
                sweep["sweep"] = _swept(config)
                config = config.run_config  # the one job that it varies
            if hasattr(config, "to_script_run_config"):
                config = config.to_script_run_config()
            if step:  # as an experiment does for the jobs that it is given
                proof_stubs.adopt(workspace, config.run_config.target)
            job = check.check(config, workspace, experiment, tags).job
            self.jobs.append({**job.to_dict(), **sweep})
        except (ScriptrunError, NotImplementedError) as error:
            self.jobs.append({"refused": str(error)})

    def submit_many(self, here: Any, configs: Any, tags: Any = None) -> list[Any]:
        """Describe all of ``configs``."""
        return [self.submit(here, each, tags) for each in configs]


def _swept(config: Any) -> dict[str, Any]:
    """What a sweep says beside its job. Raises RunConfigurationException."""
    refuse(config.problems(), "Cannot submit this sweep")
    limits = ("max_total_runs", "max_concurrent_runs", "max_duration_minutes")
    return {
        "sampling": config.hyperparameter_sampling.as_dict(),
        "policy": config.policy.as_dict(),
        "metric": config.primary_metric_name,
        "goal": config.goal,
        **{name: getattr(config, name) for name in limits},
    }


def _stand_in() -> mock.MagicMock:
    run = mock.MagicMock(name="run")
    run.get_status.return_value = run.status = "Completed"
    run.id = "recorded"
    return run


def _no_conditions() -> None:
    """Describe a job whether this machine could run it or not, and its data be there or not."""
    found = check._engine

    def willing(*args: Any) -> Any:
        engine = found(*args)
        if engine is not None:
            setattr(type(engine), "check", lambda self, job: [])  # noqa: B010
        return engine

    setattr(check, "_engine", willing)  # noqa: B010
    setattr(builder, "check", lambda environment: [])  # noqa: B010
    setattr(data_binding.Binder, "problems", lambda self, here, afar=False: list(self.wrong))  # noqa: B010
    for kind in (BoundReference, BoundDataset):
        setattr(kind, "described", _with_files(kind.described))  # noqa: B010


def _with_files(described: Any) -> Any:
    """A description that also says how a downloaded input's files are found (``found_by``)."""

    def method(self: Any, home: Any) -> dict[str, Any]:
        found = _found_by(self)
        return {**described(self, home), **({"found_by": found} if found else {})}

    return method


def _found_by(bound: Bound) -> dict[str, Any]:
    """Where a download looks, and how it chooses; {} for others, and for registered versions."""
    if isinstance(bound, BoundReference) and bound.reference.mode == DOWNLOAD:
        return Content([bound._source()]).definition()
    if isinstance(bound, BoundDataset) and bound.config.mode == DOWNLOAD:
        dataset = bound.config.dataset
        return {} if dataset.name else dataset._definition()
    return {}


def _going_on(stopped: list[str]) -> None:
    """Have a notebook go on after a cell that fails, as in Jupyter, and keep what failed."""
    notebooks = importlib.import_module("scriptrun.dropin.notebook.cells")

    def run_in(path: str, space: dict[str, Any]) -> None:
        for cell in notebooks.cells(path):
            name = f"{path}, cell {cell.number}"
            try:
                notebooks.run_cell(cell, space, name)
            except Exception as error:
                stopped.append(f"cell {cell.number} fails: {_in_a_line(error)}")

    setattr(notebooks, "_run_in", run_in)  # noqa: B010


def _in_a_line(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[0]


def main(file: str, result: str, granted: str = "[]", *words: str) -> int:
    """Run ``file`` with the arguments ``words``, write ``result``; the exit code."""
    recorder, given, stopped = Recorder(), proof_stubs.Given(), list[str]()
    importlib.import_module("scriptrun.dropin")
    _no_conditions()
    setattr(experiment.Experiment, "submit", _method(recorder.submit))  # noqa: B010
    setattr(experiment.Experiment, "submit_many", _method(recorder.submit_many))  # noqa: B010
    get_runs = _method(lambda *_, **__: iter([_stand_in() for _ in recorder.jobs]))
    setattr(experiment.Experiment, "get_runs", get_runs)  # noqa: B010
    proof_stubs.assume(given)
    proof_stubs.grant(proof_stubs.only_workspace(), json.loads(granted), given)
    pipelines.follow(recorder.tell)
    missing_modules.stand_in(str(Path(file).absolute().parent), given.say)
    _going_on(stopped)
    running = importlib.import_module("scriptrun.dropin.exec")
    ended: list[str] = []
    said = types.SimpleNamespace(print_exception=lambda error: ended.append(_in_a_line(error)))
    setattr(running, "traceback", said)  # noqa: B010
    code = 1
    try:
        code = running.script(file, words)
    finally:
        if code:
            stopped += ended or [f"it exited with code {code}"]
        content = {
            "jobs": recorder.jobs,
            "stopped": stopped,
            "assumed": list(given.said),
            "lacked": given.lacked,
        }
        Path(result).write_text(json.dumps(content, default=str), "utf-8")
    return 0


def _method(function: Any) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return method


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
