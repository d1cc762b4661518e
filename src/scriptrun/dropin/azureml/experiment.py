"""``azureml.core.Experiment``: scriptrun's, which also accepts unknown compute targets."""

from __future__ import annotations

import builtins
import copy
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.core import experiment, interactive_run
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.dropin.azureml import compute
from scriptrun.registry import experiments as experiment_registry
from scriptrun.runs import find as find_runs
from scriptrun.spec.absent import absent
from scriptrun.spec.environment import AUTO
from scriptrun.spec.errors import UserErrorException
from scriptrun.submission.check import Origin, with_pins


@absent("get_docs_url", "See help(Experiment).")
class Experiment(experiment.Experiment):
    """The experiment ``name`` of ``workspace``; it is created on first use."""

    def submit(
        self,
        config: object,
        tags: Mapping[str, object] | None = None,
        *,
        pins: str | None = None,
        **kwargs: object,
    ) -> Run:
        """Submit the job that ``config`` describes and return its Run immediately.

        An Estimator is submitted as its ScriptRunConfig. ``pins`` (default: "auto", or
        SCRIPTRUN_PINS) says what happens to unavailable pinned packages.
        """
        if hasattr(config, "to_script_run_config"):
            config = config.to_script_run_config()
        self._adopt_target(config)
        origin = kwargs.get("origin") or _origin(pins)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = super().submit(config, tags, origin=origin)
        for warning in caught:  # attribute them to the caller's line
            warnings.warn(warning.message, stacklevel=2)
        if kwargs.get("show_output"):
            run.wait_for_completion(show_output=True)
        return run

    def submit_many(
        self,
        configs: Sequence[ScriptRunConfig],
        tags: Mapping[str, object] | None = None,
        *,
        pins: str | None = None,
        **kwargs: object,
    ) -> builtins.list[Run]:
        """Submit all ``configs``, or none; the arguments are as for ``submit``."""
        for config in configs:
            self._adopt_target(config)
        return super().submit_many(configs, tags, origin=_origin(pins))

    def _adopt_target(self, config: object) -> None:
        """Make the compute target of ``config``, or of a sweep's runs, known to the workspace."""
        job_config = config.run_config if isinstance(config, HyperDriveConfig) else config
        target = getattr(getattr(job_config, "run_config", None), "target", None)
        if isinstance(target, str):
            compute.adopt(self.workspace, target)

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
        folder = "" if outputs is False else str(outputs or "outputs")
        run = super().start_logging(
            *args,
            outputs=folder,
            snapshot_directory=snapshot_directory,
            display_name=display_name,
            **kwargs,
        )
        return InteractiveRun.continued(run)

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
        if find_runs.rows(Workspace(workspace.root), experiment=name, limit=1, hidden=True):
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


class InteractiveRun(interactive_run.InteractiveRun):
    """A run of this process whose children are old code's jobs."""

    def submit_child(
        self,
        config: object,
        tags: Mapping[str, object] | None = None,
        *,
        pins: str | None = None,
        **kwargs: object,
    ) -> Run:
        """Submit ``config``, which may be an Estimator, as a child of this run."""
        origin = _origin(pins).replace(parent=self.id, root=self.job.root)
        experiment = Experiment(self.workspace, self.job.experiment)
        show_output = kwargs.get("show_output")
        return experiment.submit(config, tags, origin=origin, show_output=show_output)


def old_pins() -> str:
    """How to treat unavailable pins of old code, unless it says so itself."""
    return os.environ.get("SCRIPTRUN_PINS") or AUTO


def _origin(pins: str | None) -> Origin:
    """An origin with ``pins``; unless given, those of old code."""
    given = pins or old_pins()
    return Origin(pins=AUTO) if given == AUTO else with_pins(given)


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
