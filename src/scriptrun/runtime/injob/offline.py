"""The run outside any job: it prints what would have been logged (Python 3.6+)."""

import uuid

from scriptrun.runtime.injob import values
from scriptrun.runtime.injob.metrics import calls as metric_calls


class _OfflineRun(object):
    """Given by ``Run.get_context()`` outside a job, so that a script also runs by itself.

    It prints, records nothing, and has no members that would need a workspace: a script may ask
    ``hasattr(run, 'experiment')``.
    """

    def __init__(self, run_id=None):
        self.id = run_id or "OfflineRun_{}".format(uuid.uuid4())

    def __repr__(self):
        return "_OfflineRun(Id: {})".format(self.id)

    def __getattr__(self, name):
        raise AttributeError(
            "'_OfflineRun' object has no attribute {!r}: this process runs outside a job. "
            "Submit the script to have a run with it.".format(name)
        )

    def __enter__(self):
        return self

    def __exit__(self, exit_type, value, traceback):
        return None

    def log(self, name, value, description="", step=None):
        """Print the value."""
        _say("log scalar metric", name, values.scalar(value))

    def log_list(self, name, value, description=""):
        """Print the list."""
        _say("log list metric", name, values.sequence(value))

    def log_row(self, name, description=None, **kwargs):
        """Print the row."""
        _say("log row metric", name, kwargs)

    def log_table(self, name, value, description=""):
        """Print the table."""
        _say("log table metric", name, metric_calls.table_of(name, value))

    def log_image(self, name, path=None, plot=None, description=""):
        """Print the path or plot."""
        metric_calls.check_image(name, path, plot)
        _say("log image metric", name, plot if path is None else path)

    def log_confusion_matrix(self, name, value, description=""):
        """Print the matrix."""
        _say("log confusion matrix", name, value)

    def log_accuracy_table(self, name, value, description=""):
        """Print the table."""
        _say("log accuracy table", name, value)

    def log_predictions(self, name, value, description=""):
        """Print the predictions."""
        _say("log predictions", name, value)

    def log_residuals(self, name, value, description=""):
        """Print the residuals."""
        _say("log residuals", name, value)

    def tag(self, key, value=None):
        """Print the tag."""
        _say("add tag", key, value)

    def add_properties(self, properties):
        """Print the properties."""
        _say("add properties", "properties", properties)

    def upload_file(self, name, path_or_stream, datastore_name=None):
        """Print the names."""
        _say("upload file", name, path_or_stream)

    def upload_files(
        self, names, paths, return_artifacts=False, timeout_seconds=None, datastore_name=None
    ):
        """Print the names."""
        _say("upload files", ", ".join(map(str, names)), paths)

    def upload_folder(self, name, path, datastore_name=None):
        """Print the names."""
        _say("upload folder", name, path)

    def child_run(self, name=None, run_id=None, outputs=None):
        """Another offline run."""
        return _OfflineRun(run_id)

    def flush(self, timeout_seconds=300):
        """Nothing waits."""

    def complete(self, **kwargs):
        """Nothing ends."""

    def fail(self, error_details=None, error_code=None, **kwargs):
        """Nothing ends; the details are printed."""
        if error_details or error_code:
            _say("fail the run", error_code or "error", error_details)

    def cancel(self):
        """Nothing ends."""


def _say(what, name, value):
    print("Attempted to {} {}:\n{}".format(what, values.text(name), values.text(value)))
