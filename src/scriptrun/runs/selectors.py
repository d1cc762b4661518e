"""Selectors of runs, wherever a run is named: ``latest``, ``latest~2``, ``best:METRIC``."""

from __future__ import annotations

import re

from scriptrun.query import fields
from scriptrun.runs import best, metric_goals, search
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles

LATEST = "latest"
#: the selectors by a metric, and the goal that each asks for ("": that of the metric)
BY_METRIC = {"best": "", "lowest": metric_goals.MINIMIZE, "highest": metric_goals.MAXIMIZE}
_EARLIER = re.compile(rf"{LATEST}~(\d{{1,9}})")


def is_selector(text: str) -> bool:
    """Whether ``text`` selects a run rather than naming one."""
    by_metric = text.partition(":")[0] in BY_METRIC and ":" in text
    return text == LATEST or by_metric or _EARLIER.fullmatch(text) is not None


def run_id(workspace: WorkspaceFiles, selector: str) -> str | None:
    """The ID of the selected run; None for ``latest`` in a workspace without runs.

    Raises UserErrorException if no run fits, or the metric's goal is unknown.
    """
    kind, colon, metric = selector.partition(":")
    with search.Search(workspace) as index:
        if colon:
            return _by_metric(index, selector, kind, metric)
        earlier = _EARLIER.fullmatch(selector)
        back = int(earlier[1]) if earlier else 0
        rows = list(index.index.rows(limit=back + 1, children=False))
    if not rows or back < len(rows):
        return rows[back].id if rows else None
    count = f"{len(rows)} run{'' if len(rows) == 1 else 's'}"
    raise UserErrorException(
        f"No run {selector!r}: the workspace has only {count}, not counting child runs.",
        "To list runs, run: scriptrun list",
    )


def _by_metric(index: search.Search, selector: str, kind: str, text: str) -> str:
    if not text:
        metrics = ", ".join(index.index.names(fields.METRICS)) or "none"
        raise UserErrorException(
            f"{selector!r} lacks a metric.", f"Use {kind}:METRIC. Metrics: {metrics}."
        )
    name = best.metric(index, text)
    goal = best.Goal(BY_METRIC[kind], kind) if BY_METRIC[kind] else best.goal_of(index, name)
    if goal is None:
        raise UserErrorException(
            f"{selector!r} is ambiguous: high or low values of {name!r} may be good.",
            f"Use highest:{name} or lowest:{name}.",
        )
    found = best.runs(index, name, goal, limit=1)
    if not found:
        raise UserErrorException(
            f"No run logged a number named {name!r}.", "To list metrics, run: scriptrun metrics RUN"
        )
    return found[0].row.id
