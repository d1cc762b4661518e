"""The pyarrow format, types and schema of files, from a dataset's options."""

from __future__ import annotations

import re

from scriptrun.data.errors import DatasetExecutionError, DatasetValidationError, missing_package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    import pyarrow as pa
    from pyarrow import dataset, fs

    from scriptrun.runtime.hints import Json

#: files to inspect for the columns and their types
_SAMPLE_FILES = 50
#: encodings by their names in the SDK v1
_ENCODINGS = {
    "utf8": "utf8",
    "iso88591": "iso-8859-1",
    "latin1": "latin1",
    "ascii": "ascii",
    "utf16": "utf-16",
    "utf32": "utf-32",
    "utf8bom": "utf-8-sig",
    "windows1252": "cp1252",
}


def arrow() -> ModuleType:
    """Import pyarrow. Raises DatastoreException with a hint if it is not installed."""
    try:
        import pyarrow
    except ImportError:
        raise missing_package("pyarrow", "Reading tables") from None
    library: ModuleType = pyarrow
    return library


def type_of(value: Json) -> pa.DataType:
    """The pyarrow type of a DataType's JSON value."""
    pa = arrow()
    types = {
        "bool": pa.bool_(),
        "long": pa.int64(),
        "float": pa.float64(),
        "string": pa.string(),
        "datetime": pa.timestamp("us"),
    }
    return types[value["type"]]


def file_format(options: Json, names: list[str] | None = None) -> dataset.FileFormat:
    """The pyarrow format; ``names`` are the columns of files without a header."""
    arrow()
    from pyarrow import dataset

    if options["format"] == "parquet":
        return dataset.ParquetFileFormat()
    if options["format"] == "json":
        return dataset.JsonFileFormat()
    return _delimited(options, names)


def _delimited(options: Json, names: list[str] | None) -> dataset.CsvFileFormat:
    from pyarrow import csv, dataset

    encoding = str(options.get("encoding", "utf8"))
    reading = csv.ReadOptions(
        encoding=_ENCODINGS.get(encoding.lower().replace("-", ""), encoding),
        autogenerate_column_names=not options["header"] and names is None,
        column_names=names,
    )
    types = options.get("types", {}).values()
    formats = [
        text_format for column_type in types for text_format in column_type.get("formats") or ()
    ]
    conversion = csv.ConvertOptions(
        strings_can_be_null=not options.get("empty_as_string"),
        timestamp_parsers=[*formats, csv.ISO8601] if formats else None,
    )
    parsing = csv.ParseOptions(
        delimiter=options["separator"], newlines_in_values=bool(options.get("multi_line"))
    )
    return dataset.CsvFileFormat(
        parse_options=parsing, convert_options=conversion, read_options=reading
    )


def columns(
    options: Json, system: fs.FileSystem, paths: list[str]
) -> tuple[dataset.FileFormat, pa.Schema]:
    """The (format, schema) of the files, from a sample of them."""
    pa = arrow()
    arrow_format = file_format(options)
    sample = [*paths[: _SAMPLE_FILES - 1], paths[-1]] if len(paths) > _SAMPLE_FILES else paths
    try:
        schemas = [arrow_format.inspect(path, system) for path in sample]
        schema = pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise unreadable_error(error) from None
    if options["format"] == "delimited" and not options["header"]:
        names = [f"Column{number + 1}" for number in range(len(schema))]
        schema = pa.schema(list(zip(names, schema.types, strict=True)))
        arrow_format = file_format(options, names)
    if not options.get("infer", True):
        schema = pa.schema([(name, pa.string()) for name in schema.names])
    elif options["format"] == "delimited":
        column_types = [
            type_of({"type": "datetime"}) if pa.types.is_date(t) else t for t in schema.types
        ]
        schema = pa.schema(list(zip(schema.names, column_types, strict=True)))  # as in v1
    return arrow_format, _apply_types(schema, options.get("types", {}))


def _apply_types(schema: pa.Schema, types: dict[str, Json]) -> pa.Schema:
    pa = arrow()
    for name, value in types.items():
        if name not in schema.names:
            raise missing_column(name, schema.names)
        schema = schema.set(schema.get_field_index(name), pa.field(name, type_of(value)))
    return schema


def widen(schema: pa.Schema, error: Exception) -> pa.Schema | None:
    """``schema`` with a wider type for the column in ``error``, or None.

    Types are inferred from the first rows of files; a later value may not fit.
    """
    pa = arrow()
    match = re.search(r"CSV column #(\d+)", str(error))
    if match is None or int(match.group(1)) >= len(schema):
        return None
    index = int(match.group(1))
    field = schema.field(index)
    if field.type == pa.string():
        return None
    wider_type = pa.float64() if pa.types.is_integer(field.type) else pa.string()
    return schema.set(index, pa.field(field.name, wider_type))


def missing_column(name: str, available: list[str]) -> DatasetValidationError:
    """The error for an unknown column."""
    return DatasetValidationError(
        f"The table has no column {name!r}.", f"Columns: {', '.join(available[:50])}."
    )


def unreadable_error(error: Exception) -> DatasetExecutionError:
    """The error for files that pyarrow cannot read; uses only the first line of its message."""
    lines = str(error).strip().splitlines()
    return DatasetExecutionError(
        f"Cannot read the files as a table: {lines[0] if lines else type(error).__name__}"
    )
