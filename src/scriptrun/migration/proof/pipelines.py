"""Pipelines in a proof: each step that runs a script is recorded as a job."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import Any
from unittest import mock

from scriptrun.config.script_run_config import ScriptRunConfig

#: the positional parameters of steps
_PARAMETERS = {
    "EstimatorStep": "name estimator estimator_entry_script_arguments runconfig_pipeline_params "
    "inputs outputs compute_target allow_reuse version",
    "PythonScriptStep": "script_name name arguments compute_target runconfig "
    "runconfig_pipeline_params inputs outputs params source_directory allow_reuse version",
    "HyperDriveStep": "name hyperdrive_config estimator_entry_script_arguments inputs outputs "
    "metrics_output allow_reuse version",
}
#: records one step: its configuration, the workspace, and other facts to compare
Tell = Callable[[Any, Any, dict[str, Any]], None]


def follow(tell: Tell) -> None:
    """Call ``tell`` for each step of each pipeline that is created from now on."""
    missing = importlib.import_module("scriptrun.dropin.azureml.unsupported")
    inner = missing.missing

    class Followed(Pipeline):
        def __init__(self, workspace: Any = None, steps: Any = (), *_: Any, **__: Any) -> None:
            super().__init__()
            for step in _all(steps):
                tell(step.config(), workspace, step.facts())

    def found(module: str, name: str, alternative: str) -> Any:
        if not module.startswith("azureml.pipeline"):
            return inner(module, name, alternative)
        if name == "Pipeline":
            return Followed
        if name in _PARAMETERS:
            return type(name, (Step,), {"parameters": _PARAMETERS[name].split()})
        return type(name, (Part,), {})

    setattr(missing, "missing", found)  # noqa: B010


class Pipeline:
    """A pipeline that knows only its steps."""

    def validate(self) -> list[Any]:
        """No validation errors."""
        return []

    def publish(self, *_: Any, **__: Any) -> Any:
        """Return a stand-in for the published pipeline."""
        return mock.MagicMock(name="pipeline")

    submit = save = publish


class Part:
    """A value passed between steps (data, a parameter); its text is its kind and name."""

    def __init__(self, name: Any = None, *_: Any, **kwargs: Any) -> None:
        self.name, self.steps = name, kwargs.get("steps")
        self.made_by: Step | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: self  # as_input, as_mount, ...: the same value

    def __str__(self) -> str:
        return f"{type(self).__name__}:{self.name}"


class Step:
    """A step that runs a script."""

    parameters: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.given = {**dict(zip(self.parameters, args, strict=False)), **kwargs}
        self.before: list[Any] = []
        for each in self.given.get("outputs") or ():
            if isinstance(each, Part):
                each.made_by = self

    def run_after(self, step: Any) -> None:
        """Run this step after ``step``."""
        self.before.append(step)

    def needed(self) -> list[Any]:
        """The steps that must run first; a pipeline includes them automatically."""
        made = [each.made_by for each in self.given.get("inputs") or () if isinstance(each, Part)]
        return [*self.before, *made]

    def config(self) -> Any:
        """The configuration of the step's job or sweep."""
        given = self.given
        words = given.get("estimator_entry_script_arguments")
        if given.get("hyperdrive_config") is not None:
            sweep = copy.copy(given["hyperdrive_config"])
            sweep._given = _with(sweep.run_config, words, None)
            sweep.estimator = None
            return sweep
        if given.get("estimator") is not None:
            config = given["estimator"].to_script_run_config()
            return _with(config, words, given.get("compute_target"))
        config = ScriptRunConfig(
            given.get("source_directory"),
            given.get("script_name"),
            run_config=copy.deepcopy(given.get("runconfig")),
        )
        return _with(config, given.get("arguments") or [], given.get("compute_target"))

    def facts(self) -> dict[str, Any]:
        """Its name, inputs and outputs."""
        named = {key: [_name(each) for each in self.given.get(key) or ()] for key in _DATA}
        return {"name": self.given.get("name"), **named}


_DATA = ("inputs", "outputs")


def _with(config: Any, words: Any, target: Any) -> Any:
    config = copy.copy(config)
    if words is not None:
        config.arguments = [str(each) if isinstance(each, Part) else each for each in words]
    if target is not None:
        config.run_config = copy.deepcopy(config.run_config)
        config.run_config.target = target
    return config


def _name(thing: Any) -> str:
    """The name of a step's input or output."""
    for attribute in ("data_reference_name", "name"):
        found = getattr(thing, attribute, None)
        if isinstance(found, str):
            return found
    return str(thing)


def _all(steps: Any) -> list[Step]:
    """The steps and their dependencies, each once, dependencies first."""
    found: dict[Step, None] = {}

    def visit(each: Any) -> None:
        if isinstance(each, list | tuple):
            for one in each:
                visit(one)
        elif isinstance(each, Part):
            visit(each.steps)
        elif isinstance(each, Step) and each not in found:
            visit([one for one in each.needed() if one is not each])
            found[each] = None

    visit(steps)
    return list(found)
