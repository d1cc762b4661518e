"""Read a run's metrics: merge its files into the shapes of ``get_metrics`` (Python 3.6+).

docs/explanation/formats.md documents the format and the order in which lines are merged.
"""

import collections
import heapq
import itertools
import json
import os

from scriptrun.runtime import files as record_files
from scriptrun.runtime.injob import values
from scriptrun.runtime.injob.metrics import mlflow_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, List, Tuple

    from scriptrun.runtime.hints import Json, StrPath

    #: a file's path, and its lines in blocks
    Tail = Tuple[str, Iterable[List[Json]]]
    #: a family of kinds, and the values gathered for it: a list or a _Table
    Piece = Tuple[str, Any]
    Family = Tuple[str, Callable[[], Any], Callable[[Any, Any], None]]

BLOCK = 1 << 20

#: one line of a metrics file
Point = collections.namedtuple("Point", "t name kind value step description writer")


def read(folder: "StrPath", name: "str | None" = None) -> "Json":
    """The metrics of the run in ``folder`` by name; with ``name``, only that one.

    A value logged once is that value; logged several times, a list of them in order. Lists of one
    name are concatenated. Rows and tables become ``{column: [...]}``, with None for missing cells.
    Values logged through MLflow come last. An image is the address of its artifact.
    """
    fold = Fold(os.path.basename(os.path.normpath(str(folder))))
    for lines in merged(folder):
        fold.add(lines, name)
    for lines in mlflow_reader.lines(folder):
        fold.add(lines, name)
    return fold.metrics()


def points(folder: "StrPath", name: "str | None" = None) -> "Iterator[Point]":
    """Each line of the run's metrics as a ``Point``, in order; with ``name``, only that metric."""
    for line in _merge_by_time([(path, tail(path)) for path in files(folder)]):
        point = parse_point(line)
        if point is not None and name in (None, point.name):
            yield point


def files(folder: "StrPath") -> "list[str]":
    """The metrics files of the run in ``folder``, sorted by writer."""
    metrics_folder = os.path.join(str(folder), "metrics")
    try:
        names = os.listdir(metrics_folder)
    except OSError:
        return []
    return [os.path.join(metrics_folder, name) for name in sorted(names) if name.endswith(".jsonl")]


def merged(folder: "StrPath") -> "Iterator[list[Json]]":
    """The lines (dicts) of all files, in order, in lists."""
    paths = files(folder)
    if len(paths) == 1:
        return tail(paths[0])
    ordered = _merge_by_time([(path, tail(path)) for path in paths])
    return iter(lambda: list(itertools.islice(ordered, 10000)), [])


def read_new_lines(folder: "StrPath", progress: "dict[str, int]") -> "list[Json]":
    """The lines (dicts) written since ``progress`` (see ``tail``), in order."""
    return list(_merge_by_time([(path, tail(path, progress)) for path in files(folder)]))


def tail(path: str, progress: "dict[str, int] | None" = None) -> "Iterator[list[Json]]":
    """The complete, valid lines of ``path`` as dicts, one list per block.

    ``progress`` (a dict from path to bytes read) says where to start and is updated. A last line
    without a newline is left for later.
    """
    start = 0 if progress is None else progress.get(path, 0)
    try:
        handle = record_files.open_record(path)
    except OSError:
        return
    with handle:
        handle.seek(start)
        rest = b""
        while True:
            block = handle.read(BLOCK)
            if not block:
                return
            whole, newline, rest = (rest + block).rpartition(b"\n")
            start += len(whole) + len(newline)
            if progress is not None:
                progress[path] = start
            yield _parse_lines(whole)


def _parse_lines(data: bytes) -> "list[Json]":
    lines = [line for line in data.split(b"\n") if line]
    try:
        text = (b"[" + b",".join(lines) + b"]").decode("utf-8", "surrogatepass")
        parsed: "list[Json]" = json.loads(text)
        if len(parsed) == len(lines):
            return parsed
    except (ValueError, RecursionError):
        pass
    return [line for line in map(_parse_line, lines) if isinstance(line, dict)]


def _parse_line(line: bytes) -> object:
    return record_files.parse_json(line)


def _merge_by_time(tails: "list[Tail]") -> "Iterator[Json]":
    """The lines of several files merged by time, keeping the order within each file."""
    if len(tails) == 1:
        return _with_writer(*tails[0])
    timed = [_with_time(position, path, blocks) for position, (path, blocks) in enumerate(tails)]
    return (entry[3] for entry in heapq.merge(*timed))


def _with_time(
    position: int, path: str, blocks: "Iterable[list[Json]]"
) -> "Iterator[tuple[float, int, int, Json]]":
    latest = 0.0
    for number, line in enumerate(_with_writer(path, blocks)):
        timestamp = line.get("t")
        if isinstance(timestamp, (int, float)) and timestamp > latest:  # a clock may jump back
            latest = timestamp
        yield latest, position, number, line


def _with_writer(path: str, blocks: "Iterable[list[Json]]") -> "Iterator[Json]":
    writer = os.path.basename(path)[: -len(".jsonl")]
    for block in blocks:
        for line in block:
            if isinstance(line, dict):
                line["writer"] = writer
                yield line


def parse_point(line: "Json") -> "Point | None":
    """The ``Point`` of a line, or None if the line is invalid."""
    try:
        value = values.from_json(line["v"]) if "f" in line else line["v"]
        return Point(
            line.get("t", 0.0),
            line["m"],
            line["k"],
            value,
            line.get("s"),
            line.get("d", ""),
            line.get("writer", ""),
        )
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return None


class Fold:
    """Gathers lines, in order, into the metrics of the run ``run_id``."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        #: by name; several pieces if kinds are mixed
        self._pieces: "dict[str, list[Piece]]" = {}

    def add(self, lines: "Iterable[Json]", only: "str | None" = None) -> None:
        """Add ``lines`` (dicts); with ``only``, just those of that name."""
        pieces = self._pieces
        for line in lines:
            try:
                name, kind, value = line["m"], line["k"], line["v"]
                if type(name) is not str or (only is not None and name != only):
                    continue
                collected = pieces.get(name)
                if kind == "scalar" and collected and collected[-1][0] == "one" and "f" not in line:
                    collected[-1][1].append(value)
                else:
                    self._add(name, kind, values.from_json(value) if "f" in line else value)
            except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
                continue  # not a valid line

    def _add(self, name: str, kind: str, value: object) -> None:
        family, start, gather = _FAMILIES.get(kind, _ONE)
        if kind == "image":
            value = image_address(self._run_id, value)
        pieces = self._pieces.get(name, [])
        if pieces and pieces[-1][0] == family:
            gather(pieces[-1][1], value)
        else:
            gathered = start()
            gather(gathered, value)
            self._pieces.setdefault(name, []).append((family, gathered))

    def metrics(self) -> "Json":
        """The gathered metrics, by name."""
        return {name: _shape(pieces) for name, pieces in self._pieces.items()}


class _Table:
    def __init__(self) -> None:
        self.columns: "dict[str, list[object]]" = {}
        self.rows = 0

    def add_row(self, row: "Json") -> None:
        self.add_table({column: [cell] for column, cell in row.items()})

    def add_table(self, table: "dict[str, list[object]]") -> None:
        added = max([len(cells) for cells in table.values()] or [0])
        for column, cells in table.items():
            column_cells = self.columns.setdefault(column, [None] * self.rows)
            column_cells.extend(cells)
        self.rows += added
        for cells in self.columns.values():
            cells.extend([None] * (self.rows - len(cells)))


_ONE: "Family" = ("one", list, list.append)
_FAMILIES: "dict[str, Family]" = {
    "list": ("list", list, list.extend),
    "row": ("table", _Table, _Table.add_row),
    "table": ("table", _Table, _Table.add_table),
}


def _shape(pieces: "list[Piece]") -> object:
    if len(pieces) == 1:
        family, gathered = pieces[0]
        if family == "table":
            return {column: list(cells) for column, cells in gathered.columns.items()}
        return gathered[0] if family == "one" and len(gathered) == 1 else list(gathered)
    parts: "list[object]" = []
    for family, gathered in pieces:
        parts.extend([gathered.columns] if family == "table" else gathered)
    return parts


def image_address(run_id: str, artifact: object) -> str:
    """The address of an image in SDK v1's metrics."""
    return "aml://artifactId/ExperimentRun/dcid.{}/{}".format(run_id, artifact)
