"""Convert a ScriptRunConfig to Python code that creates it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from scriptrun.config.environments.conda_dependencies import CondaDependencies, conda_name
from scriptrun.config.environments.images import is_azure_image
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig, distributed_section
from scriptrun.config.section_base import Section
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.migration.formats import sweeps

#: settings of run_config that are arguments of the ScriptRunConfig
_ELSEWHERE = {f"config.run_config.{name}" for name in ("script", "arguments", "command")}


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
    words: dict[str, str]
    after: list[str]
    names: set[str]
    lost: list[str]


def code(config: ScriptRunConfig, experiment: str, sweep: HyperDriveConfig | None = None) -> Code:
    """A script that submits ``config``, or the ``sweep`` of it, to ``experiment``."""
    more, names = sweeps.code(sweep) if sweep is not None else ([], set[str]())
    made = parts(config)
    imports = _imports({"Experiment", "Workspace", *names, *made.names})
    what = "config" if sweep is None else "sweep"
    body = [*imports, "", "ws = Workspace.from_config()", *_lines(made)]
    body += [*more, f"run = Experiment(ws, {experiment!r}).submit({what})"]
    body += ["run.wait_for_completion()"]
    return Code("\n".join(body) + "\n", made.lost)


def parts(config: ScriptRunConfig) -> Parts:
    """The parts of the code that makes ``config``."""
    run = config.run_config
    lines, names = _environment(run.environment)
    distributed = config.distributed_job_config or _distributed(run)
    words: dict[str, Any] = {
        "source_directory": config.source_directory,
        "script": config.script or run.script,
        "arguments": config.arguments or run.arguments,
        "command": config.command or run.command,
        "compute_target": getattr(run.target, "name", run.target),
        "distributed_job_config": distributed,
        "max_run_duration_seconds": run.max_run_duration_seconds,
    }
    given = {name: value for name, value in words.items() if value}
    odd = [name for name, value in given.items() if not (value is distributed or _is_plain(value))]
    lost = [f"{name}: {given.pop(name)!r}" for name in odd]
    shown = {name: repr(value) for name, value in given.items()}
    if distributed is not None:
        names.add(type(distributed).__name__)
    if lines:
        shown["environment"] = "environment"
    made = Parts(lines, shown, _more(run, names), {"ScriptRunConfig", *names}, lost)
    built: dict[str, Any] = {}
    exec("\n".join([*_imports(made.names), *_lines(made)]), built)
    made.after.extend(_settings("config.run_config", run, built["config"].run_config, made.lost))
    return made


def _distributed(run: RunConfiguration) -> Any:
    """The ``distributed_job_config`` that is equivalent to the settings of ``run``, or None."""
    found: Any = distributed_section(run)
    nodes = getattr(found, "worker_count", getattr(found, "node_count", None))
    return found if nodes == run.node_count else None


def _imports(names: set[str]) -> list[str]:
    other = names & {"DataReferenceConfiguration"}
    lines = [f"from scriptrun import {', '.join(sorted(names - other))}"]
    if other:
        lines.append("from scriptrun.config.data_sections import DataReferenceConfiguration")
    return lines


def _lines(made: Parts) -> list[str]:
    shown = [f"    {name}={text}," for name, text in made.words.items()]
    return [*made.environment, "config = ScriptRunConfig(", *shown, ")", *made.after]


def _settings(place: str, meant: Section, made: Section, lost: list[str]) -> list[str]:
    """Lines that set where ``made`` differs from ``meant``; other differences go to ``lost``."""
    lines = []
    for name, value in meant.values().items():
        other = made.values()[name]
        if value == other or f"{place}.{name}" in _ELSEWHERE:
            continue
        if name == "conda_dependencies_file" and meant.missing_file is None:
            continue  # its packages are listed instead
        if isinstance(value, Section) and type(value) is type(other):
            lines += _settings(f"{place}.{name}", value, other, lost)
        elif name == "password":
            lost.append(f"{place}.{name}: set it at run time, not in source code")
        elif _is_plain(value):
            lines.append(f"{place}.{name} = {value!r}")
        else:
            lost.append(f"{place}.{name}: {value!r}")
    return lines


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    return value is None or isinstance(value, str | int | float)


def _environment(environment: Any) -> tuple[list[str], set[str]]:
    """The lines that create it (none for the default environment), and the names they need."""
    if environment == RunConfiguration().environment:
        return [], set()
    conda = environment.python.conda_dependencies
    lines = [f"environment = Environment({environment.name!r})"]
    if environment.python.user_managed_dependencies:
        lines.append("environment.python.user_managed_dependencies = True")
    elif _is_in_file(environment.python):
        given = f"{environment.name!r}, {environment.python.conda_dependencies_file!r}"
        lines = [f"environment = Environment.from_conda_specification({given})"]
    elif environment.python.missing_file is None:
        made = {
            "conda_packages": [each for each in conda.conda_packages if not _is_python(each)],
            "pip_packages": list(conda.pip_packages),
            "python_version": conda.get_python_version(),
        }
        given = ", ".join(f"{name}={value!r}" for name, value in made.items() if value)
        text = f"CondaDependencies.create({given})"
        if CondaDependencies.create(**made) != conda:
            text = f"CondaDependencies.from_dict({conda.as_dict()!r})"
        lines.append(f"environment.python.conda_dependencies = {text}")
    if not is_azure_image(environment.docker.base_image):
        lines.append(f"environment.docker.base_image = {environment.docker.base_image!r}")
    names = {"CondaDependencies"} if any("CondaDependencies" in line for line in lines) else set()
    return lines, {"Environment", *names}


def _is_in_file(python: Any) -> bool:
    """Whether its conda file exists, and lists the same packages."""
    file = python.conda_dependencies_file
    return (
        bool(file) and os.path.isfile(file) and CondaDependencies(file) == python.conda_dependencies
    )


def _reference(each: Any) -> str:
    words = {
        "datastore_name": each.data_store_name,
        "mode": each.mode,
        "path_on_datastore": each.path_on_data_store,
        "path_on_compute": each.path_on_compute,
    }
    given = ", ".join(f"{name}={value!r}" for name, value in words.items() if value is not None)
    return f"DataReferenceConfiguration({given})"


def _is_python(spec: str) -> bool:
    return conda_name(spec) == "python"


def _more(run: Any, names: set[str]) -> list[str]:
    lines = []
    if run.data_references:
        names.add("DataReferenceConfiguration")
        lines += ["config.run_config.data_references = {"]
        lines += [
            f"    {name!r}: {_reference(each)}," for name, each in run.data_references.items()
        ]
        lines += ["}"]
    if run.environment_variables:
        lines.append(f"config.run_config.environment_variables = {run.environment_variables!r}")
    if run.docker.use_docker:
        names.add("DockerConfiguration")
        given = {"use_docker": True, "shm_size": run.docker.shm_size}
        given["arguments"] = list(run.docker.arguments or ())
        text = ", ".join(f"{name}={value!r}" for name, value in given.items() if value)
        lines.append(f"config.run_config.docker = DockerConfiguration({text})")
    return lines
