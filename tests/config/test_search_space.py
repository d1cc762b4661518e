"""What a parameter space may say, and what is refused."""

from __future__ import annotations

import argparse
import itertools
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.config.sweeps import early_stopping, sampling, search_space
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig, PrimaryMetricGoal
from scriptrun.config.sweeps.search_space import (
    choice,
    loguniform,
    normal,
    quniform,
    randint,
    uniform,
)
from scriptrun.spec.errors import RunConfigurationException


def test_expressions_are_json_values():
    assert choice(1, 2) == choice([1, 2]) == choice(range(1, 3)) == ["choice", [[1, 2]]]
    assert choice("a") == ["choice", [["a"]]]
    assert choice(np.float64(0.5), np.int64(3), None, True) == ["choice", [[0.5, 3, None, True]]]
    assert loguniform(-6, -1) == ["loguniform", [-6, -1]]
    assert quniform(1, 10, 2) == ["quniform", [1, 10, 2]]


@pytest.mark.parametrize(
    "options",
    [
        np.arange(3),
        pd.Series([0, 1, 2]),
        pd.Index([0, 1, 2]),
        range(3),
        {0: "", 1: "", 2: ""}.keys(),
        (number for number in (0, 1, 2)),
        (np.int64(0), np.int8(1), np.uint16(2)),
    ],
    ids=lambda options: type(options).__name__,
)
def test_a_choice_takes_its_options_from_any_collection(options):
    expression = choice(options)
    assert json.dumps(expression) == '["choice", [[0, 1, 2]]]'


def test_numbers_of_libraries_are_numbers():
    space = {
        "a": quniform(np.float64(1), np.int64(9), np.float32(2)),
        "b": uniform(Decimal("0.1"), np.array([2])),
        "c": choice([np.arange(2), np.array(3)]),
        "d": choice(np.float32(0.5)),
    }
    drawn = sampling.RandomParameterSampling(space, {"seed": np.int64(3)})
    assert not drawn.problems()
    assert json.loads(json.dumps(drawn.as_dict())) == {
        "name": "RANDOM",
        "space": {
            "a": ["quniform", [1.0, 9, 2.0]],
            "b": ["uniform", [0.1, 2]],
            "c": ["choice", [[[0, 1], 3]]],
            "d": ["choice", [[0.5]]],
        },
        "properties": {"seed": 3},
    }
    policy = early_stopping.BanditPolicy(np.int64(2), slack_factor=np.float64(0.1))
    assert not policy.problems()
    assert json.dumps(policy.as_dict())


def test_a_choice_of_what_never_ends_is_refused():
    with pytest.raises(RunConfigurationException, match="choice takes at most 100,000 values"):
        choice(itertools.count())


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"lr": [[1], [2]]}, "'lr': [[1], [2]] is not a search space expression"),
        ({"lr": np.arange(2)}, "'lr': array([0, 1]) is not a search space expression"),
        ({"lr": uniform(np.arange(2), 3)}, "uniform requires numbers, not [0, 1]"),
        ({}, "must be a dict"),
        (None, "must be a dict"),
        ({"lr": 0.1}, "'lr': 0.1 is not a search space expression"),
        ({"lr": ["nonsense", [1]]}, "is not a search space expression"),
        ({"lr": choice()}, "at least one value"),
        ({"lr": uniform(2, 1)}, "a lower and an upper bound"),
        ({"lr": uniform("a", 1)}, "not 'a'"),
        ({"lr": uniform(float("nan"), 1)}, "requires numbers"),
        ({"lr": normal(0, 0)}, "a standard deviation greater than 0"),
        ({"lr": quniform(0, 1, 0)}, "a step greater than 0"),
        ({"lr": randint(0)}, "an integer greater than 0"),
        ({"lr": randint(10**400)}, "requires numbers"),
        ({"lr": uniform(-(10**400), 0)}, "requires numbers"),
        ({"lr": loguniform(0, 1000)}, "natural logarithms"),
        ({"lr": uniform(0, 1), "--lr": uniform(0, 1)}, "duplicate parameter"),
        ({"two words": uniform(0, 1)}, "invalid parameter name"),
        ({3: uniform(0, 1)}, "invalid parameter name"),
    ],
)
def test_what_cannot_be_searched_is_refused(space, said):
    assert any(said in each for each in search_space.problems(space)), search_space.problems(space)


def test_a_good_space_is_taken():
    space = {"lr": loguniform(-6, -1), "--size": choice(32, 64), "-n": normal(0, 1)}
    assert search_space.problems(space) == []


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_argparse_takes_every_number(value):
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=float)
    words = [search_space.flag("x"), search_space.text(value)]
    assert parser.parse_args(words).x == value


def test_a_grid_takes_choices_only():
    made = sampling.GridParameterSampling({"lr": uniform(0, 1), "n": choice(1)})
    assert made.problems() == ["GridParameterSampling supports only choice, but lr uses uniform"]
    assert sampling.RandomParameterSampling({"n": choice(1)}, {"seed": "x"}).problems()


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (early_stopping.BanditPolicy(), "neither"),
        (early_stopping.BanditPolicy(1, 0.1, 0.1), "not both"),
        (early_stopping.BanditPolicy(0, 0.1), "evaluation_interval"),
        (early_stopping.BanditPolicy(1, -0.1), "slack_factor"),
        (early_stopping.TruncationSelectionPolicy(0), "from 1 to 99"),
        (early_stopping.TruncationSelectionPolicy(100), "from 1 to 99"),
        (early_stopping.MedianStoppingPolicy(1, -1), "delay_evaluation"),
        (early_stopping.AshaPolicy(1, 1), "reduction_factor"),
    ],
)
def test_policies_that_cannot_be_applied(policy, said):
    assert any(said in each for each in policy.problems()), policy.problems()


@pytest.mark.parametrize(
    "policy",
    [
        early_stopping.NoTerminationPolicy(),
        early_stopping.BanditPolicy(2, slack_amount=0.1, delay_evaluation=3),
        early_stopping.MedianStoppingPolicy(3, 4),
        early_stopping.TruncationSelectionPolicy(20, 5),
        early_stopping.AshaPolicy(2, 4),
    ],
)
def test_policies_come_back_from_the_record(policy):
    again = early_stopping.from_dict(policy.as_dict())
    assert type(again) is type(policy) and again.properties == policy.properties
    assert policy.problems() == []


def test_without_a_limit_a_grid_is_run_whole():
    def totals(drawn):
        config = HyperDriveConfig(
            drawn, "loss", PrimaryMetricGoal.MINIMIZE, max_total_runs=None, run_config=None
        )
        return config.total_runs, [text for text in config.problems() if "max_total" in text]

    grid = sampling.GridParameterSampling({"a": choice(1, 2, 3), "b": choice("x", "y")})
    assert totals(grid) == (6, [])
    sampled, problems = totals(sampling.RandomParameterSampling({"a": uniform(0, 1)}))
    assert sampled is None and len(problems) == 1
