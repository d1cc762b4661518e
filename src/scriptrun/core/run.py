"""Run: one job's record, and the operations on it."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from scriptrun import remote
from scriptrun.core.editable_run import EditableRun
from scriptrun.core.rerunnable import Rerunnable
from scriptrun.runs import details as run_details
from scriptrun.runs import find as find_runs
from scriptrun.runs import follow, results
from scriptrun.runs import status as run_status
from scriptrun.runtime import files, identity
from scriptrun.runtime.injob.run import Run as ScriptRun
from scriptrun.spec import states
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.run_kinds import RUN_KINDS, handler
from scriptrun.store.records import DamagedRecord
from scriptrun.store.snapshots import snapshots
from scriptrun.tracking import events, run_folder, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from scriptrun.config.environments.environment import Environment
    from scriptrun.config.script_run_config import ScriptRunConfig
    from scriptrun.core.experiment import Experiment
    from scriptrun.core.model import Model
    from scriptrun.core.model_metadata import ResourceConfiguration
    from scriptrun.core.workspace import Workspace
    from scriptrun.data.datasets.base import AbstractDataset
    from scriptrun.data.datastores.references import DataPath
    from scriptrun.registry.compute_targets import Compute
    from scriptrun.remote.client import RemoteRuns
    from scriptrun.runs.metric_history import MetricHistory
    from scriptrun.runtime.hints import Json, StrPath


class Run(Rerunnable, EditableRun):
    """The run ``run_id`` of ``experiment``; ``Experiment.submit`` and ``Run.get`` return it.

    Logging, tagging and uploading have the same effect as in the script itself. Raises
    UserErrorException if the run does not exist.
    """

    def __init__(
        self, experiment: Experiment, run_id: str, outputs: object = None, **kwargs: object
    ) -> None:
        self._open(experiment.workspace, experiment.workspace.folder_of(run_id))

    def _open(self, workspace: Workspace, folder: Path) -> None:
        super().__init__(str(folder))
        self.workspace = workspace
        self.path = folder
        self._job: JobSpec | None = None

    @classmethod
    def at(cls, workspace: Workspace, folder: Path) -> Run:
        """The run in ``folder``; a HyperDriveRun for a sweep."""
        if cls is Run:
            cls = _class_of(folder)  # noqa: PLW0642
        run: Run = cls.__new__(cls)
        run._open(workspace, folder)
        return run

    @classmethod
    def get_context(
        cls, allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: object
    ) -> Any:
        """The run of the job that this process belongs to, or an offline one that prints.

        Raises RunEnvironmentException outside any job if ``allow_offline`` is False.
        """
        folder, root = os.environ.get("SCRIPTRUN_RUN_FOLDER"), os.environ.get("SCRIPTRUN_WORKSPACE")
        inner = ScriptRun.get_context(allow_offline, used_for_context_manager, **kwargs)
        if not folder or not root or not isinstance(inner, ScriptRun):
            return inner
        from scriptrun.core.workspace import Workspace

        return cls.at(Workspace(root), Path(folder))

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> Run:
        """The run with this id. Raises UserErrorException when there is none."""
        return Run.at(workspace, workspace.folder_of(run_id))

    @staticmethod
    def find(workspace: Workspace, wanted: str | None = None, removed: bool = False) -> Run:
        """The run with the ID, name or ID prefix ``wanted``; the latest for None.

        ``wanted`` may also be ``latest``, ``latest~1`` (the one before) or ``best:METRIC``. Unless
        ``removed``, removed runs have only IDs. Raises UserErrorException if none fits, or several.
        """
        return Run.at(workspace, find_runs.find(workspace, wanted, removed))

    @staticmethod
    def list(  # the SDK's name for it
        experiment: Experiment,
        type: str | None = None,
        tags: Mapping[str, object] | str | None = None,
        properties: Mapping[str, object] | str | None = None,
        status: str | None = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """The experiment's runs, newest first, without archived and removed ones.

        ``tags`` and ``properties`` filter: a dict requires all its values, a string its presence.
        """
        rows = find_runs.rows(experiment.workspace, experiment=experiment.name, status=status)
        for row in rows:
            run = Run.at(experiment.workspace, Path(row.folder))
            if find_runs.matches(run, type, tags, properties, include_children):
                yield run

    @staticmethod
    def unfinished(workspace: Workspace) -> Iterator[Run]:
        """The workspace's runs that have not ended, newest first."""
        for row in find_runs.rows(workspace, hidden=True):
            if not states.is_terminal(row.state):
                yield Run.at(workspace, Path(row.folder))

    @staticmethod
    def list_by_compute(
        compute: Compute,
        type: str | None = None,
        tags: Mapping[str, object] | str | None = None,
        properties: Mapping[str, object] | str | None = None,
        status: str | None = None,
    ) -> Iterator[Run]:
        """The runs on the compute target ``compute`` of its workspace, newest first."""
        from scriptrun.core.workspace import Workspace

        workspace = Workspace(compute.workspace.root)
        for row in find_runs.rows(workspace, status=status):
            run = Run.at(workspace, Path(row.folder))
            if run.job.target.name == compute.name and find_runs.matches(
                run, type, tags, properties, True
            ):
                yield run

    get_submitted_run = get_context

    @property
    def job(self) -> JobSpec:
        """What was submitted; it never changes."""
        if self._job is None:
            self._job = run_folder.read_job(self.path)
        if self._job is None:
            raise run_status.RunMissing(self.path)
        return self._job

    @property
    def known_job(self) -> JobSpec:
        """As ``job``; only its ID and day are known if job.json cannot be read."""
        try:
            return self.job
        except DamagedRecord:
            return run_folder.stand_in(self.path)

    @property
    def experiment(self) -> Experiment:
        """The experiment that the run belongs to."""
        from scriptrun.core.experiment import Experiment

        return Experiment(self.workspace, self.job.experiment)

    @property
    def name(self) -> str:  # type: ignore[override]  # the script's own can be assigned
        """The run's display name."""
        return str(self.display_name)

    @property
    def number(self) -> int:
        """The run's number in its experiment; the oldest is 1."""
        rows = find_runs.rows(self.workspace, experiment=self.job.experiment, hidden=True)
        ids = [row.id for row in rows]
        return len(ids) - ids.index(self.id) if self.id in ids else len(ids) + 1

    @property
    def parent(self) -> Run | None:
        """The run that this one is a child of, or None."""
        folder = self.workspace.find_run(self.job.parent) if self.job.parent else None
        return Run.at(self.workspace, folder) if folder else None

    @property
    def standing(self) -> run_state.RunState:
        """The state with its reason and times; reading it also ends an abandoned run."""
        try:
            job = self.job
        except DamagedRecord as error:
            return run_status.of_damaged(self.path, error.problem)
        return run_status.status_of(self.workspace, self.path, job)

    def get_status(self) -> str:
        """The state: NotStarted, Queued, Preparing, Running, Finalizing, Completed, Failed or
        Canceled."""
        return self.standing.state

    status = property(get_status)

    def get_detailed_status(self) -> Json:
        """The state as a dict with its reason."""
        status = self.standing
        return {"status": status.state, "details": status.reason}

    def get_details(self) -> Json:
        """All details of the run, with v1's keys."""
        return run_details.details(self)

    def get_details_with_logs(self) -> Json:
        """Like ``get_details``, with the text of each log file instead of its path."""
        return run_details.with_logs(self)

    def get_all_logs(self, destination: str | None = None) -> builtins.list[str]:
        """Copy the log files below ``destination`` (default: ``.``) and return their paths."""
        return run_details.copy_logs(self, destination)

    def wait_for_completion(
        self,
        show_output: bool = False,
        wait_post_processing: bool = False,
        raise_on_error: bool = True,
    ) -> Json:
        """Wait until the run has ended, and return its details.

        ``show_output`` streams the log. Ctrl-C only detaches: the run continues. Raises
        ActivityFailedException if the run failed, unless ``raise_on_error`` is False.
        """
        from scriptrun.runs import failed_log

        follow.wait(self, show_output)
        failed_log.raise_if_failed(self, raise_on_error)
        return self.get_details()

    def cancel(self) -> None:
        """Cancel the run: SIGTERM, time to save, SIGKILL. A run that has ended is unchanged."""
        if self.standing.is_final:
            return
        if self._remote is not None:
            self._remote.cancel(self.path, self.id)
            return
        is_own_script = os.environ.get("SCRIPTRUN_RUN_ID") == self.id
        request = {**identity.identify(), **({"by": "script"} if is_own_script else {})}
        files.publish(str(self.path / "cancel.json"), files.to_json(request))
        follow.end_if_waiting(self)
        super().cancel()
        from scriptrun.registry import compute_targets

        compute_targets.engine_of(self.known_job.target).cancel(self.path)

    @property
    def _remote(self) -> RemoteRuns | None:
        """The remote host with the original run folder, if this folder is its mirror."""
        return remote.for_target(self.known_job.target)

    def bring_home(self, prefix: str = "") -> None:
        """Fetch the files whose names begin with ``prefix``, if the run is elsewhere."""
        there = remote.home(self.path, self.known_job)
        if there is not None:
            remote.mirror.fetch_below(self.path, there, prefix)

    def get_file_names(self) -> builtins.list[str]:
        """The names of the run's files: outputs, logs and uploads."""
        there = remote.home(self.path, self.known_job)
        if there is not None:
            return remote.mirror.artifact_names(self.path, there)
        return builtins.list(super().get_file_names())

    def download_file(
        self, name: str, output_file_path: str | os.PathLike[str] | None = None, **kwargs: object
    ) -> None:
        """Copy a file of the run to ``output_file_path`` (a file or folder; default: ``.``)."""
        there = remote.home(self.path, self.known_job)
        if there is not None:
            remote.mirror.fetch_artifacts(self.path, there, [name])
        try:
            super().download_file(name, output_file_path, **kwargs)
        except UserErrorException as error:
            raise results.not_yet(self, name) or error from None

    def get_metrics(
        self,
        name: str | None = None,
        recursive: bool = False,
        run_type: str | None = None,
        populate: bool = False,
    ) -> Json:
        """The metrics logged so far, by name.

        With ``recursive``, a dict from run ID to metrics for this run and its descendants,
        optionally only those of ``run_type``.
        """
        metrics = super().get_metrics(name, recursive, run_type, populate)
        return metrics if recursive else results.Metrics(self, metrics)

    def metric_history(self, name: str) -> MetricHistory:
        """The metric's values, steps and times. Raises UserErrorException if it was not logged."""
        from scriptrun.runs import metric_history

        return metric_history.read(self, name)

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: StrPath | None = None,
        output_paths: Sequence[StrPath] | None = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: float | None = None,
    ) -> None:
        """Copy all files whose names start with ``prefix`` below ``output_directory``."""
        self.bring_home(prefix or "")
        super().download_files(
            prefix, output_directory, output_paths, batch_size, append_prefix, timeout_seconds
        )

    def get_children(
        self,
        recursive: bool = False,
        tags: Mapping[str, object] | str | None = None,
        properties: Mapping[str, object] | str | None = None,
        type: str | None = None,
        status: str | None = None,
        **kwargs: object,
    ) -> Iterator[Run]:
        """The child runs, in the order in which they started, without those that are removed.

        Those of a removed run are all returned.
        """
        for child in super().get_children(recursive):
            run = Run.at(self.workspace, Path(child.folder))
            if not find_runs.matches(run, type, tags, properties, True) or self._hides(run):
                continue
            if status in (None, run.status):
                yield run

    def child_run(
        self, name: str | None = None, run_id: str | None = None, outputs: object = None
    ) -> Run:
        """Start a child of this run; use it in a ``with`` to end it."""
        return Run.at(self.workspace, Path(super().child_run(name, run_id).folder))

    def submit_child(
        self,
        config: ScriptRunConfig,
        tags: Mapping[str, object] | None = None,
        *,
        pins: str | None = None,
        **kwargs: object,
    ) -> Run:
        """Submit ``config`` as a child of this run; ``pins`` are this run's unless given."""
        from scriptrun.submission.check import Origin, with_pins

        origin = Origin(parent=self.id, root=self.job.root, pins=self.job.environment.pins)
        if pins is not None:
            origin = with_pins(pins, origin)
        config = getattr(config, "to_script_run_config", lambda: config)()  # of an Estimator
        show_output = kwargs.get("show_output")
        return self.experiment.submit(config, tags, origin=origin, show_output=show_output)

    def register_model(
        self,
        model_name: str,
        model_path: str | None = None,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        description: str | None = None,
        datasets: Iterable[tuple[str, AbstractDataset]] | None = None,
        sample_input_dataset: AbstractDataset | None = None,
        sample_output_dataset: AbstractDataset | None = None,
        resource_configuration: ResourceConfiguration | None = None,
        **kwargs: object,
    ) -> Model:
        """Register an artifact, or a folder of them, as the next version of ``model_name``.

        ``model_path`` is its name in the run (``outputs/model.pkl``; default: the model's name).
        Raises UserErrorException, listing the run's artifacts, if there is none.
        """
        from scriptrun.core.model import Model

        facts = dict(locals())
        for name in ("self", "Model", "model_name", "model_path", "kwargs"):
            facts.pop(name)
        return Model.of_run(self, model_name, model_path, **facts)

    def take_snapshot(self, file_or_folder_path: str | os.PathLike[str]) -> str:
        """Store a snapshot of a folder in the workspace and return its digest.

        A run without a snapshot gets it as its own. Raises SnapshotException if the folder is not
        readable.
        """
        snapshot = snapshots.take(self.workspace.snapshots_folder, file_or_folder_path)
        if "ContentSnapshotId" not in self.get_properties():
            self.add_properties({"ContentSnapshotId": snapshot.digest})
        return snapshot.digest

    def start(self) -> None:
        """Mark an interactive run or a child as running; a submitted run does so by itself."""
        events.later_writer(self.path).write("state", state=states.RUNNING)

    def clean(self) -> builtins.list[str]:
        """Remove leftovers of an ended run on its compute target; its record is kept."""
        from scriptrun.registry import compute_targets

        if self.standing.is_final:
            compute_targets.engine_of(self.job.target).clean(self.path)
        return []

    def get_secret(self, name: str) -> str:
        """The value of this user's secret ``name`` (``Keyvault``)."""
        return self.workspace.get_default_keyvault().get_secret(name)

    def get_secrets(self, secrets: builtins.list[str]) -> dict[str, str | None]:
        """The values of several secrets by name; None for a missing one."""
        return self.workspace.get_default_keyvault().get_secrets(secrets)

    def _dataset_of(self, name: str) -> AbstractDataset:
        """The dataset of the input ``name``, with exactly the files that the run used."""
        from scriptrun.core import dataset

        return dataset.input_dataset(self.workspace, self.job.data.inputs, name)

    def _used_dataset(self, name: str, identity: str | None) -> AbstractDataset:
        """The registered version with that ID, which has tags, else the input ``name``."""
        from scriptrun.core import dataset

        return dataset.find_version(self.workspace, identity) or self._dataset_of(name)

    def _output_dataset(self, datastore: str, path: str, name: str | None) -> AbstractDataset:
        """The files at ``path``: as the version of ``name`` that they were registered as, if so."""
        from scriptrun.core import dataset

        return dataset.output_dataset(self.workspace, datastore, path, name)

    def get_snapshot_id(self) -> str | None:
        """The digest of the run's source snapshot."""
        return self.job.snapshot

    def _get_outputs_datapath(self) -> DataPath:
        """The location of the run's outputs, a DataPath, for old code."""
        return run_details.outputs_of(self)

    def restore_snapshot(self, snapshot_id: str | None = None, path: str | None = None) -> str:
        """Extract the source snapshot to ``path`` (default: ``snapshot_<run id>``)."""
        digest = snapshot_id or self.job.snapshot
        if digest is None:
            hint = "Submitted jobs have one."
            raise UserErrorException(f"Run {self.id!r} has no source snapshot.", hint)
        target = Path(path or f"snapshot_{self.id}").absolute()
        snapshots.restore(self.workspace.snapshots_folder, digest, target)
        return str(target)

    def get_environment(self) -> Environment:
        """The environment that the run was submitted with."""
        from scriptrun.config.environments.environment import Environment

        return Environment.from_dict(self.job.run_definition["environment"])

    def get_portal_url(self) -> str:
        """The URL of the run's folder."""
        return self.path.as_uri()

    portal_url = property(get_portal_url)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'Run' object has no attribute {name!r}")

    def __repr__(self) -> str:
        return run_details.as_line(self)

    def _repr_html_(self) -> str:
        return run_details.as_html(self)

    def _repr_pretty_(self, printer: run_details.PrettyPrinter, cycle: bool) -> None:
        printer.text(run_details.as_text(self))


def _class_of(folder: Path) -> type[Run]:
    """The class of the run in ``folder``, recognized by the record file of its kind."""
    for kind in RUN_KINDS.values():
        if kind.record and os.path.lexists(folder / kind.record):
            run_class: type[Run] = handler(kind.run_class)
            return run_class
    return Run
