"""What the texts of --param and --policy mean."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.cli.options import sweep as sweep_options
from scriptrun.cli.sweep import show as sweep_show
from scriptrun.config.sweeps import search_space
from scriptrun.spec.errors import UserErrorException
from scriptrun.sweeps import ranking


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("32,64", ["choice", [[32, 64]]]),
        ("adam,sgd,1e-3", ["choice", [["adam", "sgd", "1e-3"]]]),
        ("0.5", ["choice", [[0.5]]]),
        ("1..3", ["choice", [[1, 2, 3]]]),
        ("1..100000", ["quniform", [1, 100000, 1]]),
        ("0.1..0.9", ["uniform", [0.1, 0.9]]),
        ("-1..1.5", ["uniform", [-1, 1.5]]),
        ("0..1/0.05", ["quniform", [0, 1, 0.05]]),
        ("log:1..1000/10", ["qloguniform", [0.0, math.log(1000), 10]]),
        ("normal:0,1", ["normal", [0, 1]]),
        ("lognormal:-1,0.5/2", ["qlognormal", [-1, 0.5, 2]]),
    ],
)
def test_expressions(said, meant):
    assert sweep_options.parse_expression(said) == meant
    assert search_space.problems({"x": meant}) == []


def test_a_range_of_logarithms_is_said_in_plain_numbers():
    name, (low, high) = sweep_options.parse_expression("log:1e-6..1e-1")
    assert name == "loguniform"
    assert (math.exp(low), math.exp(high)) == (pytest.approx(1e-6), pytest.approx(0.1))


@given(st.lists(st.from_regex(r"[A-Za-z0-9_.+-]+", fullmatch=True), min_size=1))
def test_choices_reach_the_script_as_they_were_written(texts):
    said = ",".join(texts)
    if ".." in said:
        return
    (options,) = sweep_options.parse_expression(said)[1]
    assert [search_space.text(each) for each in options] == texts


def test_policies():
    policy = sweep_options.build_policy("bandit:slack_factor=0.1,evaluation_interval=2")
    assert policy.slack_factor == 0.1 and policy.evaluation_interval == 2
    assert sweep_options.build_policy("truncation:20").truncation_percentage == 20
    assert sweep_options.build_policy(None).name == "Default"
    for wrong in ("bandit:speed=1", "median:x", "nobody"):
        with pytest.raises(UserErrorException):
            sweep_options.build_policy(wrong)


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=200))
def test_the_curve_never_gets_worse_and_fits(values):
    curve = ranking.best_so_far(values, True)
    assert curve == sorted(curve)
    if curve:
        lines = sweep_show.draw_curve(curve)
        assert len(lines) == (sweep_show.CURVE_HEIGHT if curve[-1] > curve[0] else 1)
        assert all(len(line.partition("|")[2]) <= sweep_show.CURVE_WIDTH for line in lines)
        assert "*" in lines[0]
