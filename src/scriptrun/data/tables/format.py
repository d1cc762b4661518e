"""The pyarrow format, types and schema of files, from a dataset's options."""

from __future__ import annotations

import codecs
import re

from scriptrun.data.errors import DatasetValidationError, missing_package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    import pyarrow as pa
    from pyarrow import dataset

    from scriptrun.data.tables.source_files import SourceFiles
    from scriptrun.runtime.hints import Json

#: files to inspect for the columns and their types
_SAMPLE_FILES = 50
#: bytes of delimited text that are read at once
BLOCK_SIZE = 1 << 20
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


def codec(encoding: str) -> str:
    """Python's name of an encoding. Raises DatasetValidationError for one that it has not."""
    name = _ENCODINGS.get(re.sub("[-_ ]", "", encoding.lower()), encoding)
    try:
        codecs.lookup(name)
    except LookupError:
        known = ", ".join(_ENCODINGS)
        raise DatasetValidationError(
            f"Unknown encoding {encoding!r}.", f"Use one that Python has, e.g. {known}."
        ) from None
    return name


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

    reading = csv.ReadOptions(
        encoding=codec(str(options.get("encoding", "utf8"))),
        block_size=int(options.get("block_size", BLOCK_SIZE)),
        autogenerate_column_names=not options["header"] and names is None,
        column_names=names,
    )
    conversion = csv.ConvertOptions(strings_can_be_null=not options.get("empty_as_string"))
    parsing = csv.ParseOptions(
        delimiter=options["separator"], newlines_in_values=bool(options.get("multi_line"))
    )
    return dataset.CsvFileFormat(
        parse_options=parsing, convert_options=conversion, read_options=reading
    )


def sample_of(paths: list[str]) -> list[str]:
    """The files to inspect for the columns."""
    return [*paths[: _SAMPLE_FILES - 1], paths[-1]] if len(paths) > _SAMPLE_FILES else paths


def sampled_schemas(arrow_format: dataset.FileFormat, files: SourceFiles) -> dict[str, pa.Schema]:
    """The schema of each file of the sample. Raises an ArrowException or a UnicodeError."""
    schemas = {path: arrow_format.inspect(path, files.system) for path in sample_of(files.paths)}
    for schema in schemas.values():
        _ = schema.names  # a name may be no text
    return schemas


def common_schema(schemas: list[pa.Schema]) -> tuple[pa.Schema, dict[str, list[pa.DataType]]]:
    """All columns with the narrowest type that may hold the values of each file.

    Also the wider types to try for those columns of which it may not be enough.
    """
    kinds: dict[str, list[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            kinds.setdefault(field.name, []).append(field.type)
    choices = {name: common_types(found) for name, found in kinds.items()}
    schema = arrow().schema([(name, found[0]) for name, found in choices.items()])
    return schema, {name: found[1:] for name, found in choices.items() if found[1:]}


def common_types(kinds: list[pa.DataType]) -> list[pa.DataType]:
    """The types for a column that has the types ``kinds`` in different files, narrowest first."""
    pa = arrow()
    types = pa.types
    plain = [kind.value_type if types.is_dictionary(kind) else kind for kind in kinds]
    found = [kind for kind in dict.fromkeys(plain) if not types.is_null(kind)]
    if len(set(kinds)) == 1 or len(found) < 2:
        return (found if len(set(kinds)) > 1 else kinds[:1]) or [pa.null()]
    if all(map(types.is_integer, found)):
        widest = max(kind.bit_width for kind in found)
        same = [kind for kind in found if kind.bit_width == widest]
        signs = {types.is_signed_integer(kind) for kind in found}
        narrow = same[:1] if len(signs) == 1 else [pa.int64(), pa.uint64(), pa.decimal128(20, 0)]
        return [*narrow, pa.string()]
    if all(types.is_integer(kind) or types.is_floating(kind) for kind in found):
        return [pa.float64(), pa.string()]
    if all(types.is_temporal(kind) and not types.is_time(kind) for kind in found):
        return _common_times(found)
    merged = _merged(found)
    return [pa.string()] if merged is None else [merged, pa.string()]


def _merged(kinds: list[pa.DataType]) -> pa.DataType | None:
    """What pyarrow makes of ``kinds``; None if it has no such type, or would round decimals."""
    pa = arrow()
    is_long = any(pa.types.is_decimal(kind) and kind.precision > 15 for kind in kinds)
    if is_long and any(map(pa.types.is_floating, kinds)):
        return None
    schemas = [pa.schema([("", kind)]) for kind in kinds]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _common_times(kinds: list[pa.DataType]) -> list[pa.DataType]:
    pa = arrow()
    zones = {getattr(kind, "tz", None) for kind in kinds}
    if len(zones) > 1:
        return [pa.string()]
    units = [getattr(kind, "unit", "s") for kind in kinds]
    finest = max(units, key=["s", "ms", "us", "ns"].index)
    return [pa.timestamp(finest, zones.pop()), pa.string()]


def apply_types(schema: pa.Schema, types: dict[str, Json]) -> pa.Schema:
    """``schema`` with the types that the user set. Raises DatasetValidationError."""
    pa = arrow()
    for name, value in types.items():
        if name not in schema.names:
            raise missing_column(name, schema.names)
        schema = schema.set(schema.get_field_index(name), pa.field(name, type_of(value)))
    return schema


def missing_column(name: str, available: list[str]) -> DatasetValidationError:
    """The error for an unknown column."""
    return DatasetValidationError(
        f"The table has no column {name!r}.", f"Columns: {', '.join(available[:50])}."
    )
