"""The run index, for listing 100,000 runs quickly: a SQLite cache on the local disk.

The run folders are authoritative. A deleted or damaged index is rebuilt.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scriptrun.query import moments, tree
from scriptrun.query.fields import Field
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value, fresh
from scriptrun.store.records import DamagedRecord
from scriptrun.tracking import (
    events,
    index_facts,
    index_groups,
    index_search,
    parameters,
    run_folder,
    run_marks,
    run_state,
)
from scriptrun.tracking.index_facts import NamedValues
from scriptrun.tracking.index_groups import RunGroup
from scriptrun.tracking.index_search import SortKey
from scriptrun.tracking.index_tables import (
    RUN_COLUMNS,
    connect,
    database_error,
    is_busy,
    open_database,
    patiently,
    remove,
    to_sqlite,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from scriptrun.query.tree import Node
    from scriptrun.tracking.index_tables import SqlValue

    T = TypeVar("T")

#: seconds in which a directory may change again without a new modification time
_RACY_SECONDS = 2.0
#: the columns of a run that only the index itself uses
_INTERNAL = ("day", "submitted", "final", "changed")
_ROW_COLUMNS = tuple(name for name in RUN_COLUMNS if name not in _INTERNAL)


class RunRow(Value):
    """A run in a listing. Times are seconds since 1970, ``created`` is ISO 8601 in UTC."""

    id: str
    folder: str
    created: str
    experiment: str
    display_name: str
    short_name: str
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
    arguments: str = ""
    user: str = ""
    note: str | None = None
    archived: float | None = None
    pinned: float | None = None
    removed: float | None = None

    @property
    def name(self) -> str:
        """The display name, if one was given, else the short name."""
        return self.short_name if self.display_name == self.id else self.display_name

    @property
    def title(self) -> str:
        """The name, with the ID in parentheses."""
        return f"{self.name} ({self.id})"


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
        self._db = open_database(path)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def refresh(self) -> None:
        """Update the index: changed days, and all runs that have not ended.

        While another process indexes many runs, wait for it.
        """
        patiently(lambda: self._repaired(self._refresh))

    def _repaired(self, operation: Callable[[], T]) -> T:
        """What ``operation`` returns; if the index is damaged in any way, it is built again.

        In memory, if its disk is full or read-only.
        """
        try:
            return operation()
        except (database_error(), ValueError, TypeError) as error:
            if is_busy(error):
                raise
        try:
            self._db.close()
            remove(self._path)
            self._db = open_database(self._path)
            return self._refreshed(operation)
        except (OSError, database_error()) as error:
            if is_busy(error):
                raise
        self._db.close()
        self._db = connect(":memory:")
        return self._refreshed(operation)

    def _refreshed(self, operation: Callable[[], T]) -> T:
        if operation != self._refresh:
            self._refresh()
        return operation()

    def _refresh(self) -> None:
        """Commit after each day, so that other processes need not wait for all of them."""
        indexed_days = dict(self._db.execute("select day, changed from days"))
        for day in run_folder.days(self._runs):
            with self._db:
                self._refresh_day(day, indexed_days.pop(day, None))
        with self._db:
            for day in indexed_days:
                self._remove_runs("day = ?", day)
                self._db.execute("delete from days where day = ?", (day,))
            self._refresh_unfinished()

    def rows(
        self,
        experiment: str | None = None,
        state: str | None = None,
        limit: int | None = None,
        children: bool = True,
        hidden: bool = False,
    ) -> Iterator[RunRow]:
        """The runs as of the last ``refresh``, newest first, optionally without child runs.

        Archived and removed ones only if ``hidden``.
        """
        given = (("experiment", experiment), ("state", state))
        conditions: list[Node] = [
            tree.Comparison(Field("", name), tree.EQUAL, value) for name, value in given if value
        ]
        node: Node = tree.And(tuple(conditions))
        node = node if hidden else index_search.visible(node)
        found = self.search(node, limit=limit, children=children)
        yield from (row for _, row in found)

    def search(
        self,
        node: Node,
        sort: Sequence[SortKey] = (),
        limit: int | None = None,
        children: bool = True,
    ) -> list[tuple[int, RunRow]]:
        """The runs for which ``node`` is true, each with its number in the index.

        In the order ``sort``, then newest first; ``children`` as in ``rows``.
        """
        node = node if children else _without_children(node)
        columns = ("run", "day", *_ROW_COLUMNS)
        return self._repaired(
            lambda: [
                self._row(dict(zip(columns, record, strict=True)))
                for record in index_search.select(self._db, columns, node, sort, limit, time.time())
            ]
        )

    def group(self, node: Node, by: Field, children: bool = True) -> list[RunGroup]:
        """The runs for which ``node`` is true, by the values of a field; the largest first."""
        node = node if children else _without_children(node)
        return self._repaired(lambda: index_groups.group(self._db, node, by, time.time()))

    def named_values(self, runs: list[int]) -> dict[int, NamedValues]:
        """The parameters, metrics and properties of the runs with these numbers."""
        return self._repaired(lambda: index_facts.read(self._db, runs))

    def names(self, space: str) -> list[str]:
        """The names in ``space`` (``params``, ``metrics``, ...) that any run has."""
        return self._repaired(lambda: index_search.names(self._db, space))

    def has_name(self, field: Field, given: bool = False) -> bool:
        """Whether any run has this field; ``given``: as an argument, not logged as a metric."""
        return self._repaired(lambda: index_search.has_name(self._db, field, given))

    def differs(self, param: Field, metric: Field) -> bool:
        """Whether any run has another value of the metric than of the parameter, or several."""
        return self._repaired(lambda: index_search.differs(self._db, param, metric))

    def unique_prefix(self, run_id: str, is_child: bool, at_least: int = 8) -> str:
        """The shortest prefix that names this run, of at least some characters."""
        return self._repaired(
            lambda: index_search.unique_prefix(self._db, run_id, is_child, at_least)
        )

    def descendants(self, run_id: str) -> list[RunRow]:
        """The runs below a run: its children, their children, and so on; the oldest first."""
        query = """
            with recursive below(id) as (
                select id from runs where parent = :run
                union select runs.id from below join runs on runs.parent = below.id
            )
            select id from below
        """
        rows = map(self.row, self._ids(query, to_sqlite(run_id)))
        return sorted((row for row in rows if row is not None), key=lambda row: row.created)

    def row(self, run_id: str) -> RunRow | None:
        """The run with exactly this ID; None if there is none."""
        found = self.search(tree.Comparison(Field("", "id"), tree.EQUAL, run_id), limit=1)
        return found[0][1] if found else None

    def ids_with_prefix(
        self, prefix: str, limit: int = 10, children: bool = True, removed: bool = False
    ) -> list[str]:
        """IDs of runs that start with ``prefix``, newest first; ``children`` as in ``rows``.

        Those of runs that are not removed, or of the ``removed`` ones.
        """
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else chr(0x10FFFF)
        parent_clause = "" if children else "and parent is null "
        query = (
            f"select id from runs where id >= ? and id < ? {parent_clause}{_among(removed)}"
            "order by created desc limit ?"
        )
        return self._ids(query, to_sqlite(prefix), to_sqlite(end), limit)

    def ids_named(self, display_name: str, limit: int = 10, removed: bool = False) -> list[str]:
        """IDs of runs with this display name, newest first; ``removed`` as in the prefixes."""
        query = (
            f"select id from runs where display_name = ? {_among(removed)}"
            "order by created desc limit ?"
        )
        return self._ids(query, to_sqlite(display_name), limit)

    def ids_short_named(
        self, name: str, limit: int = 10, children: bool = True, removed: bool = False
    ) -> list[str]:
        """IDs of runs with this short name, newest first; else as ``ids_with_prefix``."""
        parent_clause = "" if children else "and parent is null "
        query = (
            f"select id from runs where short_name = ? {parent_clause}{_among(removed)}"
            "order by created desc limit ?"
        )
        return self._ids(query, to_sqlite(name), limit)

    def _ids(self, query: str, *values: SqlValue) -> list[str]:
        return self._repaired(lambda: [record[0] for record in self._db.execute(query, values)])

    def _row(self, columns: dict[str, Any]) -> tuple[int, RunRow]:
        folder = str(self._runs / columns.pop("day") / columns["id"])
        columns["tags"] = json.loads(columns["tags"])
        return columns.pop("run"), RunRow.from_dict({**columns, "folder": folder})

    def _refresh_day(self, day: str, indexed_change: int | None) -> None:
        day_folder = self._runs / day
        changed = _modified_ns(day_folder)
        if changed == indexed_change:
            return
        indexed = dict(self._db.execute("select id, changed from runs where day = ?", (day,)))
        is_complete = time.time() - changed / 1e9 > _RACY_SECONDS
        for name in run_folder.run_names(self._runs, day):
            folder = day_folder / name
            stamp = _modified_ns(folder)
            if indexed.pop(name, None) == stamp:
                continue
            run = _read_run(folder)
            if run is None:
                is_complete = False  # its job.json is not written yet, or it is being pruned
                self._remove_runs("id = ?", name)
                continue
            self._write(day, folder, stamp, run)
        for name in indexed:
            self._remove_runs("id = ?", name)
        self._db.execute(
            "insert or replace into days values (?, ?)", (day, changed if is_complete else 0)
        )

    def _refresh_unfinished(self) -> None:
        query = "select id, day from runs where final = 0"
        for name, day in list(self._db.execute(query)):
            folder = self._runs / day / name
            stamp = _modified_ns(folder)  # before reading, so that later changes show the next time
            run = _read_run(folder)
            if run is None:
                self._remove_runs("id = ?", name)
                continue
            self._write(day, folder, stamp, run)

    def _write(self, day: str, folder: Path, stamp: int, record: JobSpec | DamagedRecord) -> None:
        """Write what the run's folder says: its row, and its named values."""
        is_racy = time.time() - stamp / 1e9 <= _RACY_SECONDS  # read it again the next time
        is_damaged = isinstance(record, DamagedRecord)
        job = run_folder.stand_in(folder) if isinstance(record, DamagedRecord) else record
        facts = events.collect_facts(events.read(folder))
        status = run_state.read_status(folder, facts)
        if is_damaged or not status.is_final:
            status = self._status(folder, record)
        known = self._db.execute(
            "select arguments from runs where id = ? and created = ?",
            (to_sqlite(folder.name), to_sqlite(job.created)),
        ).fetchone()
        arguments = known[0] if known else parameters.shown_arguments(list(map(str, job.arguments)))
        values = {
            **_described(day, folder, job, facts),
            "arguments": arguments,
            **{"state": status.state, "reason": status.reason, "began": status.began},
            **{"ended": status.ended, "exit_code": status.exit_code},
            "changed": 0 if is_racy else stamp,
            # a damaged one is read each time
            "final": int(status.is_final and not is_damaged),
        }
        run = self._upsert(values)
        if not known:  # job.json never changes
            index_facts.write_given(self._db, run, job)
        index_facts.write_described(self._db, run, job, folder, facts)
        index_facts.read_metrics(self._db, run, folder)
        index_facts.write_logged_parameters(self._db, run)

    def _upsert(self, values: dict[str, SqlValue]) -> int:
        """Insert or update a run's row; return its number."""
        clean = [
            to_sqlite(value) if isinstance(value, str) else value
            for value in (values[name] for name in RUN_COLUMNS)
        ]
        self._db.execute(_UPSERT, clean)
        query = "select run from runs where id = ?"
        return int(self._db.execute(query, (to_sqlite(str(values["id"])),)).fetchone()[0])

    def _remove_runs(self, condition: str, value: str) -> None:
        runs = f"(select run from runs where {condition})"
        for table in ("facts", "progress", "runs"):
            self._db.execute(f"delete from {table} where run in {runs}", (value,))


_UPSERT = (
    f"insert into runs ({', '.join(RUN_COLUMNS)}) values ({', '.join('?' * len(RUN_COLUMNS))}) "
    "on conflict (id) do update set "
    + ", ".join(f"{name} = excluded.{name}" for name in RUN_COLUMNS if name != "id")
)


def _among(removed: bool) -> str:
    return f"and removed is {'not ' if removed else ''}null "


def _without_children(node: Node) -> Node:
    is_child = tree.Comparison(Field("", "parent"), tree.UNEQUAL, "")
    return tree.And((node, tree.Not(is_child)))


def _described(day: str, folder: Path, job: JobSpec, facts: events.RunFacts) -> dict[str, SqlValue]:
    """The columns that the job and its events say."""
    return {
        "id": folder.name,
        "day": day,
        "created": job.created,
        "submitted": moments.epoch_seconds(job.created),
        "experiment": job.experiment,
        "display_name": facts.display_name or job.display_name or folder.name,
        "short_name": short_name(folder.name),
        "target": job.target.name,
        "parent": job.parent,
        "kind": job.kind,
        "script": job.script or job.command,
        "tags": json.dumps({**job.tags, **facts.tags}),
        "user": str(job.submitted_by.get("user") or ""),
        "note": facts.description or None,
        **{name: facts.marks.get(name) for name in run_marks.NAMES},
    }


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
