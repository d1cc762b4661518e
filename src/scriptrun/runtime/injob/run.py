"""``Run``: what a job's script knows of its own run (Python 3.6+, standard library only)."""

import os

from scriptrun.runtime.injob import artifacts, child_runs, inputs, record
from scriptrun.runtime.injob.artifact_calls import ArtifactCalls
from scriptrun.runtime.injob.errors import RunEnvironmentException
from scriptrun.runtime.injob.experiment import Experiment
from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.runtime.injob.metrics.calls import MetricCalls
from scriptrun.runtime.injob.metrics.flusher import BEAT
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

    from scriptrun.runtime.hints import Json, Place


#: members of v1's Run that need more than the run's folder
_ELSEWHERE = frozenset(
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
    """A job's run as its script sees it; ``Run.get_context()`` gives it.

    Threads, forked processes and several ranks may use it at once.
    """

    __scriptrun__ = "run"

    def __new__(cls, *args: object, **kwargs: object) -> "Any":
        """``Run(experiment, run_id)`` is another run, which the helper knows."""
        if cls is not Run or len(args) + len(kwargs) < 2:
            return object.__new__(cls)
        helper("scriptrun.Run")
        return named("Run")(*args, **kwargs)

    def __init__(self, folder: "Place") -> None:
        self.folder = os.path.abspath(str(folder))
        self.id = os.path.basename(self.folder)

    @classmethod
    def get_context(
        cls, allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: object
    ) -> "Run | _OfflineRun":
        """The run of the job that this process belongs to.

        Outside a job an offline run, which prints what is logged; with ``allow_offline=False``
        RunEnvironmentException is raised there.
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
        """The workspace's run with this id, from the helper."""
        helper("scriptrun.Run.get")
        return named("Run").get(workspace, run_id)

    def __repr__(self) -> str:
        return "Run(Experiment: {}, Id: {})".format(self.experiment.name, self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    def __getattr__(self, name: str) -> "Any":
        if name in _ELSEWHERE:
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
        """The experiment; it has a ``name``."""
        name = record.job(self.folder).get("experiment")
        return Experiment(name or os.environ.get("SCRIPTRUN_EXPERIMENT", ""))

    @property
    def input_datasets(self) -> "inputs.Inputs":
        """The job's inputs by name: of files the path, of a table the dataset."""
        return inputs.Inputs(self.folder, self._dataset_of)

    @property
    def output_datasets(self) -> "inputs.Outputs":
        """The job's outputs by name: the path of the folder that each is written to."""
        return inputs.Outputs(self.folder)

    def _dataset_of(self, name: str) -> object:
        """The dataset of the input ``name``, from the helper."""
        helper("run.input_datasets[{!r}]".format(name))
        return root("run").input_datasets[name]

    @property
    def parent(self) -> "Run | None":
        """The run that this one is a child of, or None."""
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
        """What was logged so far, by name (``scriptrun.tracking.metrics.read`` says how).

        With ``recursive`` a dict from run id to metrics, for this run and those below it, of
        ``run_type`` where that is given.
        """
        BEAT.flush()
        if not recursive:
            return metric_reader.read(self.folder, name)
        folders = [self.folder] + child_runs.below(self.folder)
        return {
            os.path.basename(folder): metric_reader.read(folder, name)
            for folder in folders
            if run_type in (None, record.job(folder).get("kind"))
        }

    def flush(self, timeout_seconds: float = 300) -> None:
        """Write out, now, all that was logged in this process."""
        writer_of(self.folder).flush()

    def child_run(
        self, name: "str | None" = None, run_id: "str | None" = None, outputs: object = None
    ) -> "Run":
        """Begin a child of this run: logs, tags and uploads of its own.

        Used in a ``with`` statement it ends with the block; else ``complete()`` ends it.
        """
        return Run(child_runs.begin(self.folder, self.id, name, run_id))

    def create_children(
        self,
        count: "int | None" = None,
        tag_key: "str | None" = None,
        tag_values: "Iterable[object] | None" = None,
    ) -> "list[Run]":
        """Begin several children: ``count`` of them, or one for each of ``tag_values``, which
        has the tag ``tag_key``.
        """
        if tag_key is not None:
            begun = [(self.child_run(), value) for value in tag_values or ()]
            for child, value in begun:
                child.tag(tag_key, value)
            return [child for child, _ in begun]
        return [self.child_run() for _ in range(int(count or 0))]

    def get_children(self, recursive: bool = False, **kwargs: "Any") -> "Iterator[Run]":
        """The runs below this one, in the order in which they were begun."""
        folders = child_runs.below(self.folder) if recursive else child_runs.of(self.folder)
        return iter([Run(folder) for folder in folders])

    def complete(self, **kwargs: object) -> None:
        """Say that this run has done what it should; a job also completes by itself."""
        self.flush()
        record.say(self.folder, "complete")
        child_runs.end(self.folder, "Completed", "")

    def fail(
        self, error_details: object = None, error_code: object = None, **kwargs: object
    ) -> None:
        """Mark the run as failed, with a message: it stays so, even if the script goes on."""
        self.flush()
        message = "" if error_details is None else str(error_details)
        more = {} if error_code is None else {"code": str(error_code)}
        record.say(self.folder, "fail", message=message, **more)
        child_runs.end(self.folder, "Failed", message)

    def cancel(self) -> None:
        """Ask for this run to be cancelled: the script gets SIGTERM, and time to save."""
        self.flush()
        child_runs.cancel(self.folder)

    def get_details(self) -> "Json":
        """What is known of the run, in v1's words."""
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
