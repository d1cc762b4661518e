"""The pyarrow format, types and schema of files, from a dataset's options."""

from __future__ import annotations

import codecs
import re
from concurrent.futures import ThreadPoolExecutor

from scriptrun.data.errors import DatasetValidationError, missing_package
from scriptrun.data.tables import exact_numbers, file_errors
from scriptrun.data.tables.text_columns import UnfitValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import pyarrow as pa
    from pyarrow import dataset

    from scriptrun.data.tables.source_files import SourceFiles
    from scriptrun.runtime.hints import Json

    TypeTest = Callable[[pa.DataType], bool]
    CommonTypes = Callable[[list[pa.DataType]], list[pa.DataType]]

#: files to inspect for the columns and their types
_SAMPLE_FILES = 50
#: how many are inspected together
_AT_ONCE = 8
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


def as_texts(delimited: dataset.CsvFileFormat) -> dataset.CsvFileFormat:
    """The format with fields as they are written: only empty ones may be nulls."""
    from pyarrow import csv, dataset

    can_be_null = delimited.default_fragment_scan_options.convert_options.strings_can_be_null
    scanning = dataset.CsvFragmentScanOptions(
        csv.ConvertOptions(null_values=[""], strings_can_be_null=can_be_null),
        delimited.default_fragment_scan_options.read_options,
    )
    return dataset.CsvFileFormat(delimited.parse_options, scanning)


def sample_of(paths: list[str]) -> list[str]:
    """The files to inspect for the columns."""
    return [*paths[: _SAMPLE_FILES - 1], paths[-1]] if len(paths) > _SAMPLE_FILES else paths


def schemas_of(
    arrow_format: dataset.FileFormat, files: SourceFiles, paths: list[str]
) -> dict[str, pa.Schema]:
    """The schema of each file in ``paths``. Raises an ArrowException or a UnicodeError."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda path: arrow_format.inspect(path, files.system), paths)
        schemas = dict(zip(paths, found, strict=True))
    for schema in schemas.values():
        _ = schema.names  # a name may be no text
    return schemas


def check_columns(schemas: dict[str, pa.Schema], known: pa.Schema) -> None:
    """Raise UnfitValue for a column of a file that is not in ``known``."""
    for schema in schemas.values():
        for field in schema:
            if field.name not in known.names:
                raise UnfitValue(field.name, "", field.type)


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
    rules: list[tuple[list[TypeTest], CommonTypes]] = [
        ([types.is_integer], _common_integers),
        ([types.is_integer, types.is_floating], lambda _: [pa.float64(), pa.string()]),
        ([types.is_duration], lambda _: [pa.duration(_finest(found)), pa.string()]),
        ([types.is_timestamp, types.is_date], _common_times),
        ([types.is_string, types.is_binary], lambda _: [pa.string(), pa.binary()]),
        ([types.is_decimal], _merged),
        ([types.is_integer, types.is_decimal], _common_decimals),
    ]
    for tests, common in rules:
        if all(any(test(kind) for test in tests) for kind in found):
            return common(found)
    return _merged(found)


def _common_integers(kinds: list[pa.DataType]) -> list[pa.DataType]:
    pa = arrow()
    widest = max(kind.bit_width for kind in kinds)
    same = [kind for kind in kinds if kind.bit_width == widest]
    signs = {pa.types.is_signed_integer(kind) for kind in kinds}
    narrow = same[:1] if len(signs) == 1 else [pa.int64(), pa.uint64(), pa.decimal128(20, 0)]
    return [*narrow, pa.string()]


def _common_decimals(kinds: list[pa.DataType]) -> list[pa.DataType]:
    pa = arrow()
    places = max(kind.scale for kind in kinds if pa.types.is_decimal(kind))
    return [pa.decimal128(exact_numbers.MOST_DIGITS, places), pa.string()]


def _merged(kinds: list[pa.DataType]) -> list[pa.DataType]:
    """What pyarrow makes of ``kinds``, then text; text alone if it would round decimals."""
    pa = arrow()
    is_long = any(pa.types.is_decimal(kind) and kind.precision > 15 for kind in kinds)
    if is_long and any(map(pa.types.is_floating, kinds)):
        return [pa.string()]
    schemas = [pa.schema([("", kind)]) for kind in kinds]
    try:
        merged = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return [pa.string()]
    return [merged, pa.string()]


def _common_times(kinds: list[pa.DataType]) -> list[pa.DataType]:
    pa = arrow()
    zones = {getattr(kind, "tz", None) for kind in kinds}
    if len(zones) > 1 and None in zones:
        return [pa.string()]
    zone = zones.pop() if len(zones) == 1 else "UTC"
    finest = _finest(kinds)
    units = ["ns", "us"] if finest == "ns" else [finest]
    return [*(pa.timestamp(unit, zone) for unit in units), pa.string()]


def _finest(kinds: list[pa.DataType]) -> str:
    units = [getattr(kind, "unit", "s") for kind in kinds]
    return max(units, key=["s", "ms", "us", "ns"].index)


def apply_types(schema: pa.Schema, types: dict[str, Json]) -> pa.Schema:
    """``schema`` with the types that the user set. Raises DatasetValidationError."""
    pa = arrow()
    for name, value in types.items():
        if name not in schema.names:
            raise missing_column(name, schema.names)
        schema = schema.set(schema.get_field_index(name), pa.field(name, type_of(value)))
    return schema


def with_nanoseconds(schema: pa.Schema, error: UnfitValue, file: str = "") -> pa.Schema:
    """``schema`` with finer times for a column whose type the user set.

    Raises DatasetExecutionError if the value in ``error`` does not fit that either.
    """
    pa = arrow()
    if error.kind != pa.timestamp("us"):
        raise file_errors.given_type_error(error, file)
    field = pa.field(error.column, pa.timestamp("ns"))
    return schema.set(schema.get_field_index(error.column), field)


def missing_column(name: str, available: list[str]) -> DatasetValidationError:
    """The error for an unknown column."""
    return DatasetValidationError(
        f"The table has no column {name!r}.", f"Columns: {', '.join(available[:50])}."
    )
