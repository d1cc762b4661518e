"""Charts of text: sparklines of blocks, and plots of braille dots; ASCII where a stream lacks them.

A plotting library would be larger than what is needed of it: plotext is 1.7 MB of compiled code.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence

from scriptrun.cli.terminal import output
from scriptrun.spec.values import Value

BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-~=+*#"
#: the bit of each dot of a braille cell, by row and column
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
#: what draws each of several lines where there are no colours
MARKERS = "*+xo#@%&"
_COLOURS = ("36", "33", "35", "32", "31", "34")


class Line(Value):
    """A line of a plot: its label and its points, in order."""

    label: str
    xs: Sequence[float]
    ys: Sequence[float]


def has_unicode() -> bool:
    """Whether stdout can show block and braille characters."""
    try:
        f"{BLOCKS}⣿│".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The curve of ``values`` in at most ``width`` characters; None is a gap."""
    heights = _resample(values, width)
    finite = [value for value in heights if value is not None]
    if not finite:
        return ""
    blocks = BLOCKS if has_unicode() else ASCII_BLOCKS
    low, high = min(finite), max(finite)
    span = high - low
    return "".join(
        " " if value is None else blocks[int((value - low) / span * 7.999) if span else 3]
        for value in heights
    )


def _resample(values: Sequence[float | None], width: int) -> list[float | None]:
    """``values`` in at most ``width`` groups: the mean of each."""
    count = min(width, len(values))
    groups = [
        values[number * len(values) // count : (number + 1) * len(values) // count]
        for number in range(count)
    ]
    known = [[value for value in group if value is not None] for group in groups]
    return [sum(group) / len(group) if group else None for group in known]


def plot(lines: Sequence[Line], width: int, height: int) -> list[str]:
    """The rows of a plot of ``lines`` with its axes, at most ``width`` wide and ``height`` high.

    What is not finite is left out. There are none if nothing else is left.
    """
    area = _Area(lines)
    if not area.is_drawable:
        return []
    labels = [output.number(value) for value in (area.top, area.top / 2 + area.low / 2, area.low)]
    margin = max(map(len, labels))
    columns, rows = max(10, width - margin - 2), max(4, height - 2)
    cells = _draw(area, columns, rows)
    axis, corner, rule = ("│", "└", "─") if has_unicode() else ("|", "+", "-")
    by_row = {0: labels[0], rows // 2: labels[1], rows - 1: labels[2]}
    if area.top == area.low:
        by_row = {rows // 2: labels[1]}
    result = [f"{by_row.get(row, ''):>{margin}} {axis}{cells[row]}".rstrip() for row in range(rows)]
    result.append(f"{'':>{margin}} {corner}{rule * columns}")
    left, right = output.number(area.left), output.number(area.right)
    right = "" if area.left == area.right else right
    result.append(f"{'':>{margin}}  {left}{right:>{max(1, columns - len(left))}}")
    return result


def legend(lines: Sequence[Line]) -> list[str]:
    """How each of several lines looks."""
    if len(lines) < 2:
        return []
    dots = "⣿" if _uses_dots(lines) else ""
    return [
        f"  {_painted(dots or MARKERS[number % len(MARKERS)], number)} {line.label}"
        for number, line in enumerate(lines)
    ]


class _Area:
    """The points of the lines that can be drawn, and the rectangle that they lie in."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = [
            [
                (x, y)
                for x, y in zip(line.xs, line.ys, strict=True)
                if math.isfinite(x) and math.isfinite(y)
            ]
            for line in lines
        ]
        self.markers = None if _uses_dots(lines) else MARKERS
        points = [point for line in self.lines for point in line]
        self.is_drawable = bool(points)
        if points:
            self.left, self.right = min(x for x, _ in points), max(x for x, _ in points)
            self.low, self.top = min(y for _, y in points), max(y for _, y in points)

    def place(self, point: tuple[float, float], columns: int, rows: int) -> tuple[int, int]:
        """The column and row of ``point`` in a grid, counted from the upper left."""
        x, y = point
        return (
            _position(x, self.left, self.right, columns),
            rows - 1 - _position(y, self.low, self.top, rows),
        )


def _position(value: float, low: float, high: float, count: int) -> int:
    # halved: the span of two finite numbers may be infinite
    span = high / 2 - low / 2
    return round((value / 2 - low / 2) / span * (count - 1)) if span else count // 2


def _uses_dots(lines: Sequence[Line]) -> bool:
    """Whether lines are drawn with dots: several of them differ only in their colours."""
    return has_unicode() and (len(lines) < 2 or output.is_coloured())


def _draw(area: _Area, columns: int, rows: int) -> list[str]:
    """The rows of the area; of two lines in one cell the later one is seen."""
    wide, high = (2, 4) if area.markers is None else (1, 1)
    owners: dict[tuple[int, int], int] = {}
    dots: dict[tuple[int, int], int] = {}
    for number, line in enumerate(area.lines):
        places = [area.place(point, columns * wide, rows * high) for point in line]
        for column, row in _connected(places):
            cell = (column // wide, row // high)
            owners[cell] = number
            dots[cell] = dots.get(cell, 0) | _DOTS[row % high][column % wide]
    return [
        _row([(column, row) for column in range(columns)], owners, dots, area.markers)
        for row in range(rows)
    ]


def _row(
    cells: Sequence[tuple[int, int]],
    owners: dict[tuple[int, int], int],
    dots: dict[tuple[int, int], int],
    markers: str | None,
) -> str:
    """The cells as text; adjacent cells of one line share a colour."""
    parts = []
    for owner, group in itertools.groupby(cells, owners.get):
        if owner is None:
            parts.append(" " * len([*group]))
        elif markers is None:
            parts.append(_painted("".join(chr(0x2800 + dots[cell]) for cell in group), owner))
        else:
            parts.append(_painted(markers[owner % len(markers)] * len([*group]), owner))
    return "".join(parts)


def _painted(text: str, number: int) -> str:
    return output.paint(text, _COLOURS[number % len(_COLOURS)])


def _connected(places: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The places, and those on the straight lines between neighbours."""
    result = set(places)
    for (column, row), (next_column, next_row) in {*itertools.pairwise(places)}:
        steps = max(abs(next_column - column), abs(next_row - row))
        for step in range(1, steps):
            result.add(
                (
                    column + round((next_column - column) * step / steps),
                    row + round((next_row - row) * step / steps),
                )
            )
    return result
