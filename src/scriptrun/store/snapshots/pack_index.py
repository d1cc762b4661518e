"""Which content the packs of a store hold: a cache on the local disk, built from their indexes.

SQLite bounds memory, however many files the store holds. Safe to delete: it is rebuilt.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

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


class KnownObjects:
    """Looks up digests in all packs of ``store``; opened on first use."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._opened = False
        self._base: sqlite3.Connection | None = None

    def find(self, digest: bytes) -> bytes | None:
        """The location (a line of a places file) of the content with this SHA-256, or None."""
        if not self._opened:
            self._opened = True
            self._base = self._open()
        if self._base is None:
            return None
        row = self._base.execute(
            "select name, offset from objects join packs on pack = id where digest = ?", (digest,)
        ).fetchone()
        return None if row is None else b"%s %d" % (row[0].encode(), row[1])

    def close(self) -> None:
        """Close the cache."""
        base, self._base = self._base, None
        if base is not None:
            base.close()

    def _open(self) -> sqlite3.Connection | None:
        """Open and update the cache; None if the store has no packs, or the cache is unusable."""
        there = self._indexes()
        if not there:
            return None
        import sqlite3

        path = self._path()
        for _ in range(2):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                base = sqlite3.connect(path, timeout=10)
                self._update(base, there)
                return base
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

    def _update(self, base: sqlite3.Connection, there: set[str]) -> None:
        base.executescript(_TABLES)
        seen = {name for (name,) in base.execute("select name from packs")}
        if seen == there:
            return
        with base:
            base.execute("begin immediate")
            seen = {name for (name,) in base.execute("select name from packs")}
            for name in seen - there:
                self._forget(base, name)
            for name in there - seen:
                self._learn(base, name)

    def _forget(self, base: sqlite3.Connection, name: str) -> None:
        pack = "(select id from packs where name = ?)"
        base.execute(f"delete from objects where pack = {pack}", (name,))
        base.execute("delete from packs where name = ?", (name,))

    def _learn(self, base: sqlite3.Connection, name: str) -> None:
        row = base.execute("insert into packs (name) values (?)", (name,))
        base.executemany(
            "insert or ignore into objects values (?, ?, ?)",
            ((digest, row.lastrowid, offset) for digest, offset in self._entries(name)),
        )

    def _entries(self, name: str) -> Iterator[tuple[bytes, int]]:
        try:
            with open(self._store / "packs" / f"{name}.index", "rb") as handle:
                while len(entry := handle.read(_ENTRY.size)) == _ENTRY.size:
                    yield _ENTRY.unpack(entry)
        except FileNotFoundError:
            return
