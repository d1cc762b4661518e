"""The policies, on the examples of the SDK's own page and around their edges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.config.sweeps.early_stopping import (
    AshaPolicy,
    BanditPolicy,
    MedianStoppingPolicy,
    NoTerminationPolicy,
    TruncationSelectionPolicy,
)
from scriptrun.sweeps import early_stopping


def stopped(policy, reports, interval, maximizes=True):
    """The names of those that the policy stops at the interval."""
    return {
        name
        for name, values in reports.items()
        if len(values) >= interval
        and early_stopping.stop_reason(policy, name, interval, reports, maximizes)
    }


def test_the_pages_example_of_bandit():
    """Best 0.8 at interval 10, slack_factor 0.2: below 0.66 is stopped."""
    reports = {"best": [0.8] * 10, "near": [0.67] * 10, "far": [0.66] * 10}
    assert stopped(BanditPolicy(slack_factor=0.2), reports, 10) == {"far"}


def test_bandit_goes_by_the_best_so_far_not_by_the_last():
    reports = {"best": [0.8, 0.1], "other": [0.75, 0.0], "late": [0.1, 0.1]}
    assert stopped(BanditPolicy(slack_amount=0.1), reports, 2) == {"late"}


def test_a_run_that_is_ahead_is_judged_again_by_all_that_it_has_logged():
    policy = BanditPolicy(slack_factor=0.1)
    reports = {"bad": [0.1] * 9, "rising": [0.1] * 8 + [0.9], "good": [0.9] * 3}
    assert early_stopping.revisits_intervals(policy) and not early_stopping.revisits_intervals(
        AshaPolicy()
    )
    assert early_stopping.stop_reason(policy, "bad", 3, reports, True, is_revisit=True)
    assert not early_stopping.stop_reason(policy, "rising", 3, reports, True, is_revisit=True)
    assert early_stopping.stop_reason(policy, "rising", 3, reports, True)


def test_bandit_when_minimizing():
    reports = {"best": [1.0], "near": [1.19], "far": [1.21]}
    assert stopped(BanditPolicy(slack_factor=0.2), reports, 1, maximizes=False) == {"far"}
    assert stopped(BanditPolicy(slack_amount=0.2), reports, 1, maximizes=False) == {"far"}


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8),
    st.floats(0, 3),
    st.booleans(),
    st.sampled_from(["slack_factor", "slack_amount"]),
)
def test_bandit_never_stops_the_best(values, slack, maximizes, kind):
    reports = {str(place): [value] for place, value in enumerate(values)}
    best = max(values) if maximizes else min(values)
    for name in stopped(BanditPolicy(**{kind: slack}), reports, 1, maximizes):
        assert reports[name] != [best]


def test_median_compares_the_best_with_the_averages_so_far():
    """At interval 3 the averages are 0.2, 0.5 and 0.8: the median is 0.5."""
    reports = {"a": [0.1, 0.2, 0.3], "b": [0.5, 0.5, 0.5], "c": [0.8, 0.8, 0.8]}
    assert stopped(MedianStoppingPolicy(), reports, 3) == {"a"}
    assert stopped(MedianStoppingPolicy(), {"alone": [0.1]}, 1) == set()


def test_truncation_stops_the_lowest_share_of_those_that_came_as_far():
    reports = {str(n): [n / 10] for n in range(10)}
    reports["ahead"] = [0.95, 0.95]
    assert stopped(TruncationSelectionPolicy(20), reports, 1) == {"0", "1"}
    assert stopped(TruncationSelectionPolicy(99), {"alone": [0.1]}, 1) == set()
    assert stopped(TruncationSelectionPolicy(50), reports, 2) == set()


def test_asha_keeps_the_best_third_of_a_rung():
    reports = {str(n): [n / 10] * 3 for n in range(6)}
    assert stopped(AshaPolicy(1, 3), reports, 3) == {"0", "1", "2", "3"}
    assert stopped(AshaPolicy(1, 3), {"first": [0.1]}, 1) == set()


@pytest.mark.parametrize(
    ("policy", "intervals"),
    [
        (BanditPolicy(2, 0.1), [2, 4, 6]),
        (BanditPolicy(1, 0.1, delay_evaluation=5), [5, 6]),
        (MedianStoppingPolicy(3, 4), [6]),
        (AshaPolicy(1, 2), [1, 2, 4]),
        (AshaPolicy(2, 3), [2, 6]),
    ],
)
def test_when_a_policy_is_applied(policy, intervals):
    assert early_stopping.due_intervals(policy, 0, 6) == intervals
    assert early_stopping.due_intervals(policy, 3, 6) == [each for each in intervals if each > 3]


def test_what_is_no_number_is_worse_than_any():
    reports = {"good": [0.5], "nan": [math.nan]}
    assert stopped(BanditPolicy(slack_factor=0.5), reports, 1) == {"nan"}
    assert "missing" in early_stopping.stop_reason(
        BanditPolicy(slack_factor=0.5), "nan", 1, reports, True
    )
    assert stopped(BanditPolicy(slack_factor=0.5), {"nan": [math.nan]}, 1) == set()
    assert stopped(MedianStoppingPolicy(), {"nan": [math.nan]}, 1) == set()


def test_no_policy_stops_nothing():
    assert not early_stopping.stops_runs(NoTerminationPolicy())
    assert stopped(NoTerminationPolicy(), {"a": [0.1], "b": [9]}, 1) == set()
