"""What the best run by a metric is: the metric that is meant, and whether low or high is good."""

from __future__ import annotations

import contextlib
from pathlib import Path

from scriptrun.query import fields, tree
from scriptrun.query.fields import Field
from scriptrun.runs import metric_goals
from scriptrun.spec import run_kinds, suggestion
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.spec.values import Value
from scriptrun.tracking.index_search import SortKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.query.tree import Node
    from scriptrun.runs.search import FoundRun, Search

#: how many of the latest sweeps are asked for their goal
_MAX_SWEEPS = 20
SWEEP_GOAL, GUESSED = "the goal of a sweep", "guessed from its name"


class Goal(Value):
    """Whether a metric is to be minimized or maximized, and how that is known."""

    goal: str
    why: str

    @property
    def maximizes(self) -> bool:
        """Whether high values are good."""
        return self.goal == metric_goals.MAXIMIZE

    def field(self, metric: str) -> Field:
        """The field with the best value that a run logged of ``metric``."""
        return Field(fields.HIGHEST if self.maximizes else fields.LOWEST, metric)


def metric(index: Search, text: str) -> str:
    """The metric that is meant: ``loss`` or ``metrics.loss``. Raises UserErrorException."""
    parsed = fields.parse(text)
    names = [text, *([parsed.name] if parsed is not None and parsed.space else [])]
    for name in names:
        if index.index.has_name(Field(fields.METRICS, name)):
            return name
    known = index.index.names(fields.METRICS)
    if not known:
        return names[-1]
    raise UserErrorException(
        f"No run has a metric named {text!r}.", suggestion.hint(names[-1], known, "Metrics")
    )


def goal_of(index: Search, name: str) -> Goal | None:
    """The goal of a sweep for the metric, else what its name suggests; None if nothing is known."""
    for metric_name, goal in _sweep_goals(index):
        if metric_name == name:
            return Goal(goal, SWEEP_GOAL)
    guessed = metric_goals.guess(name)
    return Goal(guessed, GUESSED) if guessed else None


def runs(
    index: Search, name: str, goal: Goal, limit: int, condition: Node | None = None
) -> list[FoundRun]:
    """The best runs by the metric, the best first, with the child runs of sweeps."""
    field = goal.field(name)
    has_metric = tree.Has(field)
    node = has_metric if condition is None else tree.And((condition, has_metric))
    return index.runs(node, [SortKey(field, goal.maximizes)], limit, children=True)


def _sweep_goals(index: Search) -> Iterator[tuple[str, str]]:
    """The metrics of the latest sweeps, and their goals."""
    for kind in run_kinds.RUN_KINDS.values():
        if kind.goal:
            is_kind = tree.Comparison(fields.known("kind"), tree.EQUAL, kind.title)
            for found in index.runs(is_kind, limit=_MAX_SWEEPS, children=True):
                with contextlib.suppress(ScriptrunError):
                    yield run_kinds.handler(kind.goal)(Path(found.row.folder))
