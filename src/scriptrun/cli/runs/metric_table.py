"""Tables of metrics, for ``show`` and ``metrics``."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence

from scriptrun.cli.terminal import charts, csv_text, output
from scriptrun.core.run import Run
from scriptrun.runs import details
from scriptrun.spec.control_characters import one_line
from scriptrun.tracking import metric_summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.tracking.metric_summary import Extreme, MetricSummary

    T = TypeVar("T")

#: the columns of --csv
HEADS = ("run", "name", "kind", "count", "last", "last_step", "min", "min_step", "max", "max_step")
#: the columns that are left out where a terminal is narrow, first the first
_DROPPED = ("COUNT", "CURVE", "MAX", "MIN")
_CURVE_WIDTH, _NARROW_CURVE, _LONGEST_LAST, _SHORT_LAST = 24, 8, 32, 12


def print_summaries(
    summaries: Sequence[MetricSummary], best: dict[str, bool] | None = None, indent: str = ""
) -> None:
    """Print a table: each metric's curve, last, smallest and largest value, and count.

    ``best`` says of metrics with a goal whether it is to maximize them: their best is marked.
    """
    goals = best or {}
    rows = [_cells(item, goals.get(item.name)) for item in summaries]
    heads = ["METRIC", "CURVE", "LAST", "MIN", "MAX", "COUNT"]
    columns = [n for n in range(len(heads)) if n == 0 or any(row[n] for row in rows)]
    if all(item.count == 1 for item in summaries):
        columns = [0, 2]
    columns = _fitting(heads, rows, columns, _terminal_width() - len(indent))
    if 1 in columns:
        width = _curve_width(heads, rows, columns, _terminal_width() - len(indent))
        for item, row in zip(summaries, rows, strict=True):
            row[1] = _curve(item, width)
    table = [[row[n] for n in columns] for row in rows]
    output.print_table([heads[n] for n in columns], table, ("METRIC", "LAST"), _DROPPED, indent)


def print_comparison(rows: Sequence[tuple[Run, MetricSummary]]) -> None:
    """Print the metrics of several runs, those of one name below each other."""
    order = {name: n for n, name in enumerate(dict.fromkeys(item.name for _, item in rows))}
    rows = sorted(rows, key=lambda row: order[row[1].name])
    heads = ["METRIC", "RUN", "CURVE", "LAST", "MIN", "MAX", "COUNT"]
    table = [_cells(item, None) for _, item in rows]
    table = [
        [row[0], details.shown_name(run), *row[1:]]
        for (run, _), row in zip(rows, table, strict=True)
    ]
    columns = _fitting(heads, table, [0, 1, 2, 3, 4, 5, 6], _terminal_width())
    cells = [[row[n] for n in columns] for row in table]
    output.print_table([heads[n] for n in columns], cells, ("RUN", "METRIC", "LAST"), _DROPPED)


def _cells(item: MetricSummary, maximizes: bool | None) -> list[str]:
    """METRIC, CURVE, LAST, MIN, MAX and COUNT of a metric."""
    lowest, highest = _extreme(item.lowest), _extreme(item.highest)
    if item.count == 1:
        lowest = highest = ""
    marked = {False: (f"{lowest} *", highest), True: (lowest, f"{highest} *")}
    low, high = marked[maximizes] if maximizes is not None else (lowest, highest)
    count = str(item.count)
    if item.kind == metric_summary.TABLE:
        last, count = f"columns: {', '.join(item.columns)}", f"{count} row{'s'[: item.count != 1]}"
    else:
        last = value_text(item.last)
    return [one_line(item.name), _curve(item, _NARROW_CURVE), last, low, high, count]


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit - 1]}…" if charts.has_unicode() else text[:limit]


def value_text(value: object) -> str:
    """A value in one line; a row as ``column=value``."""
    if isinstance(value, dict) and "schema_type" not in value:
        return ", ".join(f"{one_line(name)}={value_text(cell)}" for name, cell in value.items())
    return one_line(output.number(value))


def _extreme(extreme: Extreme | None) -> str:
    """A value and where it is: its step, else its number in the order of logging."""
    if extreme is None:
        return ""
    place = f"#{extreme.position}" if extreme.step is None else f"step {extreme.step:.15g}"
    return f"{output.number(extreme.value)} ({place})"


def _curve(item: MetricSummary, width: int) -> str:
    return charts.sparkline(item.curve.means(), width) if item.count > 1 else ""


def _terminal_width() -> int:
    return output.columns() if output.is_terminal() else 120


def _fitting(
    heads: Sequence[str], rows: Sequence[list[str]], columns: list[int], width: int
) -> list[int]:
    """The columns that fit, after cutting what is long in LAST.

    Without those that do not fit: COUNT goes first, then the curve.
    """
    last = heads.index("LAST")
    for limit in (_LONGEST_LAST, _SHORT_LAST):
        if limit == _LONGEST_LAST or _width(heads, rows, columns) > width:
            for row in rows:
                row[last] = _cut(row[last], limit)
    droppable = [n for n in columns if heads[n] in _DROPPED]
    columns = list(columns)
    for column in sorted(droppable, key=lambda n: _DROPPED.index(heads[n])):
        if _width(heads, rows, columns) <= width:
            break
        columns.remove(column)
    return columns


def _width(heads: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int]) -> int:
    widths = [max(map(output.width, [heads[n], *(row[n] for row in rows)])) for n in columns]
    return sum(widths) + 2 * (len(columns) - 1)


def _curve_width(
    heads: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int], width: int
) -> int:
    spare = width - _width(heads, rows, columns)
    return max(_NARROW_CURVE, min(_CURVE_WIDTH, _NARROW_CURVE + spare))


def csv_row(run_id: str, item: MetricSummary) -> list[object]:
    """The summary as a row of CSV; see ``HEADS``."""
    cells: list[object] = [run_id, item.name, item.kind, item.count, item.last, item.last_step]
    for extreme in (item.lowest, item.highest):
        cells += [extreme.value, extreme.step] if extreme is not None else [None, None]
    return cells


def print_csv(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as CSV; lists and dicts as JSON."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow([csv_text.cell(value, json.dumps) for value in row])


def choose(values: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of the values, evenly spaced, the first and the last among them."""
    if len(values) <= count:
        return list(values)
    last = len(values) - 1
    return [values[n * last // (count - 1)] for n in range(count)]


def numbers_by_column(values: Sequence[object]) -> dict[str, list[tuple[int, float]]]:
    """The numbers among ``values`` with their positions; those of rows by column, else for ""."""
    result: dict[str, list[tuple[int, float]]] = {}
    for position, value in enumerate(values):
        cells = value if isinstance(value, dict) else {"": value}
        for column, cell in cells.items():
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                result.setdefault(str(column), []).append((position, float(cell)))
    return result
