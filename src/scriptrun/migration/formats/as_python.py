"""Convert a ScriptRunConfig to Python code that creates it."""

from __future__ import annotations

import os
from typing import NamedTuple

from scriptrun.config.environments.conda_dependencies import CondaDependencies, conda_name
from scriptrun.config.environments.images import is_azure_image
from scriptrun.config.run_configuration import DEFAULT_ENVIRONMENT, RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig, distributed_section
from scriptrun.config.section_base import Section
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.migration.formats import sweeps
from scriptrun.migration.formats.literals import literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.data_sections import DataReferenceConfiguration
    from scriptrun.config.environments.environment import Environment
    from scriptrun.config.environments.sections import PythonSection

    pass

#: settings of run_config that are arguments of the ScriptRunConfig
_SCRIPT_SETTINGS = {f"config.run_config.{name}" for name in ("script", "arguments", "command")}


class Code(NamedTuple):
    """A script that submits a job; ``lost`` describes each setting that it lacks."""

    text: str
    lost: list[str]


class Parts(NamedTuple):
    """The parts of the code that creates a ScriptRunConfig.

    ``environment`` has the lines that create ``environment`` (empty for the default environment),
    ``arguments`` the ScriptRunConfig's arguments, and ``later_lines`` set more on ``config``.
    ``names`` are the names to import; ``lost`` describes each setting that cannot be expressed.
    """

    environment: list[str]
    arguments: dict[str, str]
    later_lines: list[str]
    names: set[str]
    lost: list[str]


def code(config: ScriptRunConfig, experiment: str, sweep: HyperDriveConfig | None = None) -> Code:
    """A script that submits ``config``, or the ``sweep`` of it, to ``experiment``."""
    sweep_lines, names = sweeps.code(sweep) if sweep is not None else ([], set[str]())
    config_parts = parts(config)
    imports = _imports({"Experiment", "Workspace", *names, *config_parts.names})
    variable = "config" if sweep is None else "sweep"
    body = [*imports, "", "ws = Workspace.from_config()", *_config_lines(config_parts)]
    body += [*sweep_lines, f"run = Experiment(ws, {experiment!r}).submit({variable})"]
    body += ["run.wait_for_completion()"]
    return Code("\n".join(body) + "\n", config_parts.lost)


def parts(config: ScriptRunConfig) -> Parts:
    """The parts of the code that makes ``config``."""
    run = config.run_config
    lines, names = _environment_lines(run.environment)
    distributed = config.distributed_job_config or _find_distribution(run)
    arguments: dict[str, object] = {
        "source_directory": config.source_directory,
        "script": config.script or run.script,
        "arguments": config.arguments or run.arguments,
        "command": config.command or run.command,
        "compute_target": getattr(run.target, "name", run.target),
        "distributed_job_config": distributed,
        "max_run_duration_seconds": run.max_run_duration_seconds,
    }
    present = {name: value for name, value in arguments.items() if value}
    unsupported = [
        name for name, value in present.items() if not (value is distributed or _is_plain(value))
    ]
    lost = [f"{name}: {present.pop(name)!r}" for name in unsupported]
    rendered = {name: literal(value) for name, value in present.items()}
    if distributed is not None:
        names.add(type(distributed).__name__)
    if lines:
        rendered["environment"] = "environment"
    result = Parts(lines, rendered, _extra_lines(run, names), {"ScriptRunConfig", *names}, lost)
    namespace: dict[str, Any] = {}
    exec("\n".join([*_imports(result.names), *_config_lines(result)]), namespace)
    result.later_lines.extend(
        _setting_lines("config.run_config", run, namespace["config"].run_config, result.lost)
    )
    return result


def _find_distribution(run: RunConfiguration) -> Section | None:
    """The ``distributed_job_config`` that is equivalent to the settings of ``run``, or None."""
    configuration = distributed_section(run)
    nodes = getattr(configuration, "worker_count", getattr(configuration, "node_count", None))
    return configuration if nodes == run.node_count else None


def _imports(names: set[str]) -> list[str]:
    other = names & {"DataReferenceConfiguration"}
    lines = [f"from scriptrun import {', '.join(sorted(names - other))}"]
    if other:
        lines.append("from scriptrun.config.data_sections import DataReferenceConfiguration")
    return lines


def _config_lines(config_parts: Parts) -> list[str]:
    arguments = [f"    {name}={text}," for name, text in config_parts.arguments.items()]
    return [
        *config_parts.environment,
        "config = ScriptRunConfig(",
        *arguments,
        ")",
        *config_parts.later_lines,
    ]


def _setting_lines(prefix: str, expected: Section, actual: Section, lost: list[str]) -> list[str]:
    """Lines that set what ``actual`` lacks of ``expected``; other differences go to ``lost``."""
    lines = []
    for name, value in expected.values().items():
        actual_value = actual.values()[name]
        if value == actual_value or f"{prefix}.{name}" in _SCRIPT_SETTINGS:
            continue
        if name == "conda_dependencies_file" and expected.missing_file is None:
            continue  # its packages are listed instead
        if isinstance(value, Section) and type(value) is type(actual_value):
            lines += _setting_lines(f"{prefix}.{name}", value, actual_value, lost)
        elif name == "password":
            lost.append(f"{prefix}.{name}: set it at run time, not in source code")
        elif _is_plain(value):
            lines.append(f"{prefix}.{name} = {literal(value)}")
        else:
            lost.append(f"{prefix}.{name}: {value!r}")
    return lines


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    return value is None or isinstance(value, str | int | float)


def _environment_lines(environment: Environment) -> tuple[list[str], set[str]]:
    """The lines that create it (none for the default environment), and the names they need."""
    if environment == RunConfiguration().environment:
        return [], set()
    conda = environment.python.conda_dependencies
    name = environment.name or DEFAULT_ENVIRONMENT
    lines = [f"environment = Environment({name!r})"]
    if environment.python.user_managed_dependencies:
        lines.append("environment.python.user_managed_dependencies = True")
    elif _is_in_file(environment.python):
        arguments = f"{name!r}, {environment.python.conda_dependencies_file!r}"
        lines = [f"environment = Environment.from_conda_specification({arguments})"]
    elif environment.python.missing_file is None:
        python = conda.get_python_version()
        conda_packages = [spec for spec in conda.conda_packages if not _is_python(spec)]
        pip_packages = list(conda.pip_packages)
        packages: dict[str, object] = {
            "conda_packages": conda_packages,
            "pip_packages": pip_packages,
            "python_version": python,
        }
        arguments = _keywords({n: value for n, value in packages.items() if value})
        text = f"CondaDependencies.create({arguments})"
        if CondaDependencies.create(None, pip_packages, conda_packages, python) != conda:
            text = f"CondaDependencies.from_dict({literal(conda.as_dict())})"
        lines.append(f"environment.python.conda_dependencies = {text}")
    if not is_azure_image(environment.docker.base_image):
        lines.append(f"environment.docker.base_image = {environment.docker.base_image!r}")
    names = {"CondaDependencies"} if any("CondaDependencies" in line for line in lines) else set()
    return lines, {"Environment", *names}


def _keywords(arguments: dict[str, object]) -> str:
    return ", ".join(f"{name}={literal(value)}" for name, value in arguments.items())


def _is_in_file(python: PythonSection) -> bool:
    """Whether its conda file exists, and lists the same packages."""
    file = python.conda_dependencies_file
    if not file or not os.path.isfile(file):
        return False
    return CondaDependencies(file) == python.conda_dependencies


def _reference_code(reference: DataReferenceConfiguration) -> str:
    arguments = {
        "datastore_name": reference.data_store_name,
        "mode": reference.mode,
        "path_on_datastore": reference.path_on_data_store,
        "path_on_compute": reference.path_on_compute,
    }
    text = _keywords({n: value for n, value in arguments.items() if value is not None})
    return f"DataReferenceConfiguration({text})"


def _is_python(spec: str) -> bool:
    return conda_name(spec) == "python"


def _extra_lines(run: RunConfiguration, names: set[str]) -> list[str]:
    lines = []
    if run.data_references:
        names.add("DataReferenceConfiguration")
        lines += ["config.run_config.data_references = {"]
        lines += [
            f"    {name!r}: {_reference_code(reference)},"
            for name, reference in run.data_references.items()
        ]
        lines += ["}"]
    if run.environment_variables:
        variables = literal(run.environment_variables)
        lines.append(f"config.run_config.environment_variables = {variables}")
    if run.docker.use_docker:
        names.add("DockerConfiguration")
        settings: dict[str, object] = {"use_docker": True, "shm_size": run.docker.shm_size}
        settings["arguments"] = list(run.docker.arguments or ())
        text = _keywords({n: value for n, value in settings.items() if value})
        lines.append(f"config.run_config.docker = DockerConfiguration({text})")
    return lines
