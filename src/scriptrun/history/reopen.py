"""Restore a run's snapshot, environment, variables and data for an interactive shell."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from scriptrun.environments import builder, ensure
from scriptrun.preparation import environment_record
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.registry import image_registries
from scriptrun.runtime import conda_prefix, search_path
from scriptrun.runtime.serving import order as service_order
from scriptrun.spec.environment import INTERPRETER
from scriptrun.spec.errors import EnvironmentException, UserErrorException, refuse
from scriptrun.spec.later import later
from scriptrun.spec.run_kinds import SERVICE
from scriptrun.spec.values import Value
from scriptrun.store import job_runtime
from scriptrun.store.secrets import vault
from scriptrun.store.snapshots import snapshots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.delivery import helper
else:
    helper = later("scriptrun.delivery.helper")

#: variables that tie a process to its run; a shell must not log to a finished run
_RUN_VARIABLES = ("SCRIPTRUN_RUN_ID", "SCRIPTRUN_RUN_FOLDER", "AZUREML_RUN_ID")


class RunCopy(Value):
    """A copy of a run: its folder, the variables for a process in it, and the run's Python.

    Call ``release_data`` when done, to release the run's data.
    """

    folder: Path
    environ: dict[str, str]
    python: str
    release_data: Callable[[], object] = lambda: None


def copy_run(run: Run, folder: Path, log: Callable[[str], None]) -> RunCopy:
    """Copy the run's snapshot into ``folder`` and prepare its environment.

    ``log`` gets the lines of the environment's build. Code in the copy prints what it would log to
    the run. Raises UserErrorException for a run without a snapshot, EnvironmentException,
    SnapshotException.
    """
    job, workspace = run.job, run.workspace
    if job.snapshot is None:
        raise UserErrorException(
            f"Run {run.id} has no source snapshot to open a shell in.", "Submitted jobs have one."
        )
    given = {*os.environ, service_order.KEYS_VARIABLE}  # no server is started: it needs no keys
    missing = [name for name in job.passed if name not in given]
    refuse(
        [f"the passed-through variable {name} is not set" for name in missing],
        f"Cannot reopen {run.id}",
    )
    lockfile = (
        None
        if job.environment.kind == INTERPRETER
        else environment_record.read_recorded_lockfile(run.path)
    )
    cache = resolve_environment.cache_folder_of(job.target, workspace)
    with vault.for_workspace(workspace.id):
        ready = ensure.ensure(
            job.environment,
            workspace.locks_folder,
            log,
            lockfile=lockfile,
            cache=cache,
            registry=image_registries.for_build(job.environment, workspace),
        )
    snapshots.restore(workspace.snapshots_folder, job.snapshot, folder)
    environ = _environ(run, ready)
    if not job.data.has_items:
        return RunCopy(folder, environ, ready.python)
    data, release_data = helper.deliver_to_visit(workspace, job, folder.parent, folder)
    return RunCopy(folder, {**environ, **data}, ready.python, release_data)


def _environ(run: Run, ready: builder.ReadyEnvironment) -> dict[str, str]:
    """The variables of the job's process, without those that tie it to its run."""
    prefix = conda_prefix.find_prefix(ready.bin)
    try:
        base = conda_prefix.activate(prefix, dict(os.environ)) if prefix else os.environ
    except OSError as error:
        raise EnvironmentException(f"{run.id}: {error.strerror}.") from error
    environ = {**base, **run.job.variables, **_service_variables(run)}
    environ["SCRIPTRUN_SHELL_OF"] = run.id
    for name in _RUN_VARIABLES:
        environ.pop(name, None)
    runtime, python_path = (
        str(job_runtime.install(run.workspace.directory)),
        environ.get("PYTHONPATH"),
    )
    environ["PYTHONPATH"] = search_path.build_pythonpath(run.job.to_dict(), runtime, python_path)
    if not prefix:
        environ["PATH"] = _prepend(ready.bin, environ.get("PATH") or os.defpath)
        environ.pop("VIRTUAL_ENV", None)
    if ready.place and not prefix:
        environ["VIRTUAL_ENV"] = ready.place
    return environ


def _service_variables(run: Run) -> dict[str, str]:
    """Where an entry script finds the models of its service; empty for other runs."""
    if run.job.kind != SERVICE:
        return {}
    try:
        models = service_order.read(str(run.path)).model_dir
    except (OSError, ValueError):
        return {}
    return {} if models is None else {"AZUREML_MODEL_DIR": str(run.path / models)}


def _prepend(first: str, rest: str | None) -> str:
    return f"{first}{os.pathsep}{rest}" if rest else first
