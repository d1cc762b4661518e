"""The columns of the tables of runs: which are shown, and how their values look."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, zip_longest

from scriptrun.cli.terminal import output
from scriptrun.query import fields, numbers
from scriptrun.query.fields import Field
from scriptrun.runs import search
from scriptrun.runs.search import FoundRun
from scriptrun.spec.values import Value, fresh

#: the columns that are shown unless others are chosen, those with parameters and metrics apart
_FIRST = ("id", "name", "state", "submitted", "duration")
_LAST = ("script", "reason")
#: those that stay, and those that shrink, where a terminal is narrow
_KEPT = ("id", "state", "reason")
_SHRINKABLE = ("name", "script", "reason", "arguments", "experiment")
_HEADS = {"id": "RUN", "short_name": "SHORT NAME", "duration": "TOOK", "exit_code": "EXIT CODE"}
#: the longest parameter, and name that is always whole; and how many columns come by themselves
#: without a terminal
MAX_LENGTH, MAX_AUTOMATIC = 24, 8
_NAME = fields.known("name")


class Handles(Value):
    """How to type the runs of a table: the shortest prefix of each, by its ID.

    ``names_suffice``: the name of each run finds it, too.
    """

    prefixes: Mapping[str, str] = fresh(default_factory=dict)
    names_suffice: bool = False


class Table(Value):
    """A table of runs, ready to print: see ``output.print_table``."""

    heads: list[str]
    rows: list[list[str]]
    shrinkable: list[str]
    droppable: list[str]

    def print(self) -> None:
        """Print it."""
        output.print_table(self.heads, self.rows, self.shrinkable, self.droppable)


def table(
    found: Sequence[FoundRun],
    mentioned: Iterable[Field],
    handles: Handles,
    without: Field | None = None,
) -> Table:
    """The table of ``found``: what every run has, and what the runs differ in.

    ``mentioned`` are fields that are shown even if all runs have the same value.
    """
    mentioned = list(mentioned)
    named = [field for field in mentioned if field.space and field.space != fields.PROPERTIES]
    differing = [field for field in search.differing_fields(found) if field != without]
    automatic = list(dict.fromkeys([*named, *_by_turns(differing)]))
    automatic = automatic if output.is_terminal() else automatic[:MAX_AUTOMATIC]
    others = [field for field in mentioned if not field.space]
    first, last = ([fields.known(name) for name in names] for names in (_FIRST, _LAST))
    more = [field for field in dict.fromkeys(others) if field not in (*first, *last)]
    order = sorted(automatic, key=lambda field: field.space != fields.PARAMS)
    drop = [last[0], *reversed(automatic[2:]), first[-1], *reversed(automatic[:2])]
    drop += [*reversed(more), *reversed(first[:-1])]
    return _table(found, [*first, *more, *order, *last], drop, handles)


def ranked(
    found: Sequence[FoundRun], by: Field, mentioned: Iterable[Field], handles: Handles
) -> Table:
    """The table of the best runs ``by`` a metric, which is their first column after the name."""
    last = Field(fields.METRICS, by.name)
    ordered = table(found, [by, *mentioned], handles, without=last)
    head = by.text
    place = ordered.heads.index(head)
    after = 1 + ("NAME" in ordered.heads)
    for row in (ordered.heads, *ordered.rows):
        row.insert(after, row.pop(place))
    return ordered.replace(droppable=[each for each in ordered.droppable if each != head])


def chosen(found: Sequence[FoundRun], given: Sequence[Field], handles: Handles) -> Table:
    """The table of ``found`` with the columns ``given``."""
    return _table(found, list(dict.fromkeys(given)), list(reversed(given)), handles, keep=True)


def _by_turns(differing: Sequence[Field]) -> list[Field]:
    """Parameters and metrics by turns, so that a narrow terminal shows some of both."""
    params = [field for field in differing if field.space == fields.PARAMS]
    metrics = [field for field in differing if field.space != fields.PARAMS]
    return [each for each in chain(*zip_longest(params, metrics)) if each is not None]


def _table(
    found: Sequence[FoundRun],
    wanted: Sequence[Field],
    drop: Sequence[Field],
    handles: Handles,
    keep: bool = False,
) -> Table:
    now = time.time()
    heads = _heads(wanted)
    cells = {field: [_cell(run, field, now) for run in found] for field in wanted}
    shown = [field for field in wanted if keep or any(cells[field])]
    rows = [list(row) for row in zip(*(cells[field] for field in shown), strict=True)]
    titles = [heads[field] for field in shown]
    identity = fields.known("id")
    if identity in shown and not output.fits(titles, rows):
        for row, run in zip(rows, found, strict=True):
            row[shown.index(identity)] = handles.prefixes.get(run.row.id, run.row.id)
    shrinkable = [heads[field] for field in shown if not field.space and field.name in _SHRINKABLE]
    kept = [field for field in wanted if not field.space and field.name in _KEPT]
    if handles.names_suffice and not keep:
        drop = [identity, *drop]
        kept = [field for field in kept if field != identity] + [_NAME]
        shrinkable.remove(heads[_NAME])
    droppable = [heads[field] for field in drop if field in shown and field not in kept]
    return Table(titles, rows, shrinkable, list(dict.fromkeys(droppable)))


def _heads(wanted: Sequence[Field]) -> dict[Field, str]:
    """The headings: a name by itself where only one column has it."""
    names = [field.name if field.space else _head(field) for field in wanted]
    return {
        field: _head(field, names.count(field.name) > 1 or not field.name.strip())
        for field in wanted
    }


def _head(field: Field, is_ambiguous: bool = False) -> str:
    if not field.space:
        return _HEADS.get(field.name, field.name.upper())
    if is_ambiguous or field.space in (fields.LOWEST, fields.HIGHEST):
        return field.text
    return field.name


def _cell(run: FoundRun, field: Field, now: float) -> str:
    value = run.value(field, now)
    if value is None:
        return ""
    if not field.space:
        return _cell_of_run(run, field, value)
    return shown_value(value)


def _cell_of_run(run: FoundRun, field: Field, value: float | str) -> str:
    if isinstance(value, str):
        if field.name == "reason":
            return value.removeprefix(f"{run.row.script} ").partition("\n")[0]
        return value
    kind = fields.FIELDS[field.name].kind
    if kind == fields.TIME:
        return output.ago(value)
    return output.duration(value) if kind == fields.DURATION else f"{value:g}"


def shown_value(value: float | str) -> str:
    """A parameter or metric in short."""
    if isinstance(value, str) and len(value) > 10:
        number = numbers.parse_number(value)
        value = value if number is None or math.isinf(number) else number
    if isinstance(value, str):
        return value if len(value) <= MAX_LENGTH else f"{value[: MAX_LENGTH - 1]}…"
    return f"{value:.5g}"
