"""Pipelines in a proof: each step that runs a script is recorded as a job."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import Any
from unittest import mock

from scriptrun.config.script_run_config import ScriptRunConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
    from scriptrun.core.workspace import Workspace
    from scriptrun.runtime.hints import Json

    Config = ScriptRunConfig | HyperDriveConfig
    #: records one step: its configuration, the workspace, and other facts to compare
    ReportStep = Callable[[Config, Workspace, Json], None]

#: the positional parameters of steps
_PARAMETERS = {
    "EstimatorStep": "name estimator estimator_entry_script_arguments runconfig_pipeline_params "
    "inputs outputs compute_target allow_reuse version",
    "PythonScriptStep": "script_name name arguments compute_target runconfig "
    "runconfig_pipeline_params inputs outputs params source_directory allow_reuse version",
    "HyperDriveStep": "name hyperdrive_config estimator_entry_script_arguments inputs outputs "
    "metrics_output allow_reuse version",
}


def record_steps(report_step: ReportStep) -> None:
    """Call ``report_step`` for each step of each pipeline that is created from now on."""
    unsupported = importlib.import_module("scriptrun.dropin.azureml.unsupported")
    original = unsupported.missing

    class RecordedPipeline(Pipeline):
        def __init__(
            self, workspace: Any = None, steps: object = (), *_: object, **__: object
        ) -> None:
            super().__init__()
            for step in _ordered_steps(steps):
                report_step(step.config(), workspace, step.facts())

    def lookup(module: str, name: str, alternative: str) -> object:
        if not module.startswith("azureml.pipeline"):
            return original(module, name, alternative)
        if name == "Pipeline":
            return RecordedPipeline
        if name in _PARAMETERS:
            return type(name, (Step,), {"parameters": _PARAMETERS[name].split()})
        return type(name, (PipelineValue,), {})

    setattr(unsupported, "missing", lookup)  # noqa: B010


class Pipeline:
    """A pipeline that knows only its steps."""

    def validate(self) -> list[object]:
        """No validation errors."""
        return []

    def publish(self, *_: object, **__: object) -> mock.MagicMock:
        """Return a stand-in for the published pipeline."""
        return mock.MagicMock(name="pipeline")

    submit = save = publish


class PipelineValue:
    """A value passed between steps (data, a parameter); its text is its kind and name."""

    def __init__(self, name: object = None, *_: object, **kwargs: object) -> None:
        self.name, self.steps = name, kwargs.get("steps")
        self.producer: Step | None = None

    def __getattr__(self, name: str) -> Callable[..., PipelineValue]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: self  # as_input, as_mount, ...: the same value

    def __str__(self) -> str:
        return f"{type(self).__name__}:{self.name}"


class Step:
    """A step that runs a script."""

    parameters: list[str] = []

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.settings: dict[str, Any] = {**dict(zip(self.parameters, args, strict=False)), **kwargs}
        self.predecessors: list[object] = []
        for output in self.settings.get("outputs") or ():
            if isinstance(output, PipelineValue):
                output.producer = self

    def run_after(self, step: object) -> None:
        """Run this step after ``step``."""
        self.predecessors.append(step)

    def dependencies(self) -> list[object]:
        """The steps that must run first; a pipeline includes them automatically."""
        producers = [
            value.producer
            for value in self.settings.get("inputs") or ()
            if isinstance(value, PipelineValue)
        ]
        return [*self.predecessors, *producers]

    def config(self) -> Config:
        """The configuration of the step's job or sweep."""
        settings = self.settings
        script_arguments = settings.get("estimator_entry_script_arguments")
        if settings.get("hyperdrive_config") is not None:
            sweep: HyperDriveConfig = copy.copy(settings["hyperdrive_config"])
            sweep._run_config = _with_overrides(sweep.run_config, script_arguments, None)
            sweep.estimator = None
            return sweep
        if settings.get("estimator") is not None:
            config = settings["estimator"].to_script_run_config()
            return _with_overrides(config, script_arguments, settings.get("compute_target"))
        config = ScriptRunConfig(
            settings.get("source_directory"),
            settings.get("script_name"),
            run_config=copy.deepcopy(settings.get("runconfig")),
        )
        return _with_overrides(
            config, settings.get("arguments") or [], settings.get("compute_target")
        )

    def facts(self) -> Json:
        """Its name, inputs and outputs."""
        named = {key: [_data_name(item) for item in self.settings.get(key) or ()] for key in _DATA}
        return {"name": self.settings.get("name"), **named}


_DATA = ("inputs", "outputs")


def _with_overrides(
    config: ScriptRunConfig, arguments: Iterable[object] | None, target: str | None
) -> ScriptRunConfig:
    config = copy.copy(config)
    if arguments is not None:
        config.arguments = [
            str(argument) if isinstance(argument, PipelineValue) else argument
            for argument in arguments
        ]
    if target is not None:
        config.run_config = copy.deepcopy(config.run_config)
        config.run_config.target = target
    return config


def _data_name(thing: object) -> str:
    """The name of a step's input or output."""
    for attribute in ("data_reference_name", "name"):
        value = getattr(thing, attribute, None)
        if isinstance(value, str):
            return value
    return str(thing)


def _ordered_steps(steps: object) -> list[Step]:
    """The steps and their dependencies, each once, dependencies first."""
    ordered: dict[Step, None] = {}

    def visit(node: object) -> None:
        if isinstance(node, list | tuple):
            for item in node:
                visit(item)
        elif isinstance(node, PipelineValue):
            visit(node.steps)
        elif isinstance(node, Step) and node not in ordered:
            visit([dependency for dependency in node.dependencies() if dependency is not node])
            ordered[node] = None

    visit(steps)
    return list(ordered)
