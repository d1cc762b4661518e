"""Printed output: tables, JSON, and colours on terminals."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence

from scriptrun.cli.terminal import streams
from scriptrun.spec import text_width
from scriptrun.spec.control_characters import escape, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from scriptrun.engines.checks import Check


_COLOURS = {
    "Completed": "32",
    "Running": "36",
    "Finalizing": "36",
    "Preparing": "34",
    "Queued": "34",
    "NotStarted": "34",
    "Failed": "31",
    "Canceled": "33",
}


def print_json(document: Mapping[str, object], schema: int = 1, indent: int | None = 2) -> None:
    """Print a document with the number of its schema; infinities and NaN become strings.

    ``cli/schemas`` describes the document of each command, and when the number goes up. Without
    ``indent``, the document is one line, as in a stream of several.
    """
    numbered = {"schema": schema, **document}
    text = json.dumps(_plain(numbered), indent=indent, ensure_ascii=False, default=str)
    if escape(text) != text:  # JSON itself escapes only what is below U+0020
        text = "".join(c if escape(c) == c else f"\\u{ord(c):04x}" for c in text)
    print(text)


def _plain(value: object) -> object:
    if isinstance(value, float):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(value), value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    return value


def is_coloured(stream: TextIO | None = None) -> bool:
    """Whether ``stream`` (default: stdout) is a terminal with colours enabled."""
    stream = stream or sys.stdout
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return not plain and stream.isatty()


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Return ``text`` in the colour (an ANSI code) if ``stream`` shows colours."""
    if not colour or not is_coloured(stream):
        return text
    mark = streams.escape_mark(stream or sys.stdout)
    return f"{mark}[{colour}m{text}{mark}[0m"


def state(word: str, stream: TextIO | None = None) -> str:
    """Return a run's state in its colour."""
    return paint(word, _COLOURS.get(word, ""), stream)


def print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    shrinkable: Sequence[str] = (),
    droppable: Sequence[str] = (),
    indent: str = "",
) -> None:
    """Print aligned columns.

    On a terminal that is too narrow, the columns ``droppable`` are left out, first the first, until
    the others fit at a readable width; the columns ``shrinkable`` (default: the last) shrink, the
    widest first, to no less than 8 characters. With ``droppable``, no line is ever too long.
    """
    clean_rows = [[one_line(cell) for cell in row] for row in rows]
    heads, shrinkable, droppable = (
        [one_line(head) for head in each] for each in (heads, shrinkable, droppable)
    )
    widths = [max(map(width, column)) for column in zip(heads, *clean_rows, strict=True)]
    shown = list(range(len(heads)))
    if sys.stdout.isatty():
        room = columns() - len(indent)
        shrinks = [n for n, head in enumerate(heads) if head in (shrinkable or heads[-1:])]
        shown = _drop(heads, widths, shrinks, droppable, room)
        _narrow(widths, shown, [n for n in shrinks if n in shown], room)
        if droppable:
            _narrow(widths, shown, shown[1:], room, floor=4)
            _narrow(widths, shown, shown, room, floor=1)
    print(indent + paint("  ".join(_pad_row(heads, widths, shown)).rstrip(), "1"))
    for row in clean_rows:
        cells = _pad_row(row, widths, shown)
        coloured = [
            cell.replace(row[n], state(row[n])) if row[n] in _COLOURS else cell
            for n, cell in zip(shown, cells, strict=True)
        ]
        print(indent + "  ".join(coloured).rstrip())


def fits(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table fits the terminal; without a terminal, always."""
    widths = [max(map(width, column)) for column in zip(heads, *rows, strict=True)]
    return not sys.stdout.isatty() or sum(widths) + 2 * (len(widths) - 1) <= columns()


#: the width to which a column that shrinks stays readable, and to which it shrinks at most
_READABLE, _NARROWEST = 16, 8


def _drop(
    heads: Sequence[str],
    widths: Sequence[int],
    shrinks: Sequence[int],
    droppable: Sequence[str],
    room: int,
) -> list[int]:
    """The columns that remain when those of ``droppable`` make room."""
    shown = list(range(len(heads)))
    for head in droppable:
        needed = [min(widths[n], _READABLE) if n in shrinks else widths[n] for n in shown]
        if sum(needed) + 2 * (len(shown) - 1) <= room:
            break
        shown = [n for n in shown if heads[n] != head]
    return shown


def _narrow(
    widths: list[int],
    shown: Sequence[int],
    shrinks: Sequence[int],
    room: int,
    floor: int = _NARROWEST,
) -> None:
    available = room - 2 * (len(shown) - 1)
    while sum(widths[n] for n in shown) > available and shrinks:
        widest = max(shrinks, key=widths.__getitem__)
        if widths[widest] <= floor:
            return
        widths[widest] -= 1


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def columns() -> int:
    """The width of the terminal."""
    import shutil

    return shutil.get_terminal_size().columns


def lines() -> int:
    """The height of the terminal."""
    import shutil

    return shutil.get_terminal_size().lines


def _pad_row(row: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> list[str]:
    return [_fit(row[n], widths[n]) for n in shown]


def _fit(text: str, column_width: int) -> str:
    if width(text) > column_width:
        while text and width(text) > column_width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (column_width - width(text))


def fit_line(text: str) -> str:
    """``text`` cut to one line of the terminal."""
    return _fit(text, columns() - 1).rstrip()


#: how many terminal columns a text occupies
width = text_width.width


def print_file(text: str) -> None:
    """Print a file's content: cleaned on a terminal, unchanged to a pipe or a file."""
    stream = sys.stdout if sys.stdout.isatty() else streams.raw(sys.stdout)
    stream.write(text)


def print_facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two aligned columns; skip empty values."""
    pairs = [(name, value) for name, value in pairs if value]
    name_width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        lines = value.split("\n")
        print(f"{name:<{name_width}}  {lines[0]}")
        for line in lines[1:]:
            print(f"{'':<{name_width}}  {line}")


def size(count: float) -> str:
    """Format a number of bytes: ``1.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def duration(seconds: float | None) -> str:
    """Format seconds: ``0.04 s``, ``0.3 s``, ``2 min 5 s``, ``3 h 10 min``, ``2 d 4 h``."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2f} s" if 0 < seconds < 0.1 else f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour} h"
    return f"{hours} h {minute} min" if hours else f"{minutes} min {second} s"


def ago(seconds: float) -> str:
    """Format a time (seconds since 1970) relative to now: ``5 min ago``."""
    past = max(0, int(time.time() - seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if past >= length:
            return f"{past // length} {unit} ago"
    return f"{past} s ago"


def number(value: object) -> str:
    """Format a metric's value in short."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"{number(value[-1])} (last of {len(value)})" if value else "none"
    if isinstance(value, dict):
        schema = str(value.get("schema_type", "")).replace("_", " ")
        return f"({schema})" if schema else "{" + ", ".join(map(str, value)) + "}"
    return str(value)


_CHECK_COLOURS = {"ok": "32", "warning": "33", "bad": "31"}


def print_check(check: Check) -> None:
    """Print a check: its verdict, name and finding, and a hint on a second line."""
    colored = paint(f"{check.verdict:<8}", _CHECK_COLOURS[check.verdict])
    print(f"{colored}{check.name:<14}{check.message}")
    if check.hint:
        print(f"{'':<22}{check.hint}")
