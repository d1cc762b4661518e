"""Read a table: only the files, row groups and columns that its operations require."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from scriptrun.data.cache.transfer import Incoming
from scriptrun.data.datasets.content import Content
from scriptrun.data.errors import FileChanged
from scriptrun.data.tables import arrow_filesystem, expressions, partitions
from scriptrun.data.tables import format as table_format

Options = dict[str, Any]
#: operations that pyarrow's scanner can apply, since they do not count rows
_EARLY = {"keep", "drop", "filter"}


def read(files: Content, options: Options) -> Any:
    """Read ``files`` as a pyarrow.Table and apply the operations in ``options``."""
    pa = table_format.arrow()
    table = Table(files, options)
    while True:
        try:
            return pa.Table.from_batches(table.batches(), table.schema_after())
        except pa.ArrowInvalid as error:
            wider = table_format.widened(table.schema, error)
            if wider is None:
                raise table_format.unreadable(error) from None
            table.schema = wider
        except pa.ArrowException as error:
            raise table_format.unreadable(error) from None


class Table:
    """The files as a pyarrow dataset. ``schema`` has the columns of the files themselves."""

    def __init__(self, files: Content, options: Options) -> None:
        self.options = options
        self.files = {each.path: each for each in files.incoming()}
        self.system, self.paths = _system(self.files)
        self.shape, self.schema = table_format.columns(options, self.system, self.paths)

    def _dataset(self) -> Any:
        from pyarrow import dataset

        added = self._added()
        values = [self._values(path) for path in self.files] if added else []
        parts = [_all_equal(each) for each in values] or None
        return dataset.FileSystemDataset.from_paths(
            self.paths,
            schema=self._whole(),
            format=self.shape,
            filesystem=self.system,
            partitions=parts,
        )

    def _whole(self) -> Any:
        schema = self.schema
        for name, kind in self._added().items():
            if name not in schema.names:
                schema = schema.append(table_format.arrow().field(name, kind))
        return schema

    def _added(self) -> dict[str, Any]:
        """The columns from paths, and their types."""
        pa = table_format.arrow()
        made = {"Path": pa.string()} if self.options.get("include_path") else {}
        if self.options.get("partition_format"):
            form = partitions.compiled(self.options["partition_format"])
            for name, dated in form.columns.items():
                made[name] = pa.timestamp("us") if dated else pa.string()
        return made

    def _values(self, path: str) -> dict[str, Any]:
        made: dict[str, Any] = {"Path": f"/{path}"} if self.options.get("include_path") else {}
        if self.options.get("partition_format"):
            made |= partitions.compiled(self.options["partition_format"]).values(path)
        return made

    def schema_after(self) -> Any:
        """The schema after all operations."""
        whole = self._whole()
        kept = _kept(list(whole.names), self.options.get("ops", []))
        return table_format.arrow().schema([whole.field(name) for name in kept])

    def batches(self) -> Iterator[Any]:
        """The rows after all operations, batch by batch.

        pyarrow applies the operations before the first that counts rows, and reads no more than it
        needs; the rest is applied here.
        """
        ops = self.options.get("ops", [])
        names = list(self._whole().names)
        early = list(itertools.takewhile(lambda op: not _EARLY.isdisjoint(op), ops))
        late = ops[len(early) :]
        condition = None
        for number, op in enumerate(early):
            if "filter" in op:
                _check(expressions.names_in(op["filter"]), _kept(names, early[:number]))
                one = expressions.to_arrow(op["filter"])
                condition = one if condition is None else condition & one
        ahead = {"batch_readahead": 1, "fragment_readahead": 1} if late else {}
        scanner = self._dataset().scanner(columns=_kept(names, early), filter=condition, **ahead)
        found: Iterator[Any] = scanner.to_batches()
        for op in late:
            found = _applied(found, op)
        return found


def _system(files: dict[str, Incoming]) -> tuple[Any, list[str]]:
    """(file system, paths there): the local file system if all files are local."""
    from pyarrow import fs

    from_here = [each.store.folder for each in files.values()]
    if not all(from_here):
        return arrow_filesystem.file_system(files), list(files)
    paths = []
    for folder, each in zip(from_here, files.values(), strict=True):
        found = each.store.stat(each.entry.path)
        if found is None or (each.entry.etag and found.etag != each.entry.etag):
            raise FileChanged(
                f"File {each.entry.path!r} in {each.store.name} has changed or is missing."
            )
        paths.append(str(folder / each.entry.path))  # type: ignore[operator]
    return fs.LocalFileSystem(), paths


def _all_equal(values: dict[str, Any]) -> Any:
    import pyarrow.compute as pc

    made = None
    for name, value in values.items():
        one = pc.field(name) == pc.scalar(value)
        made = one if made is None else made & one
    return made


def _kept(names: list[str], ops: list[Options]) -> list[str]:
    """The columns after ``ops``. Raises DatasetValidationError for unknown ones."""
    for op in ops:
        if "keep" in op:
            _check(op["keep"], names)
            names = list(op["keep"])
        elif "drop" in op:
            _check(op["drop"], names)
            names = [name for name in names if name not in op["drop"]]
    return names


def _check(wanted: Any, names: list[str]) -> None:
    for name in wanted:
        if name not in names:
            raise table_format.no_column(name, names)


def _applied(batches: Iterator[Any], op: Options) -> Iterator[Any]:
    """Apply one operation to the batches lazily."""
    if "take" in op or "skip" in op:
        return _sliced(batches, op.get("skip", 0), op.get("take"))
    if "part" in op:
        low, high = op["part"]
        return _parted(batches, low, high, op["seed"])
    if "filter" in op:
        condition = expressions.to_arrow(op["filter"])
        return (batch.filter(condition) for batch in batches)
    return (batch.select(_kept(batch.schema.names, [op])) for batch in batches)


def _sliced(batches: Iterator[Any], skip: int, take: int | None) -> Iterator[Any]:
    left = take
    for batch in batches:
        if left == 0:
            return
        passed = min(skip, batch.num_rows)
        skip -= passed
        kept = batch.slice(passed) if left is None else batch.slice(passed, left)
        left = left if left is None else left - kept.num_rows
        yield kept


def _parted(batches: Iterator[Any], low: float, high: float, seed: int) -> Iterator[Any]:
    """The rows whose number, hashed with ``seed`` (splitmix64), falls between two fractions."""
    import numpy as np
    import pyarrow as pa

    done = 0
    for batch in batches:
        mixed = np.arange(done, done + batch.num_rows, dtype=np.uint64)
        mixed += np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        share = mixed.astype(np.float64) / 2.0**64
        done += batch.num_rows
        yield batch.filter(pa.array((share >= low) & (share < high)))
