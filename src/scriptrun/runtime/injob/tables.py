"""Tables from the helper, read with the job's own libraries (Python 3.6+).

They are sent as Parquet if the job can read it, else as CSV: without a header, nulls as ``\\N``,
and the type of each column in the answer.
"""

import importlib
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import TypeVar

    import polars
    import pyarrow
    from pandas import DataFrame

    from scriptrun.runtime.hints import Json

    #: asks the helper to write the table to a file in a format, and returns its path
    Ask = Callable[[str], Json]
    T = TypeVar("T")

_PARQUET = ("pyarrow", "fastparquet")


def to_pandas(ask: "Ask") -> "DataFrame":
    """The table as a pandas data frame; ``ask(format)`` makes the helper write it to a file."""
    pandas = _library("pandas")
    engine = next((name for name in _PARQUET if _has(name)), None)
    return _read(ask, "parquet", pandas.read_parquet) if engine else _read_csv(ask, pandas)


def to_arrow(ask: "Ask") -> "pyarrow.Table":
    """The table as a pyarrow table."""
    _library("pyarrow")
    return _read(ask, "parquet", importlib.import_module("pyarrow.parquet").read_table)


def to_polars(ask: "Ask") -> "polars.DataFrame":
    """The table as a polars data frame."""
    return _read(ask, "parquet", _library("polars").read_parquet)


def write_temporary(frame: "DataFrame") -> str:
    """Write a data frame to a temporary file, as Parquet or else CSV; return its path."""
    import tempfile

    form = "parquet" if any(map(_has, _PARQUET)) else "csv"
    descriptor, path = tempfile.mkstemp(prefix="scriptrun-table-", suffix="." + form)
    os.close(descriptor)
    write = frame.to_parquet if form == "parquet" else frame.to_csv
    try:
        write(path, index=False)
    except Exception as error:
        os.unlink(path)
        column = _mixed_column(frame)
        raise ValueError(
            "The data frame cannot be stored: {}.".format(
                "column {!r} holds values of several types".format(column)
                if column is not None
                else str(error).split("\n")[0].rstrip(".")
            )
        ) from None
    return path


def _mixed_column(frame: "DataFrame") -> "str | None":
    """The first column with objects of more than one type, or None."""
    for number, name in enumerate(frame.columns):
        values = frame.iloc[:, number]
        if str(values.dtype) == "object" and len({type(each) for each in values.dropna()}) > 1:
            return str(name)
    return None


def _library(name: str) -> "ModuleType":
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(
            "Reading rows requires {0}, which is not in this environment. "
            "Add {0} to its packages.".format(name)
        )


def _has(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _read(ask: "Ask", form: str, read: "Callable[[str], T]") -> "T":
    answer = ask(form)
    try:
        return read(answer["path"])
    finally:
        os.unlink(answer["path"])


def _read_csv(ask: "Ask", pandas: "ModuleType") -> "DataFrame":
    answer = ask("csv")
    kinds = dict(enumerate(kind for _, kind in answer["columns"]))
    dtypes = {
        "int": "int64",
        "uint": "uint64",
        "bool": "bool",
        "float": "float64",
        "text": str,
        "json": str,
    }
    try:
        frame = pandas.read_csv(
            answer["path"],
            header=None,
            names=list(kinds),
            dtype={n: dtypes[kind] for n, kind in kinds.items() if kind in dtypes},
            parse_dates=[n for n, kind in kinds.items() if kind == "time"],
            keep_default_na=False,
            na_values=["\\N"],
            float_precision="round_trip",
            encoding="utf-8",
        )
    finally:
        os.unlink(answer["path"])
    for number, kind in kinds.items():
        if kind == "json":
            cells = [json.loads(cell) if isinstance(cell, str) else None for cell in frame[number]]
            frame[number] = pandas.Series(cells, dtype=object)
        elif kind == "text":
            frame[number] = [_text(text) for text in frame[number]]
    frame.columns = [name for name, _ in answer["columns"]]
    return frame


def _text(value: object) -> "str | None":
    """None for a null, else the text without the backslash that escapes a leading backslash."""
    if not isinstance(value, str):
        return None
    return value[1:] if value.startswith("\\") else value
