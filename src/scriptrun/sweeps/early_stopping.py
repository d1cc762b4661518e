"""Deciding, from the values that runs have logged so far, which of them shall stop.

A report is the list of values of the primary metric that a run has logged; a policy is applied to a
run at one interval, and compares it with all runs that have come as far.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from scriptrun.config.sweeps.early_stopping import (
    AshaPolicy,
    BanditPolicy,
    EarlyTerminationPolicy,
    MedianStoppingPolicy,
    NoTerminationPolicy,
    TruncationSelectionPolicy,
)

Reports = Mapping[str, Sequence[float]]


def watches(policy: EarlyTerminationPolicy) -> bool:
    """Whether the policy ever stops a run, so that metrics are to be read while runs live."""
    return not isinstance(policy, NoTerminationPolicy)


def due(policy: EarlyTerminationPolicy, before: int, now: int) -> list[int]:
    """The intervals at which it applies to a run that had ``before`` values, and has ``now``."""
    found = range(before + 1, now + 1)
    if isinstance(policy, AshaPolicy):
        return [each for each in found if _is_rung(policy, each)]
    every, first = policy.evaluation_interval, policy.delay_evaluation
    return [each for each in found if each % every == 0 and each >= first]


def looks_back(policy: EarlyTerminationPolicy) -> bool:
    """Whether a run is judged once more at an interval that it has passed, when others come there.

    Else a bad run that is always ahead of the good ones would never be stopped. ASHA decides at a
    rung once, with those that have come there by then.
    """
    return not isinstance(policy, AshaPolicy)


def verdict(
    policy: EarlyTerminationPolicy,
    run: str,
    interval: int,
    reports: Reports,
    maximizes: bool,
    again: bool = False,
) -> str:
    """Why the run is to be stopped at ``interval``; "" where it goes on.

    ``again``: it has passed the interval, so the best of all that it has logged since counts.
    """
    sign = 1.0 if maximizes else -1.0
    as_far = {
        name: [sign * value for value in _numbers(values[:interval])]
        for name, values in reports.items()
        if len(values) >= interval
    }
    bests = {name: max(values, default=float("-inf")) for name, values in as_far.items()}
    bound = _bound(policy, as_far, bests)
    own = [sign * value for value in _numbers(reports[run])] if again else as_far[run]
    best = max(own, default=float("-inf"))
    if bound is None or best >= bound:
        return ""
    shown = f"{sign * best:.6g}" if own else "missing"
    return (
        f"stopped by {type(policy).__name__} at interval {interval}: best value {shown}, "
        f"required {sign * bound:.6g}"
    )


def _numbers(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _bound(
    policy: EarlyTerminationPolicy,
    as_far: Mapping[str, Sequence[float]],
    bests: Mapping[str, float],
) -> float | None:
    """The value, where large is good, below which a run is stopped."""
    if isinstance(policy, BanditPolicy):
        return _bandit(policy, max(bests.values()))
    if isinstance(policy, MedianStoppingPolicy):
        means = [statistics.fmean(values) for values in as_far.values() if values]
        return statistics.median(means) if means else None
    if isinstance(policy, TruncationSelectionPolicy):
        ranked = sorted(bests.values())
        return ranked[len(ranked) * policy.truncation_percentage // 100]
    if isinstance(policy, AshaPolicy):
        ranked = sorted(bests.values(), reverse=True)
        kept = max(1, len(ranked) // int(policy.properties["reduction_factor"]))
        return ranked[kept - 1]
    return None


def _bandit(policy: BanditPolicy, best: float) -> float:
    """The slack away from the best, which is large where it is good and may be below zero.

    Maximizing 0.8 with a factor of 0.2 that is 0.8 / 1.2; minimizing 0.8, which comes here as
    -0.8, it is -(0.8 * 1.2). The best run itself always goes on.
    """
    if policy.slack_amount is not None:
        return best - policy.slack_amount
    share = 1.0 + (policy.slack_factor or 0.0)
    return best * share if best < 0 else best / share


def _is_rung(policy: AshaPolicy, interval: int) -> bool:
    rung = policy.properties["min_intervals"]
    while rung < interval:
        rung *= policy.properties["reduction_factor"]
    return bool(rung == interval)
