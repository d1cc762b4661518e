"""Runs in groups: how many, in which states, and the best and the mean of each metric."""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from scriptrun.cli.runs import columns
from scriptrun.cli.terminal import csv_text, output
from scriptrun.query import fields
from scriptrun.query.fields import Field
from scriptrun.runs import metric_goals
from scriptrun.runs.search import FoundRun
from scriptrun.spec import states
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.tracking.index_facts import Metric


class Summary(Value):
    """A metric in a group: the best value that a run logged, and the mean of the last values."""

    best: float
    mean: float


class Group(Value):
    """The runs that have one value of the field, which is None for those without it."""

    value: str | None
    runs: int
    states: dict[str, int]
    metrics: dict[str, Summary]


class Groups(Value):
    """All groups, the largest first, and the names of the metrics in their columns."""

    field: Field
    groups: list[Group]
    metrics: list[str]


def group(found: Sequence[FoundRun], by: Field, mentioned: Iterable[Field]) -> Groups:
    """The runs by the values of ``by``; metrics that are ``mentioned`` come first."""
    now = time.time()
    members: dict[str | None, list[FoundRun]] = {}
    for run in found:
        members.setdefault(_key(run, by, now), []).append(run)
    first = [field.name for field in mentioned if field.space == fields.METRICS]
    others = (name for run in found for name in run.named.metrics)
    names = list(dict.fromkeys([*first, *others]))
    made = [_group(value, runs, names) for value, runs in members.items()]
    made.sort(key=lambda each: (-each.runs, each.value is None, each.value or ""))
    return Groups(by, made, [name for name in names if any(name in each.metrics for each in made)])


def _key(run: FoundRun, by: Field, now: float) -> str | None:
    """The value to group by; times are grouped by day."""
    value = run.value(by, now)
    if value is None or isinstance(value, str):
        return value
    if by.kind == fields.TIME:
        return time.strftime("%Y-%m-%d", time.localtime(value))
    return output.duration(value) if by.kind == fields.DURATION else columns.shown_value(value)


def _group(value: str | None, runs: Sequence[FoundRun], names: Iterable[str]) -> Group:
    counts = Counter(run.row.state for run in runs)
    ordered = {state: counts[state] for state in reversed(states.ORDER) if counts[state]}
    summaries = {name: _summary(name, runs) for name in names}
    return Group(
        value, len(runs), ordered, {name: each for name, each in summaries.items() if each}
    )


def _summary(name: str, runs: Iterable[FoundRun]) -> Summary | None:
    logged = [run.named.metrics[name] for run in runs if name in run.named.metrics]
    maximizes = metric_goals.guess(name) == metric_goals.MAXIMIZE
    bests = [best for best in (_best(each, maximizes) for each in logged) if best is not None]
    last = [each.number for each in logged if each.number is not None]
    if not bests or not last:
        return None
    finite = [value for value in last if math.isfinite(value)]
    mean = statistics.fmean(finite) if len(finite) == len(last) else sum(last) / len(last)
    return Summary((max if maximizes else min)(bests), mean)


def _best(metric: Metric, maximizes: bool) -> float | None:
    return metric.high if maximizes else metric.low


def show(grouped: Groups, args: argparse.Namespace) -> None:
    """Print the groups in the format that ``args`` ask for."""
    if args.json:
        output.print_json([_record(grouped, each) for each in grouped.groups])
    elif args.csv:
        print(_as_csv(grouped), end="")
    elif not grouped.groups:
        print("No matching runs.")
    else:
        _print_table(grouped)


def _record(grouped: Groups, each: Group) -> Json:
    return {
        "field": grouped.field.text,
        "value": each.value,
        "runs": each.runs,
        "states": each.states,
        "metrics": {name: summary.as_dict() for name, summary in each.metrics.items()},
    }


def _print_table(grouped: Groups) -> None:
    head = grouped.field.name.upper() if not grouped.field.space else grouped.field.name
    titles = [title for name in grouped.metrics for title in (f"best {name}", f"mean {name}")]
    rows = [[*_cells(each), *_metric_cells(each, grouped.metrics)] for each in grouped.groups]
    output.print_table(
        [head, "RUNS", "STATES", *titles], rows, [head, "STATES"], list(reversed(titles))
    )


def _cells(each: Group) -> list[str]:
    value = "(none)" if each.value is None else columns.shown_value(each.value)
    counts = ", ".join(f"{count} {state}" for state, count in each.states.items())
    return [value, str(each.runs), counts]


def _metric_cells(each: Group, names: Iterable[str]) -> list[str]:
    cells: list[str] = []
    for name in names:
        summary = each.metrics.get(name)
        values = ("", "") if summary is None else (f"{summary.best:.6g}", f"{summary.mean:.6g}")
        cells += values
    return cells


def _as_csv(grouped: Groups) -> str:
    field = grouped.field.text
    names = [field, "runs", "states"]
    names += [f"{kind}.{name}" for name in grouped.metrics for kind in ("best", "mean")]
    rows = []
    for each in grouped.groups:
        row: Json = {field: each.value, "runs": each.runs, "states": _cells(each)[2]}
        for name, summary in each.metrics.items():
            row |= {f"best.{name}": summary.best, f"mean.{name}": summary.mean}
        rows.append(row)
    return csv_text.as_csv(names, rows)
