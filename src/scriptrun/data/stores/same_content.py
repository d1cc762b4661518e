"""Whether a store has a file's content already: an upload would only give it another ETag."""

from __future__ import annotations

import re

from scriptrun.data.errors import FileChanged, FileMissing
from scriptrun.data.stores.checksums import remaining_size
from scriptrun.data.stores.protocol import FileEntry, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

#: larger files are uploaded without a look at what is stored
LARGEST_COMPARED = 64 << 20
#: ETags that are made of the content: identical bytes get the same
_CHECKSUM = re.compile(r"[0-9a-f]{32}(-\d+)?")


def stored_entry(store: Store, path: str, file: BinaryIO) -> FileEntry | None:
    """The entry of the file at ``path``, if it is known to have the content of ``file``.

    None where the store itself sees to it that identical bytes change nothing.
    """
    size = remaining_size(file)
    if size > LARGEST_COMPARED or store.folder is not None:
        return None
    entry = store.stat(path)
    if entry is None or entry.size != size or _CHECKSUM.fullmatch(entry.etag):
        return None
    begin = file.tell()
    try:
        is_same = all(file.read(len(piece)) == piece for piece in store.pieces(path, entry.etag))
        return entry if is_same and not file.read(1) else None
    except (FileChanged, FileMissing):  # another client has written or removed it since
        return None
    finally:
        file.seek(begin)
