"""Parquet files as one table: pyarrow reads only the columns and row groups that are needed."""

from __future__ import annotations

from collections.abc import Iterator

from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.tables import file_errors
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables.text_columns import UnfitValue
from scriptrun.data.tables.typed_columns import typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

    from scriptrun.data.tables.source_files import SourceFiles


class ParquetFiles:
    """The rows of Parquet files. ``schema`` has the columns of the files and their types."""

    #: conditions on the rows decide what is read, but for columns of types that the user set
    filters_rows = True

    def __init__(self, files: SourceFiles) -> None:
        self._files = files
        self._format = table_format.file_format(files.options)
        self._inspect(table_format.sample_of(files.paths))

    def _inspect(self, paths: list[str]) -> None:
        """Find the columns and types of the files at ``paths``."""
        self._inspected = set(paths)
        schemas = self._schemas_of(paths)
        for path, schema in schemas.items():
            double = next((each for each in schema.names if schema.names.count(each) > 1), None)
            if double is not None:
                raise file_errors.duplicate_name_error(self._files.names[path], double)
        self._stored, self._choices = table_format.common_schema(list(schemas.values()))
        self.schema = table_format.apply_types(self._stored, self._files.given)

    def _schemas_of(self, paths: list[str]) -> dict[str, pa.Schema]:
        pa = table_format.arrow()
        try:
            return table_format.schemas_of(self._format, self._files, paths)
        except (pa.ArrowException, UnicodeError) as error:
            raise self._error(error) from None

    def batches(
        self, names: list[str], condition: pc.Expression | None, readahead: dict[str, int]
    ) -> Iterator[pa.RecordBatch]:
        """The rows that meet ``condition``.

        Raises UnfitValue if a column's type does not hold the values of each file.
        """
        pa = table_format.arrow()
        files = self._files.open(self._files.paths, self._stored, self._format)
        scanner = files.scanner(columns=names, filter=condition, **readahead)
        try:
            for batch in scanner.to_batches():
                yield self._with_given_types(batch)
        except pa.ArrowException as error:
            raise self._unfit(error) from None
        if set(self._stored.names) <= set(names):
            rest = [path for path in self._files.paths if path not in self._inspected]
            table_format.check_columns(self._schemas_of(rest), self._stored)

    def _with_given_types(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        pa = table_format.arrow()
        for number, name in enumerate(batch.schema.names):
            if name in self._files.given:
                column = pa.chunked_array([batch.column(number)])
                kind = self.schema.field(name).type
                values = typed(column, name, kind, self._files.given[name]).combine_chunks()
                batch = batch.set_column(number, name, values)
        return batch

    def widen(self, names: list[str], error: UnfitValue) -> None:
        """Take a wider type for the column in ``error``."""
        pa = table_format.arrow()
        if error.column not in self._stored.names:
            self._inspect(self._files.paths)
            return
        if (
            error.column in self._files.given
            and error.kind != self._stored.field(error.column).type
        ):
            name = self._file_of(error)
            self.schema = table_format.with_nanoseconds(self.schema, error, name)
            return
        choices = self._choices.get(error.column) or []
        if not choices:
            kinds = [str(error.kind), error.value]
            raise file_errors.mixed_types_error(error.column, kinds)
        index = self._stored.get_field_index(error.column)
        self._stored = self._stored.set(index, pa.field(error.column, choices.pop(0)))
        self.schema = table_format.apply_types(self._stored, self._files.given)

    def _file_of(self, error: UnfitValue) -> str:
        """The file that has the value."""
        for path in self._files.paths:
            files = self._files.open([path], self._stored, self._format)
            try:
                for batch in files.scanner(columns=[error.column]).to_batches():
                    self._with_given_types(batch)
            except UnfitValue:
                return self._files.names[path]
        return ""

    def _unfit(self, error: Exception) -> UnfitValue | DatasetExecutionError:
        """The first column, of those that files have in different types, that cannot be read."""
        pa = table_format.arrow()
        for path in self._files.paths:
            try:
                own = self._format.inspect(path, self._files.system)
            except pa.ArrowException as found:
                return self._error(found)
            for field in own:
                known = field.name in self._stored.names
                target = self._stored.field(field.name) if known else None
                if target is None or target.type == field.type:
                    continue
                reason = self._cast_problem(path, field.name)
                if reason:
                    self._choices.setdefault(field.name, [pa.string()])
                    return UnfitValue(
                        field.name, f"{field.type} in {self._files.names[path]!r}", target.type
                    )
        return self._error(error)

    def _cast_problem(self, path: str, name: str) -> str:
        pa = table_format.arrow()
        files = self._files.open([path], self._stored, self._format)
        try:
            for _ in files.scanner(columns=[name]).to_batches():
                pass
        except pa.ArrowException as error:
            return str(error) or type(error).__name__
        return ""

    def _error(self, error: Exception) -> DatasetExecutionError:
        """The error that says which file is at fault."""
        pa = table_format.arrow()
        for path in self._files.paths:
            try:
                self._format.inspect(path, self._files.system)
            except (pa.ArrowException, UnicodeError) as found:
                if "magic bytes" in str(found) or "footer" in str(found):
                    found = ValueError("it is not a complete Parquet file.")
                return file_errors.unreadable_error(found, self._files.names[path])
        return file_errors.unreadable_error(error)
