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


def stops_runs(policy: EarlyTerminationPolicy) -> bool:
    """Whether the policy can stop runs, so that metrics must be read while runs are active."""
    return not isinstance(policy, NoTerminationPolicy)


def due_intervals(policy: EarlyTerminationPolicy, before: int, now: int) -> list[int]:
    """The intervals to apply the policy at, for a run going from ``before`` to ``now`` values."""
    intervals = range(before + 1, now + 1)
    if isinstance(policy, AshaPolicy):
        return [rung for rung in intervals if _is_rung(policy, rung)]
    every, first = policy.evaluation_interval, policy.delay_evaluation
    return [interval for interval in intervals if interval % every == 0 and interval >= first]


def revisits_intervals(policy: EarlyTerminationPolicy) -> bool:
    """Whether the policy applies to a run again when other runs reach an interval it has passed.

    Otherwise a bad run that is always ahead of the good ones would never be stopped. ASHA decides
    once per rung, with the runs that have reached it by then.
    """
    return not isinstance(policy, AshaPolicy)


def stop_reason(
    policy: EarlyTerminationPolicy,
    run: str,
    interval: int,
    reports: Reports,
    maximizes: bool,
    is_revisit: bool = False,
) -> str:
    """Why to stop the run at ``interval``; "" if it continues.

    ``is_revisit``: the run has passed the interval, so its best value of all counts.
    """
    sign = 1.0 if maximizes else -1.0
    values_by_run = {
        name: [sign * value for value in _numbers(values[:interval])]
        for name, values in reports.items()
        if len(values) >= interval
    }
    best_values = {
        name: max(values, default=float("-inf")) for name, values in values_by_run.items()
    }
    bound = _bound(policy, values_by_run, best_values)
    run_values = (
        [sign * value for value in _numbers(reports[run])] if is_revisit else values_by_run[run]
    )
    best = max(run_values, default=float("-inf"))
    if bound is None or best >= bound:
        return ""
    shown = f"{sign * best:.6g}" if run_values else "missing"
    return (
        f"stopped by {type(policy).__name__} at interval {interval}: best value {shown}, "
        f"required {sign * bound:.6g}"
    )


def _numbers(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _bound(
    policy: EarlyTerminationPolicy,
    values_by_run: Mapping[str, Sequence[float]],
    best_values: Mapping[str, float],
) -> float | None:
    """The bound below which a run is stopped, in terms of larger values being better."""
    if isinstance(policy, BanditPolicy):
        return _bandit_bound(policy, max(best_values.values()))
    if isinstance(policy, MedianStoppingPolicy):
        means = [statistics.fmean(values) for values in values_by_run.values() if values]
        return statistics.median(means) if means else None
    if isinstance(policy, TruncationSelectionPolicy):
        ranked = sorted(best_values.values())
        return ranked[len(ranked) * policy.truncation_percentage // 100]
    if isinstance(policy, AshaPolicy):
        ranked = sorted(best_values.values(), reverse=True)
        survivors = max(1, len(ranked) // int(policy.properties["reduction_factor"]))
        return ranked[survivors - 1]
    return None


def _bandit_bound(policy: BanditPolicy, best: float) -> float:
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
