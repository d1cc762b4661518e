"""The named values of a run in the index: its parameters, metrics, tags and properties.

Of a run that is still active, only what its metrics files have gained is read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from scriptrun.query import fields, numbers
from scriptrun.runtime.injob.metrics import mlflow_reader
from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value, fresh
from scriptrun.tracking import events, parameters
from scriptrun.tracking.index_tables import to_sqlite

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from scriptrun.runtime.hints import Json
    from scriptrun.tracking.index_tables import SqlValue

#: the longest text of a fact that is stored
MAX_LENGTH = 500
_INSERT = "insert or replace into facts values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_MISSING = "insert or ignore into facts values (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Metric(Value, frozen=False):
    """What a run logged as one metric: its last value, and the lowest and the highest number.

    ``text`` is that of a last value that is not a number.
    """

    count: int = 0
    number: float | None = None
    text: str | None = None
    low: float | None = None
    high: float | None = None
    latest: float = 0.0

    @property
    def value(self) -> float | str | None:
        """The last value."""
        return self.text if self.number is None else self.number

    def add(self, value: object, when: float) -> None:
        """Take in one logged value; the last is that of the latest time."""
        number, text = as_fact(value)
        self.count += 1
        if when >= self.latest:
            self.number, self.text, self.latest = number, text, when
        if number is not None:
            self.low = number if self.low is None else min(self.low, number)
            self.high = number if self.high is None else max(self.high, number)


class NamedValues(Value, frozen=False):
    """The named values of a run: ``logged`` are the metrics that count as parameters, too."""

    params: dict[str, str] = fresh(default_factory=dict)
    logged: dict[str, str] = fresh(default_factory=dict)
    metrics: dict[str, Metric] = fresh(default_factory=dict)
    properties: dict[str, str] = fresh(default_factory=dict)


def as_fact(value: object) -> tuple[float | None, str | None]:
    """``value`` as it is compared: its number, if it is one, else its text."""
    if isinstance(value, bool) or value is None:
        return None, str(value).lower()
    if isinstance(value, int | float):
        try:
            return (None, "nan") if math.isnan(value) else (float(value), None)
        except OverflowError:  # a whole number beyond the floats
            return None, str(value)[:MAX_LENGTH]
    text = str(value)
    number = numbers.parse_number(text)
    return number, None if number is not None else numbers.comparable(text[:MAX_LENGTH])


def write_given(database: sqlite3.Connection, run: int, job: JobSpec) -> None:
    """Replace the parameters of a run by those in its arguments."""
    database.execute("delete from facts where run = ? and space = 'params'", (run,))
    database.executemany(_INSERT, _rows(fields.PARAMS, run, parameters.of_job(job)))


def write_described(
    database: sqlite3.Connection, run: int, job: JobSpec, folder: Path, facts: events.RunFacts
) -> None:
    """Replace the tags and properties of a run, and add the parameters that MLflow logged."""
    database.execute(
        "delete from facts where run = ? and (space in ('tags', 'properties') "
        "or (space = 'params' and count = 1))",
        (run,),
    )
    rows = [
        *_rows(fields.TAGS, run, {**job.tags, **facts.tags}),
        *_rows(fields.PROPERTIES, run, {**facts.properties, **job.properties}),
        *_rows(fields.PARAMS, run, parameters.of_mlflow(folder)),
    ]
    database.executemany(_INSERT_MISSING, rows)


def _rows(space: str, run: int, named: Mapping[str, str | None]) -> Iterable[tuple[SqlValue, ...]]:
    for name, text in named.items():
        shown = None if text is None else numbers.comparable(to_sqlite(str(text)[:MAX_LENGTH]))
        number = None if shown is None else numbers.parse_number(shown)
        yield (space, to_sqlite(str(name)), run, number, shown, None, None, 0, None)


def read_metrics(database: sqlite3.Connection, run: int, folder: Path) -> None:
    """Add what the run's metrics have gained since the last call; see ``progress``."""
    progress = {
        path: (size, latest)
        for path, size, latest in database.execute(
            "select path, size, latest from progress where run = ?", (run,)
        )
    }
    paths = metric_reader.files(folder)
    if not paths and not progress and not os.path.isdir(folder / mlflow_reader.ROOT):
        return
    blocks = list(mlflow_reader.lines(folder))
    if blocks or any(_size(path) < progress[name][0] for name, path in _known(paths, progress)):
        database.execute("delete from facts where run = ? and space = 'metrics'", (run,))
        progress = {}
    metrics = {} if not progress else _stored(database, run)
    changed: set[str] = set()
    for path in paths:
        _read_file(path, progress, metrics, changed)
    for lines in blocks:
        _add_lines(lines, metrics, changed, 0.0)
    if changed:
        _write_metrics(database, run, {name: metrics[name] for name in changed})
    rows = [(run, to_sqlite(name), size, latest) for name, (size, latest) in progress.items()]
    database.executemany("insert or replace into progress values (?, ?, ?, ?)", rows)


def _known(paths: list[str], progress: Json) -> Iterable[tuple[str, str]]:
    named = {os.path.basename(path): path for path in paths}
    return [(name, named.get(name, "")) for name in progress]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _read_file(
    path: str,
    progress: dict[str, tuple[int, float]],
    metrics: dict[str, Metric],
    changed: set[str],
) -> None:
    """Add the new lines of one metrics file, and note in ``progress`` how far it is read."""
    name = os.path.basename(path)
    start, latest = progress.get(name, (0, 0.0))
    if _size(path) == start:
        return
    read = {path: start}
    for lines in metric_reader.tail(path, read):
        latest = _add_lines(lines, metrics, changed, latest)
    progress[name] = (read[path], latest)


def _add_lines(
    lines: Iterable[Json], metrics: dict[str, Metric], changed: set[str], latest: float
) -> float:
    """Add ``lines`` in their order: a clock that was set back does not make a value older."""
    for line in lines:
        point = metric_reader.parse_point(line) if isinstance(line, dict) else None
        if point is None or type(point.name) is not str:
            continue
        if isinstance(point.t, int | float) and point.t > latest:
            latest = float(point.t)
        for value in _single_values(point):
            metrics.setdefault(to_sqlite(point.name), Metric()).add(value, latest)
            changed.add(to_sqlite(point.name))
    return latest


def _single_values(point: metric_reader.Point) -> list[object]:
    """The single values of a line: tables, charts and images have none."""
    if point.kind == "scalar":
        return [] if isinstance(point.value, list | dict) else [point.value]
    if point.kind == "list" and isinstance(point.value, list):
        return [value for value in point.value if isinstance(value, int | float | str)]
    return []


def _stored(database: sqlite3.Connection, run: int) -> dict[str, Metric]:
    query = (
        "select key, count, number, text, low, high, latest from facts "
        "where run = ? and space = 'metrics'"
    )
    return {
        key: Metric(count, number, text, low, high, latest or 0.0)
        for key, count, number, text, low, high, latest in database.execute(query, (run,))
    }


def _write_metrics(database: sqlite3.Connection, run: int, metrics: dict[str, Metric]) -> None:
    database.executemany(
        _INSERT,
        [
            (
                *(fields.METRICS, name, run, metric.number),
                *(metric.text and to_sqlite(metric.text), metric.low, metric.high),
                *(metric.count, metric.latest),
            )
            for name, metric in metrics.items()
        ],
    )


def write_logged_parameters(database: sqlite3.Connection, run: int) -> None:
    """Let each metric that was logged once count as a parameter that the arguments lack."""
    database.execute("delete from facts where run = ? and space = 'params' and count = 1", (run,))
    query = "select key, number, text from facts where run = ? and space = 'metrics' and count = 1"
    rows = [
        ("params", fields.canonical(fields.PARAMS, key), run, number, text, None, None, 1, None)
        for key, number, text in database.execute(query, (run,)).fetchall()
    ]
    database.executemany(_INSERT_MISSING, rows)


def read(database: sqlite3.Connection, runs: list[int]) -> dict[int, NamedValues]:
    """The named values of ``runs``, by the number of the run."""
    found = {run: NamedValues() for run in runs}
    for start in range(0, len(runs), 500):
        part = runs[start : start + 500]
        query = (
            "select run, space, key, number, text, low, high, count, latest from facts "
            f"where run in ({', '.join('?' * len(part))}) and space != 'tags'"
        )
        for run, space, key, *columns in database.execute(query, part):
            _put(found[run], space, key, columns)
    return found


def _put(named: NamedValues, space: str, key: str, columns: list[float | str | None]) -> None:
    number, text, low, high, count, latest = columns
    if space == fields.METRICS:
        named.metrics[key] = Metric.from_dict(
            {
                **{"count": count, "number": number, "text": text},
                **{"low": low, "high": high, "latest": latest},
            }
        )
    elif space == fields.PROPERTIES:
        named.properties[key] = "" if text is None else str(text)
    elif count:
        named.logged[key] = str(number if text is None else text)
    else:
        named.params[key] = str(text)
