"""Decide which runs to stop early, from the values that all runs have logged so far.

A report is the list of primary metric values that a run has logged. A policy applies to a run at
one interval, and compares it with all runs that have reached the interval.
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
    """Whether the policy can stop runs, so that metrics must be read while runs are active."""
    return not isinstance(policy, NoTerminationPolicy)


def due(policy: EarlyTerminationPolicy, before: int, now: int) -> list[int]:
    """The intervals to apply the policy at, for a run going from ``before`` to ``now`` values."""
    found = range(before + 1, now + 1)
    if isinstance(policy, AshaPolicy):
        return [each for each in found if _is_rung(policy, each)]
    every, first = policy.evaluation_interval, policy.delay_evaluation
    return [each for each in found if each % every == 0 and each >= first]


def looks_back(policy: EarlyTerminationPolicy) -> bool:
    """Whether the policy applies to a run again when other runs reach an interval it has passed.

    Otherwise a bad run that is always ahead of the good ones would never be stopped. ASHA decides
    once per rung, with the runs that have reached it by then.
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
    """Why to stop the run at ``interval``; "" if it continues.

    ``again``: the run has passed the interval, so its best value of all counts.
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
    """The bound below which a run is stopped, in terms of larger values being better."""
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
    """The best value less the slack; larger is better, and values may be negative.

    Maximizing 0.8 with a factor of 0.2 gives 0.8 / 1.2; minimizing 0.8, which is passed as -0.8,
    gives -(0.8 * 1.2). The best run itself always continues.
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
