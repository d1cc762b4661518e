"""What a snapshot's files in the store looked like when their content was known to be right.

One small file per source next to its stat cache, on the local disk. A file of the store that looks
different since (a byte changed in place changes its times) is not believed: the next snapshot reads
the source again and replaces what is damaged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from scriptrun.runtime import files, workdir
from scriptrun.store.file_stamp import stamp_of


def remember(
    cache: Path, store: Path, digest: str, packs: Iterable[str], objects: Iterable[str]
) -> None:
    """Note how the files of the snapshot ``digest`` look now; ``cache`` is its stat cache.

    A failure to write the note is ignored: the next snapshot reads the source again.
    """
    paths = [
        workdir.manifest_path(store, digest) + ".places",
        *(workdir.pack_path(store, pack) for pack in packs),
        *(workdir.object_path(store, each) for each in objects),
    ]
    try:
        note = {"digest": digest, "files": {path: stamp_of(path) for path in paths}}
        files.write_atomic(_note_path(cache), files.to_json(note), durable=False)
    except OSError:
        forget(cache)


def forget(cache: Path) -> None:
    """Remove the note."""
    try:
        os.unlink(_note_path(cache))
    except OSError:
        pass


def are_unchanged(cache: Path, digest: str | None = None) -> bool:
    """Whether every noted file still looks the same, and the note is about ``digest``."""
    note = files.read_json(_note_path(cache))
    if not isinstance(note, dict) or (digest is not None and note.get("digest") != digest):
        return False
    try:
        return all(stamp_of(path) == stamp for path, stamp in note["files"].items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False


def is_manifest_whole(path: str, digest: str) -> bool:
    """Whether the manifest ``path`` exists and has its digest."""
    try:
        with files.open_record(path) as lines:
            workdir.check_manifest(lines, digest)
        return True
    except (OSError, workdir.SnapshotDamaged):
        return False


def are_places_whole(store: Path, manifest: str, places: str, digest: str) -> bool:
    """Whether all content of the snapshot ``digest`` is where the file ``places`` says."""
    reader = workdir.ContentReader(store)
    try:
        return all(
            reader.is_whole(size, value, location)
            for kind, _, size, value, location in workdir.entries_of(manifest, places, digest)
            if kind in "fx"
        )
    except (OSError, workdir.SnapshotDamaged):
        return False
    finally:
        reader.close()


def _note_path(cache: Path) -> str:
    return f"{cache}.stamps"
