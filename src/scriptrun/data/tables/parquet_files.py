"""Parquet files as one table: pyarrow reads only the columns and row groups that are needed."""

from __future__ import annotations

from collections.abc import Iterator

from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.tables import file_errors
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables.text_columns import UnfitValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

    from scriptrun.data.tables.source_files import SourceFiles


class ParquetFiles:
    """The rows of Parquet files. ``schema`` has the columns of the files and their types."""

    #: conditions on the rows decide what is read
    filters_rows = True

    def __init__(self, files: SourceFiles) -> None:
        self._files = files
        self._format = table_format.file_format(files.options)
        pa = table_format.arrow()
        try:
            schemas = table_format.sampled_schemas(self._format, files)
        except (pa.ArrowException, UnicodeError) as error:
            raise self._error(error) from None
        schema, self._choices = table_format.common_schema(list(schemas.values()))
        self.schema = table_format.apply_types(schema, files.given)

    def batches(
        self, names: list[str], condition: pc.Expression | None, readahead: dict[str, int]
    ) -> Iterator[pa.RecordBatch]:
        """The rows that meet ``condition``.

        Raises UnfitValue if a column's type does not hold the values of each file.
        """
        pa = table_format.arrow()
        files = self._files.open(self._files.paths, self.schema, self._format)
        scanner = files.scanner(columns=names, filter=condition, **readahead)
        try:
            yield from scanner.to_batches()
        except pa.ArrowException as error:
            raise self._unfit(error) from None

    def widen(self, names: list[str], error: UnfitValue) -> None:
        """Take a wider type for the column in ``error``."""
        pa = table_format.arrow()
        choices = self._choices.get(error.column) or []
        if error.column in self._files.given or not choices:
            raise self._type_error(error)
        index = self.schema.get_field_index(error.column)
        self.schema = self.schema.set(index, pa.field(error.column, choices.pop(0)))

    def _type_error(self, error: UnfitValue) -> DatasetExecutionError:
        if error.column in self._files.given:
            return file_errors.given_type_error(error)
        return file_errors.mixed_types_error(error.column, [str(error.kind), error.value])

    def _unfit(self, error: Exception) -> UnfitValue | DatasetExecutionError:
        """The first column, of those that files have in different types, that cannot be read."""
        pa = table_format.arrow()
        for path in self._files.paths:
            try:
                own = self._format.inspect(path, self._files.system)
            except pa.ArrowException as found:
                return self._error(found)
            for field in own:
                target = self.schema.field(field.name) if field.name in self.schema.names else None
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
        files = self._files.open([path], self.schema, self._format)
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
                    found = ValueError("it is no Parquet file, or not a whole one.")
                return file_errors.unreadable_error(found, self._files.names[path])
        return file_errors.unreadable_error(error)
