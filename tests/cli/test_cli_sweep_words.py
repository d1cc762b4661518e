"""What the texts of --param and --policy mean."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.cli.options import range_notation
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


@pytest.mark.parametrize(
    ("text", "correction"),
    [
        ("0.1:0.9", "0.1..0.9"),
        ("0.1-0.9", "0.1..0.9"),
        ("1e-4-1e-1", "1e-4..1e-1"),
        ("1...5", "1..5"),
        ("1 to 5", "1..5"),
        ("[1..5]", "1..5"),
        ("0:1:0.1", "0..1/0.1"),
        ("log:1e-4:1e-1", "log:1e-4..1e-1"),
        ("[32, 64]", "32,64"),
        ("range(1,10)", "1..9"),
        ("np.arange(0,1,0.1)", "0..1/0.1"),
        ("np.linspace(0, 1, 5)", "0..1/0.25"),
        ("np.logspace(-4,-1)", "log:1e-4..1e-1"),
        ("uniform(0.1, 0.9)", "0.1..0.9"),
        ("loguniform 1e-4 1e-1", "log:1e-4..1e-1"),
        ("loguniform(-6,-1)", "log:0.002479..0.3679"),
        ("choice([1, 2])", "1,2"),
        ("normal(0,1)", "normal:0,1"),
        ("uniform(0.9, 0.1)", "0.1..0.9"),
        ("0:0.1:1", "0..1/0.1"),
    ],
)
def test_other_notations_of_a_range_are_refused_with_ours(text, correction):
    with pytest.raises(UserErrorException) as caught:
        sweep_options.parse_expression(text)
    assert f"Did you mean {correction}?" in caught.value.hint
    assert range_notation.correction(text) == correction
    sweep_options.parse_expression(correction)  # which is one


@pytest.mark.parametrize(
    "text", ["uniform(a,b)", "unform(0,1)", "normal:1", "log(x)", "0.1..", "1,2,...,10"]
)
def test_ranges_that_nobody_can_guess_are_refused(text):
    with pytest.raises(UserErrorException) as caught:
        sweep_options.parse_expression(text)
    assert "Did you mean" not in caught.value.hint


@pytest.mark.parametrize(
    "text",
    "64-32,128-64 16:9,4:3 2024-01-05 a-b 1e-4 -1 C:/data s3://x/y relu uniform 1-".split(),
)
def test_what_only_looks_like_a_range_is_a_choice(text):
    assert sweep_options.parse_expression(text)[0] == "choice"
