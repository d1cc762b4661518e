"""What a store's server may not exceed: it may be broken or hostile.

Files of any size are read as they arrive; these limits are for answers that are kept in memory and
for listings, which a server can make endless.
"""

from __future__ import annotations

import os

from scriptrun.data.errors import DatastoreException

#: bytes of a web server's index page of one folder
MAX_PAGE_SIZE = 64 << 20
#: folders within folders in one listing
MAX_DEPTH = 64
#: the size of a file: what file systems can store at all
MAX_SIZE = (1 << 63) - 1
#: redirects that one request follows
MAX_REDIRECTS = 10
#: variable with the maximum number of files and folders in one listing
MAX_ENTRIES_SETTING = "SCRIPTRUN_DATA_MAX_FILES"
_MAX_ENTRIES = 20_000_000


def max_entries() -> int:
    """Files and folders that one listing may have (SCRIPTRUN_DATA_MAX_FILES)."""
    setting = os.environ.get(MAX_ENTRIES_SETTING, "")
    return int(setting) if setting.isascii() and setting.isdigit() else _MAX_ENTRIES


class ListingLimit:
    """Counts the files and folders of one listing of the store ``name``."""

    def __init__(self, name: str) -> None:
        self._name, self._count, self._maximum = name, 0, max_entries()

    def add(self) -> None:
        """Count one file or folder. Raises DatastoreException for one too many."""
        self._count += 1
        if self._count > self._maximum:
            raise DatastoreException(
                f"The server of {self._name} lists more than {self._maximum:,} files and folders.",
                f"Name a smaller folder, or set {MAX_ENTRIES_SETTING} if there are that many.",
            )

    def enter(self, path: str, depth: int) -> None:
        """Check the folder ``path``. Raises DatastoreException if it is nested too deeply."""
        if depth > MAX_DEPTH:
            raise DatastoreException(
                f"The server of {self._name} lists folders that are nested more than {MAX_DEPTH} "
                f"deep: {path[:60]}...",
                "A folder there may contain itself, for example by a link. Name a deeper folder.",
            )


def parse_size(text: str | None, name: str) -> int:
    """The size in a header of the server of ``name``; -1 if there is none."""
    if not text or not (text.isascii() and text.isdigit()):
        return -1
    if len(text) > 19 or int(text) > MAX_SIZE:
        raise DatastoreException(
            f"The server of {name} announces a file of {text[:40]} bytes, which cannot exist.",
            "Check the server.",
        )
    return int(text)
