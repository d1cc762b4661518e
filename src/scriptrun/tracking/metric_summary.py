"""Summaries of a run's metrics: count, last, smallest and largest value, and a coarse curve.

All metrics are summarized in one pass, in memory that does not grow with the number of values.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from scriptrun.runtime.injob import values as logged_values
from scriptrun.runtime.injob.metrics import mlflow_reader
from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: a curve has from half of this up to this many points
CURVE = 256
NUMBERS, TEXTS, TABLE, IMAGE = "numbers", "values", "table", "image"
_KINDS = {"row": TABLE, "table": TABLE, "image": IMAGE}


class Extreme(Value):
    """A value, its position among the metric's numbers (from 1), and the step it has, if any."""

    value: float
    position: int
    step: float | None = None


class Curve:
    """The means of a growing list of numbers, in a bounded number of equally large groups."""

    def __init__(self) -> None:
        self._means: list[float | None] = []
        self._size = 1
        self._sum, self._finite, self._seen = 0.0, 0, 0

    def add(self, value: float) -> None:
        """Add a number; what is not finite is a gap."""
        self._seen += 1
        if value - value == 0:
            self._sum += value
            self._finite += 1
        if self._seen == self._size:
            self._close()

    def _close(self) -> None:
        self._means.append(self._sum / self._finite if self._finite else None)
        self._sum, self._finite, self._seen = 0.0, 0, 0
        if len(self._means) == CURVE:
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means = [_mean([each for each in pair if each is not None]) for pair in pairs]
            self._size *= 2

    def means(self) -> list[float | None]:
        """The means so far."""
        rest = [self._sum / self._finite if self._finite else None] if self._seen else []
        return self._means + rest


class MetricSummary(Value, frozen=False):
    """One metric of a run.

    ``kind`` is "numbers", "values" (texts and others), "table", "image" or that of a chart.
    ``count`` is the number of values, or of a table's rows. ``curve`` holds the means of equally
    many numbers each, None where none of them is finite. ``lowest`` and ``highest`` ignore NaN.
    """

    name: str
    kind: str = NUMBERS
    count: int = 0
    last: object = None
    last_step: float | None = None
    lowest: Extreme | None = None
    highest: Extreme | None = None
    columns: tuple[str, ...] = ()
    curve: Curve = fresh(default_factory=Curve)

    def as_dict(self) -> Json:
        """As a JSON value."""
        result: Json = {"kind": self.kind, "count": self.count, "last": self.last}
        if self.last_step is not None:
            result["last_step"] = self.last_step
        for name, extreme in (("min", self.lowest), ("max", self.highest)):
            if extreme is not None:
                result[name] = extreme.value
                step = extreme.step
                result[f"{name}_step" if step is not None else f"{name}_position"] = (
                    extreme.position if step is None else step
                )
        return {**result, "columns": list(self.columns)} if self.columns else result

    def add(self, kind: str, value: object, step: float | None) -> None:
        """Add what one call of a ``log_*`` method has logged."""
        if kind == "list" and isinstance(value, list):
            for item in value:
                self._add_value(item, None)
        elif kind in ("row", "table") and isinstance(value, dict):
            self.kind = TABLE
            columns = [value[name] for name in value]
            self.count += len(columns[0]) if kind == "table" and columns else int(kind == "row")
            self.columns = tuple(dict.fromkeys((*self.columns, *map(str, value))))
        else:
            self.kind = self.kind if kind == "scalar" else _KINDS.get(kind, kind)
            self._add_value(value, step)

    def _add_value(self, value: object, step: float | None) -> None:
        self.count += 1
        self.last, self.last_step = value, step
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.kind = TEXTS if self.kind == NUMBERS else self.kind
            return
        self.curve.add(value)
        if math.isnan(value):
            return
        if self.lowest is None or value < self.lowest.value:
            self.lowest = Extreme(value, self.count, step)
        if self.highest is None or value > self.highest.value:
            self.highest = Extreme(value, self.count, step)


def _mean(numbers: list[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def summarize(folder: Path) -> dict[str, MetricSummary]:
    """The summaries of the metrics of the run in ``folder``, by name, in the order of logging."""
    summaries: dict[str, MetricSummary] = {}
    run_id = os.path.basename(os.path.normpath(folder))
    for line in _lines(folder):
        try:
            name, kind, value = line["m"], line["k"], line["v"]
            if "f" in line:
                value = logged_values.from_json(value)
            if kind == "image":
                value = metric_reader.image_address(run_id, value)
            summary = summaries.get(name)
            if summary is None:
                summary = summaries[str(name)] = MetricSummary(str(name))
            summary.add(str(kind), value, line.get("s"))
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError, OverflowError):
            continue  # not a valid line
    return summaries


def _lines(folder: Path) -> Iterator[Json]:
    for lines in metric_reader.merged(folder):
        yield from lines
    for lines in mlflow_reader.lines(folder):
        yield from lines
