"""Experiment: a named group of runs."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

from scriptrun.core.run import Run
from scriptrun.registry import experiments as experiment_registry
from scriptrun.spec import ids
from scriptrun.spec.control_characters import escape
from scriptrun.spec.environment import EXACT
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.later import later
from scriptrun.submission import check, defaults, interactive, submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.config.script_run_config import ScriptRunConfig
    from scriptrun.core.workspace import Workspace
    from scriptrun.registry import environments as environment_registry
    from scriptrun.runtime.hints import Json
    from scriptrun.submission import batch

    T = TypeVar("T")
else:
    batch = later("scriptrun.submission.batch")
    environment_registry = later("scriptrun.registry.environments")


class Experiment:
    """The experiment ``name`` of ``workspace``, created on first use.

    Raises RunConfigurationException for an invalid name, UserErrorException if ``workspace`` is
    not a workspace.
    """

    def __init__(self, workspace: Workspace, name: str, **kwargs: object) -> None:
        if not hasattr(workspace, "snapshots_folder"):
            raise UserErrorException(
                f"Experiment expects a Workspace, not {workspace!r}.",
                "Use Experiment(workspace, name), with e.g. workspace = Workspace.from_config().",
            )
        refuse(check.experiment_problems(name), "Cannot create this experiment")
        self.workspace = workspace
        self.name = name

    @property
    def id(self) -> str:
        """The experiment's id: its name."""
        return self.name

    identity = id

    @property
    def workspace_object(self) -> Workspace:
        """The workspace, by another name of it in SDK v1."""
        return self.workspace

    @property
    def portal_url(self) -> str:
        """The same as ``get_portal_url()``."""
        return self.get_portal_url()

    @property
    def tags(self) -> Json:
        """The experiment's tags."""
        return dict(self._record().get("tags") or {})

    @property
    def archived_time(self) -> str | None:
        """When it was archived, or None."""
        return self._record().get("archived")

    def submit(
        self,
        config: object,
        tags: Mapping[str, object] | None = None,
        *,
        pins: str = EXACT,
        **kwargs: object,
    ) -> Run:
        """Submit the job that ``config`` describes and return its Run at once.

        ``config`` is a ScriptRunConfig, or a HyperDriveConfig for a sweep, which returns a
        HyperDriveRun. The environment is registered under its name. ``tags`` are strings by name.
        The target, environment and tags that are not given come from the settings files, if set.
        ``pins`` says what happens to unavailable pinned packages: "exact" fails the run,
        "relax" takes near releases, and gives the job the names that newer packages have removed.
        ``show_output=True`` waits and streams the log. Warnings about the submission are issued as
        Python warnings and recorded in the run. Raises RunConfigurationException with all problems.
        """
        config = as_configuration(config)
        origin = check.origin_of(kwargs.get("origin"), pins)
        filled = defaults.Filled(origin, tags)
        if kwargs.get("origin") is None:  # old code gives one, and keeps its own values
            config, filled = defaults.fill(config, self.workspace, filled)
        name = getattr(config, "submitter", None)  # submit refuses everything else
        submitter = importlib.import_module(name) if isinstance(name, str) else submit
        submission = submitter.check(config, self.workspace, self.name, filled.tags, filled.origin)
        submit.begin(self.workspace, self.name)
        folder = submitter.submit(submission, self.workspace)
        run = Run.at(self.workspace, folder)
        environment_registry.remember(self.workspace, submission.environment)
        for message in (*filled.warnings, *submission.warnings):
            warnings.warn(escape(message), stacklevel=2)
        if kwargs.get("show_output"):
            run.wait_for_completion(show_output=True)
        return run

    def submit_many(
        self,
        configs: Sequence[ScriptRunConfig],
        tags: Mapping[str, object] | None = None,
        *,
        pins: str = EXACT,
        **kwargs: object,
    ) -> list[Run]:
        """Submit all ``configs``, or none: all are checked before the first one starts.

        ``tags`` and ``pins`` are as for ``submit``.
        """
        origin = check.origin_of(kwargs.get("origin"), pins)
        jobs = [(as_configuration(config), defaults.Filled(origin, tags)) for config in configs]
        if kwargs.get("origin") is None:
            jobs = [defaults.fill(config, self.workspace, filled) for config, filled in jobs]
        submissions = [
            check.check(config, self.workspace, self.name, filled.tags, filled.origin)
            for config, filled in jobs
        ]
        submit.begin(self.workspace, self.name)
        folders = batch.submit_all(submissions, self.workspace)
        runs = [Run.at(self.workspace, folder) for folder in folders]
        environments = {id(each.environment): each.environment for each in submissions}
        for environment in filter(None, environments.values()):
            environment_registry.remember(self.workspace, environment)
        texts = [filled.warnings for _, filled in jobs]
        texts += [tuple(each.warnings) for each in submissions]
        for message in {text for warnings_of_one in texts for text in warnings_of_one}:
            warnings.warn(escape(message), stacklevel=2)
        return runs

    def start_logging(
        self,
        *args: object,
        outputs: object = None,
        snapshot_directory: str | None = ".",
        display_name: str | None = None,
        **kwargs: object,
    ) -> Run:
        """Make this process a run: log to it, then ``complete()`` it, or use it in a ``with``.

        A snapshot of ``snapshot_directory`` (default: ``.``) is stored with the run, unless it is
        None. ``outputs`` names a folder, which is created: completing the run uploads the files
        written to it since. ``display_name`` names the run.
        """
        self._ensure_registered()
        folder = interactive.begin(
            self.workspace, self.name, snapshot_directory, display_name or ""
        )
        from scriptrun.core import uncaught

        uncaught.watch(folder)
        run = Run.at(self.workspace, folder)
        if not outputs:
            return run
        from scriptrun.core.interactive_run import InteractiveRun

        return InteractiveRun.watch(run, str(outputs))

    def get_runs(
        self,
        type: str | None = None,
        tags: Mapping[str, object] | str | None = None,
        properties: Mapping[str, object] | str | None = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """The experiment's runs, newest first; ``tags`` and ``properties`` filter.

        Archived and removed runs are left out. What mlflow logged to the workspace outside of jobs
        (``get_mlflow_tracking_uri``) is among them.
        """
        if (self.workspace.directory / "mlflow").is_dir():
            from scriptrun.core import mlflow_runs

            mlflow_runs.adopt(self)
        return Run.list(self, type, tags, properties, include_children=include_children)

    def tag(self, key: str, value: str | None = None) -> None:
        """Set one tag of the experiment."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags of the experiment; other tags are kept."""
        self._update_record(tags={**self.tags, **tags})

    def remove_tags(self, tags: Sequence[str]) -> None:
        """Remove tags; missing names are ignored."""
        self._update_record(
            tags={key: value for key, value in self.tags.items() if key not in tags}
        )

    def archive(self) -> None:
        """Hide the experiment from lists; its runs are kept."""
        self._update_record(archived=ids.now())

    def reactivate(self, new_name: str | None = None) -> None:
        """Show the experiment in lists again."""
        self._update_record(archived=None)

    def refresh(self) -> None:
        """Do nothing: properties are always read from the workspace."""

    def get_portal_url(self) -> str:
        """The link to the experiment's workspace."""
        return self.workspace.directory.as_uri()

    @staticmethod
    def list(
        workspace: Workspace,
        experiment_name: str | None = None,
        view_type: str = "ActiveOnly",
        tags: Mapping[str, object] | None = None,
    ) -> list[Experiment]:
        """The workspace's experiments by name, including those that mlflow created.

        ``view_type`` selects active or archived ones.
        """
        from scriptrun.core import mlflow_runs

        folder = workspace.directory / "experiments"
        files = os.listdir(folder) if folder.is_dir() else []
        names = {name[: -len(".json")] for name in files if name.endswith(".json")}
        names |= mlflow_runs.experiment_names(workspace.directory / "mlflow")
        experiments = [
            Experiment(workspace, name) for name in sorted(names) if experiment_name in (None, name)
        ]
        return [
            experiment for experiment in experiments if experiment._is_shown(view_type, tags or {})
        ]

    def _is_shown(self, view_type: str, tags: Mapping[str, object]) -> bool:
        archived = self.archived_time is not None
        if view_type != "All" and archived != (view_type == "ArchivedOnly"):
            return False
        return all(self.tags.get(key) == value for key, value in tags.items())

    def _ensure_registered(self) -> None:
        experiment_registry.make(self.workspace, self.name)

    def _record(self) -> Json:
        return experiment_registry.read(self.workspace, self.name)

    def _update_record(self, **changes: object) -> None:
        experiment_registry.put(self.workspace, self.name, **changes)

    def __repr__(self) -> str:
        return f"Experiment(name={self.name!r}, workspace={self.workspace.name!r})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<b>Experiment</b> {escape(self.name)} in {escape(self.workspace.name)}"


def as_configuration(config: T) -> T:
    """``config``; of an Estimator that code which is partly rewritten still has, what it says."""
    convert: Callable[[], T] | None = getattr(config, "to_script_run_config", None)
    return config if convert is None else convert()
