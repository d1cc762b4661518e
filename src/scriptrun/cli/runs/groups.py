"""Runs in groups: how many, in which states, and the best and the mean of each metric."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable

from scriptrun.cli.runs import columns
from scriptrun.cli.terminal import csv_text, output
from scriptrun.query import fields
from scriptrun.query.fields import Field
from scriptrun.runs import metric_goals
from scriptrun.runs.search import Search
from scriptrun.spec.values import Value
from scriptrun.tracking.index_groups import RunGroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.query.tree import Node
    from scriptrun.runtime.hints import Json


class Groups(Value):
    """All groups, the largest first, and the names of the metrics in their columns."""

    field: Field
    groups: list[RunGroup]
    metrics: list[str]


def group(
    index: Search, node: Node, by: Field, mentioned: Iterable[Field], children: bool
) -> Groups:
    """The runs by the values of ``by``; metrics that are ``mentioned`` come first."""
    found = index.groups(node, by, children)
    first = [field.name for field in mentioned if field.space == fields.METRICS]
    counts = Counter(name for each in found for name in each.metrics)
    names = dict.fromkeys([*first, *sorted(counts, key=lambda name: (-counts[name], name))])
    shown = [name for name in names if any(_best(each, name) is not None for each in found)]
    return Groups(by, found, shown)


def _best(each: RunGroup, name: str) -> float | None:
    """The best value logged of a metric, according to its name."""
    metric = each.metrics.get(name)
    if metric is None:
        return None
    return metric.high if metric_goals.guess(name) == metric_goals.MAXIMIZE else metric.low


def _mean(each: RunGroup, name: str) -> float | None:
    metric = each.metrics.get(name)
    return None if metric is None else metric.mean


def show(grouped: Groups, args: argparse.Namespace) -> None:
    """Print the groups in the format that ``args`` ask for."""
    if args.json:
        records = [_record(grouped, each) for each in grouped.groups]
        output.print_json({"field": grouped.field.text, "groups": records})
    elif args.csv:
        print(_as_csv(grouped), end="")
    elif not grouped.groups:
        print("No matching runs.")
    else:
        _print_table(grouped)


def _record(grouped: Groups, each: RunGroup) -> Json:
    return {
        "value": each.value,
        "runs": each.runs,
        "states": each.states,
        "metrics": {
            name: {"best": _best(each, name), "mean": _mean(each, name)}
            for name in grouped.metrics
            if name in each.metrics
        },
    }


def _print_table(grouped: Groups) -> None:
    head = grouped.field.name.upper() if not grouped.field.space else grouped.field.name
    if not output.is_terminal():
        grouped = grouped.replace(metrics=grouped.metrics[: columns.MAX_AUTOMATIC])
    titles = [title for name in grouped.metrics for title in (f"best {name}", f"mean {name}")]
    rows = [[*_cells(grouped, each), *_metric_cells(grouped, each)] for each in grouped.groups]
    output.print_table(
        [head, "RUNS", "STATES", *titles], rows, [head, "STATES"], list(reversed(titles))
    )


def _cells(grouped: Groups, each: RunGroup) -> list[str]:
    if each.value is None:
        value = "(none)"
    elif grouped.field.kind == fields.DURATION and not isinstance(each.value, str):
        value = output.duration(each.value)
    else:
        value = columns.shown_value(each.value)
    return [value, str(each.runs), _states(each)]


def _states(each: RunGroup) -> str:
    ordered = sorted(each.states, key=lambda state: -each.states[state])
    return ", ".join(f"{each.states[state]} {state}" for state in ordered)


def _metric_cells(grouped: Groups, each: RunGroup) -> list[str]:
    values = [value for name in grouped.metrics for value in (_best(each, name), _mean(each, name))]
    return ["" if value is None else columns.shown_value(value) for value in values]


def _as_csv(grouped: Groups) -> str:
    field = grouped.field.text
    names = [field, "runs", "states"]
    names += [f"{kind}.{name}" for name in grouped.metrics for kind in ("best", "mean")]
    rows = []
    for each in grouped.groups:
        row: Json = {field: each.value, "runs": each.runs, "states": _states(each)}
        for name in grouped.metrics:
            row |= {f"best.{name}": _best(each, name), f"mean.{name}": _mean(each, name)}
        rows.append(row)
    return csv_text.as_csv(names, rows)
