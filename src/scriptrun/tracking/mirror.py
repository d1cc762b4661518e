"""The copy of a run's record in the workspace, while the run itself lies elsewhere.

Each look brings what has changed there since the last (``run_files.RunFiles``). An attempt's
``result.json`` is written last: who reads a result here finds everything that came before it.
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

    #: gives at most so many bytes (the second) from there on (the first); None: there is no file
    Read = Callable[[int, int], bytes | None]

#: what of each file is here: name to [bytes, when it had changed there, 0 where more is to come]
STATE = ".mirror.json"
#: seconds for which a polled status is reused
FRESH = 0.5
#: how many bytes of a growing file come with one look, and of any file with one question
LOOK, PIECE = 16 << 20, 64 << 20
#: how many looks wait for a file of an ended run that cannot be read whole
PATIENCE = 3

#: when this process last looked, by the run's folder
_looked: dict[str, float] = {}


class Piece(Value):
    """What one look takes of a file: from where, and how much.

    ``grows``: a log or a journal, which somebody may be reading here.
    """

    state: FileState
    start: int
    size: int
    grows: bool = False

    @property
    def is_last(self) -> bool:
        """Whether nothing more is to come."""
        return self.start + self.size >= self.state.size


def pieces(states: list[FileState], known: Known) -> list[Piece]:
    """What a look takes of the files that have changed; results are its end."""
    return [_piece(each, known) for each in sorted(states, key=lambda each: is_result(each.name))]


def refresh(folder: Path, there: RunFiles) -> bool:
    """Bring what has changed; whether a result has come with it.

    A run that goes on writing is brought as far as it is now, one that has ended to its end.
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
    """Refresh unless this process has done so just now; whether it has done so this time."""
    if time.monotonic() - _looked.get(str(folder), -FRESH) < FRESH:
        return False
    refresh(folder, there)
    return True


def forget(folder: Path) -> None:
    """Let the next look be made at once."""
    _looked.pop(str(folder), None)


def names(folder: Path, there: RunFiles) -> list[str]:
    """The names of the run's artifacts, here and there."""
    return sorted({*there.artifacts(), *artifacts.names(folder)})


def fetch(folder: Path, there: RunFiles, wanted: list[str]) -> None:
    """Bring artifacts, one after the other, those that are not here yet."""
    for name in wanted:
        if artifacts.path_of(folder, name) is None:
            _fetch(folder, there, name)


def _lock_of(folder: Path) -> Path:
    return paths.runtime_folder("mirrors") / f"{digest_of(str(folder))[:16]}.lock"


def _bring(folder: Path, there: RunFiles, patience: int) -> tuple[bool, bool]:
    """One look: whether a result was there, and whether more is to come.

    Without ``patience`` files that cannot be read whole are not waited for.
    """
    known = _known(folder)
    states = there.changed(known)
    results = [each for each in states if is_result(each.name)]
    more = False
    for piece in pieces(states, known):
        if is_result(piece.state.name) and more:
            break
        if is_result(piece.state.name):
            _note(folder, known)  # what is known of a file must be here, whenever this is killed
        is_whole = _take(folder, there, piece)
        changed = piece.state.changed if is_whole and piece.is_last else 0
        known[piece.state.name] = [piece.start + piece.size, changed]
        more = more or not piece.is_last or (patience > 0 and not is_whole)
    if states:
        _note(folder, known)
    return bool(results), more


def _known(folder: Path) -> dict[str, list[int]]:
    """What is here of each file; nothing of one that is shorter than it was."""
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
    """A log or journal only grows, so its end is enough; any other file comes whole."""
    top = state.name.partition("/")[0]
    if not state.name.endswith((".jsonl", ".txt")) or top in OUTPUTS:
        return Piece(state, 0, state.size)
    before = known.get(state.name, (0,))[0]
    start = before if before <= state.size else 0
    return Piece(state, start, min(state.size - start, LOOK), grows=True)


def _take(folder: Path, there: RunFiles, piece: Piece) -> bool:
    """Write a piece here; False where it was not whole, as the file changes just now."""
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
    """Bring one artifact."""
    parts = artifacts.normalize_name(name).split("/")
    in_area = parts[0] in artifacts.SCRIPT_AREAS + artifacts.SYSTEM_AREAS
    path = folder.joinpath(*parts) if in_area else folder.joinpath("artifacts", *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, None, lambda start, size: there.read_artifact(name, start, size))


def _write(path: Path, size: int | None, read: Read) -> bool:
    """Write a file a piece at a time; it appears when it is whole. Whether it is whole.

    ``size`` is how long it is (None: until it ends).
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
