"""The values of one metric with their steps and times."""

from __future__ import annotations

import datetime
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

from scriptrun.runs import details, results
from scriptrun.runtime.injob.metrics import mlflow_reader
from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.spec import library_values, suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import metric_series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pandas import DataFrame

    from scriptrun.core.run import Run


class MetricPoint(namedtuple("MetricPoint", "step time value rank")):
    """One value: its step (None if none was given), when it was logged (UTC), and by which rank."""

    step: float | None
    time: datetime.datetime
    value: object
    rank: int


class MetricHistory(list[MetricPoint]):
    """The values of the metric ``name`` in the order in which they were logged."""

    def __init__(self, name: str, points: Iterator[MetricPoint]) -> None:
        super().__init__(points)
        self.name = name

    def to_frame(self) -> DataFrame:
        """A pandas DataFrame with the columns step, time, value and rank.

        Raises UserErrorException if pandas is not installed.
        """
        pandas = library_values.require("pandas", "to_frame()", "Or use list().")
        return pandas.DataFrame(list(self), columns=list(MetricPoint._fields))


def read(run: Run, name: str) -> MetricHistory:
    """The values of the metric ``name``; raises UserErrorException if ``run`` did not log it."""
    history = MetricHistory(name, points(run.path, name))
    if history:
        return history
    error = results.not_yet(run, name)
    if error is None:
        names = metric_series.read(run.path)
        hint = suggestion.hint(name, names, "Its metrics")
        error = UserErrorException(f"Run {details.title(run)} did not log a metric {name!r}.", hint)
    raise error


def points(folder: Path, name: str) -> Iterator[MetricPoint]:
    """The values of a metric: one for each item of a list, each row (a dict), each other call."""
    for point in _calls(folder, name):
        time = _time_of(point.t)
        for value in _values(point, folder):
            yield MetricPoint(point.step, time, value, point.rank)


def _calls(folder: Path, name: str) -> Iterator[metric_series.Point]:
    yield from metric_series.points(folder, name)
    for lines in mlflow_reader.lines(folder):
        for line in lines if lines and lines[0]["m"] == name else ():
            point = metric_reader.parse_point(line)
            if point is not None:
                yield metric_series.Point(*point)


def _values(point: metric_series.Point, folder: Path) -> list[object]:
    if point.kind == "list":
        return list(point.value)
    if point.kind == "table":
        columns = point.value
        rows = zip(*columns.values(), strict=False)
        return [dict(zip(columns, row, strict=True)) for row in rows]
    if point.kind == "image":
        return [metric_reader.image_address(folder.name, point.value)]
    return [point.value]


def _time_of(seconds: object) -> datetime.datetime:
    if not (isinstance(seconds, int | float) and 0 <= seconds < 1e11):
        seconds = 0
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
