"""Read a run's metrics: all at once, one as a series, or only new points.

docs/explanation/formats.md documents the format. The merging is shared with the in-job
``get_metrics`` (``scriptrun.runtime.injob.metrics.reader``), so both return the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.hints import Json


class Point(metric_reader.Point):
    """A call of a ``log_*`` method; ``t`` is in seconds since 1970, ``writer`` the file's stem."""

    t: float
    name: str
    kind: str
    value: Any
    step: float | None
    description: str
    writer: str

    @property
    def rank(self) -> int:
        """The rank of the process that logged it."""
        first = self.writer.partition("-")[0]
        return int(first) if first.isdigit() else 0


class Series(Value):
    """The values of one metric in order, for a chart: four lists of equal length.

    A ``log_list`` call adds one entry per item, a ``log_row`` call one entry (the row as a dict).
    ``steps`` has None for missing steps; ``times`` are seconds since 1970.
    """

    name: str
    values: list[Any] = fresh(default_factory=list)
    steps: list[float | None] = fresh(default_factory=list)
    times: list[float] = fresh(default_factory=list)
    ranks: list[int] = fresh(default_factory=list)

    def _add(self, point: Point) -> None:
        for value in point.value if point.kind == "list" else [point.value]:
            self.values.append(value)
            self.steps.append(point.step)
            self.times.append(point.t)
            self.ranks.append(point.rank)


def read(folder: Path, name: str | None = None) -> Json:
    """The metrics of the run in ``folder`` by name, in SDK v1's shapes.

    A value logged once is that value; logged several times, a list in order. Lists of one name are
    concatenated. Rows and tables become ``{column: [...]}``, with None for missing cells. An image
    is the text ``aml://artifactId/ExperimentRun/dcid.<run id>/<artifact>``. With ``name``, only
    that metric. A run without metrics returns an empty dict. Works while the run is active.
    """
    metrics: Json = metric_reader.read(str(folder), name)
    return metrics


def points(folder: Path, name: str | None = None) -> Iterator[Point]:
    """Every call of a ``log_*`` method, in order; with ``name``, only those of that name."""
    return (Point(*point) for point in metric_reader.points(str(folder), name))


def series(folder: Path, name: str) -> Series:
    """The values of ``name`` with their steps, times and ranks; empty if there are none."""
    result = Series(name)
    for point in points(folder, name):
        result._add(point)
    return result


class Follower:
    """Follows the metrics of a run that may still be active, reading each byte once.

    ``poll()`` returns new points; ``metrics()`` all so far, in the shapes of ``read``. Points of
    several writers that arrive between two polls are merged by time; late points come after
    those already returned.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._progress: dict[str, int] = {}
        self._fold = metric_reader.Fold(self.folder.name)

    def poll(self) -> list[Point]:
        """The points written since the last call, in order."""
        lines = metric_reader.read_new_lines(str(self.folder), self._progress)
        self._fold.add(lines)
        parsed = (metric_reader.parse_point(line) for line in lines)
        return [Point(*point) for point in parsed if point is not None]

    def metrics(self) -> Json:
        """The metrics of all points that ``poll`` has returned so far."""
        shapes: Json = self._fold.metrics()
        return shapes
