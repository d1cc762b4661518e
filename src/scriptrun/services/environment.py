"""The environment of a service that names none: what its model needs, as far as that is known."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.config.environments.environment import Environment
from scriptrun.registry import models as model_registry
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.services.request import ServedModel, ServiceRequest
from scriptrun.spec.environment import INTERPRETER
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.spec.job import JobSpec

#: files of an MLflow model that say what it needs, the first that exists
_MLFLOW_FILES = ("conda.yaml", "requirements.txt")


def choose(workspace: WorkspaceFiles, request: ServiceRequest) -> tuple[Environment | None, str]:
    """The environment for a request that has none, and a note that says where it comes from.

    That which an MLflow model names, else that of the run which the first registered model comes
    from; (None, "") if there is neither: then the request's interpreter is used.
    """
    for model in request.models:
        files = _files(workspace, model)
        found = _of_mlflow(model.name, files) or _of_run(workspace, model)
        if found is not None:
            return found
    return None, ""


def _files(workspace: WorkspaceFiles, model: ServedModel) -> dict[str, Path]:
    """The model's files, by their paths below its folder; {} for a single file."""
    if model.path is not None:
        path = Path(model.path)
        return {name: path / name for name in os.listdir(path)} if path.is_dir() else {}
    record = model_registry.get(workspace, model.name, model.version)
    stored = model_registry.stored_files(workspace, record)
    return {name.partition("/")[2]: path for name, path in stored.items() if "/" in name}


def _of_mlflow(name: str, files: dict[str, Path]) -> tuple[Environment, str] | None:
    """The environment that an MLflow model brings."""
    file = next((each for each in _MLFLOW_FILES if each in files), None)
    if "MLmodel" not in files or file is None:
        return None
    load = (
        Environment.from_conda_specification
        if file.endswith(".yaml")
        else Environment.from_pip_requirements
    )
    environment = load(name, str(files[file]))
    environment.environment_variables = {}
    return environment, f"environment: {file} of the MLflow model {name!r}"


def _of_run(workspace: WorkspaceFiles, model: ServedModel) -> tuple[Environment, str] | None:
    """The environment of the run that the model was registered from, if it is still there."""
    if model.path is not None:
        return None
    run_id = model_registry.get(workspace, model.name, model.version).get("run_id")
    folder = workspace.find_run(run_id) if isinstance(run_id, str) else None
    job = None if folder is None else run_folder.read_job(folder)
    environment = None if job is None else _environment_of(job)
    if environment is None:
        return None
    return environment, f"environment: that of run {run_id}, which made model {model.name!r}"


def _environment_of(job: JobSpec) -> Environment | None:
    """The environment that the job ran in; None if it was an interpreter that is gone."""
    if job.environment.kind == INTERPRETER:
        path = job.environment.interpreter
        if path is None or not os.access(path, os.X_OK):
            return None
        environment = Environment("interpreter")
        environment.environment_variables = {}
        environment.python.user_managed_dependencies = True
        environment.python.interpreter_path = path
        return environment
    definition = job.run_definition.get("environment")
    try:
        return Environment.from_dict(definition) if isinstance(definition, dict) else None
    except (UserErrorException, ValueError):
        return None  # written by another version
