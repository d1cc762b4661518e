"""The code of a ScriptRunConfig, to write instead of an Estimator."""

from __future__ import annotations

from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.images import is_azure_image
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.data.datasets.consumption import DatasetConsumptionConfig
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.datastores.references import DataPath, DataReference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.config.data_sections import DataReferenceConfiguration
    from scriptrun.config.environments.environment import Environment
    from scriptrun.config.run_configuration import RunConfiguration


def as_code(config: ScriptRunConfig, name: str) -> str:
    """Return the code to write instead of the Estimator ``name``; it calls the workspace ``ws``."""
    run_config = config.run_config
    target = run_config.target
    parameters = {
        "source_directory": config.source_directory,
        "script": config.script,
        "arguments": config.arguments,
        "compute_target": getattr(target, "name", target),
        "distributed_job_config": config.distributed_job_config,
        "max_run_duration_seconds": run_config.max_run_duration_seconds,
        "resume_from": config.resume_from,
    }
    return "\n".join(
        [
            f"{name} is deprecated. The equivalent ScriptRunConfig:",
            *_environment(run_config.environment),
            "config = ScriptRunConfig(",
            *[f"    {key}={_expression(value)}," for key, value in parameters.items() if value],
            "    environment=environment)",
            *_settings(run_config),
        ]
    )


def _environment(environment: Environment) -> list[str]:
    python, docker = environment.python, environment.docker
    registry = docker.base_image_registry
    settings = {
        "python.user_managed_dependencies": python.user_managed_dependencies,
        "docker.base_image": not is_azure_image(docker.base_image) and docker.base_image,
        "docker.base_dockerfile": docker.base_dockerfile,
        "docker.shm_size": docker.shm_size != "2g" and docker.shm_size,
        "docker.base_image_registry.address": registry.address,
        "docker.base_image_registry.username": registry.username,
    }
    conda = python.conda_dependencies
    return [
        f"environment = Environment({environment.name!r})",
        "environment.python.conda_dependencies = CondaDependencies.create(",
        f"    conda_packages={list(conda.conda_packages)!r}, "
        f"pip_packages={list(conda.pip_packages)!r})",
        *_channels(conda),
        *[f"environment.{key} = {value!r}" for key, value in settings.items() if value],
    ]


def _channels(conda: CondaDependencies) -> list[str]:
    """Return the calls that turn the default channels into those of ``conda``."""
    default_channels, channels = (
        list(CondaDependencies.create().conda_channels),
        list(conda.conda_channels),
    )
    calls = [
        f"remove_channel({channel!r})" for channel in default_channels if channel not in channels
    ]
    calls += [
        f"add_channel({new_channel!r})"
        for new_channel in channels
        if new_channel not in default_channels
    ]
    return [f"environment.python.conda_dependencies.{call}" for call in calls]


def _settings(run_config: RunConfiguration) -> list[str]:
    """Return the assignments for settings that ScriptRunConfig has no parameter for."""
    lines = []
    if run_config.environment_variables:
        lines.append(f"environment_variables = {dict(run_config.environment_variables)!r}")
    store = run_config.source_directory_data_store
    if store is not None:
        lines.append(f"source_directory_data_store = {getattr(store, 'name', store)!r}")
    for name, reference in (run_config.data_references or {}).items():
        lines.append(f"data_references[{name!r}] = {_reference(reference, name)}.to_config()")
    for name, value in (run_config.data or {}).items():
        lines.append(f"data[{name!r}] = {_expression(value)}")
    return [f"config.run_config.{line}" for line in lines]


def _expression(value: object) -> str:
    """Return ``value`` as a Python expression."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_expression, value))}]"
    if isinstance(value, AbstractDatastore):
        return f"Datastore.get(ws, {value.name!r})"
    if isinstance(value, DataPath):
        return f"DataPath({_expression(value.datastore)}, {value.path_on_datastore!r})"
    if isinstance(value, DataReference):
        return f"{_expression(value.datastore)}{_path_and_mode(value)}"
    if isinstance(value, DatasetConsumptionConfig):
        name = getattr(value.dataset, "name", None)
        dataset = f"Dataset.get_by_name(ws, {name!r})" if name else "dataset"
        mode_call = f".as_{value.mode}()" if value.mode in ("mount", "download") else ""
        return f"{dataset}.as_named_input({value.name!r}){mode_call}"
    return repr(value)


def _reference(value: DataReferenceConfiguration, name: str) -> str:
    """Return the DataReference expression of a DataReferenceConfiguration."""
    store = f"Datastore.get(ws, {value.data_store_name!r})"
    return f"DataReference({store}, {name!r}, {value.path_on_data_store!r}, {value.mode!r})"


def _path_and_mode(value: DataReference) -> str:
    path = "" if value.path_on_datastore is None else f".path({value.path_on_datastore!r})"
    target = repr(value.path_on_compute) if value.path_on_compute else ""
    return f"{path}.as_{value.mode}({target})"
