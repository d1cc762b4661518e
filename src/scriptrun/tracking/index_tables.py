"""The tables of the run index, and the SQLite file that holds them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from typing import TypeVar

    T = TypeVar("T")
    SqlValue = str | float | None

#: seconds to wait for another process that indexes many runs, and between two attempts
_PATIENCE, _PAUSE = 900.0, 0.02
#: changes with the schema: an older file is deleted and rebuilt
VERSION = 4
#: the columns of a run, and their types: without one, SQLite uses no index to compare with text;
#: the marks, which nearly all queries ask for, come first, where SQLite reads them fastest
RUN_COLUMNS = {
    "archived": "real",
    "pinned": "real",
    "removed": "real",
    "id": "text",
    "day": "text",
    "created": "text",
    "submitted": "real",
    "experiment": "text",
    "display_name": "text",
    "short_name": "text",
    "state": "text",
    "reason": "text",
    "began": "real",
    "ended": "real",
    "exit_code": "integer",
    "target": "text",
    "parent": "text",
    "kind": "text",
    "script": "text",
    "tags": "text",
    "arguments": "text",
    "user": "text",
    "note": "text",
    "final": "integer",
    "changed": "integer",
}
_RUN_DEFINITION = ", ".join(f"{name} {kind}" for name, kind in RUN_COLUMNS.items())
#: ``facts``: a parameter, metric, tag or property of a run. ``source`` orders the origins of
#: a parameter: what its arguments or MLflow say comes before what was logged once.
#: ``progress``: how far the metrics files of a run have been read.
_TABLES = f"""
create table runs (run integer primary key, {_RUN_DEFINITION}, unique (id));
create index by_created on runs (created desc, id desc);
create index unfinished on runs (final) where final = 0;
create index by_experiment on runs (experiment, created desc);
create index by_day on runs (day);
create index by_name on runs (display_name);
create index by_short_name on runs (short_name);
create index by_parent on runs (parent) where parent is not null;
create table facts (
    space text, key text, run integer, number real, text text, low real, high real,
    count integer, latest real,
    primary key (space, key, run)
) without rowid;
create index facts_by_run on facts (run);
create table progress (
    run integer, path text, size integer, latest real, primary key (run, path)
) without rowid;
create table days (day text primary key, changed integer) without rowid;
pragma user_version = {VERSION};
"""
_NAMES = ("runs", "facts", "progress", "days")


def open_database(path: Path) -> sqlite3.Connection:
    """Open the index; a damaged one is removed, and one that cannot be stored is in memory."""
    import sqlite3

    for _ in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return patiently(lambda: connect(path))
        except sqlite3.DatabaseError as error:
            if is_busy(error):
                raise
            with contextlib.suppress(OSError):  # a read-only disk
                remove(path)
        except OSError:
            break
    return connect(":memory:")


def connect(path: Path | str) -> sqlite3.Connection:
    """Open the database ``path``, with the tables of this version."""
    import sqlite3

    database = sqlite3.connect(path, timeout=30)
    try:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = off")  # it is a cache
        if _version(database) != VERSION:
            _make_tables(database)
        database.create_function("contains", 2, _contains, deterministic=True)
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _contains(text: object, part: str) -> bool:
    """Whether ``text`` contains ``part``, which is in lower case, in any case."""
    return text is not None and part in str(text).lower()


def _make_tables(database: sqlite3.Connection) -> None:
    """Recreate the tables, unless another process has just done so."""
    database.execute("begin immediate")
    with database:
        if _version(database) != VERSION:
            for name in _NAMES:
                database.execute(f"drop table if exists {name}")
            for statement in _TABLES.split(";"):
                database.execute(statement)


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("pragma user_version").fetchone()[0])


def database_error() -> type[sqlite3.DatabaseError]:
    """The base of SQLite's errors, loaded on first use."""
    import sqlite3

    return sqlite3.DatabaseError


def patiently(operation: Callable[[], T]) -> T:
    """What ``operation`` returns once no other process holds the database.

    SQLite waits by itself, but not where one connection changes the journal mode.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return operation()
        except database_error() as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)


def is_busy(error: Exception) -> bool:
    """Whether another process holds the index for long: it is not damaged."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def remove(path: Path) -> None:
    """Remove the database ``path`` with its journals."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        part = path.with_name(path.name + suffix)
        try:
            part.unlink(missing_ok=True)
        except IsADirectoryError:
            import shutil

            shutil.rmtree(part, ignore_errors=True)
        except OSError:
            pass  # the index is then in memory


def to_sqlite(text: str) -> str:
    """``text`` as valid UTF-8 for SQLite; undecoded bytes are decoded or replaced."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
