"""The workspace's copy of the files of a run that is stored on another machine.

Each refresh copies what has changed since the last one (``run_files.RunFiles``). An attempt's
``result.json`` is copied last, so whoever reads it here finds everything that preceded it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.runtime.injob import artifacts
from scriptrun.spec.digests import digest_of
from scriptrun.spec.values import Value
from scriptrun.store import paths
from scriptrun.store.locks import flocks
from scriptrun.tracking import run_folder
from scriptrun.tracking.run_files import OUTPUTS, FileState, Known, RunFiles, is_result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    #: reads from an offset at most a number of bytes; None if the file does not exist
    Read = Callable[[int, int], bytes | None]

#: the file that maps each copied file to [bytes copied, its remote mtime, or 0 if incomplete]
STATE = ".mirror.json"
#: seconds for which a polled status is reused
FRESH = 0.5
#: the maximum bytes copied of a growing file per round, and of any file per request
LOOK, PIECE = 16 << 20, 64 << 20
#: how many rounds to wait for files of an ended run that cannot be read completely
PATIENCE = 3

#: when this process last refreshed a run, by the run's folder
_looked: dict[str, float] = {}


class Piece(Value):
    """The part of a file that one round copies.

    ``grows``: the file is a log or journal, which may be read here while it is copied.
    """

    state: FileState
    start: int
    size: int
    grows: bool = False

    @property
    def is_last(self) -> bool:
        """Whether the piece ends the file."""
        return self.start + self.size >= self.state.size


def pieces(states: list[FileState], known: Known) -> list[Piece]:
    """The pieces to copy of the changed files; those of results come last."""
    return [_piece(each, known) for each in sorted(states, key=lambda each: is_result(each.name))]


def refresh(folder: Path, there: RunFiles) -> bool:
    """Copy what has changed; return whether a result was copied.

    Of a run that is still writing, what exists now is copied; of an ended run, everything.
    """
    with flocks.flock(_lock_of(folder)):
        over, more = _bring(folder, there, PATIENCE)
        looks = 1
        while over and more:
            over, more = _bring(folder, there, PATIENCE - looks)
            looks += 1
    _looked[str(folder)] = time.monotonic()
    if over:
        run_folder.touch(folder)
    return over


def refresh_if_due(folder: Path, there: RunFiles) -> bool:
    """Refresh unless this process did so a moment ago; return whether it refreshed."""
    if time.monotonic() - _looked.get(str(folder), -FRESH) < FRESH:
        return False
    refresh(folder, there)
    return True


def forget(folder: Path) -> None:
    """Make the next ``refresh_if_due`` refresh in any case."""
    _looked.pop(str(folder), None)


def names(folder: Path, there: RunFiles) -> list[str]:
    """The names of the run's artifacts: the copied ones and those on its machine."""
    return sorted({*there.artifacts(), *artifacts.names(folder)})


def fetch(folder: Path, there: RunFiles, wanted: list[str]) -> None:
    """Copy the ``wanted`` artifacts that have not been copied yet."""
    for name in wanted:
        if artifacts.path_of(folder, name) is None:
            _fetch(folder, there, name)


def _lock_of(folder: Path) -> Path:
    return paths.runtime_folder("mirrors") / f"{digest_of(str(folder))[:16]}.lock"


def _bring(folder: Path, there: RunFiles, patience: int) -> tuple[bool, bool]:
    """One round: return whether there was a result, and whether another round is needed.

    Without ``patience``, incomplete files do not require another round.
    """
    known = _known(folder)
    states = there.changed(known)
    results = [each for each in states if is_result(each.name)]
    more = False
    for piece in pieces(states, known):
        if is_result(piece.state.name) and more:
            break
        if is_result(piece.state.name):
            _note(folder, known)  # saved first: nothing more is copied once the result is here
        is_whole = _take(folder, there, piece)
        changed = piece.state.changed if is_whole and piece.is_last else 0
        known[piece.state.name] = [piece.start + piece.size, changed]
        more = more or not piece.is_last or (patience > 0 and not is_whole)
    if states:
        _note(folder, known)
    return bool(results), more


def _known(folder: Path) -> dict[str, list[int]]:
    """What has been copied of each file, except those that have become shorter here."""
    known: dict[str, list[int]] = files.read_json(str(folder / STATE)) or {}
    return {name: value for name, value in known.items() if _size(folder / name) >= value[0]}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _note(folder: Path, known: dict[str, list[int]]) -> None:
    files.write_atomic(str(folder / STATE), files.to_json(known))


def _piece(state: FileState, known: Known) -> Piece:
    """The next piece of a file: what was added to a log or journal, or all of any other file."""
    top = state.name.partition("/")[0]
    if not state.name.endswith((".jsonl", ".txt")) or top in OUTPUTS:
        return Piece(state, 0, state.size)
    before = known.get(state.name, (0,))[0]
    start = before if before <= state.size else 0
    return Piece(state, start, min(state.size - start, LOOK), grows=True)


def _take(folder: Path, there: RunFiles, piece: Piece) -> bool:
    """Copy one piece; False if it was incomplete because the file is changing."""
    name = piece.state.name
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if piece.grows:
        data = there.read(name, piece.start, piece.size)
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as handle:
            handle.truncate(piece.start)
            handle.seek(piece.start)
            handle.write(data)
        return len(data) == piece.size
    return _write(path, piece.size, lambda start, size: there.read(name, start, size))


def _fetch(folder: Path, there: RunFiles, name: str) -> None:
    """Copy one artifact."""
    parts = artifacts.normalize_name(name).split("/")
    in_area = parts[0] in artifacts.SCRIPT_AREAS + artifacts.SYSTEM_AREAS
    path = folder.joinpath(*parts) if in_area else folder.joinpath("artifacts", *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, None, lambda start, size: there.read_artifact(name, start, size))


def _write(path: Path, size: int | None, read: Read) -> bool:
    """Write a file atomically, in several reads; return whether it is complete.

    ``size`` is its expected size (None: read until it ends).
    """
    temporary = path.with_name(f"{files.unique(16)}.tmp")
    try:
        with open(temporary, "wb") as handle:
            while size is None or handle.tell() < size:
                wanted = PIECE if size is None else min(PIECE, size - handle.tell())
                data = read(handle.tell(), wanted)
                if data is None:
                    return False
                handle.write(data)
                if len(data) < wanted:
                    break
            whole = size is None or handle.tell() == size
        if whole:
            os.replace(temporary, path)
        return whole
    finally:
        temporary.unlink(missing_ok=True)
