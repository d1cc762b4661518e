"""The run index, for listing 100,000 runs quickly: a SQLite cache on the local disk.

The run folders are authoritative. A deleted or damaged index is rebuilt.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value, fresh
from scriptrun.store.records import DamagedRecord
from scriptrun.tracking import events, run_folder, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from typing import Any, TypeVar

    T = TypeVar("T")

    SqlValue = str | float | None

#: changes with the schema: an older file is deleted and rebuilt
VERSION = 1
#: seconds in which a directory may change again without a new modification time
_RACY_SECONDS = 2.0
_COLUMNS = (
    "id",
    "day",
    "created",
    "experiment",
    "display_name",
    "state",
    "reason",
    "began",
    "ended",
    "exit_code",
    "target",
    "parent",
    "kind",
    "script",
    "tags",
    "final",
    "changed",
)
_TABLES = f"""
create table if not exists runs ({", ".join(_COLUMNS)}, primary key (id)) without rowid;
create index if not exists by_created on runs (created desc);
create index if not exists unfinished on runs (final) where final = 0;
create index if not exists by_experiment on runs (experiment, created desc);
create table if not exists days (day primary key, changed) without rowid;
pragma user_version = {VERSION};
"""


class RunRow(Value):
    """A run in a listing. Times are seconds since 1970, ``created`` is ISO 8601 in UTC."""

    id: str
    folder: str
    created: str
    experiment: str
    display_name: str
    state: str
    reason: str = ""
    began: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    target: str = ""
    parent: str | None = None
    kind: str = ""
    script: str | None = None
    tags: dict[str, str | None] = fresh(default_factory=dict)


class Index:
    """The index of the runs below ``runs``, stored in the file ``path``.

    ``status`` returns the state of a run that has not ended (and may end a lost one), or that of
    one whose job.json cannot be read.
    """

    def __init__(
        self,
        runs: Path,
        path: Path,
        status: Callable[[Path, JobSpec | DamagedRecord], run_state.RunState],
    ) -> None:
        self._runs, self._path, self._status = runs, path, status
        self._db = _open(path)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def refresh(self) -> None:
        """Update the index: changed days, and all runs that have not ended."""
        self._repaired(self._refresh)

    def _repaired(self, operation: Callable[[], T]) -> T:
        """What ``operation`` returns; if the index is damaged in any way, it is built again.

        In memory, if its disk is full or read-only.
        """
        try:
            return operation()
        except (_database_error(), ValueError, TypeError) as error:
            if _is_busy(error):
                raise
        try:
            self._db.close()
            _remove(self._path)
            self._db = _open(self._path)
            return self._refreshed(operation)
        except (OSError, _database_error()) as error:
            if _is_busy(error):
                raise
        self._db.close()
        self._db = _connect(":memory:")
        return self._refreshed(operation)

    def _refreshed(self, operation: Callable[[], T]) -> T:
        if operation != self._refresh:
            self._refresh()
        return operation()

    def _refresh(self) -> None:
        with self._db:
            indexed_days = dict(self._db.execute("select day, changed from days"))
            for day in run_folder.days(self._runs):
                self._refresh_day(day, indexed_days.pop(day, None))
            for day in indexed_days:
                self._db.execute("delete from runs where day = ?", (day,))
                self._db.execute("delete from days where day = ?", (day,))
            self._refresh_unfinished()

    def rows(
        self,
        experiment: str | None = None,
        state: str | None = None,
        limit: int | None = None,
        children: bool = True,
    ) -> Iterator[RunRow]:
        """The runs as of the last ``refresh``, newest first, optionally without child runs."""
        conditions = [
            f"{name} = ?" for name, value in (("experiment", experiment), ("state", state)) if value
        ]
        conditions += [] if children else ["parent is null"]
        values: list[SqlValue] = [value for value in (experiment, state) if value]
        query = f"select {', '.join(_COLUMNS)} from runs"
        query += f" where {' and '.join(conditions)}" if conditions else ""
        query += " order by created desc, id desc"
        if limit is not None:
            query += " limit ?"
            values.append(limit)
        yield from self._repaired(
            lambda: [
                self._row(dict(zip(_COLUMNS, record, strict=True)))
                for record in self._db.execute(query, values).fetchall()
            ]
        )

    def ids_with_prefix(self, prefix: str, limit: int = 10, children: bool = True) -> list[str]:
        """IDs of runs that start with ``prefix``, newest first; ``children`` as in ``rows``."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else chr(0x10FFFF)
        parent_clause = "" if children else "and parent is null "
        query = (
            f"select id from runs where id >= ? and id < ? {parent_clause}"
            "order by created desc limit ?"
        )
        return self._ids(query, _to_sqlite_text(prefix), _to_sqlite_text(end), limit)

    def ids_named(self, display_name: str, limit: int = 10) -> list[str]:
        """IDs of runs with this display name, newest first."""
        query = "select id from runs where display_name = ? order by created desc limit ?"
        return self._ids(query, _to_sqlite_text(display_name), limit)

    def _ids(self, query: str, *values: SqlValue) -> list[str]:
        return self._repaired(lambda: [record[0] for record in self._db.execute(query, values)])

    def _row(self, columns: dict[str, Any]) -> RunRow:
        folder = str(self._runs / columns.pop("day") / columns["id"])
        columns["tags"] = json.loads(columns["tags"])
        for name in ("final", "changed"):
            del columns[name]
        return RunRow.from_dict({**columns, "folder": folder})

    def _refresh_day(self, day: str, indexed_change: int | None) -> None:
        day_folder = self._runs / day
        changed = _modified_ns(day_folder)
        if changed == indexed_change:
            return
        indexed = dict(self._db.execute("select id, changed from runs where day = ?", (day,)))
        is_complete = time.time() - changed / 1e9 > _RACY_SECONDS
        batch = []
        for name in run_folder.run_names(self._runs, day):
            folder = day_folder / name
            stamp = _modified_ns(folder)
            if indexed.pop(name, None) == stamp:
                continue
            run = _read_run(folder)
            if run is None:
                is_complete = False  # its job.json is not written yet
                continue
            batch.append(self._values(day, folder, stamp, run))
        self._insert(batch)
        self._db.executemany("delete from runs where id = ?", [(name,) for name in indexed])
        self._db.execute(
            "insert or replace into days values (?, ?)", (day, changed if is_complete else 0)
        )

    def _refresh_unfinished(self) -> None:
        query = "select id, day from runs where final = 0"
        batch = []
        for name, day in list(self._db.execute(query)):
            folder = self._runs / day / name
            stamp = _modified_ns(folder)  # before reading, so that later changes show the next time
            run = _read_run(folder)
            if run is None:
                self._db.execute("delete from runs where id = ?", (name,))
                continue
            batch.append(self._values(day, folder, stamp, run))
        self._insert(batch)

    def _values(
        self, day: str, folder: Path, stamp: int, record: JobSpec | DamagedRecord
    ) -> tuple[SqlValue, ...]:
        is_damaged = isinstance(record, DamagedRecord)
        job = run_folder.stand_in(folder) if isinstance(record, DamagedRecord) else record
        facts = events.collect_facts(events.read(folder))
        status = run_state.read_status(folder, facts)
        if is_damaged or not status.is_final:
            status = self._status(folder, record)
        values = (
            folder.name,
            day,
            job.created,
            job.experiment,
            facts.display_name or job.display_name or folder.name,
            status.state,
            status.reason,
            status.began,
            status.ended,
            status.exit_code,
            job.target.name,
            job.parent,
            job.kind,
            job.script or job.command,
            json.dumps({**job.tags, **facts.tags}),
            int(status.is_final and not is_damaged),  # a damaged one is read each time
            stamp,
        )
        return tuple(
            _to_sqlite_text(value) if isinstance(value, str) else value for value in values
        )

    def _insert(self, batch: Iterable[tuple[SqlValue, ...]]) -> None:
        placeholders = ", ".join("?" * len(_COLUMNS))
        self._db.executemany(f"insert or replace into runs values ({placeholders})", batch)


def _to_sqlite_text(text: str) -> str:
    """``text`` as valid UTF-8 for SQLite; undecoded bytes are decoded or replaced."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")


def _read_run(folder: Path) -> JobSpec | DamagedRecord | None:
    """The run's job, or why it cannot be read; None if the folder is not a run."""
    try:
        return run_folder.read_job(folder)
    except DamagedRecord as error:
        return error


def _modified_ns(folder: Path) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _open(path: Path) -> sqlite3.Connection:
    """Open the index; a damaged one is removed, and one that cannot be stored is in memory."""
    import sqlite3

    for _ in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _connect(path)
        except sqlite3.DatabaseError as error:
            if _is_busy(error):
                raise
            with contextlib.suppress(OSError):  # a read-only disk
                _remove(path)
        except OSError:
            break
    return _connect(":memory:")


def _connect(path: Path | str) -> sqlite3.Connection:
    import sqlite3

    database = sqlite3.connect(path, timeout=30)
    try:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = off")  # it is a cache
        if _version(database) != VERSION:
            _make_tables(database)
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _make_tables(database: sqlite3.Connection) -> None:
    """Recreate the tables, unless another process has just done so."""
    database.execute("begin immediate")
    with database:
        if _version(database) != VERSION:
            for (
                statement
            ) in f"drop table if exists runs; drop table if exists days; {_TABLES}".split(";"):
                database.execute(statement)


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("pragma user_version").fetchone()[0])


def _database_error() -> type[sqlite3.DatabaseError]:
    import sqlite3

    return sqlite3.DatabaseError


def _is_busy(error: Exception) -> bool:
    """Whether another process holds the index for long: it is not damaged."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        part = path.with_name(path.name + suffix)
        try:
            part.unlink(missing_ok=True)
        except IsADirectoryError:
            import shutil

            shutil.rmtree(part, ignore_errors=True)
        except OSError:
            pass  # the index is then in memory
