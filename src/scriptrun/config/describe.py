"""Turn a ScriptRunConfig into all that a JobSpec needs, without looking anything up."""

from __future__ import annotations

import os

from scriptrun.config import checks, distribution_spec, resources
from scriptrun.config.camel_case import to_wire
from scriptrun.config.checks import Resolve, config_problems
from scriptrun.config.environments.environment import Environment
from scriptrun.config.environments.request import environment_spec, is_user_chosen
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import refuse
from scriptrun.spec.job import Distribution, Resources, Retry
from scriptrun.spec.later import later
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.environments import script_header
else:
    script_header = later("scriptrun.config.environments.script_header")

__all__ = ["JobDescription", "config_problems", "describe", "run_definition", "variables"]


class JobDescription(Value):
    """A validated configuration, with the field names of JobSpec.

    ``target`` is the user's name or object (default: "local"); ``script`` is as the user wrote it;
    ``variables`` are the environment's, then those of run_config; ``docker`` is whether the job
    requests a container; ``resume_from`` is the user's object, or None. An ``environment`` of kind
    INTERPRETER without an interpreter leaves the choice to the caller.
    """

    source_directory: str
    script: str | None
    arguments: tuple[str, ...]
    command: str | None
    environment: EnvironmentSpec
    target: Any
    distribution: Distribution
    variables: dict[str, str] = fresh(default_factory=dict)
    max_run_duration_seconds: float | None = None
    warn_before_seconds: float | None = None
    resources: Resources = fresh(default_factory=Resources)
    retry: Retry = fresh(default_factory=Retry)
    docker: bool = False
    resume_from: Any = None
    run_definition: dict[str, Any] = fresh(default_factory=dict)
    notes: tuple[str, ...] = ()


def describe(config: ScriptRunConfig, resolve: Resolve | None = None) -> JobDescription:
    """Check ``config`` and describe its job.

    ``resolve`` returns the text of an argument that is data, None for any other. Raises
    RunConfigurationException with all problems.
    """
    refuse(config_problems(config, resolve))
    run = config.run_config
    script, command = checks.script_and_command(config)
    user_environment = _user_environment(config, script if not command else None)
    environment = environment_spec(user_environment, run.docker)
    arguments = () if command else _split_arguments(checks.arguments(config), resolve)
    command_line = _command_line(command, resolve)
    return JobDescription(
        source_directory=os.fspath(config.source_directory),
        script=os.fspath(script) if script and not command else None,
        arguments=arguments,
        command=command_line,
        environment=environment,
        target=run.target or "local",
        distribution=distribution_spec.distribution(run),
        variables=variables(run, resolve),
        max_run_duration_seconds=run.max_run_duration_seconds,
        warn_before_seconds=config.warn_before_seconds,
        retry=_retry_settings(config),
        resources=resources.node_resources(config),
        docker=environment.container,
        resume_from=config.resume_from,
        run_definition=run_definition(run, script, arguments, command_line, user_environment),
        notes=(*environment.notes, *distribution_spec.notes(run)),
    )


def _retry_settings(config: ScriptRunConfig) -> Retry:
    if not config.retries:
        return Retry()
    causes = checks.retry_causes(config)
    if config.warn_before_seconds and "time-limit" not in causes:
        causes.append("time-limit")
    return Retry(config.retries, tuple(causes))


def variables(run: RunConfiguration, resolve: Resolve | None = None) -> dict[str, str]:
    """The job's variables: those of the environment, then those of the run configuration."""
    merged = {**(run.environment.environment_variables or {}), **(run.environment_variables or {})}
    return {str(name): _variable_text(value, resolve) for name, value in merged.items()}


def _variable_text(value: Any, resolve: Resolve | None) -> str:
    if value is None:
        return ""
    text = None if resolve is None or checks.is_plain(value) else resolve(value)
    return str(value) if text is None else text


def _user_environment(config: ScriptRunConfig, script: Any) -> Environment:
    """The environment that the user chose, else the one in the script's inline metadata."""
    environment: Environment = config.run_config.environment
    if not script or is_user_chosen(environment):
        return environment
    path = os.path.join(config.source_directory or ".", os.fspath(script))
    conda = script_header.find(path) if _has_header(path) else None
    if conda is None:
        return environment
    script_environment = environment.clone(os.path.basename(os.fspath(script)))
    script_environment.python.conda_dependencies = conda
    return script_environment


def _has_header(path: str) -> bool:
    """Whether the script may have inline metadata: a cheap test before parsing it."""
    try:
        with open(path, "rb") as handle:
            return b"# /// script" in handle.read()
    except OSError:
        return False  # the check for the script reports it


def run_definition(
    run: RunConfiguration,
    script: Any,
    arguments: tuple[str, ...],
    command: str | None,
    environment: Environment | None = None,
) -> dict[str, Any]:
    """The run configuration as ``get_details()['runDefinition']`` shows it, without secrets.

    ``environment`` replaces the configuration's environment.
    """
    effective = environment or run.environment
    definition: dict[str, Any] = {**to_wire(run), "environment": to_wire(effective)}
    definition["script"] = to_wire(script) or None
    definition["arguments"] = list(arguments)
    definition["command"] = command or ""
    conda = effective.python.conda_dependencies
    definition["environment"]["python"]["condaDependencies"] = conda.without_logins()
    registry = definition["environment"]["docker"]["baseImageRegistry"]
    if isinstance(registry, dict) and registry.get("password"):
        registry["password"] = None
    return definition


def _split_arguments(values: Any, resolve: Resolve | None) -> tuple[str, ...]:
    if isinstance(values, str):
        import shlex

        return tuple(shlex.split(values))
    return _texts(values or (), resolve)


def _texts(values: Any, resolve: Resolve | None) -> tuple[str, ...]:
    return tuple(_text(value, resolve) for value in values)


def _text(value: Any, resolve: Resolve | None) -> str:
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    data_text = resolve(value) if resolve is not None else None
    if checks.is_plain(value):
        return data_text or str(value)
    assert data_text is not None, "checked before"
    return data_text


def _command_line(command: Any, resolve: Resolve | None) -> str | None:
    if not command:
        return None
    return command if isinstance(command, str) else " ".join(_texts(command, resolve))
