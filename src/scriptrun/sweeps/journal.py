"""The journal of a sweep: each point before its run is submitted, and the result of each run.

Each driver process appends to its own file (``journal/0001.jsonl``, ...), one JSON object per
line; only the driver writes, holding the sweep's flock. An incomplete line, after a crash or on a
full disk, is skipped. The format is documented in docs/explanation/formats.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from scriptrun.runtime import files, foreign_names
from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


#: what a point is called in a line of the journal, and in a ChildRun
_POINT = {
    "n": "number",
    "id": "id",
    "p": "parameters",
    "created": "created",
    "from": "source",
    "raw": "raw",
}


class ChildRun(Value, frozen=False):
    """One run of a sweep, as recorded in the journal.

    ``created`` is the time of submission, whose day is part of the folder's path; ``source`` is the
    run that it resumes from; ``raw`` are the sampler's raw parameters. Once it has ended:
    ``state``, ``reason``, the ``best`` value of the primary metric (None: none logged), the number
    of logged ``values``, ``began`` and ``ended``.
    """

    number: int
    id: str
    parameters: Json
    created: str
    source: str | None = None
    raw: Json | None = None
    state: str = ""
    reason: str = ""
    best: float | None = None
    values: int = 0
    began: float | None = None
    ended: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the run has ended according to the journal."""
        return bool(self.state)

    @property
    def is_in_runs(self) -> bool:
        """Whether its folder is one of a run, wherever the runs are."""
        name = f"{self.created[:10]}/{self.id}"
        return name.count("/") == 1 and not foreign_names.problem(name)

    def folder(self, runs: Path) -> Path:
        """The run's folder."""
        return runs / self.created[:10] / self.id


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


class Journal(Value, frozen=False):
    """Reads the journal and, for the driver, writes it. ``children`` are by number."""

    folder: Path
    children: dict[int, ChildRun] = fresh(default_factory=dict)
    _handle: int = -1

    def read(self) -> Journal:
        """Read all files."""
        self.children = {}
        for name in self._names():
            for lines in metric_reader.tail(str(self.folder / "journal" / name)):
                for line in lines:
                    self._apply(line)
        return self

    def _names(self) -> list[str]:
        names = files.names_in(self.folder / "journal")
        return sorted(name for name in names if name.endswith(".jsonl"))

    def sizes(self) -> list[tuple[str, int]]:
        """The names and sizes of its files, which only grow."""
        journal_folder = self.folder / "journal"
        return [(name, _size(journal_folder / name)) for name in self._names()]

    def _apply(self, line: Json) -> None:
        try:
            number = line["n"]
            if "p" in line:
                point = {key: line[name] for name, key in _POINT.items() if name in line}
                child = ChildRun.from_dict(point)
                if child.is_in_runs:
                    self.children.setdefault(number, child)
                return
            child = self.children[number]
            end = {"reason": "", "values": 0, "best": None, "began": None, "ended": None}
            end.update({name: line[name] for name in ("state", *end) if name in line})
            self.children[number] = ChildRun.from_dict({**child.as_dict(), **end})
        except (KeyError, TypeError, ValueError):
            return  # not a valid line

    def add(self, child: ChildRun) -> None:
        """Record a point, before its run is submitted."""
        point = {"n": child.number, "id": child.id, "p": child.parameters, "created": child.created}
        optional = {"from": child.source, "raw": child.raw}
        self._write({**point, **{name: value for name, value in optional.items() if value}})
        files.sync_handle(self._handle)  # or the point's run could be submitted twice
        self.children[child.number] = child

    def end(self, child: ChildRun) -> None:
        """Record the result of the run ``child``."""
        line = {"n": child.number, "state": child.state, "reason": child.reason}
        line.update(best=child.best, values=child.values, began=child.began, ended=child.ended)
        self._write(line)

    def _write(self, line: Json) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        data = text.encode("utf-8", "surrogatepass")
        if self._handle < 0:
            self._handle = self._create_file()
        try:
            written = os.write(self._handle, data)
        except OSError:
            self.close()
            raise
        if written < len(data):  # a full disk; the next file starts with a complete line
            self.close()
            raise OSError(28, "No space left on device", str(self.folder))

    def _create_file(self) -> int:
        journal_folder = self.folder / "journal"
        journal_folder.mkdir(exist_ok=True)
        files.sync_folder(self.folder)
        names = self._names()
        numbers = [name.partition(".")[0] for name in names]
        number = max((int(each) for each in numbers if each.isdigit()), default=0) + 1
        path = journal_folder / f"{number:04d}.jsonl"
        handle = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
        files.sync_folder(journal_folder)
        return handle

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    @property
    def next_number(self) -> int:
        """The number of the next point."""
        return max(self.children, default=-1) + 1
