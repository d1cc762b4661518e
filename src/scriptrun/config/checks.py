"""Check a ScriptRunConfig and list all problems at once, without looking anything up."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from scriptrun.config import distribution_spec, resources
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments import request as environment_request
from scriptrun.config.environments.environment import Environment
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.config.sections import DockerConfiguration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: returns the text of an argument that is data, or None for any other argument
Resolve = Callable[[object], str | None]


def problems(config: ScriptRunConfig, resolve: Resolve | None = None) -> list[str]:
    """All problems of ``config``; an empty list if it is valid."""
    if not isinstance(config, ScriptRunConfig):
        return [f"expected a ScriptRunConfig, not {_what(config)}"]
    run = config.run_config
    if not isinstance(run, RunConfiguration):
        return [f"run_config must be a RunConfiguration, not {_what(run)}"]
    found = _source(config) + _what_runs(config) + _arguments(config, resolve)
    found += _distributed(config) + _duration(run) + _retry(config)
    found += resources.problems(config) + _variables(run) + _docker(run)
    if isinstance(run.environment, Environment):
        docker = run.docker if isinstance(run.docker, DockerConfiguration) else None
        return found + environment_request.problems(run.environment, docker)
    given = _what(run.environment)
    hint = "use Environment.get(workspace, name) for a registered environment"
    return [*found, f"environment must be an Environment, not {given}; {hint}"]


def chosen(config: ScriptRunConfig) -> tuple[Any, Any]:
    """The script and command: those of ScriptRunConfig, else those of its run_config."""
    if config.script or config.command:
        return config.script, config.command
    return config.run_config.script, config.run_config.command


def arguments(config: ScriptRunConfig) -> Any:
    """The arguments: those of ScriptRunConfig, else those of its run_config."""
    given = config.arguments
    return given if given not in (None, [], (), "") else config.run_config.arguments


def names_data(config: object) -> bool:
    """Whether the job may use data: as an object, a section, or a string that refers to data."""
    if not isinstance(config, ScriptRunConfig) or not isinstance(
        config.run_config, RunConfiguration
    ):
        return False
    run = config.run_config
    if run.data_references or run.data or run.output_data:
        return True
    values = [config.resume_from] if hasattr(config.resume_from, "path_on_datastore") else []
    if isinstance(run.environment_variables, dict):
        values += run.environment_variables.values()
    for each in (arguments(config), chosen(config)[1]):
        values += each if isinstance(each, list | tuple) else [each]
    return any(not is_plain(each) or _refers(each) for each in values)


def _refers(value: object) -> bool:
    return isinstance(value, str) and "AZUREML_DATAREFERENCE_" in value


def is_plain(value: object) -> bool:
    """Whether an argument converts to text by itself, without resolving data."""
    if value is None or isinstance(value, str | bool | int | float | os.PathLike):
        return True
    import numbers  # numpy's scalars are registered there

    return isinstance(value, numbers.Number)


def _source(config: ScriptRunConfig) -> list[str]:
    if isinstance(config.source_directory, str | os.PathLike):
        return []
    given = _what(config.source_directory)
    return [f"source_directory must be a path, not {given}"]


def _what_runs(config: ScriptRunConfig) -> list[str]:
    script, command = chosen(config)
    if script and command:
        return ["script and command cannot be used together; command replaces script and arguments"]
    if not script and not command:
        return ["nothing to run; set script='train.py' or command"]
    if script and not isinstance(script, str | os.PathLike):
        return [f"script must be a path in the source directory, not {_what(script)}"]
    if command and config.arguments:
        return ["arguments and command cannot be used together; put the arguments in the command"]
    if command and not _is_command(command):
        return [f"command must be a string or a list of strings, not {_what(command)}"]
    return []


def _is_command(command: object) -> bool:
    if isinstance(command, list | tuple):
        return all(not isinstance(each, list | tuple | dict) for each in command)
    return isinstance(command, str)


def _arguments(config: ScriptRunConfig, resolve: Resolve | None) -> list[str]:
    found = []
    listed = [("arguments", arguments(config)), ("command", chosen(config)[1])]
    for name, values in listed:
        if isinstance(values, list | tuple):
            found += _in_list(name, values, resolve)
        elif name == "arguments" and isinstance(values, str):
            found += _in_text(values)
        elif name == "arguments" and values is not None:
            found.append(f"arguments must be a flat list, not {_what(values)}")
    return found


def _in_text(text: str) -> list[str]:
    import shlex

    try:
        shlex.split(text)
    except ValueError as error:
        return [f"cannot split arguments {text!r} ({error}); use a list"]
    return []


def _in_list(name: str, values: Any, resolve: Resolve | None) -> list[str]:
    found = []
    for number, each in enumerate(values):
        if is_plain(each) or (resolve is not None and resolve(each) is not None):
            continue
        if isinstance(each, list | tuple | dict | set):
            found.append(f"{name}[{number}] is {_what(each)}, but {name} must be a flat list")
        else:
            found.append(
                f"{name}[{number}] must be a string, a number, a path, None or data, "
                f"not {_what(each)}"
            )
    return found


def _distributed(config: ScriptRunConfig) -> list[str]:
    given = config.distributed_job_config
    kinds = (MpiConfiguration, PyTorchConfiguration, TensorflowConfiguration)
    if given is not None and not isinstance(given, kinds):
        return [
            "distributed_job_config must be an MpiConfiguration, PyTorchConfiguration or "
            f"TensorflowConfiguration, not {_what(given)}"
        ]
    return distribution_spec.problems(config.run_config)


def _duration(run: RunConfiguration) -> list[str]:
    seconds = run.max_run_duration_seconds
    good = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    if seconds is None or good:
        return []
    return [f"max_run_duration_seconds must be greater than 0, not {seconds!r}"]


_CAUSE = re.compile(r"preempted|node-lost|time-limit|exit:[1-9]\d{0,2}|signal:SIG[A-Z0-9]+")


def causes(config: ScriptRunConfig) -> list[str]:
    """The causes for which a run is retried, given as a list or a comma-separated string."""
    on = config.retry_on
    return [each.strip() for each in on.split(",")] if isinstance(on, str) else list(on)


def _retry(config: ScriptRunConfig) -> list[str]:
    found = []
    if not isinstance(config.retries, int) or config.retries < 0:
        found.append(f"retries must be a non-negative integer, not {config.retries!r}")
    found += [
        f"invalid cause {cause!r} in retry_on; use preempted, node-lost, time-limit, exit:CODE "
        "or signal:NAME"
        for cause in causes(config)
        if not isinstance(cause, str) or not _CAUSE.fullmatch(cause)
    ]
    warn, limit = config.warn_before_seconds, config.run_config.max_run_duration_seconds
    if warn is not None and (not isinstance(limit, int | float) or not 0 < warn < limit):
        found.append(
            f"warn_before_seconds must be less than max_run_duration_seconds ({limit!r}), "
            f"not {warn!r}"
        )
    return found


def _variables(run: RunConfiguration) -> list[str]:
    listed = {"run_config.environment_variables": run.environment_variables}
    if isinstance(run.environment, Environment):
        listed["environment.environment_variables"] = run.environment.environment_variables
    found = []
    for where, variables in listed.items():
        if not isinstance(variables, dict | None):
            found.append(f"{where} must be a dict of names to values, not {_what(variables)}")
            continue
        bad = [name for name in variables or {} if not _is_variable_name(name)]
        found += [f"invalid variable name {name!r} in {where}" for name in bad]
    return found


def _is_variable_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and "=" not in name and "\0" not in name


def _docker(run: RunConfiguration) -> list[str]:
    if isinstance(run.docker, DockerConfiguration):
        return []
    return [f"docker_runtime_config must be a DockerConfiguration, not {_what(run.docker)}"]


def _what(value: object) -> str:
    shown = repr(value)
    name = type(value).__name__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name}" if len(shown) > 60 else f"{article} {name} ({shown})"
