"""Files of JSON lines as one table: the columns of all files, with types that hold all values."""

from __future__ import annotations

from collections.abc import Iterator

from scriptrun.data.tables import file_errors, json_lines
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables.text_columns import UnfitValue
from scriptrun.data.tables.typed_columns import typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

    from scriptrun.data.tables.partitions import PathValue
    from scriptrun.data.tables.source_files import SourceFiles


class JsonFiles:
    """The rows of JSON lines. ``schema`` has the columns of the files and their types."""

    #: conditions on the rows are applied to what ``batches`` yields
    filters_rows = False

    def __init__(self, files: SourceFiles) -> None:
        self._files = files
        self._codec = table_format.codec(str(files.options.get("encoding", "utf8")))
        self._drops_invalid = bool(files.options.get("drop_invalid"))
        #: the file that was read last: often the only one
        self._last: tuple[str, pa.Table] = ("", table_format.arrow().table({}))
        self._choices: dict[str, list[pa.DataType]] = {}
        sample = table_format.sample_of(files.paths)
        self._all_known = len(sample) == len(files.paths)
        self.schema = self._common_schema(sample)

    def batches(
        self, names: list[str], condition: pc.Expression | None, readahead: dict[str, int]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of the files that meet ``condition``, which is about columns from paths only.

        Raises UnfitValue for a value that is not of its column's type.
        """
        pa = table_format.arrow()
        for path in self._files.paths:
            values = self._files.path_values(path)
            if condition is not None and not self._one_row(values).filter(condition).num_rows:
                continue
            table = self._read(path)
            self._check_names(table)
            columns = [
                pa.repeat(
                    pa.scalar(values[name], self._files.path_schema.field(name).type), len(table)
                )
                if name in values
                else self._typed(name, table)
                for name in names
            ]
            yield from pa.table(columns, names).to_batches()

    def _check_names(self, table: pa.Table) -> None:
        for field in table.schema:
            if field.name not in self.schema.names:
                raise UnfitValue(field.name, "", field.type)

    def _one_row(self, values: dict[str, PathValue]) -> pa.Table:
        pa = table_format.arrow()
        return pa.table(
            {
                name: pa.array([value], self._files.path_schema.field(name).type)
                for name, value in values.items()
            }
        )

    def widen(self, names: list[str], error: UnfitValue) -> None:
        """Take a wider type for the column in ``error``, and look into all files for the others.

        Raises DatasetExecutionError if the user set that column's type.
        """
        pa = table_format.arrow()
        if error.column in self._files.given:
            name = self._files.names[self._last[0]]
            self.schema = table_format.with_nanoseconds(self.schema, error, name)
            return
        if not self._all_known:
            self._all_known = True
            self.schema = self._common_schema(self._files.paths)
            return
        if self.schema.field(error.column).type == pa.string():
            raise file_errors.mixed_types_error(error.column, [str(error.kind), error.value])
        choices = self._choices.setdefault(error.column, []) or [pa.string()]
        index = self.schema.get_field_index(error.column)
        self.schema = self.schema.set(index, pa.field(error.column, choices.pop(0)))

    def _common_schema(self, paths: list[str]) -> pa.Schema:
        schemas = [self._read(path).schema for path in paths]
        schema, self._choices = table_format.common_schema(schemas)
        return table_format.apply_types(schema, self._files.given)

    def _read(self, path: str) -> pa.Table:
        pa = table_format.arrow()
        given = {
            name
            for name, value in self._files.given.items()
            if value["type"] in ("string", "datetime")
        }
        known = getattr(self, "schema", ())
        texts = {field.name for field in known if field.type == pa.string()} | given
        last_path, table = self._last
        if last_path == path and all(
            field.type == pa.string() for field in table.schema if field.name in texts
        ):
            return table
        with self._files.system.open_input_stream(path) as stream:
            table = json_lines.read(
                stream, self._files.names[path], texts, self._codec, self._drops_invalid
            )
        self._last = path, table
        return table

    def _typed(self, name: str, table: pa.Table) -> pa.ChunkedArray:
        """The column as the schema has it."""
        pa = table_format.arrow()
        kind = self.schema.field(name).type
        if name not in table.schema.names:
            return pa.chunked_array([pa.nulls(len(table), kind)])
        return typed(table.column(name), name, kind, self._files.given.get(name))
