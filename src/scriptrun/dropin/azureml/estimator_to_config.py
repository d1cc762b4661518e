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
from scriptrun.config.environments.requirements import read_requirements
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import Distributed, ScriptRunConfig
from scriptrun.data.datasets.consumption import DatasetConsumptionConfig
from scriptrun.data.datastores.references import DataReference
from scriptrun.spec.errors import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def check(given: Settings) -> None:
    """Raise RunConfigurationException listing all problems."""
    reasons = []
    if given["compute_target"] is None and not given["vm_size"]:
        reasons.append("an Estimator requires compute_target (or vm_size)")
    several = given["node_count"] > 1 or given["process_count_per_node"] > 1
    if several and not (given["distributed_training"] or given["distributed_backend"]):
        reasons.append(
            "node_count or process_count_per_node above 1 requires distributed_training, e.g. Mpi()"
        )
    if given["environment_definition"] is not None:
        clashing = [name for name in _ENVIRONMENTS if given[name]]
        if clashing:
            reasons.append(f"environment_definition cannot be combined with {', '.join(clashing)}")
    reasons += _misplaced(given)
    refuse(reasons, "Cannot create this Estimator")


def _misplaced(given: Settings) -> list[str]:
    """Return a problem for each package file outside the source directory."""
    names = [name for name in _ENVIRONMENTS if "_file" in name and given[name]]
    folder = os.path.abspath(given["source_directory"] or ".")
    outside = [
        name
        for name in names
        if not os.path.abspath(os.path.join(folder, given[name])).startswith(folder + os.sep)
    ]
    return [
        f"{name}={given[name]!r} is outside the source directory; move it there" for name in outside
    ]


def translated(given: Settings, family: tuple[str, str]) -> ScriptRunConfig:
    """Return the ScriptRunConfig for ``given``; ``family`` is a framework and its version."""
    config = ScriptRunConfig(
        source_directory=given["source_directory"],
        script=given["entry_script"],
        arguments=arguments(given["script_params"] or {}),
        compute_target=given["compute_target"],
        environment=given["environment_definition"] or environment(given, family),
        distributed_job_config=distributed(given),
        resume_from=given["resume_from"],
        max_run_duration_seconds=given["max_run_duration_seconds"],
    )
    run_config = config.run_config
    run_config.environment_variables.update(given["environment_variables"] or {})
    store = given["source_directory_data_store"]
    if store is not None:
        run_config.source_directory_data_store = getattr(store, "name", store)
    for each in given["inputs"] or []:
        _attach(run_config, each)
    return config


def _attach(run_config: RunConfiguration, each: Any) -> None:
    """Add one of the Estimator's ``inputs`` to the job."""
    if isinstance(each, DataReference):
        references: dict[str, Any] = run_config.data_references
        references[each.data_reference_name] = each.to_config()
    elif isinstance(each, DatasetConsumptionConfig):
        inputs: dict[str, Any] = run_config.data
        inputs[each.name] = each
    else:
        raise NotImplementedError(
            "inputs= requires data references or named datasets. Name the dataset: "
            "dataset.as_named_input('data')."
        )


def arguments(script_params: dict[str, Any]) -> list[Any]:
    """Return flags and values in order: None or "" adds only the flag, a list all its items."""
    found: list[Any] = []
    for flag, value in script_params.items():
        found.append(flag)
        if isinstance(value, list):
            found += value
        elif value is not None and not (isinstance(value, str) and value == ""):
            found.append(value)
    return found


def environment(given: Settings, family: tuple[str, str]) -> Environment:
    """Return the framework's curated environment, or an empty one, plus the packages."""
    made = _base(given, family)
    conda = _conda(given, made.python.conda_dependencies)
    made.python.conda_dependencies = conda
    made.python.user_managed_dependencies = bool(given["user_managed"])
    image = given["custom_docker_image"] or given["custom_docker_base_image"]
    if image:
        made.docker.base_image = image
    elif given["use_gpu"] and made.docker.base_image == DEFAULT_CPU_IMAGE:
        made.docker.base_image = DEFAULT_GPU_IMAGE
    if given["image_registry_details"] is not None:
        made.docker.base_image_registry = given["image_registry_details"]
    if given["shm_size"]:
        made.docker.shm_size = given["shm_size"]
    return made


def _base(given: Settings, family: tuple[str, str]) -> Environment:
    name, version = family
    curated_name = frameworks.curated_name(name, version, given["use_gpu"]) if name else ""
    found = curated.get(curated_name) if curated_name else None
    if found is None or given["user_managed"]:
        return Environment(frameworks.environment_name(""))
    return found.clone(frameworks.environment_name(name))


def _conda(given: Settings, base: CondaDependencies) -> CondaDependencies:
    folder = os.fspath(given["source_directory"] or ".")
    conda_file = given["conda_dependencies_file"] or given["conda_dependencies_file_path"]
    pip_file = given["pip_requirements_file"] or given["pip_requirements_file_path"]
    conda = base
    if conda_file:
        conda = CondaDependencies(os.path.join(folder, conda_file))
        for package in base.pip_packages:
            conda.add_pip_package(package)
    for package in read_requirements(os.path.join(folder, pip_file)) if pip_file else []:
        conda.add_pip_package(package)
    for package in given["pip_packages"] or []:
        conda.add_pip_package(package)
    for package in given["conda_packages"] or []:
        conda.add_conda_package(package)
    return conda


def distributed(given: Settings) -> Distributed | None:
    """Return the distribution in ``distributed_training`` or the older ``distributed_backend``."""
    asked = given["distributed_training"] or given["distributed_backend"]
    if not asked:
        return None
    if isinstance(asked, TensorflowConfiguration):
        return asked
    if isinstance(asked, PyTorchConfiguration):
        nodes = max(asked.node_count, given["node_count"])
        return PyTorchConfiguration(asked.communication_backend, asked.process_count, nodes)
    name = asked if isinstance(asked, str) else type(asked).__name__
    kind = name.lower().removesuffix("configuration")
    nodes = max(given["node_count"], getattr(asked, "node_count", 1))
    if kind == "mpi":
        each = max(given["process_count_per_node"], getattr(asked, "process_count_per_node", 1))
        return MpiConfiguration(process_count_per_node=each, node_count=nodes)
    if kind in ("ps", "parameterserver"):
        said = given if isinstance(asked, str) else vars(asked)
        workers, servers = int(said["worker_count"]), int(said["parameter_server_count"])
        return TensorflowConfiguration(worker_count=workers, parameter_server_count=servers)
    return PyTorchConfiguration(communication_backend=kind, node_count=nodes)
