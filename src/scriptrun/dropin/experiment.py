"""``azureml.core.Experiment``: as scriptrun's, and an unknown compute target is adopted."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

from scriptrun import browsing, experiment, experiment_file
from scriptrun.dropin import compute
from scriptrun.run import Run
from scriptrun.spec.absent import absent
from scriptrun.spec.environment import AUTO
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.hints import Any
from scriptrun.submit import Origin
from scriptrun.workspace import Workspace


@absent("get_docs_url", "help(Experiment) tells what an experiment can do.")
class Experiment(experiment.Experiment):
    """The experiment ``name`` of ``workspace``; it is made on first use."""

    def submit(self, config: Any, tags: Mapping[str, Any] | None = None, **kwargs: Any) -> Run:
        """Submit the job that ``config`` describes and return its Run at once.

        An Estimator is submitted as the ScriptRunConfig that it stands for.
        """
        if hasattr(config, "to_script_run_config"):
            config = config.to_script_run_config()
        described = config
        if hasattr(config, "hyperparameter_sampling"):
            described = config.run_config  # the job of a sweep's runs
        target = getattr(getattr(described, "run_config", None), "target", None)
        if isinstance(target, str):
            compute.adopt(self.workspace, target)
        show_output = kwargs.pop("show_output", False)
        kwargs.setdefault("origin", Origin(pins=os.environ.get("SCRIPTRUN_PINS") or AUTO))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = super().submit(config, tags, **kwargs)
        for each in caught:  # they speak of the caller's line, not of this one
            warnings.warn(each.message, stacklevel=2)
        if show_output:
            run.wait_for_completion(show_output=True)
        return run

    @staticmethod
    def list(  # type: ignore[override]
        workspace: Workspace,
        experiment_name: str | None = None,
        view_type: str = "ActiveOnly",
        tags: Mapping[str, Any] | None = None,
    ) -> list[Experiment]:
        """The workspace's experiments by name; archived ones only where ``view_type`` says so."""
        found = experiment.Experiment.list(workspace, experiment_name, view_type, tags)
        return [Experiment(workspace, each.name) for each in found]

    @staticmethod
    def delete(workspace: Workspace, experiment_id: str) -> None:
        """Forget an experiment that has no runs. Raises UserErrorException where it has."""
        name = experiment_id
        if browsing.rows(Workspace(workspace.root), experiment=name, limit=1):
            raise UserErrorException(
                f"The experiment {name!r} has runs, and what has happened is kept.",
                "Experiment(workspace, name).archive() hides it from lists.",
            )
        experiment_file.remove(workspace, name)

    @staticmethod
    def from_directory(path: str, auth: object = None) -> Experiment:
        """The experiment named like the directory ``path``, in the workspace there or above."""
        place = Path(path).absolute()
        return Experiment(Workspace.from_config(place), place.name)


class ViewType:
    """Which experiments ``Experiment.list`` gives."""

    ActiveOnly = "ActiveOnly"
    All = "All"
    ArchivedOnly = "ArchivedOnly"


def get_run(
    experiment: experiment.Experiment, run_id: str, rehydrate: bool = True, clean_up: bool = True
) -> Run:
    """The run with this id."""
    return Run.get(experiment.workspace, run_id)
