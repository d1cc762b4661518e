"""Read a ScriptRunConfig once: its settings, and all problems at once; looks nothing up."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping

from scriptrun.config import distribution_spec, process_limits, resources
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments import request as environment_request
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import Environment
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.config.sections import DockerConfiguration
from scriptrun.spec.library_values import plain_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.hints import Json

#: returns the text of an argument that is data, or None for any other argument
Resolve = Callable[[object], str | None]


class ConfigReader:
    """A configuration as submission reads it; ``problems`` lists everything wrong with it.

    Script, command and arguments are those of ScriptRunConfig, else those of its run_config. For
    another object than a ScriptRunConfig, the settings are those of an empty one.
    """

    def __init__(self, config: object) -> None:
        self._wrong_kind = _kind_problems(config)
        self.config = ScriptRunConfig()
        if isinstance(config, ScriptRunConfig) and not self._wrong_kind:
            self.config = config
        self.run = run = self.config.run_config
        source = self.config if self.config.script or self.config.command else run
        self.script: str | os.PathLike[str] | None = source.script
        self.command: Any = _plain_items(source.command)
        given = self.config.arguments
        #: CPUs, GPUs and memory as the user wrote them
        self.requested_resources = resources.requested(self.config)
        self.arguments: Any = _plain_items(
            given if given not in (None, [], (), "") else run.arguments
        )

    @property
    def may_use_data(self) -> bool:
        """Whether the job may use data: as an object, a section, or a string that refers to it."""
        run, resume_from = self.run, self.config.resume_from
        if run.data_references or run.data or run.output_data:
            return True
        values = [resume_from] if hasattr(resume_from, "path_on_datastore") else []
        values += self.values
        return any(not is_plain(value) or _has_data_reference(value) for value in values)

    @property
    def target_options(self) -> Json:
        """The options that the run sets for its compute target."""
        options = self.config.target_options
        return dict(options) if isinstance(options, Mapping) else {}

    @property
    def values(self) -> list[object]:
        """What may be data or refer to it: arguments, the command's words and variables."""
        values: list[object] = []
        for source in (self.arguments, self.command):
            values += source if isinstance(source, list | tuple) else [source]
        variables = self.run.environment_variables
        return [*values, *variables.values()] if isinstance(variables, dict) else values

    @property
    def retry_causes(self) -> list[str]:
        """The causes for which a run is retried, given as a list or a comma-separated string."""
        retry_on = self.config.retry_on
        if isinstance(retry_on, str):
            return [cause.strip() for cause in retry_on.split(",")]
        return list(retry_on) if isinstance(retry_on, list | tuple | set | frozenset) else []

    def problems(self, resolve: Resolve | None = None) -> list[str]:
        """All problems; an empty list if the configuration is valid."""
        if self._wrong_kind:
            return self._wrong_kind
        run, environment = self.run, self.run.environment
        messages = self._source_problems() + self._argument_problems(resolve)
        messages += self._distribution_problems() + _duration_problems(run)
        messages += self._retry_problems() + resources.problems(self.requested_resources)
        messages += _variable_problems(run)
        options = self.config.target_options
        if options is not None and not isinstance(options, Mapping):
            actual = _describe_value(options)
            messages.append(f"target_options must be a dict of names to values, not {actual}")
        docker = run.docker if isinstance(run.docker, DockerConfiguration) else None
        if docker is None:
            actual = _describe_value(run.docker)
            messages.append(f"docker_runtime_config must be a DockerConfiguration, not {actual}")
        if isinstance(environment, Environment):
            return messages + environment_request.problems(environment, docker)
        actual = _describe_value(environment)
        hint = "use Environment.get(workspace, name) for a registered environment"
        return [*messages, f"environment must be an Environment, not {actual}; {hint}"]

    def _source_problems(self) -> list[str]:
        folder, script, command = self.config.source_directory, self.script, self.command
        problems = []
        if not isinstance(folder, str | os.PathLike):
            problems.append(f"source_directory must be a path, not {_describe_value(folder)}")
        for name, path in (("source_directory", folder), ("script", script)):
            if isinstance(path, str | os.PathLike):
                problems += process_limits.argument_problems(name, os.fsdecode(path))
        if script and command:
            problems.append(
                "script and command cannot be used together; command replaces script and arguments"
            )
        elif not script and not command:
            problems.append("nothing to run; set script='train.py' or command")
        elif script and not isinstance(script, str | os.PathLike):
            actual = _describe_value(script)
            problems.append(f"script must be a path in the source directory, not {actual}")
        elif command and self.config.arguments:
            problems.append(
                "arguments and command cannot be used together; put the arguments in the command"
            )
        elif command and not _is_command(command):
            actual = _describe_value(command)
            problems.append(f"command must be a string or a list of strings, not {actual}")
        return problems

    def _argument_problems(self, resolve: Resolve | None) -> list[str]:
        problems = []
        for name, values in (("arguments", self.arguments), ("command", self.command)):
            if isinstance(values, list | tuple):
                problems += _list_problems(name, values, resolve)
            elif name == "arguments" and isinstance(values, str):
                problems += _text_problems(values)
            elif name == "command" and isinstance(values, str):
                problems += process_limits.argument_problems(name, values)
            elif name == "arguments" and values is not None:
                problems.append(f"arguments must be a flat list, not {_describe_value(values)}")
        return problems

    def _distribution_problems(self) -> list[str]:
        distributed = self.config.distributed_job_config
        classes = (MpiConfiguration, PyTorchConfiguration, TensorflowConfiguration)
        if distributed is not None and not isinstance(distributed, classes):
            return [
                "distributed_job_config must be an MpiConfiguration, PyTorchConfiguration or "
                f"TensorflowConfiguration, not {_describe_value(distributed)}"
            ]
        return distribution_spec.problems(self.run)

    def _retry_problems(self) -> list[str]:
        problems, retries = [], self.config.retries
        if not _is_count(retries):
            problems.append(f"retries must be a non-negative integer, not {retries!r}")
        if not isinstance(self.config.retry_on, str | list | tuple | set | frozenset | None):
            actual = _describe_value(self.config.retry_on)
            problems.append(f"retry_on must be a list of causes, not {actual}")
        problems += [
            f"invalid cause {cause!r} in retry_on; use preempted, node-lost, time-limit, "
            "exit:CODE or signal:NAME"
            for cause in self.retry_causes
            if not isinstance(cause, str) or not re.fullmatch(_CAUSE, cause)
        ]
        warn, limit = self.config.warn_before_seconds, self.run.max_run_duration_seconds
        is_below = _is_time(warn) and _is_time(limit) and 0 < (warn or 0) < (limit or 0)
        if warn is not None and not is_below:
            problems.append(
                f"warn_before_seconds must be less than max_run_duration_seconds ({limit!r}), "
                f"not {warn!r}"
            )
        return problems


def _kind_problems(config: object) -> list[str]:
    if not isinstance(config, ScriptRunConfig):
        return [f"expected a ScriptRunConfig, not {_describe_value(config)}"]
    if not isinstance(config.run_config, RunConfiguration):
        actual = _describe_value(config.run_config)
        return [f"run_config must be a RunConfiguration, not {actual}"]
    return []


def _has_data_reference(value: object) -> bool:
    return isinstance(value, str) and "AZUREML_DATAREFERENCE_" in value


def _plain_items(values: object) -> object:
    """``values`` whose items of numpy and other libraries are Python's own."""
    if not isinstance(values, list | tuple):
        return values
    return [value if is_plain(value) else _plain_item(value) for value in values]


def _plain_item(value: object) -> object:
    plain = plain_value(value)
    return value if isinstance(plain, list) else plain


def is_plain(value: object) -> bool:
    """Whether an argument converts to text by itself, without resolving data."""
    if value is None or isinstance(value, str | bool | int | float | os.PathLike):
        return True
    import numbers  # numpy's scalars are registered there

    return isinstance(value, numbers.Number)


def _is_command(command: object) -> bool:
    if isinstance(command, list | tuple):
        return all(not isinstance(word, list | tuple | dict) for word in command)
    return isinstance(command, str)


def _text_problems(text: str) -> list[str]:
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        return [f"cannot split arguments {text!r} ({error}); use a list"]
    return _list_problems("arguments", words, None)


def _list_problems(name: str, values: Iterable[object], resolve: Resolve | None) -> list[str]:
    problems = []
    for index, value in enumerate(values):
        if is_plain(value):
            text = os.fsdecode(value) if isinstance(value, os.PathLike) else str(value)
            problems += process_limits.argument_problems(f"{name}[{index}]", text)
            continue
        if resolve is not None and resolve(value) is not None:
            continue
        if isinstance(value, list | tuple | dict | set):
            problems.append(
                f"{name}[{index}] is {_describe_value(value)}, but {name} must be a flat list"
            )
        else:
            problems.append(
                f"{name}[{index}] must be a string, a number, a path, None or data, "
                f"not {_describe_value(value)}"
            )
    return problems


def _duration_problems(run: RunConfiguration) -> list[str]:
    seconds = run.max_run_duration_seconds
    if seconds is None or (_is_time(seconds) and seconds > 0):
        return []
    return [f"max_run_duration_seconds must be greater than 0, not {seconds!r}"]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    """Whether ``value`` is a finite number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _LONGEST


#: seconds that a timer and a scheduler still take: 1000 years
_LONGEST = 3.2e10
_CAUSE = r"preempted|node-lost|time-limit|exit:[1-9]\d{0,2}|signal:SIG[A-Z0-9]+"


def _variable_problems(run: RunConfiguration) -> list[str]:
    variables_by_owner = {"run_config.environment_variables": run.environment_variables}
    if isinstance(run.environment, Environment):
        variables_by_owner["environment.environment_variables"] = (
            run.environment.environment_variables
        )
        conda = run.environment.python.conda_dependencies
        if isinstance(conda, CondaDependencies):
            variables_by_owner["variables of the conda file"] = dict(conda.variables)
    problems = []
    for owner, variables in variables_by_owner.items():
        if not isinstance(variables, dict | None):
            problems.append(
                f"{owner} must be a dict of names to values, not {_describe_value(variables)}"
            )
            continue
        invalid_names = [name for name in variables or {} if not _is_variable_name(name)]
        problems += [f"invalid variable name {name!r} in {owner}" for name in invalid_names]
        others = {
            name: value for name, value in (variables or {}).items() if name not in invalid_names
        }
        problems += process_limits.variable_problems(others)
    return problems


def _is_variable_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and "=" not in name and "\0" not in name


def _describe_value(value: object) -> str:
    shown = " ".join(repr(value).split())
    name = type(value).__name__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name}" if len(shown) > 60 else f"{article} {name} ({shown})"
