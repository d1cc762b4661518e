"""The workspace's copy of the files of a run that is stored on another machine.

Each refresh copies what has changed since the last one (``run_files.RunFiles``). An attempt's
``result.json`` is copied last, so whoever reads it here finds everything that preceded it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from scriptrun.runtime import durability, files, foreign_names, source_files
from scriptrun.runtime.injob import artifacts
from scriptrun.spec.digests import digest_of
from scriptrun.spec.values import Value
from scriptrun.store import paths
from scriptrun.store.locks import flocks
from scriptrun.tracking import run_folder
from scriptrun.tracking.run_files import (
    OUTPUTS,
    FileState,
    Known,
    RunFiles,
    check_names,
    is_result,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    #: reads from an offset at most a number of bytes; None if the file does not exist
    ReadPart = Callable[[int, int], bytes | None]

#: the file that maps each copied file to [bytes copied, its remote mtime, or 0 if incomplete]
STATE_FILE = ".mirror.json"
#: seconds for which a polled status is reused
FRESH_SECONDS = 0.5
#: the maximum bytes copied of a growing file per round, and of any file per request
MAX_GROWTH_BYTES, MAX_READ_BYTES = 16 << 20, 64 << 20
#: how many rounds to wait for files of an ended run that cannot be read completely
MAX_INCOMPLETE_ROUNDS = 3

#: who names the files, in errors
_ORIGIN = "The run's node"

#: when this process last refreshed a run, by the run's folder
_last_refresh: dict[str, float] = {}


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


def plan_pieces(states: list[FileState], known: Known) -> list[Piece]:
    """The pieces to copy of the changed files; those of results come last."""
    return [
        _plan_piece(each, known) for each in sorted(states, key=lambda each: is_result(each.name))
    ]


def refresh(folder: Path, run_files: RunFiles) -> bool:
    """Copy what has changed; return whether a result was copied.

    Of a run that is still writing, what exists now is copied; of an ended run, everything.
    """
    with flocks.flock(_lock_path(folder)):
        rounds_left = MAX_INCOMPLETE_ROUNDS
        has_result = has_more = True
        while has_result and has_more:
            has_result, has_more = _copy_changes(folder, run_files, rounds_left)
            rounds_left -= 1
    _last_refresh[str(folder)] = time.monotonic()
    if has_result:
        run_folder.touch(folder)
    return has_result


def refresh_if_due(folder: Path, run_files: RunFiles) -> bool:
    """Refresh unless this process did so a moment ago; return whether it refreshed."""
    if time.monotonic() - _last_refresh.get(str(folder), -FRESH_SECONDS) < FRESH_SECONDS:
        return False
    refresh(folder, run_files)
    return True


def expire(folder: Path) -> None:
    """Make the next ``refresh_if_due`` refresh in any case."""
    _last_refresh.pop(str(folder), None)


def artifact_names(folder: Path, run_files: RunFiles) -> list[str]:
    """The names of the run's artifacts: the copied ones and those on its machine."""
    return sorted({*run_files.artifacts(), *artifacts.names(folder)})


def fetch_artifacts(folder: Path, run_files: RunFiles, wanted_names: list[str]) -> None:
    """Copy the ``wanted_names`` artifacts that have not been copied yet."""
    for name in wanted_names:
        if artifacts.path_of(folder, name) is None:
            _fetch_artifact(folder, run_files, name)


def fetch_below(folder: Path, run_files: RunFiles, prefix: str) -> None:
    """Copy the artifacts whose names begin with ``prefix`` and that have not been copied yet."""
    names = artifact_names(folder, run_files)
    if prefix.rstrip("/") not in ("", *artifacts.SCRIPT_AREAS):
        names += source_files.marked(folder)
    fetch_artifacts(folder, run_files, [name for name in names if name.startswith(prefix)])


def _lock_path(folder: Path) -> Path:
    return paths.runtime_folder("mirrors") / f"{digest_of(str(folder))[:16]}.lock"


def _copy_changes(folder: Path, run_files: RunFiles, rounds_left: int) -> tuple[bool, bool]:
    """One round: return whether there was a result, and whether another round is needed.

    Without ``rounds_left``, incomplete files do not require another round.
    """
    known = _read_known(folder)
    states = run_files.changed(known)
    check_names(states, _ORIGIN)
    results = [each for each in states if is_result(each.name)]
    has_more = False
    for piece in plan_pieces(states, known):
        if is_result(piece.state.name):
            if has_more:
                break
            _save_known(folder, known)  # first: once the result is here, nothing more is copied
            durability.sync_tree(folder)
        is_whole = _copy_piece(folder, run_files, piece)
        changed = piece.state.changed if is_whole and piece.is_last else 0
        known[piece.state.name] = [piece.start + piece.size, changed]
        has_more = has_more or not piece.is_last or (rounds_left > 0 and not is_whole)
    if states:
        _save_known(folder, known)
    return bool(results), has_more


def _read_known(folder: Path) -> dict[str, list[int]]:
    """What has been copied of each file, except those that have become shorter here."""
    known: dict[str, list[int]] = files.read_object(folder / STATE_FILE) or {}
    return {
        name: value
        for name, value in known.items()
        if _is_state(value) and _size(folder / name) >= value[0]
    }


def _is_state(value: object) -> bool:
    """Whether ``value``, read from the file, says how much of a file has been copied."""
    return isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _save_known(folder: Path, known: dict[str, list[int]]) -> None:
    files.write_atomic(str(folder / STATE_FILE), files.to_json(known), durable=False)


def _plan_piece(state: FileState, known: Known) -> Piece:
    """The next piece of a file: what was added to a log or journal, or all of any other file."""
    top_folder = state.name.partition("/")[0]
    if not state.name.endswith((".jsonl", ".txt")) or top_folder in OUTPUTS:
        return Piece(state, 0, state.size)
    copied_size = known.get(state.name, (0,))[0]
    start = copied_size if copied_size <= state.size else 0
    return Piece(state, start, min(state.size - start, MAX_GROWTH_BYTES), grows=True)


def _copy_piece(folder: Path, run_files: RunFiles, piece: Piece) -> bool:
    """Copy one piece; False if it was incomplete because the file is changing."""
    name = piece.state.name
    if piece.grows:
        data = run_files.read(name, piece.start, piece.size)
        descriptor = foreign_names.open_file(
            folder, name, os.O_RDWR | os.O_CREAT, _ORIGIN, mode=0o644
        )
        with open(descriptor, "r+b") as handle:
            handle.truncate(piece.start)
            handle.seek(piece.start)
            handle.write(data)
        return len(data) == piece.size
    return _write_whole(
        folder, name, piece.size, lambda start, size: run_files.read(name, start, size)
    )


def _fetch_artifact(folder: Path, run_files: RunFiles, name: str) -> None:
    """Copy one artifact."""
    normalized = artifacts.normalize_name(name)
    in_area = normalized.split("/")[0] in artifacts.SCRIPT_AREAS + artifacts.SYSTEM_AREAS
    path = normalized if in_area else f"artifacts/{normalized}"
    _write_whole(folder, path, None, lambda start, size: run_files.read_artifact(name, start, size))


def _write_whole(folder: Path, name: str, size: int | None, read: ReadPart) -> bool:
    """Write a file atomically, in several reads; return whether it is complete.

    ``size`` is its expected size (None: read until it ends).
    """

    def fill(handle: BinaryIO) -> bool:
        while size is None or handle.tell() < size:
            wanted = MAX_READ_BYTES if size is None else min(MAX_READ_BYTES, size - handle.tell())
            data = read(handle.tell(), wanted)
            if data is None:
                return False
            handle.write(data)
            if len(data) < wanted:
                break
        return size is None or handle.tell() == size

    return foreign_names.write(folder, name, fill, _ORIGIN)
