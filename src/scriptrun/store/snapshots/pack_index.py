"""Which content the packs of a store hold: a cache on the local disk, built from their indexes.

SQLite bounds memory, however many files the store holds. Safe to delete: it is rebuilt.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from scriptrun.runtime.files import open_record
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

_ENTRY = struct.Struct(">32sQ")
_TABLES = """
create table if not exists packs (id integer primary key, name text unique not null);
create table if not exists objects (digest blob primary key, pack integer not null,
    offset integer not null) without rowid;
"""


class PackIndex:
    """Looks up digests in all packs of ``store``; opened on first use."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._opened = False
        self._connection: sqlite3.Connection | None = None

    def find(self, digest: bytes) -> bytes | None:
        """The location (a line of a places file) of the content with this SHA-256, or None."""
        if not self._opened:
            self._opened = True
            self._connection = self._open()
        if self._connection is None:
            return None
        row = self._connection.execute(
            "select name, offset from objects join packs on pack = id where digest = ?", (digest,)
        ).fetchone()
        return None if row is None else b"%s %d" % (row[0].encode(), row[1])

    def forget(self, digest: bytes) -> None:
        """Forget where the content with this SHA-256 is: it is damaged there."""
        assert self._connection is not None
        import sqlite3

        try:
            with self._connection:
                self._connection.execute("delete from objects where digest = ?", (digest,))
        except sqlite3.OperationalError:
            pass  # another process is writing: it is found, compared and forgotten next time

    def close(self) -> None:
        """Close the cache."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> sqlite3.Connection | None:
        """Open and update the cache; None if the store has no packs, or the cache is unusable."""
        pack_names = self._indexes()
        if not pack_names:
            return None
        import sqlite3

        path = self._path()
        for _ in range(2):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(path, timeout=10)
                self._update(connection, pack_names)
                return connection
            except sqlite3.DatabaseError as error:
                if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    return None  # another process is writing it: not corrupt
                path.unlink(missing_ok=True)
            except OSError:
                return None
        return None

    def _path(self) -> Path:
        name = hashlib.sha256(os.fsencode(self._store)).hexdigest()[:32]
        return paths.cache_root() / "stat" / f"{name}.packs.sqlite"

    def _indexes(self) -> set[str]:
        try:
            names = os.listdir(self._store / "packs")
        except FileNotFoundError:
            return set()
        return {name[: -len(".index")] for name in names if name.endswith(".index")}

    def _update(self, connection: sqlite3.Connection, present: set[str]) -> None:
        connection.executescript(_TABLES)
        indexed = {name for (name,) in connection.execute("select name from packs")}
        if indexed == present:
            return
        with connection:
            connection.execute("begin immediate")
            indexed = {name for (name,) in connection.execute("select name from packs")}
            for name in indexed - present:
                self._remove_pack(connection, name)
            for name in present - indexed:
                self._add_pack(connection, name)

    def _remove_pack(self, connection: sqlite3.Connection, name: str) -> None:
        pack = "(select id from packs where name = ?)"
        connection.execute(f"delete from objects where pack = {pack}", (name,))
        connection.execute("delete from packs where name = ?", (name,))

    def _add_pack(self, connection: sqlite3.Connection, name: str) -> None:
        row = connection.execute("insert into packs (name) values (?)", (name,))
        connection.executemany(
            "insert or ignore into objects values (?, ?, ?)",
            ((digest, row.lastrowid, offset) for digest, offset in self._entries(name)),
        )

    def _entries(self, name: str) -> Iterator[tuple[bytes, int]]:
        try:
            with open_record(self._store / "packs" / f"{name}.index") as handle:
                while len(entry := handle.read(_ENTRY.size)) == _ENTRY.size:
                    yield _ENTRY.unpack(entry)
        except FileNotFoundError:
            return
