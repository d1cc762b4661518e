"""Snapshots of a source directory: content-addressed, complete or absent, never locked.

``store`` is the workspace's folder ``snapshots``. docs/reference/snapshots.md lists what is
ignored, docs/explanation/formats.md the formats.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from scriptrun.runtime import disks, workdir
from scriptrun.spec.errors import SnapshotException, WorkspaceException
from scriptrun.spec.later import later
from scriptrun.spec.values import Value
from scriptrun.store import paths
from scriptrun.store.locks import flocks
from scriptrun.store.snapshots import prune_lease, stamps, stat_cache, unchanged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.store.snapshots import preview
    from scriptrun.store.snapshots import take as snapshots_take
    from scriptrun.store.snapshots import warnings as snapshot_warnings
else:
    preview = later("scriptrun.store.snapshots.preview")
    snapshot_warnings = later("scriptrun.store.snapshots.warnings")
    snapshots_take = later("scriptrun.store.snapshots.take")

_MAX_LISTED = 10


class Snapshot(Value):
    """A snapshot in the store: digest, number of files, size in bytes, and warnings."""

    digest: str
    files: int
    size: int
    warnings: tuple[str, ...] = ()


class SnapshotEntry(Value):
    """One entry of a snapshot. ``kind``: "folder", "file", "executable" or "link".

    Paths are relative with ``/``; bytes that are not UTF-8 become surrogates (``os.fsencode``
    restores them). ``digest`` is the SHA-256 of a file's content, ``target`` where a link points.
    """

    kind: str
    path: str
    size: int = 0
    digest: str = ""
    target: str = ""


_KINDS = {"d": "folder", "f": "file", "x": "executable", "l": "link"}


def take(store: str | os.PathLike[str], source: str | os.PathLike[str]) -> Snapshot:
    """Take a snapshot of the directory ``source`` into ``store``.

    If nothing has changed since the last snapshot, no file is read. Raises SnapshotException if
    something in the source cannot be read or the store cannot be written; then nothing is left
    behind.
    """
    real_source, store_folder = _resolve_source(source), Path(os.path.abspath(store))
    return prune_lease.outside(store_folder, lambda: _take(store_folder, real_source))


def _take(store: Path, source: bytes) -> Snapshot:
    cache = stat_cache.cache_file(store, source)
    result = unchanged.find_unchanged(source, cache)
    if result is None or not _still_stored(store, cache, result):
        result = _take_new(store, source, cache)
    return Snapshot(result.digest, result.files, result.size, result.warnings)


def claim(store: Path, digest: str, *others: Path) -> bool:
    """Whether the snapshot ``digest`` exists; marks it and the files ``others`` as used now.

    Then a garbage collection keeps them until a run refers to them, for a day at least.
    """
    manifest_path = workdir.manifest_path(store, digest)

    def mark() -> bool:
        for other in others:
            unchanged.mark_used(str(other))
        return unchanged.mark_used(manifest_path) and os.path.exists(f"{manifest_path}.places")

    return prune_lease.outside(store, mark)


def inspect(source: str | os.PathLike[str]) -> preview.Inspection:
    """What a snapshot of the directory ``source`` would contain and ignore; writes nothing.

    Raises SnapshotException, as ``take`` would, for folders that cannot be read.
    """
    real_source = _resolve_source(source)
    inspection = preview.inspect(real_source)
    if inspection.failed:
        raise _unreadable_error(os.fsdecode(real_source), inspection.failed)
    return inspection


def why_ignored(source: str | os.PathLike[str], path: str) -> str | None:
    """Why a snapshot of ``source`` ignores ``path`` (relative, with ``/``); None if it does not.

    For example ``data/ (.gitignore:3)``.
    """
    reason = preview.why_ignored(_resolve_source(source), os.fsencode(path))
    return None if reason is None else str(reason)


def exists(store: str | os.PathLike[str], digest: str) -> bool:
    """Whether the snapshot ``digest`` is in ``store``."""
    return os.path.exists(workdir.manifest_path(store, digest))


def manifest(store: str | os.PathLike[str], digest: str) -> Iterator[SnapshotEntry]:
    """The entries of the snapshot ``digest``, each folder before its contents.

    Raises SnapshotException if it is missing or damaged.
    """
    try:
        for kind, path, size, value, _ in workdir.entries(store, digest):
            target = os.fsdecode(value) if kind == "l" else ""
            digest_of_file = value if kind in "fx" else ""
            yield SnapshotEntry(_KINDS[kind], os.fsdecode(path), size, digest_of_file, target)
    except workdir.SnapshotDamaged as error:
        raise SnapshotException(str(error)) from None


def restore(
    store: str | os.PathLike[str], digest: str, destination: str | os.PathLike[str]
) -> None:
    """Restore the snapshot ``digest`` into the folder ``destination``, created if missing.

    None of its files may exist there yet. Raises SnapshotException.
    """
    try:
        workdir.materialise(store, digest, destination)
    except workdir.SnapshotDamaged as error:
        raise SnapshotException(str(error)) from None
    except FileExistsError as error:
        raise SnapshotException(
            f"Cannot restore the snapshot to {destination}: "
            f"{os.fsdecode(error.filename)!r} already exists.",
            "Use a folder that does not exist.",
        ) from None
    except OSError as error:
        raise SnapshotException(
            f"Cannot restore the snapshot to {destination}: {error.strerror}."
        ) from None


def _resolve_source(source: str | os.PathLike[str]) -> bytes:
    if not os.path.isdir(source):
        problem = "is not a directory" if os.path.exists(source) else "does not exist"
        raise SnapshotException(
            f"The source directory {os.fspath(source)!r} {problem}.",
            "Set source_directory to the folder that contains the script.",
        )
    return os.fsencode(os.path.realpath(source))


def _still_stored(store: Path, cache: Path, result: unchanged.SnapshotResult) -> bool:
    """Whether the last snapshot is still whole in the store; marks it as used now."""
    manifest_path = workdir.manifest_path(store, result.digest)
    if not stamps.is_manifest_whole(manifest_path, result.digest):
        return False
    return unchanged.mark_used(manifest_path) and stamps.are_unchanged(cache, result.digest)


def _take_new(store: Path, source: bytes, cache: Path) -> unchanged.SnapshotResult:
    with ExitStack() as stack:
        if _wait_for_others(stack, cache):
            result = unchanged.find_unchanged(source, cache)
            if result is not None and _still_stored(store, cache, result):
                return result
        if not stamps.are_unchanged(cache):
            with suppress(OSError):  # what it relies on may be damaged: read all files again
                cache.unlink()
        try:
            builder = snapshots_take.SnapshotBuilder(store, source, cache)
            result = builder.run()
        except OSError as error:
            raise _store_error(store, error) from None
    if result is None:
        raise _unreadable_error(os.fsdecode(source), builder.failed)
    return result


def _wait_for_others(stack: ExitStack, cache: Path) -> bool:
    """Let one process per machine read a source at a time; True if this call had to wait.

    An optimization only: without it, the same content would be stored several times.
    """
    flock_path = paths.cache_root() / "locks" / f"{cache.stem}.lock"
    waits: list[bool] = []
    try:
        stack.enter_context(flocks.flock(flock_path, lambda: waits.append(True)))
    except (OSError, WorkspaceException):
        return False
    return bool(waits)


def _unreadable_error(source: str, failed: dict[bytes, str]) -> SnapshotException:
    lines = [
        f"  - {snapshot_warnings.format_path(path) or '.'}: {reason}"
        for path, reason in failed.items()
    ]
    if len(lines) > _MAX_LISTED:
        lines[_MAX_LISTED:] = [f"  - and {len(lines) - _MAX_LISTED} more"]
    count = "1 path" if len(failed) == 1 else f"{len(failed)} paths"
    return SnapshotException(
        f"Cannot read {count} in the source directory {source}:\n" + "\n".join(lines),
        "Make them readable (chmod u+r), or exclude them in .amlignore or .gitignore.",
    )


def _store_error(store: Path, error: OSError) -> SnapshotException:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return SnapshotException(
            f"Cannot write the snapshot to {store}: {disks.describe(error, store)}.",
            "Free some disk space, or exclude unneeded files in .amlignore.",
        )
    path = error.filename2 or error.filename or store
    return SnapshotException(
        f"Cannot write the snapshot to {path}: {disks.describe(error, store)}.",
        "The workspace must be writable to submit a job.",
    )
