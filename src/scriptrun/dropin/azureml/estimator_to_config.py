"""Translates an Estimator's settings into a ScriptRunConfig."""

from __future__ import annotations

import os

from scriptrun.config import frameworks
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments import curated
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import Environment
from scriptrun.config.environments.images import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE
from scriptrun.config.environments.requirement_files import read_requirements
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import Distributed, ScriptRunConfig
from scriptrun.data.datasets.consumption import DatasetConsumptionConfig
from scriptrun.data.datastores.references import DataReference
from scriptrun.spec.errors import refuse
from scriptrun.spec.library_values import plain_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

Settings = dict[str, "Any"]

#: the settings that environment_definition replaces
_ENVIRONMENTS = (
    "use_gpu",
    "custom_docker_base_image",
    "custom_docker_image",
    "image_registry_details",
    "user_managed",
    "conda_packages",
    "pip_packages",
    "conda_dependencies_file_path",
    "pip_requirements_file_path",
    "conda_dependencies_file",
    "pip_requirements_file",
    "shm_size",
)


def check(settings: Settings) -> None:
    """Raise RunConfigurationException listing all problems."""
    problems = []
    if settings["compute_target"] is None and not settings["vm_size"]:
        problems.append("an Estimator requires compute_target (or vm_size)")
    is_distributed = settings["node_count"] > 1 or settings["process_count_per_node"] > 1
    if is_distributed and not (settings["distributed_training"] or settings["distributed_backend"]):
        problems.append(
            "node_count or process_count_per_node above 1 requires distributed_training, e.g. Mpi()"
        )
    if settings["environment_definition"] is not None:
        clashing = [name for name in _ENVIRONMENTS if settings[name]]
        if clashing:
            problems.append(f"environment_definition cannot be combined with {', '.join(clashing)}")
    problems += _outside_source(settings)
    refuse(problems, "Cannot create this Estimator")


def _outside_source(settings: Settings) -> list[str]:
    """Return a problem for each package file outside the source directory."""
    names = [name for name in _ENVIRONMENTS if "_file" in name and settings[name]]
    folder = os.path.abspath(settings["source_directory"] or ".")
    outside = [
        name
        for name in names
        if not os.path.abspath(os.path.join(folder, settings[name])).startswith(folder + os.sep)
    ]
    return [
        f"{name}={settings[name]!r} is outside the source directory; move it there"
        for name in outside
    ]


def translate(settings: Settings, family: tuple[str, str]) -> ScriptRunConfig:
    """Return the ScriptRunConfig for ``settings``; ``family`` is a framework and its version."""
    config = ScriptRunConfig(
        source_directory=settings["source_directory"],
        script=settings["entry_script"],
        arguments=flatten_parameters(settings["script_params"] or {}),
        compute_target=settings["compute_target"],
        environment=settings["environment_definition"] or build_environment(settings, family),
        distributed_job_config=build_distribution(settings),
        resume_from=settings["resume_from"],
        max_run_duration_seconds=settings["max_run_duration_seconds"],
    )
    run_config = config.run_config
    run_config.environment_variables.update(settings["environment_variables"] or {})
    store = settings["source_directory_data_store"]
    if store is not None:
        run_config.source_directory_data_store = getattr(store, "name", store)
    for job_input in settings["inputs"] or []:
        _add_input(run_config, job_input)
    return config


def _add_input(run_config: RunConfiguration, job_input: object) -> None:
    """Add one of the Estimator's ``inputs`` to the job."""
    if isinstance(job_input, DataReference):
        references: dict[str, Any] = run_config.data_references
        references[job_input.data_reference_name] = job_input.to_config()
    elif isinstance(job_input, DatasetConsumptionConfig):
        inputs: dict[str, Any] = run_config.data
        inputs[job_input.name] = job_input
    else:
        raise NotImplementedError(
            "inputs= requires data references or named datasets. Name the dataset: "
            "dataset.as_named_input('data')."
        )


def flatten_parameters(script_params: Mapping[str, object]) -> list[object]:
    """Return flags and values in order: None or "" adds only the flag, a list all its items.

    An array counts as a list, and numpy's numbers as Python's where their texts are the same.
    """
    words: list[object] = []
    for flag, given in script_params.items():
        words.append(flag)
        plain = plain_value(given)
        is_exact = plain is given or isinstance(plain, list) or str(plain) == str(given)
        value = plain if is_exact else given
        if isinstance(value, list):
            words += value
        elif value is not None and not (isinstance(value, str) and value == ""):
            words.append(value)
    return words


def build_environment(settings: Settings, family: tuple[str, str]) -> Environment:
    """Return the framework's curated environment, or an empty one, plus the packages."""
    result = _base_environment(settings, family)
    conda = _conda_dependencies(settings, result.python.conda_dependencies)
    result.python.conda_dependencies = conda
    result.python.user_managed_dependencies = bool(settings["user_managed"])
    image = settings["custom_docker_image"] or settings["custom_docker_base_image"]
    if image:
        result.docker.base_image = image
    elif settings["use_gpu"] and result.docker.base_image == DEFAULT_CPU_IMAGE:
        result.docker.base_image = DEFAULT_GPU_IMAGE
    if settings["image_registry_details"] is not None:
        result.docker.base_image_registry = settings["image_registry_details"]
    if settings["shm_size"]:
        result.docker.shm_size = settings["shm_size"]
    return result


def _base_environment(settings: Settings, family: tuple[str, str]) -> Environment:
    name, version = family
    curated_name = frameworks.curated_name(name, version, settings["use_gpu"]) if name else ""
    curated_environment = curated.get(curated_name) if curated_name else None
    if curated_environment is None or settings["user_managed"]:
        return Environment(frameworks.environment_name(""))
    return curated_environment.clone(frameworks.environment_name(name))


def _conda_dependencies(settings: Settings, base: CondaDependencies) -> CondaDependencies:
    folder = os.fspath(settings["source_directory"] or ".")
    conda_file = settings["conda_dependencies_file"] or settings["conda_dependencies_file_path"]
    pip_file = settings["pip_requirements_file"] or settings["pip_requirements_file_path"]
    conda = base
    if conda_file:
        conda = CondaDependencies(os.path.join(folder, conda_file))
        for package in base.pip_packages:
            conda.add_pip_package(package)
    for package in read_requirements(os.path.join(folder, pip_file)) if pip_file else []:
        conda.add_pip_package(package)
    for package in settings["pip_packages"] or []:
        conda.add_pip_package(package)
    for package in settings["conda_packages"] or []:
        conda.add_conda_package(package)
    return conda


def build_distribution(settings: Settings) -> Distributed | None:
    """Return the distribution in ``distributed_training`` or the older ``distributed_backend``."""
    requested = settings["distributed_training"] or settings["distributed_backend"]
    if not requested:
        return None
    if isinstance(requested, TensorflowConfiguration):
        return requested
    if isinstance(requested, PyTorchConfiguration):
        nodes = max(requested.node_count, settings["node_count"])
        return PyTorchConfiguration(requested.communication_backend, requested.process_count, nodes)
    name = requested if isinstance(requested, str) else type(requested).__name__
    kind = name.lower().removesuffix("configuration")
    nodes = max(settings["node_count"], getattr(requested, "node_count", 1))
    if kind == "mpi":
        processes = max(
            settings["process_count_per_node"], getattr(requested, "process_count_per_node", 1)
        )
        return MpiConfiguration(process_count_per_node=processes, node_count=nodes)
    if kind in ("ps", "parameterserver"):
        counts = settings if isinstance(requested, str) else vars(requested)
        workers, servers = int(counts["worker_count"]), int(counts["parameter_server_count"])
        return TensorflowConfiguration(worker_count=workers, parameter_server_count=servers)
    return PyTorchConfiguration(communication_backend=kind, node_count=nodes)
