"""The run of a script outside any job: it prints instead of logging (Python 3.6+)."""

from scriptrun.runtime.injob import values
from scriptrun.runtime.injob.metrics import calls as metric_calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import NoReturn

    from scriptrun.runtime.hints import StrPath


class _OfflineRun(object):
    """Returned by ``Run.get_context()`` outside a job, so that a script also runs standalone.

    It prints and records nothing. It has no members that need a workspace, so that a script can
    test ``hasattr(run, 'experiment')``.
    """

    def __init__(self, run_id: "str | None" = None) -> None:
        import uuid

        self.id = run_id or "OfflineRun_{}".format(uuid.uuid4())

    def __repr__(self) -> str:
        return "_OfflineRun(Id: {})".format(self.id)

    def __getattr__(self, name: str) -> "NoReturn":
        raise AttributeError(
            "'_OfflineRun' object has no attribute {!r}: this process runs outside a job. "
            "Submit the script to get a full run.".format(name)
        )

    def __enter__(self) -> "_OfflineRun":
        return self

    def __exit__(
        self,
        exit_type: "type[BaseException] | None",
        value: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        return None

    def log(self, name: str, value: object, description: str = "", step: object = None) -> None:
        """Print the value."""
        _print_call("log scalar metric", name, values.scalar(value))

    def log_list(self, name: str, value: object, description: str = "") -> None:
        """Print the list."""
        _print_call("log list metric", name, values.sequence(value))

    def log_row(self, name: str, description: "str | None" = None, **kwargs: object) -> None:
        """Print the row."""
        _print_call("log row metric", name, kwargs)

    def log_table(self, name: str, value: object, description: str = "") -> None:
        """Print the table."""
        _print_call("log table metric", name, metric_calls.table_of(name, value))

    def log_image(
        self, name: str, path: "StrPath | None" = None, plot: object = None, description: str = ""
    ) -> None:
        """Print the path or plot."""
        metric_calls.check_image(name, path, plot)
        _print_call("log image metric", name, plot if path is None else path)

    def log_confusion_matrix(self, name: str, value: object, description: str = "") -> None:
        """Print the matrix."""
        _print_call("log confusion matrix", name, value)

    def log_accuracy_table(self, name: str, value: object, description: str = "") -> None:
        """Print the table."""
        _print_call("log accuracy table", name, value)

    def log_predictions(self, name: str, value: object, description: str = "") -> None:
        """Print the predictions."""
        _print_call("log predictions", name, value)

    def log_residuals(self, name: str, value: object, description: str = "") -> None:
        """Print the residuals."""
        _print_call("log residuals", name, value)

    def tag(self, key: object, value: object = None) -> None:
        """Print the tag."""
        _print_call("add tag", key, value)

    def add_properties(self, properties: object) -> None:
        """Print the properties."""
        _print_call("add properties", "properties", properties)

    def upload_file(
        self, name: str, path_or_stream: object, datastore_name: "str | None" = None
    ) -> None:
        """Print the names."""
        _print_call("upload file", name, path_or_stream)

    def upload_files(
        self,
        names: "Iterable[str]",
        paths: object,
        return_artifacts: bool = False,
        timeout_seconds: "float | None" = None,
        datastore_name: "str | None" = None,
    ) -> None:
        """Print the names."""
        _print_call("upload files", ", ".join(map(str, names)), paths)

    def upload_folder(self, name: str, path: object, datastore_name: "str | None" = None) -> None:
        """Print the names."""
        _print_call("upload folder", name, path)

    def child_run(
        self, name: "str | None" = None, run_id: "str | None" = None, outputs: object = None
    ) -> "_OfflineRun":
        """Create another offline run."""
        return _OfflineRun(run_id)

    def flush(self, timeout_seconds: float = 300) -> None:
        """Do nothing: nothing is buffered."""

    def complete(self, **kwargs: object) -> None:
        """Do nothing."""

    def fail(
        self, error_details: object = None, error_code: object = None, **kwargs: object
    ) -> None:
        """Print the details."""
        if error_details or error_code:
            _print_call("fail the run", error_code or "error", error_details)

    def cancel(self) -> None:
        """Do nothing."""


def _print_call(action: str, name: object, value: object) -> None:
    print("Attempted to {} {}:\n{}".format(action, values.text(name), values.text(value)))
