"""A run's files on its node, where the node and the workspace share none.

An engine whose ``traits.shared_files`` is False gives a `RunFiles` for each run (``Engine.home``),
and ``tracking/mirror.py`` brings the run's record and outputs home through it. `FolderFiles` is one
over a folder that this process can read: the node's side of an engine answers with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scriptrun.runtime import file_walk, files, foreign_names
from scriptrun.runtime.injob import artifacts
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

#: what a mirror never takes: it is at home already, belongs to the node, or is too large
NOT_MIRRORED = frozenset({"job.json", "cancel.json", "inputs", "checkpoints"})
#: what only the submitting side writes: no node may replace it
_WRITTEN_AT_HOME = NOT_MIRRORED | {"address.json"}
#: what the script wrote
OUTPUTS = frozenset({"outputs", "logs", "artifacts"})

#: what a mirror has of each file: how many bytes, and when the file had changed there
Known = Mapping[str, Sequence[int]]


class FileState(Value):
    """A file on the node: its name below the run's folder, its size, and when it changed.

    ``changed`` is a number that differs after every change, such as a modification time in
    nanoseconds; it is never 0.
    """

    name: str
    size: int
    changed: int


class RunFiles(Protocol):
    """The files of one run on its node. Raises NoAnswer where the node cannot be asked."""

    def changed(self, known: Known) -> list[FileState]:
        """The files whose size or time is not what ``known`` says; those it lacks are new.

        Files without a place in ``known`` may be left out (outputs that are only brought on
        demand), but those of the record may not. A listing with the ``result.json`` of an attempt
        has everything that was written before it: list again once you have seen one.
        """
        ...

    def read(self, name: str, start: int, size: int) -> bytes:
        """At most ``size`` bytes of the file ``name`` from ``start`` on; fewer where it ends."""
        ...

    def artifacts(self) -> list[str]:
        """The names of the run's artifacts: what the script wrote and uploaded, and its logs."""
        ...

    def read_artifact(self, name: str, start: int, size: int) -> bytes | None:
        """As ``read``, of an artifact; None where the run has none of that name."""
        ...

    def send(self, name: str, data: bytes) -> None:
        """Write a small file (``cancel.json``) into the run's folder, if the run is there."""
        ...


class FolderFiles(Value):
    """The files of a run whose folder is ``folder``; with ``outputs`` the script's are listed."""

    folder: Path
    outputs: bool = True

    def changed(self, known: Known) -> list[FileState]:
        """As `RunFiles.changed`."""
        states = list(self._states(self.folder))
        if any(is_result(state.name) and state.name not in known for state in states):
            states = list(self._states(self.folder))
        return [each for each in states if list(known.get(each.name, ())) != _stamp(each)]

    def read(self, name: str, start: int, size: int) -> bytes:
        """As `RunFiles.read`."""
        return _read(self.folder / name, start, size)

    def artifacts(self) -> list[str]:
        """As `RunFiles.artifacts`."""
        return artifacts.names(self.folder)

    def read_artifact(self, name: str, start: int, size: int) -> bytes | None:
        """As `RunFiles.read_artifact`."""
        path = artifacts.path_of(self.folder, name)
        return None if path is None else _read(Path(path), start, size)

    def send(self, name: str, data: bytes) -> None:
        """As `RunFiles.send`."""
        if self.folder.is_dir():
            files.write_atomic(self.folder / name, data)

    def _states(self, folder: Path) -> Iterator[FileState]:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return  # it has just gone
        for entry in entries:
            if folder == self.folder and self._is_left_out(entry.name):
                continue
            try:
                if folder == self.folder and entry.name in OUTPUTS:
                    yield from self._output_states(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    yield from self._states(Path(entry.path))
                elif entry.is_file(follow_symlinks=False) and not _is_passing(entry.name):
                    status = entry.stat()
                    name = Path(entry.path).relative_to(self.folder).as_posix()
                    yield FileState(name, status.st_size, status.st_mtime_ns)
            except OSError:
                continue

    def _output_states(self, area: str) -> Iterator[FileState]:
        """The files of one of OUTPUTS, behind links within it too, as a mirror has no links."""
        for file_name in file_walk.files_below(self.folder / area, within=self.folder / area):
            if _is_passing(file_name):
                continue
            try:
                status = (self.folder / area / file_name).stat()
            except OSError:
                continue
            yield FileState(f"{area}/{file_name}", status.st_size, status.st_mtime_ns)

    def _is_left_out(self, name: str) -> bool:
        if name in NOT_MIRRORED or name.startswith(("work", ".")):
            return True
        return name in OUTPUTS and not self.outputs


def is_result(name: str) -> bool:
    """Whether ``name`` is the result of an attempt, which is written when all else is."""
    return name.startswith("attempts/") and name.endswith("/result.json")


def check_names(states: Sequence[FileState], origin: str) -> None:
    """Raise ForeignNameRefused unless a node may have files of these names mirrored."""
    for state in states:
        top_folder = foreign_names.check(state.name, origin)[0]
        if top_folder in _WRITTEN_AT_HOME or top_folder.startswith(("work", ".")):
            raise foreign_names.ForeignNameRefused(
                f"{origin} tried to replace the file {state.name[:200]!r}.",
                "Only this machine writes the run's description and address.",
            )


def _is_passing(name: str) -> bool:
    """Whether a file is of no use elsewhere: half written, or room kept on the node's disk."""
    return name == "reserve" or name.endswith((".tmp", ".scriptrun-part"))


def _stamp(state: FileState) -> list[int]:
    return [state.size, state.changed]


def _read(path: Path, start: int, size: int) -> bytes:
    try:
        with files.open_record(path) as handle:
            handle.seek(start)
            return handle.read(size)
    except OSError:
        return b""
