"""``azureml.core.Experiment``: scriptrun's, which also accepts unknown compute targets."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.core import experiment
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.dropin import mlflow_runs
from scriptrun.dropin.azureml import compute
from scriptrun.registry import experiments as experiment_registry
from scriptrun.runs import find as find_runs
from scriptrun.runtime import file_walk
from scriptrun.spec.absent import absent
from scriptrun.spec.environment import AUTO
from scriptrun.spec.errors import UserErrorException
from scriptrun.submission.check import Origin


@absent("get_docs_url", "See help(Experiment).")
class Experiment(experiment.Experiment):
    """The experiment ``name`` of ``workspace``; it is created on first use."""

    def submit(
        self, config: object, tags: Mapping[str, object] | None = None, **kwargs: object
    ) -> Run:
        """Submit the job that ``config`` describes and return its Run immediately.

        An Estimator is submitted as its ScriptRunConfig.
        """
        if hasattr(config, "to_script_run_config"):
            config = config.to_script_run_config()
        job_config = config
        if isinstance(config, HyperDriveConfig):
            job_config = config.run_config  # the job of a sweep's runs
        target = getattr(getattr(job_config, "run_config", None), "target", None)
        if isinstance(target, str):
            compute.adopt(self.workspace, target)
        show_output = kwargs.pop("show_output", False)
        kwargs.setdefault("origin", Origin(pins=old_pins()))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = super().submit(config, tags, **kwargs)
        for warning in caught:  # attribute them to the caller's line
            warnings.warn(warning.message, stacklevel=2)
        if show_output:
            run.wait_for_completion(show_output=True)
        return run

    def start_logging(
        self,
        *args: object,
        outputs: object = None,
        snapshot_directory: str | None = ".",
        display_name: str | None = None,
        **kwargs: object,
    ) -> Run:
        """Make this process a run, until its ``complete()`` or the end of its ``with``.

        As in v1 this creates the folder ``outputs`` (``outputs`` names another, False none), and
        completing the run uploads the files written to it.
        """
        run = super().start_logging(
            *args,
            outputs=outputs,
            snapshot_directory=snapshot_directory,
            display_name=display_name,
            **kwargs,
        )
        return run if outputs is False else InteractiveRun.watch(run, str(outputs or "outputs"))

    def get_runs(
        self,
        type: str | None = None,
        tags: Mapping[str, object] | str | None = None,
        properties: Mapping[str, object] | str | None = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """Return the experiment's runs, newest first, including those that mlflow logged."""
        if (self.workspace.directory / "mlflow").is_dir():
            mlflow_runs.adopt(self)
        return super().get_runs(type, tags, properties, include_children)

    @staticmethod
    def list(  # type: ignore[override]  # its items are azureml's: a list is invariant
        workspace: Workspace,
        experiment_name: str | None = None,
        view_type: str = "ActiveOnly",
        tags: Mapping[str, object] | None = None,
    ) -> list[Experiment]:
        """Return the workspace's experiments; ``view_type`` selects active, archived or all."""
        experiments = experiment.Experiment.list(workspace, experiment_name, view_type, tags)
        return [Experiment(workspace, entry.name) for entry in experiments]

    @staticmethod
    def delete(workspace: Workspace, experiment_id: str) -> None:
        """Delete an experiment without runs. Raises UserErrorException if it has any."""
        name = experiment_id
        if find_runs.rows(Workspace(workspace.root), experiment=name, limit=1):
            raise UserErrorException(
                f"Cannot delete experiment {name!r}: it has runs.",
                "To hide it from lists, use Experiment(workspace, name).archive().",
            )
        experiment_registry.remove(workspace, name)

    @staticmethod
    def from_directory(path: str, auth: object = None) -> Experiment:
        """Return the experiment named like the directory ``path``, in its workspace."""
        folder = Path(path).absolute()
        return Experiment(Workspace.from_config(folder), folder.name)


class InteractiveRun(Run):
    """A run of this process that uploads a folder's new files on completion."""

    _watched_folder = ""
    _initial_times: Mapping[Path, int] = {}

    @classmethod
    def watch(cls, run: Run, folder: str) -> InteractiveRun:
        """Create ``folder`` and return the run, set to upload its new files on completion."""
        watched = cls.at(run.workspace, run.path)
        assert isinstance(watched, InteractiveRun)
        os.makedirs(folder, exist_ok=True)
        watched._watched_folder, watched._initial_times = (
            os.path.abspath(folder),
            _modification_times(folder),
        )
        return watched

    def submit_child(
        self, config: object, tags: Mapping[str, object] | None = None, **kwargs: object
    ) -> Run:
        """Submit ``config``, which may be an Estimator, as a child of this run."""
        origin = Origin(parent=self.id, root=self.job.root, pins=old_pins())
        experiment = Experiment(self.workspace, self.job.experiment)
        return experiment.submit(config, tags, origin=origin, **kwargs)

    def complete(self, *args: object, **kwargs: object) -> None:
        """Complete the run and upload the files it has written."""
        uploaded = set(self.get_file_names())
        for path, modified in _modification_times(self._watched_folder).items():
            name = f"outputs/{path.relative_to(self._watched_folder).as_posix()}"
            if self._initial_times.get(path) != modified and name not in uploaded:
                self.upload_file(name, str(path))
        super().complete(*args, **kwargs)


def old_pins() -> str:
    """How to treat unavailable pins of old code."""
    return os.environ.get("SCRIPTRUN_PINS") or AUTO


def _modification_times(folder: str) -> dict[Path, int]:
    """Return the files below ``folder`` with their modification times."""
    root = Path(folder).absolute()
    files = [root / name for name in sorted(file_walk.files_below(root))]
    return {path: path.stat().st_mtime_ns for path in files}


class ViewType:
    """Which experiments ``Experiment.list`` returns."""

    ActiveOnly = "ActiveOnly"
    All = "All"
    ArchivedOnly = "ArchivedOnly"


def get_run(
    experiment: experiment.Experiment, run_id: str, rehydrate: bool = True, clean_up: bool = True
) -> Run:
    """Return the run with this ID."""
    return Run.get(experiment.workspace, run_id)


def get_run_config_from_script_run(script_run_config: ScriptRunConfig) -> RunConfiguration:
    """Return a copy of its RunConfiguration with the script, command and arguments set."""
    config = copy.deepcopy(script_run_config.run_config)
    config.script = os.fspath(script_run_config.script) if script_run_config.script else None
    config.arguments = [str(argument) for argument in script_run_config.arguments or ()]
    config.command = script_run_config.command or ""
    return config
