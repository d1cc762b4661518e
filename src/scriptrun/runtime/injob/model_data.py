"""``azureml.monitoring``: what a service receives and answers, as CSV files (Python 3.6+).

The rows of ``ModelDataCollector('digits', designation='inputs')`` are in the run's outputs, in
``outputs/modeldata/digits/inputs/<date>.csv``.
"""

import csv
import datetime
import io
import os
import re

from scriptrun.runtime import files
from scriptrun.runtime.injob import artifacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import List, Optional, TypeVar

    Data = TypeVar("Data")

#: the folder in the run's outputs
FOLDER = "modeldata"


class ModelDataCollector(object):
    """Collects rows of a model's inputs or predictions; outside a run it does nothing.

    ``designation`` (before 2019: ``identifier``) names the table. ``feature_names`` are its
    columns; further arguments of the SDK v1 are ignored.
    """

    def __init__(
        self,
        model_name: str,
        designation: str = "default",
        feature_names: "Optional[Sequence[str]]" = None,
        **kwargs: object,
    ) -> None:
        self.model_name = str(model_name)
        self.designation = str(kwargs.get("identifier") or designation)
        self.feature_names = None if feature_names is None else list(map(str, feature_names))

    def collect(self, input_data: "Data", user_correlation_id: str = "") -> "Data":
        """Add rows: a list of rows, one row, a value, a numpy array or a pandas data frame.

        Each gets the time and the correlation ID. Returns ``input_data``.
        """
        path = self._path()
        if path is not None:
            columns, rows = _table(input_data)
            _append(path, self.feature_names or columns, user_correlation_id, rows)
        return input_data

    def add_correlations(self, input_data: "Data", correlation_id: str = "") -> "Data":
        """Return the data: every row that is collected has its correlation ID."""
        return input_data

    def _path(self) -> "Optional[str]":
        """Today's file, or None outside a run."""
        run = os.environ.get("SCRIPTRUN_RUN_FOLDER")
        if not run:
            return None
        parts = ("outputs", FOLDER, _part(self.model_name), _part(self.designation))
        name = "{}/{:%Y-%m-%d}.csv".format("/".join(parts), _now())
        path = artifacts.target_path(run, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path


def _append(
    path: str,
    columns: "Optional[Sequence[str]]",
    correlation: str,
    rows: "Iterable[Sequence[object]]",
) -> None:
    """Add rows to the file in one write, as other workers do; a new file begins with a header."""
    rows = list(rows)
    names = list(columns or ())
    width = max([len(row) for row in rows] or [0])
    names += ["column{}".format(number) for number in range(len(names), width)]
    if not os.path.exists(path):
        files.publish(path, _csv([["time", "correlation_id"] + names]))
    stamp = _now().isoformat()
    content = _csv([[stamp, correlation] + list(row) for row in rows])
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)


def _csv(rows: "Iterable[Sequence[object]]") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _table(data: object) -> "tuple[Optional[List[str]], List[List[object]]]":
    """The columns of the data if it has any, and its rows."""
    if hasattr(data, "columns") and hasattr(data, "values"):
        columns = [str(name) for name in data.columns]
        return columns, [list(row) for row in data.values.tolist()]
    if hasattr(data, "tolist"):  # a numpy array
        data = data.tolist()
    if isinstance(data, dict):
        return [str(name) for name in data], [list(data.values())]
    if not isinstance(data, (list, tuple)):
        return None, [[data]]
    if any(isinstance(row, (list, tuple)) for row in data):
        return None, [list(row) if isinstance(row, (list, tuple)) else [row] for row in data]
    return None, [list(data)]


def _part(name: str) -> str:
    """``name`` as one part of a path."""
    return re.sub(r"[^\w.-]", "_", name).strip(".") or "_"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
