"""Runs in groups, from the index: how many in which state, and their metrics."""

from __future__ import annotations

from scriptrun.query import fields
from scriptrun.query.fields import Field
from scriptrun.spec.values import Value, fresh
from scriptrun.tracking import index_search

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from scriptrun.query.tree import Node


class MetricRange(Value):
    """A metric in a group: the lowest and highest number logged, and the mean of the last ones."""

    low: float | None
    high: float | None
    mean: float | None


class RunGroup(Value, frozen=False):
    """The runs with one value of a field: None for those without it; days for times."""

    value: float | str | None
    states: dict[str, int] = fresh(default_factory=dict)
    metrics: dict[str, MetricRange] = fresh(default_factory=dict)

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return sum(self.states.values())


_METRICS = """
    select grouped.value, facts.key, min(facts.low), max(facts.high), avg(facts.number)
    from facts cross join grouped on grouped.run = facts.run
    where facts.space = 'metrics' group by grouped.value, facts.key
"""


def group(database: sqlite3.Connection, node: Node, by: Field, now: float) -> list[RunGroup]:
    """The runs for which ``node`` is true by the values of ``by``, the largest group first."""
    database.execute("pragma temp_store = memory")
    database.execute("drop table if exists temp.grouped")
    database.execute("create temp table grouped (run integer primary key, value, state text)")
    expression, join, values = index_search.grouping(by)
    if by.kind == fields.TIME:
        expression = f"date({expression}, 'unixepoch', 'localtime')"
    index_search.insert_matching(database, node, expression, join, values, now)
    groups: dict[float | str | None, RunGroup] = {}
    counts = "select value, state, count(*) from grouped group by value, state"
    for value, state, count in database.execute(counts):
        groups.setdefault(value, RunGroup(value)).states[state] = count
    for value, name, low, high, mean in database.execute(_METRICS):
        groups[value].metrics[name] = MetricRange(low, high, mean)
    database.execute("drop table temp.grouped")
    return sorted(groups.values(), key=_order)


def _order(each: RunGroup) -> tuple[int, bool, bool, float, str]:
    is_text = isinstance(each.value, str)
    number = each.value if isinstance(each.value, int | float) else 0.0
    return -each.runs, each.value is None, is_text, number, str(each.value)
