"""Turn a ScriptRunConfig into all that a JobSpec needs, without looking anything up."""

from __future__ import annotations

import os

from scriptrun.config import checks, distribution_spec, resources
from scriptrun.config.camel_case import to_wire
from scriptrun.config.checks import Resolve, problems
from scriptrun.config.environments.environment import Environment
from scriptrun.config.environments.request import environment_spec, was_chosen
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import refuse
from scriptrun.spec.job import Distribution
from scriptrun.spec.later import later
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.environments import script_header
else:
    script_header = later("scriptrun.config.environments.script_header")

__all__ = ["Described", "describe", "problems", "run_definition", "variables"]


class Described(Value):
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
    resources: dict[str, Any] = fresh(default_factory=dict)
    retry: dict[str, Any] = fresh(default_factory=dict)
    docker: bool = False
    resume_from: Any = None
    run_definition: dict[str, Any] = fresh(default_factory=dict)
    notes: tuple[str, ...] = ()


def describe(config: ScriptRunConfig, resolve: Resolve | None = None) -> Described:
    """Check ``config`` and describe its job.

    ``resolve`` returns the text of an argument that is data, None for any other. Raises
    RunConfigurationException with all problems.
    """
    refuse(problems(config, resolve))
    run = config.run_config
    script, command = checks.chosen(config)
    declared = _declared(config, script if not command else None)
    environment = environment_spec(declared, run.docker)
    arguments = () if command else _words(checks.arguments(config), resolve)
    line = _command_line(command, resolve)
    return Described(
        source_directory=os.fspath(config.source_directory),
        script=os.fspath(script) if script and not command else None,
        arguments=arguments,
        command=line,
        environment=environment,
        target=run.target or "local",
        distribution=distribution_spec.distribution(run),
        variables=variables(run, resolve),
        max_run_duration_seconds=run.max_run_duration_seconds,
        warn_before_seconds=config.warn_before_seconds,
        retry=_retry(config),
        resources=resources.of(config),
        docker=environment.container,
        resume_from=config.resume_from,
        run_definition=run_definition(run, script, arguments, line, declared),
        notes=(*environment.notes, *distribution_spec.notes(run)),
    )


def _retry(config: ScriptRunConfig) -> dict[str, Any]:
    """``JobSpec.retry``: the limit and the causes; {} for no retries."""
    if not config.retries:
        return {}
    causes = checks.causes(config)
    if config.warn_before_seconds and "time-limit" not in causes:
        causes.append("time-limit")
    return {"limit": config.retries, "on": causes}


def variables(run: RunConfiguration, resolve: Resolve | None = None) -> dict[str, str]:
    """The job's variables: those of the environment, then those of the run configuration."""
    both = {**(run.environment.environment_variables or {}), **(run.environment_variables or {})}
    return {str(name): _value(value, resolve) for name, value in both.items()}


def _value(value: Any, resolve: Resolve | None) -> str:
    if value is None:
        return ""
    found = None if resolve is None or checks.is_plain(value) else resolve(value)
    return str(value) if found is None else found


def _declared(config: ScriptRunConfig, script: Any) -> Environment:
    """The environment that the user chose, else the one in the script's inline metadata."""
    chosen: Environment = config.run_config.environment
    if not script or was_chosen(chosen):
        return chosen
    path = os.path.join(config.source_directory or ".", os.fspath(script))
    conda = script_header.find(path) if _has_header(path) else None
    if conda is None:
        return chosen
    made = chosen.clone(os.path.basename(os.fspath(script)))
    made.python.conda_dependencies = conda
    return made


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
    chosen = environment or run.environment
    made: dict[str, Any] = {**to_wire(run), "environment": to_wire(chosen)}
    made["script"] = to_wire(script) or None
    made["arguments"] = list(arguments)
    made["command"] = command or ""
    conda = chosen.python.conda_dependencies
    made["environment"]["python"]["condaDependencies"] = conda.without_logins()
    registry = made["environment"]["docker"]["baseImageRegistry"]
    if isinstance(registry, dict) and registry.get("password"):
        registry["password"] = None
    return made


def _words(values: Any, resolve: Resolve | None) -> tuple[str, ...]:
    if isinstance(values, str):
        import shlex

        return tuple(shlex.split(values))
    return _texts(values or (), resolve)


def _texts(values: Any, resolve: Resolve | None) -> tuple[str, ...]:
    return tuple(_text(each, resolve) for each in values)


def _text(value: Any, resolve: Resolve | None) -> str:
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    found = resolve(value) if resolve is not None else None
    if checks.is_plain(value):
        return found or str(value)
    assert found is not None, "checked before"
    return found


def _command_line(command: Any, resolve: Resolve | None) -> str | None:
    if not command:
        return None
    return command if isinstance(command, str) else " ".join(_texts(command, resolve))
