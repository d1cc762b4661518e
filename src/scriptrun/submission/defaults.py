"""Fill in what a job leaves open from the settings: its target, environment and tags."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from scriptrun.config import describe
from scriptrun.config.environments import request as environment_request
from scriptrun.config.environments.environment import Environment
from scriptrun.config.run_configuration import (
    DefaultTarget,
    RunConfiguration,
    default_environment,
)
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.registry import compute_targets
from scriptrun.registry.settings import reader
from scriptrun.registry.settings.reader import VARIABLE, Found, Settings
from scriptrun.spec.errors import ComputeTargetException, EnvironmentException, ScriptrunError
from scriptrun.spec.values import Value
from scriptrun.submission.check import Origin, source_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.registry.workspace_files import WorkspaceFiles

    T = TypeVar("T")


class Defaults(Value):
    """What was taken from the settings: the interpreter, if any, inputs, and notes of all."""

    interpreter: str | None = None
    notes: tuple[str, ...] = ()
    inputs: tuple[Found, ...] = ()


class Filled(Value):
    """What accompanies a configuration at its submission, with the warnings about the settings."""

    origin: Origin
    tags: Mapping[str, object] | None = None
    warnings: tuple[str, ...] = ()


def apply(
    settings: Settings,
    run: RunConfiguration,
    workspace: WorkspaceFiles,
    script_path: str | None = None,
    is_code: bool = False,
) -> Defaults:
    """Set the target and the environment of ``run`` where the job leaves them open.

    A variable counts more than a ``run`` from a file, but less than one that code made
    (``is_code``). A script with inline metadata says itself what it needs. Raises
    ComputeTargetException or EnvironmentException, naming the setting.
    """
    notes = []
    target = settings.get("compute")
    is_open = isinstance(run.target, DefaultTarget)
    if target and (is_open or (target.level == VARIABLE and not is_code)):
        run.target = _known_target(target, workspace)
        notes.append(note(target))
    environment = settings.environment
    if environment is None or not _may_replace(environment, run, script_path, is_code):
        return Defaults(notes=tuple(notes))
    notes.append(note(environment))
    if environment.key == "python":
        return Defaults(_interpreter(environment), tuple(notes))
    if not _is_chosen(run):
        own = _own_variables(run)
        run.environment_variables = {**own, **(run.environment_variables or {})}
    run.environment = _environment(environment, workspace)
    return Defaults(notes=tuple(notes))


def _may_replace(
    environment: Found, run: RunConfiguration, script_path: str | None, is_code: bool
) -> bool:
    """Whether the setting counts more than what ``run``, or the script, says."""
    if _is_chosen(run):
        return environment.level == VARIABLE and not is_code
    has_header = bool(script_path and describe.has_header(script_path))
    return environment.level == VARIABLE or not has_header


def note(found: Found) -> str:
    """Which setting a default is, and where it is written."""
    return f"{found.key} {str(found.value)!r} comes from {found.origin}"


def fill(config: T, workspace: WorkspaceFiles, given: Filled) -> tuple[T, Filled]:
    """A copy of ``config`` with defaults where it is silent, and ``given`` with theirs."""
    job = _job_of(config)
    if job is None:
        return config, given
    settings = reader.read(source_folder(job.source_directory or "."), workspace)
    if not settings.found:
        return config, given.replace(warnings=settings.warnings)
    if isinstance(config, ScriptRunConfig):
        config = _copy(config)
    else:
        config = getattr(config, "with_job")(_copy(job))  # noqa: B009  (a sweep)
    job = _job_of(config) or job
    job.run_config = _copy(job.run_config)
    script_path = _script_path(job)
    defaults = apply(settings, job.run_config, workspace, script_path, is_code=True)
    interpreter = defaults.interpreter or given.origin.interpreter
    origin = given.origin.replace(interpreter=interpreter, notes=defaults.notes)
    tags = {name: found.value for name, found in settings.table("tags").items()}
    return config, Filled(origin, {**tags, **(given.tags or {})}, settings.warnings)


def _copy(value: T) -> T:
    """A shallow copy; the module ``copy`` is slow to load."""
    copied = object.__new__(type(value))
    copied.__dict__.update(value.__dict__)
    return copied


def _job_of(config: object) -> ScriptRunConfig | None:
    """The job that ``config`` describes, or that of a sweep; None for what is neither."""
    job = config if isinstance(config, ScriptRunConfig) else getattr(config, "run_config", None)
    if not isinstance(job, ScriptRunConfig) or not isinstance(job.run_config, RunConfiguration):
        return None
    return job if isinstance(job.source_directory, str | os.PathLike) else None


def _script_path(job: ScriptRunConfig) -> str | None:
    script = job.script or job.run_config.script
    if not isinstance(script, str | os.PathLike) or job.command or job.run_config.command:
        return None
    return os.path.join(job.source_directory or ".", script)


def _is_chosen(run: RunConfiguration) -> bool:
    """Whether the environment is more than the default one, perhaps with variables."""
    environment = run.environment
    if not isinstance(environment, Environment) or environment_request.is_user_chosen(environment):
        return True
    untouched = default_environment()
    untouched.environment_variables = environment.environment_variables
    return bool(environment != untouched)


def _own_variables(run: RunConfiguration) -> dict[str, str | None]:
    """The variables that the user set on the default environment."""
    given, default = run.environment.environment_variables, default_environment()
    initial = default.environment_variables or {}
    return {k: value for k, value in (given or {}).items() if initial.get(k) != value}


def _known_target(found: Found, workspace: WorkspaceFiles) -> str:
    name = str(found.value)
    with_origin(found, ComputeTargetException, lambda: compute_targets.resolve(workspace, name))
    return name


def _environment(found: Found, workspace: WorkspaceFiles) -> Environment:
    return with_origin(
        found, EnvironmentException, lambda: _load(found.key, str(found.value), workspace)
    )


def _load(key: str, value: str, workspace: WorkspaceFiles) -> Environment:
    if key == "environment":
        name, _, version = value.partition(":")
        registry = importlib.import_module("scriptrun.registry.environments")
        found: Environment = registry.get(workspace, name, version or None)
        return found
    if key == "requirements":
        environment = Environment.from_pip_requirements(Path(value).stem, value)
    elif key == "conda":
        environment = Environment.from_conda_specification(Path(value).stem, value)
    elif key == "uv-project":
        environment = Environment.from_uv_project(Path(value).name, value)
    else:
        folder, _, name = value.partition(":")
        environment = Environment.from_pixi_project(Path(folder).name, folder, name or "default")
    environment.environment_variables = {}
    return environment


def _interpreter(found: Found) -> str:
    path = str(found.value)
    candidates = [os.path.join(path, "bin", name) for name in ("python", "python3")]
    for candidate in candidates if os.path.isdir(path) else [path]:
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise EnvironmentException(
        f"{path!r} is neither a Python interpreter nor a virtual environment.",
        f"Change the setting python in {found.origin}.",
    )


def with_origin(found: Found, kind: type[ScriptrunError], call: Callable[[], T]) -> T:
    """What ``call`` returns; an error of its own also says which setting led to it."""
    try:
        return call()
    except ScriptrunError as error:
        hint = f"{error.hint}\n  " if error.hint else ""
        origin = f"The setting {found.key} is in {found.origin}."
        raise kind(error.message, f"{hint}{origin}") from None
