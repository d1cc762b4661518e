"""Notice a primary metric that no run logs, such as a mistyped name, before it costs more runs."""

from __future__ import annotations

from collections.abc import Iterable

from scriptrun.spec import states, suggestion
from scriptrun.spec.environment import AUTO
from scriptrun.sweeps import children, early_stopping
from scriptrun.sweeps.journal import ChildRun
from scriptrun.tracking import metric_series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.sweeps.driver import Driver

#: the number of completed runs without the metric, and none with it, after which a sweep ends
MAX_COMPLETED = 3
#: letters that a name must have for a longer one that contains it to look like it
_SHORTEST = 3
_MAX_LISTED = 10


def missing_reason(driver: Driver) -> str:
    """Why a sweep whose runs complete without its metric ends; "" if it continues.

    One run suffices if it logged a metric whose name looks like the sweep's; else it takes
    MAX_COMPLETED. Runs that log nothing at all are only in the way of a policy or a sampling that
    learns from the metric. Sweeps of old code go on, as those of the SDK v1.
    """
    if (driver.sweep.child.get("environment") or {}).get("pins") == AUTO:
        return ""
    all_children = [child for _, child in sorted(driver.journal.children.items())]
    if any(child.values for child in all_children):
        return ""
    completed = [
        child
        for child in all_children
        if child.state == states.COMPLETED and (child.ended or 0) >= driver.began
    ][:MAX_COMPLETED]
    names = sorted({name for child in completed for name in logged_names(driver, child)})
    if not completed or not _is_conclusive(driver, len(completed), names):
        return ""
    if any(_has_logged(driver, child) for child in driver.flight.live.values()):
        return ""
    subject, pronoun = f"run {completed[0].number}", "it"
    if len(completed) > 1:
        subject, pronoun = f"the first {len(completed)} runs", "they"
    metric = driver.sweep.metric
    return (
        f"{subject} did not log a number named {metric!r}{did_you_mean(metric, names)}; "
        f"{pronoun} logged {_listed(names)}"
    )


def _is_conclusive(driver: Driver, count: int, names: list[str]) -> bool:
    if did_you_mean(driver.sweep.metric, names):
        return True
    needs_metric = early_stopping.stops_runs(driver.flight.policy) or driver.points.is_adaptive
    return count >= MAX_COMPLETED and (bool(names) or needs_metric)


def _has_logged(driver: Driver, child: ChildRun) -> bool:
    folder = child.folder(driver.workspace.runs_folder)
    return bool(children.values_of(folder, driver.sweep.metric))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return (", ".join(names[:_MAX_LISTED]) or "nothing") + more


def did_you_mean(metric: str, names: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` with the logged name that ``metric`` looks like; "" if none does."""
    near = _nearest(metric, names)
    return f" (did you mean {near!r}?)" if near else ""


def _nearest(metric: str, names: Iterable[str]) -> str:
    others = sorted(name for name in names if name != metric)
    for name in others:
        short, long = sorted((name.lower(), metric.lower()), key=len)
        if len(short) >= _SHORTEST and short in long:
            return name
    return next(iter(suggestion.nearest(metric, others)), "")


def logged_names(driver: Driver, child: ChildRun) -> list[str]:
    """The names of the metrics that a run logged."""
    return list(metric_series.read(child.folder(driver.workspace.runs_folder)))
