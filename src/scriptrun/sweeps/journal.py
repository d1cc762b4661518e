"""The journal of a sweep: each point before its run is submitted, and how each run ended.

One file for each life of the driver (``journal/0001.jsonl``, ...), which appends one JSON object a
line; the driver alone writes, under the sweep's lock. A torn line, after a crash or on a full disk,
is passed over. The format is documented in docs/explanation/formats.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class Child(Value, frozen=False):
    """One run of a sweep, as the journal knows it.

    ``created`` is its time of submission, which names its day; ``source`` the run that it goes on
    from; ``raw`` the sampler's own numbers. Once it has ended: ``state``, ``reason``, the ``best``
    value of the primary metric (None: it logged none), how many ``values`` it logged, ``began``
    and ``ended``.
    """

    number: int
    id: str
    parameters: dict[str, Any]
    created: str
    source: str | None = None
    raw: dict[str, Any] | None = None
    state: str = ""
    reason: str = ""
    best: float | None = None
    values: int = 0
    began: float | None = None
    ended: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the journal says how it ended."""
        return bool(self.state)

    def folder(self, runs: Path) -> Path:
        """Its run folder."""
        return runs / self.created[:10] / self.id


class Journal(Value, frozen=False):
    """Reads and, for the driver, writes. ``children`` by their numbers."""

    folder: Path
    children: dict[int, Child] = fresh(default_factory=dict)
    _handle: int = -1

    def read(self) -> Journal:
        """Take in all that was written."""
        self.children = {}
        for name in self._names():
            for lines in metric_reader.tail(str(self.folder / "journal" / name)):
                for line in lines:
                    self._take(line)
        return self

    def _names(self) -> list[str]:
        try:
            names = os.listdir(self.folder / "journal")
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if name.endswith(".jsonl"))

    def sizes(self) -> list[tuple[str, int]]:
        """How long its files are by now; they only grow."""
        place = self.folder / "journal"
        return [(name, os.stat(place / name).st_size) for name in self._names()]

    def _take(self, line: Any) -> None:
        try:
            number = line["n"]
            if "p" in line:
                self.children.setdefault(
                    number,
                    Child(
                        number,
                        line["id"],
                        line["p"],
                        line["created"],
                        line.get("from"),
                        line.get("raw"),
                    ),
                )
            else:
                child = self.children[number]
                child.state, child.reason = line["state"], line.get("reason", "")
                child.best, child.values = line.get("best"), line.get("values", 0)
                child.began, child.ended = line.get("began"), line.get("ended")
        except (KeyError, TypeError):
            return  # not a line of ours

    def add(self, child: Child) -> None:
        """Write a point down, before its run is submitted."""
        point = {"n": child.number, "id": child.id, "p": child.parameters, "created": child.created}
        more = {"from": child.source, "raw": child.raw}
        self._write({**point, **{name: each for name, each in more.items() if each}})
        self.children[child.number] = child

    def end(self, child: Child) -> None:
        """Write down how a run ended, as ``child`` says."""
        line = {"n": child.number, "state": child.state, "reason": child.reason}
        line.update(best=child.best, values=child.values, began=child.began, ended=child.ended)
        self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        data = text.encode("utf-8", "surrogatepass")
        if self._handle < 0:
            self._handle = self._new()
        try:
            done = os.write(self._handle, data)
        except OSError:
            self.close()
            raise
        if done < len(data):  # a full disk; the next file begins with a whole line
            self.close()
            raise OSError(28, "No space left on device", str(self.folder))

    def _new(self) -> int:
        place = self.folder / "journal"
        place.mkdir(exist_ok=True)
        names = self._names()
        number = int(names[-1].partition(".")[0]) + 1 if names else 1
        return os.open(place / f"{number:04d}.jsonl", _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    @property
    def next_number(self) -> int:
        """The number of the next point."""
        return max(self.children, default=-1) + 1
