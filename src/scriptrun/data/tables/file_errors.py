"""Why files cannot be read as a table: the file, the line and what to do."""

from __future__ import annotations

import csv
import io
import re

from scriptrun.data.errors import DatasetExecutionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyarrow import fs

    from scriptrun.data.tables.text_columns import UnfitValue

#: how files in other encodings begin
_MARKS = ((b"\xff\xfe\0\0", "utf32"), (b"\xff\xfe", "utf16"), (b"\xfe\xff", "utf16"))

#: what a file without values holds
_BLANK = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"
#: how binary files begin
_ARCHIVES = {
    b"PK\3\4": "a zip archive or an Excel file",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ\0": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"PAR1": "a Parquet file",
}


def is_blank(system: fs.FileSystem, path: str) -> bool:
    """Whether a file, unpacked, begins with nothing but blanks, line ends and a mark."""
    return not _start(system, path).strip(_BLANK)


def unreadable_error(error: Exception, name: str = "") -> DatasetExecutionError:
    """The error for files that pyarrow cannot read; uses only the first line of its message."""
    lines = str(error).strip().splitlines()
    types = re.search(r"no kernel matching input types \((\w+), (\w+)", str(error))
    if types:
        return DatasetExecutionError(
            f"A condition compares {types.group(1)} values of a column with {types.group(2)} ones.",
            "Compare with a value of the column's type, or set it with set_column_types.",
        )
    subject = f"{name!r}" if name else "the files"
    return DatasetExecutionError(
        f"Cannot read {subject} as a table: {lines[0] if lines else type(error).__name__}"
    )


def delimited_error(
    system: fs.FileSystem, path: str, name: str, error: Exception, separator: str, codec: str
) -> DatasetExecutionError:
    """The error for the delimited file at ``path``, called ``name``, which raised ``error``."""
    start = _start(system, path)
    if not start.strip(_BLANK):
        return DatasetExecutionError(
            f"Cannot read {name!r} as a table: the file is empty.", "Leave it out."
        )
    return (
        _archive_error(name, start)
        or _encoding_error(system, path, name, separator, codec, start)
        or _names_error(system, path, name, separator, codec)
        or _rows_error(name, str(error))
        or _width_error(system, path, name, separator, codec, str(error))
        or unreadable_error(error, name)
    )


def duplicate_name_error(name: str, double: str, hint: str = "") -> DatasetExecutionError:
    """The error for the file ``name`` with two columns called ``double``."""
    return DatasetExecutionError(
        f"Cannot read {name!r} as a table: two columns are called {double!r}.",
        hint or "Rename one before the file is written.",
    )


def given_type_error(error: UnfitValue, name: str = "") -> DatasetExecutionError:
    """The error for a value that is not of the type that the user set."""
    where = f" in {name!r}" if name else ""
    return DatasetExecutionError(
        f"Column {error.column!r}{where} has the value {error.value[:100]!r}, which is no "
        f"{_word(error.kind)}, the type that set_column_types gives it.",
        "Set the type that all its values have, or DataType.to_string().",
    )


def mixed_types_error(name: str, kinds: list[str]) -> DatasetExecutionError:
    """The error for a column whose files agree on no type."""
    return DatasetExecutionError(
        f"Column {name!r} has different types in the files: {', '.join(kinds)}.",
        "Read the files as separate tables, or set its type with set_column_types.",
    )


def _word(kind: pa.DataType) -> str:
    words = {"int64": "whole number of 64 bits", "double": "number", "bool": "true or false"}
    return words.get(str(kind), "date or time" if "timestamp" in str(kind) else str(kind))


def _start(system: fs.FileSystem, path: str) -> bytes:
    with system.open_input_stream(path) as stream:
        return bytes(stream.read(1 << 16))


def _rows_error(name: str, message: str) -> DatasetExecutionError | None:
    if "Empty CSV" not in message:
        return None
    return DatasetExecutionError(
        f"Cannot read {name!r} as a table: it has one line, without an end, and no rows.",
        "Leave it out, or end its line.",
    )


def _archive_error(name: str, start: bytes) -> DatasetExecutionError | None:
    kind = next((kind for mark, kind in _ARCHIVES.items() if start.startswith(mark)), None)
    if kind is None:
        return None
    return DatasetExecutionError(
        f"Cannot read {name!r} as a table: it is {kind}, not delimited text.",
        "Unpack or convert it first. Names that end with .gz, .bz2, .zst or .lz4 are unpacked.",
    )


def _encoding_error(
    system: fs.FileSystem, path: str, name: str, separator: str, codec: str, start: bytes
) -> DatasetExecutionError | None:
    mark = next((found for mark, found in _MARKS if start.startswith(mark)), "")
    if mark and not codec.replace("-", "").lower().startswith(mark):
        return DatasetExecutionError(
            f"Cannot read {name!r} as a table: it begins like {mark} text, not {codec}.",
            f"Pass encoding={mark!r}.",
        )
    if codec.replace("-", "").lower().startswith(("utf16", "utf32")):
        return _undecodable(name, "", codec) if not _decodes(system, path, codec) else None
    names: list[str] = []
    for number, line in enumerate(_raw_lines(system, path), 1):
        cells = _cells(line.decode("latin-1"), separator)
        names = names or cells
        bad = next((n for n, cell in enumerate(cells) if not _is_text(cell, codec)), None)
        if bad is not None:
            column = f"column {names[bad]!r}" if bad < len(names) else f"column {bad + 1}"
            return _undecodable(name, f"line {number}, {column}: ", codec)
    return None


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return [line]


def _undecodable(name: str, where: str, codec: str) -> DatasetExecutionError:
    return DatasetExecutionError(
        f"Cannot read {name!r} as a table: {where}the text is not {codec}.",
        "Pass the file's encoding, e.g. encoding='windows1252' or 'utf16'.",
    )


def _is_text(cell: str, codec: str) -> bool:
    try:
        cell.encode("latin-1").decode(codec)
    except UnicodeError:
        return False
    return True


def _decodes(system: fs.FileSystem, path: str, codec: str) -> bool:
    try:
        for _ in _text(system, path, codec):
            pass
    except UnicodeError:
        return False
    return True


def _names_error(
    system: fs.FileSystem, path: str, name: str, separator: str, codec: str
) -> DatasetExecutionError | None:
    names = _cells(next(_text(system, path, codec), ""), separator)
    double = next((each for each in names if names.count(each) > 1), None)
    if double is None:
        return None
    hint = "Rename one in the file's first line, or pass header=False to number the columns."
    return duplicate_name_error(name, double, hint)


def _width_error(
    system: fs.FileSystem, path: str, name: str, separator: str, codec: str, message: str
) -> DatasetExecutionError | None:
    if re.search(r"out of sync|[Ss]traddl", message):
        return DatasetExecutionError(
            f"Cannot read {name!r} as a table: quoted text in it has line breaks.",
            "Pass support_multi_line=True.",
        )
    reader = csv.reader(_text(system, path, codec), delimiter=separator)
    width = 0
    try:
        for cells in reader:
            width = width or len(cells)
            if cells and len(cells) != width:
                return DatasetExecutionError(
                    f"Cannot read {name!r} as a table: line {reader.line_num} has {len(cells)} "
                    f"values, the first line {width}.",
                    f"Correct the line, or the separator ({separator!r}).",
                )
    except csv.Error:
        return None
    expected = re.search(r"Expected (\d+) columns, got (\d+)", message)
    if expected and int(expected.group(1)) != width:
        return DatasetExecutionError(
            f"Cannot read {name!r} as a table: its rows have {expected.group(2)} values, those of "
            f"other files {expected.group(1)}.",
            "Read them as separate tables.",
        )
    return None


def _text(system: fs.FileSystem, path: str, codec: str) -> Iterator[str]:
    with system.open_input_stream(path) as stream:
        lines = io.TextIOWrapper(stream, "utf-8-sig" if codec == "utf8" else codec, newline="")
        yield from lines


def _raw_lines(system: fs.FileSystem, path: str) -> Iterator[bytes]:
    rest = b""
    with system.open_input_stream(path) as stream:
        while piece := stream.read(1 << 20):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
    if rest:
        yield rest
