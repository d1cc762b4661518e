"""Import other systems' job files: Azure ML v2 YAML, .runconfig and MLproject."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from scriptrun.config.data_sections import DataReferenceConfiguration
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import Environment
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import Distributed, ScriptRunConfig
from scriptrun.config.sections import DockerConfiguration
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.migration.formats import shapes, sweeps
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value, fresh

_STORED = re.compile(r"azureml://datastores/(?P<store>[^/]+)/paths/(?P<path>.*)")
_PLACE = re.compile(r"\$\{\{\s*(inputs|outputs)\.(\w+)\s*\}\}")
#: the fields of a command job that are imported, or reported individually
_TAKEN = {
    *("$schema", "type", "name", "display_name", "experiment_name", "description", "tags"),
    *("code", "command", "inputs", "outputs", "environment", "environment_variables"),
    *("compute", "distribution", "resources", "limits"),
}
_OF_SWEEP = {
    *("type", "trial", "sampling_algorithm", "search_space", "objective", "early_termination"),
    "limits",
}
_MODES = {"download": "download", "upload": "upload", "rw_mount": "upload"}


class Imported(Value, frozen=False):
    """An imported job: its ``config`` and the experiment's name; ``sweep`` for a sweep job.

    ``lost`` describes each part of the file that was not imported.
    """

    config: ScriptRunConfig
    experiment: str
    lost: list[str] = fresh(default_factory=list)
    sweep: HyperDriveConfig | None = None


def read(path: str | os.PathLike[str], parameters: dict[str, str] | None = None) -> Imported:
    """Import the job file ``path``; its name and content determine the format.

    ``parameters`` are values for an MLproject's parameters. Raises UserErrorException if the file
    is not a supported job file.
    """
    place = Path(path)
    place = place / "MLproject" if place.is_dir() else place
    if not place.is_file():
        raise UserErrorException(f"File {str(place)!r} does not exist.", "Give a job file.")
    if place.suffix == ".runconfig":
        return _runconfig(place)
    found = _yaml(place)
    if "entry_points" in found or place.name == "MLproject":
        return _mlproject(place, found, parameters or {})
    if found.get("type") == "sweep" or "search_space" in found:
        return _v2_sweep(place, found)
    if found.get("type") == "command" or "command" in found:
        return _v2(place, found)
    raise UserErrorException(
        f"{str(place)!r} is not a supported job file.",
        "Supported: Azure ML v2 command and sweep jobs, .runconfig files and MLproject files.",
    )


def _yaml(place: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(place.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UserErrorException(f"{str(place)!r} is not valid YAML: {error}") from None
    if not isinstance(found, dict):
        raise UserErrorException(
            f"{str(place)!r} is not a job: expected a mapping of names to values."
        )
    return found


def _runconfig(place: Path) -> Imported:
    run = RunConfiguration.load(str(place.parent), place.name)
    source = (
        place.parent.parent if place.parent.name in (".azureml", "aml_config") else place.parent
    )
    return Imported(ScriptRunConfig(str(source), run_config=run), _plain(place.stem))


def _v2_sweep(place: Path, found: dict[str, Any]) -> Imported:
    shapes.check(place, found, shapes.SWEEP, ("trial", "search_space", "objective"))
    limits = found.get("limits") or {}
    common = {name: each for name, each in found.items() if name not in _OF_SWEEP}
    trial = {**common, **found["trial"], "type": "command"}
    shapes.check(place, trial, shapes.COMMAND, ("command",))
    trial["command"], flags = sweeps.without_parameters(trial["command"])
    trial["limits"] = {"timeout": limits["trial_timeout"]} if limits.get("trial_timeout") else {}
    made = _v2(place, trial)
    made.sweep = sweeps.read(found, made.config, flags, made.lost)
    return made


def _v2(place: Path, found: dict[str, Any]) -> Imported:
    shapes.check(place, found, shapes.COMMAND, ("command",))
    lost: list[str] = []
    lost += [f"{name}: {found[name]!r}" for name in found if name not in _TAKEN]
    references: dict[str, DataReferenceConfiguration] = {}
    values = _inputs(found, references, lost)
    config = ScriptRunConfig(
        str((place.parent / str(found.get("code") or ".")).resolve()),
        command=_PLACE.sub(lambda m: values.get(m[2], m[0]), found["command"]),
        compute_target=_target(found.get("compute")),
        environment=_environment(place, found.get("environment"), lost),
        distributed_job_config=_distribution(found, lost),
        max_run_duration_seconds=(found.get("limits") or {}).get("timeout"),
        docker_runtime_config=_docker(found.get("resources") or {}),
    )
    run = config.run_config
    run.data_references = references
    run.environment_variables = {
        str(name): str(value) for name, value in (found.get("environment_variables") or {}).items()
    }
    if found.get("tags"):
        lost.append(f"the tags {found['tags']!r}: pass them to Experiment.submit")
    name = found.get("experiment_name") or found.get("display_name") or place.stem
    return Imported(config, _plain(str(name)), lost)


def _inputs(
    found: dict[str, Any], references: dict[str, DataReferenceConfiguration], lost: list[str]
) -> dict[str, str]:
    """The text that replaces each input and output in the command."""
    values = {}
    for side in ("inputs", "outputs"):
        for name, given in (found.get(side) or {}).items():
            values[name] = _value(side, name, given, references, lost)
    for match in re.finditer(r"\$\{\{[^}]*\}\}", found["command"]):
        named = _PLACE.fullmatch(match[0])
        if named is None or named[2] not in values:
            lost.append(f"{match[0]} in the command: the job does not define it")
    return values


def _value(
    side: str,
    name: str,
    given: Any,
    references: dict[str, DataReferenceConfiguration],
    lost: list[str],
) -> str:
    if not isinstance(given, dict):
        return shlex.quote(str(given))
    if given.get("path") is None and given.get("default") is not None:
        return shlex.quote(str(given["default"]))
    path = str(given.get("path") or "")
    stored = _STORED.match(path)
    mode = str(given.get("mode") or ("rw_mount" if side == "outputs" else "ro_mount"))
    if stored or side == "outputs":
        references[name] = DataReferenceConfiguration(
            datastore_name=stored["store"] if stored else "workspaceblobstore",
            mode=_MODES.get(mode, "mount"),
            path_on_datastore=stored["path"] if stored else f"outputs/{name}",
        )
        return f"$AZUREML_DATAREFERENCE_{name}"
    if path and "://" not in path and not path.startswith("azureml:"):
        return shlex.quote(path)
    lost.append(f"the input {name!r} ({path or 'no path'}): register it as a dataset and pass that")
    return f"$DATA_{name.upper()}"


def _target(compute: Any) -> str:
    return str(compute or "local").removeprefix("azureml:")


def _environment(place: Path, given: Any, lost: list[str]) -> Environment | None:
    if isinstance(given, str):
        lost.append(
            f"the environment {given!r} is Azure's: use one of yours, or specify its packages"
        )
        return None
    if not isinstance(given, dict):
        return None
    made = Environment(str(given.get("name") or place.stem))
    conda = given.get("conda_file")
    if isinstance(conda, dict):
        made.python.conda_dependencies = CondaDependencies.from_dict(conda)
    elif conda:
        made.python.conda_dependencies = CondaDependencies(str(place.parent / conda))
    if given.get("image"):
        made.docker.base_image = str(given["image"])
        made.python.user_managed_dependencies = not conda
    if given.get("build"):
        lost.append(f"the image's build: {given['build']!r}")
    return made


def _distribution(found: dict[str, Any], lost: list[str]) -> Distributed | None:
    given = found.get("distribution")
    nodes = int((found.get("resources") or {}).get("instance_count") or 1)
    if not given:
        return MpiConfiguration(1, nodes) if nodes > 1 else None
    kind = str(given.get("type") or "").lower()
    each = int(given.get("process_count_per_instance") or 1)
    if kind == "pytorch":
        return PyTorchConfiguration("Gloo", each * nodes, nodes)
    if kind == "mpi":
        return MpiConfiguration(each, nodes)
    if kind == "tensorflow":
        servers = int(given.get("parameter_server_count") or 0)
        return TensorflowConfiguration(int(given.get("worker_count") or 1), servers)
    lost.append(f"the distribution {kind!r}")
    return None


def _docker(resources: dict[str, Any]) -> DockerConfiguration | None:
    shm, given = resources.get("shm_size"), resources.get("docker_args")
    if not shm and not given:
        return None
    words = shlex.split(given) if isinstance(given, str) else list(given or ())
    return DockerConfiguration(use_docker=True, shm_size=shm, arguments=words)


def _mlproject(place: Path, found: dict[str, Any], parameters: dict[str, str]) -> Imported:
    """Import an MLflow project: https://mlflow.org/docs/latest/projects.html"""
    shapes.check(place, found, shapes.PROJECT, ("entry_points",))
    lost: list[str] = []
    entries = found["entry_points"]
    if not entries:
        raise UserErrorException(f"{str(place)!r} has no entry_points.", "Add one to run.")
    name = "main" if "main" in entries else next(iter(entries))
    lost += [f"the entry point {other!r}" for other in entries if other != name]
    entry = entries[name] if isinstance(entries[name], dict) else {}
    shapes.check(place, entry, {"command": shapes.TEXT, "parameters": shapes.MAPPING}, ("command",))
    unknown = sorted(set(parameters) - set(entry.get("parameters") or {}))
    if unknown:
        known = ", ".join(entry.get("parameters") or {}) or "none"
        raise UserErrorException(
            f"Entry point {name!r} has no parameter {unknown[0]!r}.", f"Parameters: {known}."
        )
    values = {key: _default(key, given, parameters, lost) for key, given in
              (entry.get("parameters") or {}).items()}  # fmt: skip
    command = re.sub(
        r"\{(\w+)\}", lambda m: shlex.quote(values.get(m[1], m[0])), str(entry["command"])
    )
    if found.get("docker_env"):
        lost.append(f"docker_env: {found['docker_env']!r}")
    environment = _project_environment(place, found)
    config = ScriptRunConfig(str(place.parent.resolve()), command=command, environment=environment)
    return Imported(config, _plain(str(found.get("name") or place.parent.name)), lost)


def _default(key: str, given: Any, parameters: dict[str, str], lost: list[str]) -> str:
    if key in parameters:
        return str(parameters[key])
    if isinstance(given, dict) and "default" in given:
        return str(given["default"])
    lost.append(f"the parameter {key!r} has no default: set it with --param {key}=VALUE")
    return f"{{{key}}}"


def _project_environment(place: Path, found: dict[str, Any]) -> Environment | None:
    named = _plain(str(found.get("name") or "project"))
    if found.get("conda_env"):
        return Environment.from_conda_specification(named, str(place.parent / found["conda_env"]))
    if found.get("python_env"):
        given = _yaml(place.parent / found["python_env"])
        made = Environment(named)
        packages = [str(each) for each in given.get("dependencies") or ()]
        flat = [line for each in packages for line in _requirements(place.parent, each)]
        python = str(given["python"]) if given.get("python") else None
        made.python.conda_dependencies = CondaDependencies.create(
            pip_packages=flat, python_version=python, pin_sdk_version=False
        )
        return made
    return None


def _requirements(folder: Path, text: str) -> list[str]:
    if not text.startswith("-r"):
        return [text]
    lines = (folder / text[2:].strip()).read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-") or "imported"
