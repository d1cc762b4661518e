"""Reads single files of a snapshot without restoring all of it."""

from __future__ import annotations

import os
from collections.abc import Collection

from scriptrun.runtime import workdir
from scriptrun.spec.errors import SnapshotException


def read(
    store: str | os.PathLike[str], digest: str, requested: Collection[str], limit: int
) -> dict[str, bytes | None]:
    """The contents of the ``requested`` files of the snapshot ``digest``, by path.

    None for a file of more than ``limit`` bytes; other entries are skipped. Raises
    SnapshotException if the snapshot is missing or damaged.
    """
    contents: dict[str, bytes | None] = {}
    reader = workdir.ContentReader(store)
    try:
        for kind, path, size, value, location in workdir.entries(store, digest):
            name = os.fsdecode(path)
            if kind in "fx" and name in requested:
                contents[name] = None
                if size <= limit:
                    contents[name] = b"".join(reader.chunks(size, value, location))
    except (workdir.SnapshotDamaged, OSError) as error:
        raise SnapshotException(str(error)) from None
    finally:
        reader.close()
    return contents
