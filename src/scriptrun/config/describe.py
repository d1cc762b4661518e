"""Turn a ScriptRunConfig into all that a JobSpec needs, without looking anything up."""

from __future__ import annotations

import os

from scriptrun.config import distribution_spec, resources
from scriptrun.config.camel_case import to_wire
from scriptrun.config.environments.environment import Environment
from scriptrun.config.environments.request import environment_spec, has_sdk_defaults, is_user_chosen
from scriptrun.config.reader import ConfigReader, Resolve, is_plain
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.runtime import files
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import refuse
from scriptrun.spec.job import Distribution, Resources, Retry
from scriptrun.spec.later import later
from scriptrun.spec.library_values import plain_value, text_of
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriptrun.config.environments import script_header
    from scriptrun.runtime.hints import Json
else:
    script_header = later("scriptrun.config.environments.script_header")


class JobDescription(Value):
    """A validated configuration, with the field names of JobSpec.

    ``target`` is the user's name or object (default: "local"); ``script`` is as the user wrote it;
    ``variables`` are the environment's, then those of run_config; ``docker`` is whether the job
    requests a container; ``resume_from`` is the user's object, or None; ``has_sdk_defaults`` is
    whether the environment names azureml-defaults without a version. An ``environment`` of kind
    INTERPRETER without an interpreter leaves the choice to the caller.
    """

    source_directory: str
    script: str | None
    arguments: tuple[str, ...]
    command: str | None
    environment: EnvironmentSpec
    target: object
    distribution: Distribution
    variables: dict[str, str] = fresh(default_factory=dict)
    max_run_duration_seconds: float | None = None
    warn_before_seconds: float | None = None
    resources: Resources = fresh(default_factory=Resources)
    retry: Retry = fresh(default_factory=Retry)
    docker: bool = False
    resume_from: object = None
    has_sdk_defaults: bool = False
    run_definition: Json = fresh(default_factory=dict)
    notes: tuple[str, ...] = ()


def describe(config: ScriptRunConfig, resolve: Resolve | None = None) -> JobDescription:
    """Check ``config`` and describe its job.

    ``resolve`` returns the text of an argument that is data, None for any other. Raises
    RunConfigurationException with all problems.
    """
    reader = ConfigReader(config)
    refuse(reader.problems(resolve))
    return description_of(reader, resolve)


def description_of(reader: ConfigReader, resolve: Resolve | None = None) -> JobDescription:
    """The job of a configuration that has no problems."""
    config, run, script, command = reader.config, reader.run, reader.script, reader.command
    user_environment = _user_environment(reader)
    environment = environment_spec(user_environment, run.docker)
    arguments = () if command else _split_arguments(reader.arguments, resolve)
    command_line = _command_line(command, resolve)
    distribution = distribution_spec.distribution(run)
    causes = reader.retry_causes
    if config.warn_before_seconds and "time-limit" not in causes:
        causes.append("time-limit")
    return JobDescription(
        source_directory=os.fspath(config.source_directory),
        script=os.fspath(script) if script and not command else None,
        arguments=arguments,
        command=command_line,
        environment=environment,
        target=run.target or "local",
        distribution=distribution,
        variables=_variables(run, resolve),
        max_run_duration_seconds=run.max_run_duration_seconds,
        warn_before_seconds=config.warn_before_seconds,
        retry=Retry(config.retries, tuple(causes)) if config.retries else Retry(),
        resources=resources.node_resources(reader.requested_resources, distribution),
        docker=environment.container,
        resume_from=config.resume_from,
        has_sdk_defaults=has_sdk_defaults(user_environment),
        run_definition=_run_definition(run, script, arguments, command_line, user_environment),
        notes=(*environment.notes, *distribution_spec.notes(run)),
    )


def _variables(run: RunConfiguration, resolve: Resolve | None = None) -> dict[str, str]:
    """The job's variables: the conda file's, the environment's, then the run configuration's."""
    python = run.environment.python
    conda = {} if python.user_managed_dependencies else python.conda_dependencies.variables
    merged = {
        **conda,
        **(run.environment.environment_variables or {}),
        **(run.environment_variables or {}),
    }
    return {str(name): _variable_text(value, resolve) for name, value in merged.items()}


def _variable_text(value: object, resolve: Resolve | None) -> str:
    if value is None:
        return ""
    text = None if resolve is None or is_plain(value) else resolve(value)
    return text_of(plain_value(value)) if text is None else text


def _user_environment(reader: ConfigReader) -> Environment:
    """The environment that the user chose, else the one in the script's inline metadata."""
    environment, script = reader.run.environment, reader.script
    if not script or reader.command or is_user_chosen(environment):
        return environment
    path = os.path.join(reader.config.source_directory or ".", os.fspath(script))
    conda = script_header.find(path) if has_header(path) else None
    if conda is None:
        return environment
    script_environment = environment.clone(os.path.basename(os.fspath(script)))
    script_environment.python.conda_dependencies = conda
    return script_environment


def has_header(path: str) -> bool:
    """Whether the script may have inline metadata: a cheap test before parsing it."""
    try:
        with files.open_record(path) as handle:
            return b"# /// script" in handle.read()
    except OSError:
        return False  # the check for the script reports it


def _run_definition(
    run: RunConfiguration,
    script: object,
    arguments: tuple[str, ...],
    command: str | None,
    environment: Environment,
) -> Json:
    """The run configuration as ``get_details()['runDefinition']`` shows it, without secrets."""
    definition: Json = {**to_wire(run), "environment": to_wire(environment)}
    definition["script"] = to_wire(script) or None
    definition["arguments"] = list(arguments)
    definition["command"] = command or ""
    conda = environment.python.conda_dependencies
    definition["environment"]["python"]["condaDependencies"] = conda.without_logins()
    registry = definition["environment"]["docker"]["baseImageRegistry"]
    if isinstance(registry, dict) and registry.get("password"):
        registry["password"] = None
    return definition


def _split_arguments(
    values: str | Iterable[object] | None, resolve: Resolve | None
) -> tuple[str, ...]:
    if isinstance(values, str):
        import shlex

        return tuple(shlex.split(values))
    return tuple(_text(value, resolve) for value in values or ())


def _text(value: object, resolve: Resolve | None) -> str:
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    data_text = resolve(value) if resolve is not None else None
    if is_plain(value):
        return data_text or text_of(value)
    assert data_text is not None, "checked before"
    return data_text


def _command_line(command: str | Iterable[object] | None, resolve: Resolve | None) -> str | None:
    if not command:
        return None
    return (
        command if isinstance(command, str) else " ".join(_text(word, resolve) for word in command)
    )
