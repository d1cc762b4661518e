"""Delimited text as typed columns. pyarrow splits the text; the types are found here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.tables import file_errors, text_columns
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables.text_columns import Conversion, UnfitValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

    from scriptrun.data.tables.source_files import SourceFiles

#: how many blocks are converted together
_MOST_JOINED = 32
#: bytes of the largest block, which must hold a whole row
_LARGEST_BLOCK = 1 << 30


def _joined(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows in ever larger batches: converting many small ones of a wide table takes long."""
    pa = table_format.arrow()
    size = 1
    while group := list(itertools.islice(batches, size)):
        joined = pa.Table.from_batches(group).combine_chunks()
        yield from joined.to_batches()
        size = min(2 * size, _MOST_JOINED)


class LongRow(Exception):
    """A row is longer than a block; ``size`` is the next size of blocks to try."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class BlankFiles(Exception):
    """Files without a line, called ``names``, are to be passed over."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


class DelimitedFiles:
    """The rows of delimited files. ``schema`` has the columns of the files and their types."""

    #: conditions on the rows are applied to what ``batches`` yields
    filters_rows = False

    def __init__(self, files: SourceFiles) -> None:
        self._files = files
        self._format = table_format.file_format(files.options)
        self._inspected = table_format.sample_of(files.paths)
        self.schema = table_format.apply_types(self._inspect(), files.given)

    def _schemas_of(self, paths: list[str]) -> dict[str, pa.Schema]:
        pa = table_format.arrow()
        try:
            return table_format.schemas_of(self._format, self._files, paths)
        except (pa.ArrowException, UnicodeError) as error:
            raise self._error(error) from None

    def _inspect(self) -> pa.Schema:
        """The columns, with types guessed from the beginning of the files."""
        pa = table_format.arrow()
        schemas = self._schemas_of(self._inspected)
        for path, schema in schemas.items():
            names = schema.names
            if self._files.options["header"] and len(set(names)) < len(names):
                raise self._error(ValueError("duplicate names"), [path])
            if any(map(pa.types.is_binary, schema.types)):
                raise self._error(ValueError("The text is not UTF-8."), [path])
        found = list(schemas.values())
        if not self._files.options["header"]:
            found = [
                pa.schema([(f"Column{n + 1}", kind) for n, kind in enumerate(schema.types)])
                for schema in found
            ]
            widest = max(found, key=len)
            self._format = table_format.file_format(self._files.options, widest.names)
        schema, _ = table_format.common_schema(found)
        if not self._files.options.get("infer", True):
            return pa.schema([(name, pa.string()) for name in schema.names])
        days = pa.timestamp("us")  # as in v1
        kinds = [days if pa.types.is_date(kind) else kind for kind in schema.types]
        schema = pa.schema(list(zip(schema.names, kinds, strict=True)))
        floats = [field.name for field in found[0] if pa.types.is_floating(field.type)]
        return self._with_whole_numbers(schema, floats)

    def _with_whole_numbers(self, schema: pa.Schema, floats: list[str]) -> pa.Schema:
        """``schema`` with types for whole numbers that pyarrow takes for floats (``+5``)."""
        pa = table_format.arrow()
        if not floats:
            return schema
        self.schema = schema
        first = next(self._texts(self._files.paths[:1], floats, None, {"batch_readahead": 1}), None)
        if first is None:
            return schema
        kinds = text_columns.profile(lambda names: [first.select(names)], floats)
        for name, kind in kinds.items():
            if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and not kind.scale):
                schema = schema.set(schema.get_field_index(name), pa.field(name, kind))
        return schema

    def batches(
        self, names: list[str], condition: pc.Expression | None, readahead: dict[str, int]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of the files that meet ``condition``, which is about columns from paths only.

        Raises UnfitValue for a value that is not of its column's type.
        """
        pa = table_format.arrow()
        conversions = {
            field.name: Conversion(
                field.type,
                field.name in self._files.given,
                self._files.given.get(field.name, {}).get("formats") or (),
                self._files.given.get(field.name, {}).get("decimal_mark", "."),
            )
            for field in self.schema
        }
        for batch in self._texts(self._files.paths, names, condition, readahead):
            columns = [
                conversions[name].apply(name, column) if name in conversions else column
                for name, column in zip(names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, names) if names else batch
        if self._files.options["header"] and set(self.schema.names) <= set(names):
            rest = sorted(set(self._files.paths) - set(self._inspected))
            table_format.check_columns(self._schemas_of(rest), self.schema)

    def widen(self, names: list[str], error: UnfitValue) -> None:
        """Give the columns ``names`` the types that all their values have.

        Raises DatasetExecutionError if the user set the type of the column in ``error``.
        """
        pa = table_format.arrow()
        if error.column not in self.schema.names:
            self._inspected = self._files.paths
            self.schema = table_format.apply_types(self._inspect(), self._files.given)
            return
        if error.column in self._files.given:
            name = self._file_of(error)
            self.schema = table_format.with_nanoseconds(self.schema, error, name)
            return
        open_names = [
            name
            for name in names
            if name in self.schema.names
            and name not in self._files.given
            and self.schema.field(name).type != pa.string()
        ]
        kinds = text_columns.profile(
            lambda chosen: self._texts(self._files.paths, chosen, None, {}), open_names
        )
        for name, kind in kinds.items():
            is_unfit = name == error.column and kind == error.kind
            self._set_type(name, pa.string() if is_unfit else kind)

    def _set_type(self, name: str, kind: pa.DataType) -> None:
        field = table_format.arrow().field(name, kind)
        self.schema = self.schema.set(self.schema.get_field_index(name), field)

    def _file_of(self, error: UnfitValue) -> str:
        """The file that has the value."""
        import pyarrow.compute as pc

        for path in self._files.paths:
            texts = self._texts([path], [error.column], None, {})
            if any(pc.index(batch.column(0), error.value).as_py() >= 0 for batch in texts):
                return self._files.names[path]
        return ""

    def _texts(
        self,
        paths: list[str],
        names: list[str],
        condition: pc.Expression | None,
        readahead: dict[str, int],
    ) -> Iterator[pa.RecordBatch]:
        pa = table_format.arrow()
        schema = pa.schema([(name, pa.string()) for name in self.schema.names])
        files = self._files.open(paths, schema, table_format.as_texts(self._format))
        try:
            scanner = files.scanner(columns=names, filter=condition, **readahead)
            yield from _joined(scanner.to_batches())
        except (pa.ArrowException, UnicodeError) as error:
            raise self._error(error) from None

    def _error(self, error: Exception, paths: list[str] | None = None) -> DatasetExecutionError:
        """The error that says which file is at fault, and where."""
        pa = table_format.arrow()
        size = int(self._files.options.get("block_size", table_format.BLOCK_SIZE))
        if "straddl" in str(error) and size < _LARGEST_BLOCK:
            raise LongRow(size * 32)
        if "Empty CSV" in str(error):
            self._pass_over_blank_files()
        for path in self._files.paths if paths is None else paths:
            problem = error
            if paths is None:
                try:
                    self._read_whole(path)
                except (pa.ArrowException, UnicodeError) as found:
                    problem = found
                else:
                    continue
            separator = str(self._files.options["separator"])
            encoding = table_format.codec(str(self._files.options.get("encoding", "utf8")))
            return file_errors.delimited_error(
                self._files.system, path, self._files.names[path], problem, separator, encoding
            )
        return file_errors.unreadable_error(error)

    def _pass_over_blank_files(self) -> None:
        """Raise BlankFiles if some files are blank and others are not."""
        blank = [
            path for path in self._files.paths if file_errors.is_blank(self._files.system, path)
        ]
        if 0 < len(blank) < len(self._files.paths):
            raise BlankFiles([self._files.names[path] for path in blank])

    def _read_whole(self, path: str) -> None:
        """Read all of a file as text; raises what pyarrow does."""
        pa = table_format.arrow()
        names = self._format.inspect(path, self._files.system).names
        schema = pa.schema([(name, pa.string()) for name in names])
        files = self._files.open([path], schema, self._format)
        for _ in files.scanner(columns=names).to_batches():
            pass
