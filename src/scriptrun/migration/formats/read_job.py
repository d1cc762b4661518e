"""Import other systems' job files: Azure ML v2 YAML, .runconfig and MLproject."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from scriptrun.config.data_sections import DataReferenceConfiguration
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import Environment
from scriptrun.config.environments.requirement_files import expand_lines
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import Distributed, ScriptRunConfig
from scriptrun.config.sections import DockerConfiguration
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.config.yaml_text import plain
from scriptrun.migration.formats import shapes, sweeps
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value, fresh
from scriptrun.store import document_limits, yaml_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_DATASTORE_URI = re.compile(r"azureml://datastores/(?P<store>[^/]+)/paths/(?P<path>.*)")
_PLACEHOLDER = re.compile(r"\$\{\{\s*(inputs|outputs)\.(\w+)\s*\}\}")
#: the fields of a command job that are imported, or reported individually
_HANDLED_FIELDS = {
    *("$schema", "type", "name", "display_name", "experiment_name", "description", "tags"),
    *("code", "command", "inputs", "outputs", "environment", "environment_variables"),
    *("compute", "distribution", "resources", "limits"),
}
_SWEEP_FIELDS = {
    *("type", "trial", "sampling_algorithm", "search_space", "objective", "early_termination"),
    "limits",
}
_MODES = {"download": "download", "upload": "upload", "rw_mount": "upload"}


class ImportedJob(Value, frozen=False):
    """An imported job: its ``config`` and the experiment's name; ``sweep`` for a sweep job.

    ``lost`` describes each part of the file that was not imported.
    """

    config: ScriptRunConfig
    experiment: str
    lost: list[str] = fresh(default_factory=list)
    sweep: HyperDriveConfig | None = None


def read(path: str | os.PathLike[str], parameters: dict[str, str] | None = None) -> ImportedJob:
    """Import the job file ``path``; its name and content determine the format.

    ``parameters`` are values for an MLproject's parameters. Raises UserErrorException if the file
    is not a supported job file.
    """
    file = Path(path)
    file = file / "MLproject" if file.is_dir() else file
    if not file.is_file():
        raise UserErrorException(f"File {str(file)!r} does not exist.", "Give a job file.")
    if file.suffix == ".runconfig":
        return _read_runconfig(file)
    document = _read_yaml(file)
    if "entry_points" in document or file.name == "MLproject":
        return _read_mlproject(file, document, parameters or {})
    if document.get("type") == "sweep" or "search_space" in document:
        return _read_v2_sweep(file, document)
    if document.get("type") == "command" or "command" in document:
        return _read_v2(file, document)
    raise UserErrorException(
        f"{str(file)!r} is not a supported job file.",
        "Supported: Azure ML v2 command and sweep jobs, .runconfig files and MLproject files.",
    )


def _read_yaml(file: Path) -> Json:
    try:
        document = yaml_reader.parse(document_limits.read_text(file), keep_text=True)
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserErrorException(f"Cannot read {str(file)!r}: {reason}.") from None
    if not isinstance(document, dict):
        raise UserErrorException(
            f"{str(file)!r} is not a job: expected a mapping of names to values."
        )
    return document


def _read_runconfig(file: Path) -> ImportedJob:
    run = RunConfiguration.load(str(file.parent), file.name)
    source = file.parent.parent if file.parent.name in (".azureml", "aml_config") else file.parent
    return ImportedJob(ScriptRunConfig(str(source), run_config=run), _plain_name(file.stem))


def _read_v2_sweep(file: Path, document: Json) -> ImportedJob:
    shapes.check(file, document, shapes.SWEEP, ("trial", "search_space", "objective"))
    limits = document.get("limits") or {}
    common = {name: value for name, value in document.items() if name not in _SWEEP_FIELDS}
    trial = {**common, **document["trial"], "type": "command"}
    shapes.check(file, trial, shapes.COMMAND, ("command",))
    trial["command"], flags = sweeps.split_parameters(trial["command"])
    trial["limits"] = {"timeout": limits["trial_timeout"]} if limits.get("trial_timeout") else {}
    job = _read_v2(file, trial)
    job.sweep = sweeps.read(document, job.config, flags, job.lost)
    return job


def _read_v2(file: Path, document: Json) -> ImportedJob:
    shapes.check(file, document, shapes.COMMAND, ("command",))
    lost: list[str] = []
    lost += [
        f"{name}: {plain(document[name])!r}" for name in document if name not in _HANDLED_FIELDS
    ]
    references: dict[str, DataReferenceConfiguration] = {}
    values = _input_values(document, references, lost)
    config = ScriptRunConfig(
        str((file.parent / str(document.get("code") or ".")).resolve()),
        command=_PLACEHOLDER.sub(lambda m: values.get(m[2], m[0]), document["command"]),
        compute_target=_target(document.get("compute")),
        environment=_environment(file, document.get("environment"), lost),
        distributed_job_config=_distribution(document, lost),
        max_run_duration_seconds=(document.get("limits") or {}).get("timeout"),
        docker_runtime_config=_docker(document.get("resources") or {}),
    )
    run = config.run_config
    run.data_references = references
    run.environment_variables = {
        str(name): "" if value is None else str(value)
        for name, value in (document.get("environment_variables") or {}).items()
    }
    if document.get("tags"):
        lost.append(f"the tags {document['tags']!r}: pass them to Experiment.submit")
    name = document.get("experiment_name") or document.get("display_name") or file.stem
    return ImportedJob(config, _plain_name(str(name)), lost)


def _input_values(
    document: Json, references: dict[str, DataReferenceConfiguration], lost: list[str]
) -> dict[str, str]:
    """The text that replaces each input and output in the command."""
    values = {}
    for side in ("inputs", "outputs"):
        for name, value in (document.get(side) or {}).items():
            values[name] = _input_value(side, name, value, references, lost)
    for match in re.finditer(r"\$\{\{[^}]*\}\}", document["command"]):
        placeholder = _PLACEHOLDER.fullmatch(match[0])
        if placeholder is None or placeholder[2] not in values:
            lost.append(f"{match[0]} in the command: the job does not define it")
    return values


def _input_value(
    side: str,
    name: str,
    value: object,
    references: dict[str, DataReferenceConfiguration],
    lost: list[str],
) -> str:
    if not isinstance(value, dict):
        return shlex.quote(_text(value))
    if value.get("path") is None and value.get("default") is not None:
        return shlex.quote(_text(value["default"]))
    path = str(value.get("path") or "")
    datastore = _DATASTORE_URI.match(path)
    mode = str(value.get("mode") or ("rw_mount" if side == "outputs" else "ro_mount"))
    if datastore or side == "outputs":
        references[name] = DataReferenceConfiguration(
            datastore_name=datastore["store"] if datastore else "workspaceblobstore",
            mode=_MODES.get(mode, "mount"),
            path_on_datastore=datastore["path"] if datastore else f"outputs/{name}",
        )
        return f"$AZUREML_DATAREFERENCE_{name}"
    if path and "://" not in path and not path.startswith("azureml:"):
        return shlex.quote(path)
    lost.append(f"the input {name!r} ({path or 'no path'}): register it as a dataset and pass that")
    return f"$DATA_{name.upper()}"


def _text(value: object) -> str:
    """A value of the file as the command has it: null is not Python's None."""
    return "null" if value is None else str(value)


def _target(compute: object) -> str:
    return str(compute or "local").removeprefix("azureml:")


def _environment(file: Path, spec: object, lost: list[str]) -> Environment | None:
    if isinstance(spec, str):
        lost.append(
            f"the environment {spec!r} exists only in Azure; use your own, or specify its packages"
        )
        return None
    if not isinstance(spec, dict):
        return None
    environment = Environment(str(spec.get("name") or file.stem))
    conda = spec.get("conda_file")
    if isinstance(conda, dict):
        environment.python.conda_dependencies = CondaDependencies.from_dict(conda)
    elif conda:
        environment.python.conda_dependencies = CondaDependencies(str(file.parent / conda))
    if spec.get("image"):
        environment.docker.base_image = str(spec["image"])
        environment.python.user_managed_dependencies = not conda
    if spec.get("build"):
        lost.append(f"the image's build: {spec['build']!r}")
    return environment


def _distribution(document: Json, lost: list[str]) -> Distributed | None:
    spec = document.get("distribution")
    nodes = int((document.get("resources") or {}).get("instance_count") or 1)
    if not spec:
        return MpiConfiguration(1, nodes) if nodes > 1 else None
    kind = str(spec.get("type") or "").lower()
    processes = int(spec.get("process_count_per_instance") or 1)
    if kind == "pytorch":
        return PyTorchConfiguration("Gloo", processes * nodes, nodes)
    if kind == "mpi":
        return MpiConfiguration(processes, nodes)
    if kind == "tensorflow":
        servers = int(spec.get("parameter_server_count") or 0)
        return TensorflowConfiguration(int(spec.get("worker_count") or 1), servers)
    lost.append(f"the distribution {kind!r}")
    return None


def _docker(resources: Json) -> DockerConfiguration | None:
    shm, docker_args = resources.get("shm_size"), resources.get("docker_args")
    if not shm and not docker_args:
        return None
    arguments = (
        shlex.split(docker_args) if isinstance(docker_args, str) else list(docker_args or ())
    )
    return DockerConfiguration(use_docker=True, shm_size=shm, arguments=arguments)


def _read_mlproject(file: Path, document: Json, parameters: dict[str, str]) -> ImportedJob:
    """Import an MLflow project: https://mlflow.org/docs/latest/projects.html"""
    shapes.check(file, document, shapes.PROJECT, ("entry_points",))
    lost: list[str] = []
    entries = document["entry_points"]
    if not entries:
        raise UserErrorException(f"{str(file)!r} has no entry_points.", "Add one to run.")
    name = "main" if "main" in entries else next(iter(entries))
    lost += [f"the entry point {other!r}" for other in entries if other != name]
    entry = entries[name] if isinstance(entries[name], dict) else {}
    shapes.check(file, entry, {"command": shapes.TEXT, "parameters": shapes.MAPPING}, ("command",))
    unknown = sorted(set(parameters) - set(entry.get("parameters") or {}))
    if unknown:
        available = ", ".join(entry.get("parameters") or {}) or "none"
        raise UserErrorException(
            f"Entry point {name!r} has no parameter {unknown[0]!r}.", f"Parameters: {available}."
        )
    values = {key: _default(key, spec, parameters, lost) for key, spec in
              (entry.get("parameters") or {}).items()}  # fmt: skip
    command = re.sub(
        r"\{(\w+)\}", lambda m: shlex.quote(values.get(m[1], m[0])), str(entry["command"])
    )
    if document.get("docker_env"):
        lost.append(f"docker_env: {document['docker_env']!r}")
    environment = _project_environment(file, document)
    config = ScriptRunConfig(str(file.parent.resolve()), command=command, environment=environment)
    return ImportedJob(config, _plain_name(str(document.get("name") or file.parent.name)), lost)


def _default(key: str, spec: object, parameters: dict[str, str], lost: list[str]) -> str:
    if key in parameters:
        return _text(parameters[key])
    if isinstance(spec, dict) and "default" in spec:
        return _text(spec["default"])
    lost.append(f"the parameter {key!r} has no default: set it with --param {key}=VALUE")
    return f"{{{key}}}"


def _project_environment(file: Path, document: Json) -> Environment | None:
    name = _plain_name(str(document.get("name") or "project"))
    if document.get("conda_env"):
        return Environment.from_conda_specification(name, str(file.parent / document["conda_env"]))
    if document.get("python_env"):
        spec = _read_yaml(file.parent / document["python_env"])
        environment = Environment(name)
        packages = [str(dependency) for dependency in spec.get("dependencies") or ()]
        flat = expand_lines(packages, file.parent / document["python_env"])
        python = str(spec["python"]) if spec.get("python") else None
        environment.python.conda_dependencies = CondaDependencies.create(
            pip_packages=flat, python_version=python, pin_sdk_version=False
        )
        return environment
    return None


def _plain_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-") or "imported"
