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


def config_problems(config: ScriptRunConfig, resolve: Resolve | None = None) -> list[str]:
    """All problems of ``config``; an empty list if it is valid."""
    if not isinstance(config, ScriptRunConfig):
        return [f"expected a ScriptRunConfig, not {_describe_value(config)}"]
    run = config.run_config
    if not isinstance(run, RunConfiguration):
        return [f"run_config must be a RunConfiguration, not {_describe_value(run)}"]
    messages = (
        _source_problems(config) + _script_problems(config) + _argument_problems(config, resolve)
    )
    messages += _distribution_problems(config) + _duration_problems(run) + _retry_problems(config)
    messages += resources.problems(config) + _variable_problems(run) + _docker_problems(run)
    if isinstance(run.environment, Environment):
        docker = run.docker if isinstance(run.docker, DockerConfiguration) else None
        return messages + environment_request.problems(run.environment, docker)
    actual = _describe_value(run.environment)
    hint = "use Environment.get(workspace, name) for a registered environment"
    return [*messages, f"environment must be an Environment, not {actual}; {hint}"]


def script_and_command(config: ScriptRunConfig) -> tuple[Any, Any]:
    """The script and command: those of ScriptRunConfig, else those of its run_config."""
    if config.script or config.command:
        return config.script, config.command
    return config.run_config.script, config.run_config.command


def arguments(config: ScriptRunConfig) -> Any:
    """The arguments: those of ScriptRunConfig, else those of its run_config."""
    value = config.arguments
    return value if value not in (None, [], (), "") else config.run_config.arguments


def may_use_data(config: object) -> bool:
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
    for source in (arguments(config), script_and_command(config)[1]):
        values += source if isinstance(source, list | tuple) else [source]
    return any(not is_plain(value) or _has_data_reference(value) for value in values)


def _has_data_reference(value: object) -> bool:
    return isinstance(value, str) and "AZUREML_DATAREFERENCE_" in value


def is_plain(value: object) -> bool:
    """Whether an argument converts to text by itself, without resolving data."""
    if value is None or isinstance(value, str | bool | int | float | os.PathLike):
        return True
    import numbers  # numpy's scalars are registered there

    return isinstance(value, numbers.Number)


def _source_problems(config: ScriptRunConfig) -> list[str]:
    if isinstance(config.source_directory, str | os.PathLike):
        return []
    actual = _describe_value(config.source_directory)
    return [f"source_directory must be a path, not {actual}"]


def _script_problems(config: ScriptRunConfig) -> list[str]:
    script, command = script_and_command(config)
    if script and command:
        return ["script and command cannot be used together; command replaces script and arguments"]
    if not script and not command:
        return ["nothing to run; set script='train.py' or command"]
    if script and not isinstance(script, str | os.PathLike):
        return [f"script must be a path in the source directory, not {_describe_value(script)}"]
    if command and config.arguments:
        return ["arguments and command cannot be used together; put the arguments in the command"]
    if command and not _is_command(command):
        return [f"command must be a string or a list of strings, not {_describe_value(command)}"]
    return []


def _is_command(command: object) -> bool:
    if isinstance(command, list | tuple):
        return all(not isinstance(word, list | tuple | dict) for word in command)
    return isinstance(command, str)


def _argument_problems(config: ScriptRunConfig, resolve: Resolve | None) -> list[str]:
    problems = []
    sources = [("arguments", arguments(config)), ("command", script_and_command(config)[1])]
    for name, values in sources:
        if isinstance(values, list | tuple):
            problems += _list_problems(name, values, resolve)
        elif name == "arguments" and isinstance(values, str):
            problems += _text_problems(values)
        elif name == "arguments" and values is not None:
            problems.append(f"arguments must be a flat list, not {_describe_value(values)}")
    return problems


def _text_problems(text: str) -> list[str]:
    import shlex

    try:
        shlex.split(text)
    except ValueError as error:
        return [f"cannot split arguments {text!r} ({error}); use a list"]
    return []


def _list_problems(name: str, values: Any, resolve: Resolve | None) -> list[str]:
    problems = []
    for index, value in enumerate(values):
        if is_plain(value) or (resolve is not None and resolve(value) is not None):
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


def _distribution_problems(config: ScriptRunConfig) -> list[str]:
    job_config = config.distributed_job_config
    classes = (MpiConfiguration, PyTorchConfiguration, TensorflowConfiguration)
    if job_config is not None and not isinstance(job_config, classes):
        return [
            "distributed_job_config must be an MpiConfiguration, PyTorchConfiguration or "
            f"TensorflowConfiguration, not {_describe_value(job_config)}"
        ]
    return distribution_spec.problems(config.run_config)


def _duration_problems(run: RunConfiguration) -> list[str]:
    seconds = run.max_run_duration_seconds
    is_valid = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    if seconds is None or is_valid:
        return []
    return [f"max_run_duration_seconds must be greater than 0, not {seconds!r}"]


_CAUSE = r"preempted|node-lost|time-limit|exit:[1-9]\d{0,2}|signal:SIG[A-Z0-9]+"


def retry_causes(config: ScriptRunConfig) -> list[str]:
    """The causes for which a run is retried, given as a list or a comma-separated string."""
    retry_on = config.retry_on
    return (
        [cause.strip() for cause in retry_on.split(",")]
        if isinstance(retry_on, str)
        else list(retry_on)
    )


def _retry_problems(config: ScriptRunConfig) -> list[str]:
    problems = []
    if not isinstance(config.retries, int) or config.retries < 0:
        problems.append(f"retries must be a non-negative integer, not {config.retries!r}")
    problems += [
        f"invalid cause {cause!r} in retry_on; use preempted, node-lost, time-limit, exit:CODE "
        "or signal:NAME"
        for cause in retry_causes(config)
        if not isinstance(cause, str) or not re.fullmatch(_CAUSE, cause)
    ]
    warn, limit = config.warn_before_seconds, config.run_config.max_run_duration_seconds
    if warn is not None and (not isinstance(limit, int | float) or not 0 < warn < limit):
        problems.append(
            f"warn_before_seconds must be less than max_run_duration_seconds ({limit!r}), "
            f"not {warn!r}"
        )
    return problems


def _variable_problems(run: RunConfiguration) -> list[str]:
    variables_by_owner = {"run_config.environment_variables": run.environment_variables}
    if isinstance(run.environment, Environment):
        variables_by_owner["environment.environment_variables"] = (
            run.environment.environment_variables
        )
    problems = []
    for owner, variables in variables_by_owner.items():
        if not isinstance(variables, dict | None):
            problems.append(
                f"{owner} must be a dict of names to values, not {_describe_value(variables)}"
            )
            continue
        invalid_names = [name for name in variables or {} if not _is_variable_name(name)]
        problems += [f"invalid variable name {name!r} in {owner}" for name in invalid_names]
    return problems


def _is_variable_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and "=" not in name and "\0" not in name


def _docker_problems(run: RunConfiguration) -> list[str]:
    if isinstance(run.docker, DockerConfiguration):
        return []
    return [
        f"docker_runtime_config must be a DockerConfiguration, not {_describe_value(run.docker)}"
    ]


def _describe_value(value: object) -> str:
    shown = repr(value)
    name = type(value).__name__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name}" if len(shown) > 60 else f"{article} {name} ({shown})"
