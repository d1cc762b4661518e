"""``Run``: a job's run in its own script (Python 3.6+, standard library only)."""

import os

from scriptrun.runtime.injob import artifacts, child_runs, inputs, record
from scriptrun.runtime.injob.artifact_calls import ArtifactCalls
from scriptrun.runtime.injob.errors import RunEnvironmentException
from scriptrun.runtime.injob.experiment import Experiment
from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.runtime.injob.metrics.calls import MetricCalls
from scriptrun.runtime.injob.metrics.flusher import FLUSHER
from scriptrun.runtime.injob.metrics.writer import writer_of
from scriptrun.runtime.injob.offline import _OfflineRun
from scriptrun.runtime.injob.proxy import named, root
from scriptrun.runtime.injob.proxy_process import helper
from scriptrun.runtime.injob.record_calls import RecordCalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Any

    from scriptrun.runtime.hints import Json, StrPath


#: members of SDK v1's Run that need the helper
_HELPER_MEMBERS = frozenset(
    [
        "register_model",
        "submit_child",
        "get_secret",
        "get_secrets",
        "get_environment",
        "get_portal_url",
        "get_snapshot_id",
        "restore_snapshot",
        "take_snapshot",
        "wait_for_completion",
        "get_all_logs",
        "get_details_with_logs",
        "number",
    ]
)


class Run(MetricCalls, ArtifactCalls, RecordCalls):
    """A job's run in its own script, returned by ``Run.get_context()``.

    Threads, forked processes and several ranks may use it at once.
    """

    __scriptrun__ = "run"

    def __new__(cls, *args: object, **kwargs: object) -> "Any":
        """``Run(experiment, run_id)`` is another run, from the helper."""
        if cls is not Run or len(args) + len(kwargs) < 2:
            return object.__new__(cls)
        helper("scriptrun.Run")
        return named("Run")(*args, **kwargs)

    def __init__(self, folder: "StrPath") -> None:
        self.folder = os.path.abspath(str(folder))
        self.id = os.path.basename(self.folder)

    @classmethod
    def get_context(
        cls, allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: object
    ) -> "Run | _OfflineRun":
        """The run of the job that this process belongs to.

        Outside a job it is an offline run, which prints what is logged; with
        ``allow_offline=False``, RunEnvironmentException is raised instead.
        """
        folder, run_id = os.environ.get("SCRIPTRUN_RUN_FOLDER"), os.environ.get("SCRIPTRUN_RUN_ID")
        if folder and run_id:
            if (folder, run_id) not in _contexts:
                _contexts[folder, run_id] = cls(folder)
                _contexts[folder, run_id].id = run_id
            return _contexts[folder, run_id]
        if not allow_offline:
            raise RunEnvironmentException(
                "No active run: this process is not part of a job (SCRIPTRUN_RUN_ID and "
                "SCRIPTRUN_RUN_FOLDER are not set).",
                "Submit the script, or use allow_offline=True.",
            )
        return _OfflineRun()

    @staticmethod
    def get(workspace: "Any", run_id: str) -> "Any":
        """The workspace's run with this ID, from the helper."""
        helper("scriptrun.Run.get")
        return named("Run").get(workspace, run_id)

    def __repr__(self) -> str:
        return "Run(Experiment: {}, Id: {})".format(self.experiment.name, self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    def __getattr__(self, name: str) -> "Any":
        if name in _HELPER_MEMBERS:
            helper("run.{}".format(name))
            return getattr(root("run"), name)
        raise AttributeError("'Run' object has no attribute {!r}".format(name))

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        exit_type: "type[BaseException] | None",
        value: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        if exit_type is None or (isinstance(value, SystemExit) and not value.code):
            self.complete()
        else:
            self.fail(error_details="{}: {}".format(exit_type.__name__, value))

    @property
    def experiment(self) -> "Any":
        """The run's experiment."""
        name = record.job(self.folder).get("experiment")
        return Experiment(name or os.environ.get("SCRIPTRUN_EXPERIMENT", ""))

    @property
    def input_datasets(self) -> "inputs.Inputs":
        """The job's inputs by name: the path of files, or a tabular dataset."""
        return inputs.Inputs(self.folder, self._dataset_of)

    @property
    def output_datasets(self) -> "inputs.Outputs":
        """The folders of the job's outputs, by name."""
        return inputs.Outputs(self.folder)

    def _dataset_of(self, name: str) -> object:
        """The dataset of the input ``name``, from the helper."""
        helper("run.input_datasets[{!r}]".format(name))
        return root("run").input_datasets[name]

    @property
    def parent(self) -> "Run | None":
        """The parent run, or None."""
        parent = record.job(self.folder).get("parent")
        folder = child_runs.find(self.folder, parent) if parent else None
        return None if folder is None else Run(folder)

    def get_metrics(
        self,
        name: "str | None" = None,
        recursive: bool = False,
        run_type: "str | None" = None,
        populate: bool = False,
    ) -> "Json":
        """The metrics logged so far, by name (see ``scriptrun.tracking.metric_series.read``).

        With ``recursive``, a dict from run ID to metrics for this run and its descendants,
        optionally only those of ``run_type``.
        """
        FLUSHER.flush()
        if not recursive:
            return metric_reader.read(self.folder, name)
        folders = [self.folder] + child_runs.descendants(self.folder)
        return {
            os.path.basename(folder): metric_reader.read(folder, name)
            for folder in folders
            if run_type in (None, record.job(folder).get("kind"))
        }

    def flush(self, timeout_seconds: float = 300) -> None:
        """Write everything that this process has logged."""
        writer_of(self.folder).flush()

    def child_run(
        self, name: "str | None" = None, run_id: "str | None" = None, outputs: object = None
    ) -> "Run":
        """Start a child run with its own metrics, tags and uploads.

        In a ``with`` statement it ends with the block; otherwise ``complete()`` ends it.
        """
        return Run(child_runs.begin(self.folder, self.id, name, run_id))

    def create_children(
        self,
        count: "int | None" = None,
        tag_key: "str | None" = None,
        tag_values: "Iterable[object] | None" = None,
    ) -> "list[Run]":
        """Start several child runs: ``count`` of them, or one for each of ``tag_values``, tagged
        as ``tag_key``.
        """
        if tag_key is not None:
            children = [(self.child_run(), value) for value in tag_values or ()]
            for child, value in children:
                child.tag(tag_key, value)
            return [child for child, _ in children]
        return [self.child_run() for _ in range(int(count or 0))]

    def get_children(self, recursive: bool = False, **kwargs: "Any") -> "Iterator[Run]":
        """The child runs, oldest first; with ``recursive``, all descendants."""
        folders = (
            child_runs.descendants(self.folder) if recursive else child_runs.children(self.folder)
        )
        return iter([Run(folder) for folder in folders])

    def complete(self, **kwargs: object) -> None:
        """Mark the run as completed; a job also completes by itself."""
        self.flush()
        record.write_event(self.folder, "complete")
        child_runs.end(self.folder, "Completed", "")

    def fail(
        self, error_details: object = None, error_code: object = None, **kwargs: object
    ) -> None:
        """Mark the run as failed, with a message, even if the script continues."""
        self.flush()
        message = "" if error_details is None else str(error_details)
        extra = {} if error_code is None else {"code": str(error_code)}
        record.write_event(self.folder, "fail", message=message, **extra)
        child_runs.end(self.folder, "Failed", message)

    def cancel(self) -> None:
        """Request cancellation: the script gets SIGTERM and time to save."""
        self.flush()
        child_runs.cancel(self.folder)

    def get_details(self) -> "Json":
        """The run's details, with SDK v1's keys."""
        job = record.job(self.folder)
        return {
            "runId": self.id,
            "target": (job.get("target") or {}).get("name", ""),
            "status": self.get_status(),
            "startTimeUtc": job.get("created"),
            "properties": self.get_properties(),
            "inputDatasets": [],
            "outputDatasets": [],
            "runDefinition": job.get("run_definition") or {},
            "logFiles": {
                name: artifacts.path_of(self.folder, name)
                for name in artifacts.names(self.folder)
                if name.startswith(("user_logs/", "system_logs/", "logs/"))
            },
        }


_contexts: "dict[tuple[str, str], Run]" = {}
