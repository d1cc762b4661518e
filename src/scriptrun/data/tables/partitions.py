"""Columns from files' paths: ``/{country}/{day:yyyy/MM/dd}/data.csv``."""

from __future__ import annotations

import datetime
import re

from scriptrun.data.errors import DatasetValidationError
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: of a column from a path
    PathValue = str | int | float | bool | datetime.datetime | None

#: date parts in the SDK v1's notation: their pattern, and Python's directive
_DATES = {
    "yyyy": (r"\d{4}", "%Y"),
    "MM": (r"\d{1,2}", "%m"),
    "dd": (r"\d{1,2}", "%d"),
    "HH": (r"\d{1,2}", "%H"),
    "mm": (r"\d{1,2}", "%M"),
    "ss": (r"\d{1,2}", "%S"),
}


class PathFormat(Value):
    """A compiled format: ``columns`` maps each name to its date format, or to None for text."""

    text: str
    regex: re.Pattern[str]
    columns: dict[str, str | None]

    def values(self, path: str, store_path: str = "") -> dict[str, PathValue]:
        """The columns' values for the file at ``path`` in its dataset, ``store_path`` in its store.

        Raises DatasetValidationError if neither matches.
        """
        match = self.regex.search(f"/{path}") or self.regex.search(f"/{store_path}")
        if match is None:
            raise DatasetValidationError(
                f"File {path!r} does not match the partition_format {self.text!r}.",
                "Select matching files, or change partition_format.",
            )
        column_values: dict[str, PathValue] = {}
        for name, date_format in self.columns.items():
            text = match.group(name)
            column_values[name] = text if date_format is None else self._date(text, name, path)
        return column_values

    def _date(self, text: str, name: str, path: str) -> datetime.datetime:
        try:
            return datetime.datetime.strptime(text, str(self.columns[name]))
        except ValueError:
            raise DatasetValidationError(
                f"File {path!r} has {text!r} where partition_format {self.text!r} has a date.",
                "Select files with dates, or make the column text: leave out what follows its ':'.",
            ) from None


def compile_format(text: str) -> PathFormat:
    """Compile a partition format; it matches the end of paths, ``*`` matches within a name.

    Raises DatasetValidationError if it has no column, or a duplicate one.
    """
    regex = ""
    columns: dict[str, str | None] = {}
    for literal, field in re.findall(r"([^{]*)(?:\{([^}]*)\})?", text):
        regex += re.escape(literal).replace(r"\*", "[^/]*")
        if not field:
            continue
        name, _, date_format = field.partition(":")
        if not name.isidentifier() or name in columns:
            raise DatasetValidationError(
                f"Invalid or duplicate column {{{field}}} in partition_format {text!r}.",
                "Give each column a unique name.",
            )
        pattern, columns[name] = _date_pattern(date_format) if date_format else ("[^/]+", None)
        regex += f"(?P<{name}>{pattern})"
    if not columns:
        raise DatasetValidationError(
            f"partition_format {text!r} has no column in braces.",
            "Name one, e.g. '/{year}/{month}.csv'.",
        )
    start = "(?:^|/)" if not text.startswith("/") else ""
    return PathFormat(text, re.compile(f"{start}{regex}$"), columns)


def _date_pattern(date_format: str) -> tuple[str, str]:
    pattern, strptime_format = "", ""
    for part in re.findall(r"yyyy|MM|dd|HH|mm|ss|.", date_format, re.DOTALL):
        part_pattern, directive = _DATES.get(part, (re.escape(part), part.replace("%", "%%")))
        pattern += part_pattern
        strptime_format += directive
    return pattern, strptime_format
