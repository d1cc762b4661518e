"""Points of a space: what each distribution gives, seeds, and spaces that come to an end."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.config.sweeps import search_space
from scriptrun.config.sweeps.search_space import (
    choice,
    lognormal,
    loguniform,
    normal,
    qlognormal,
    qloguniform,
    qnormal,
    quniform,
    randint,
    uniform,
)
from scriptrun.sweeps import sampling as sweep_sampling

SEEDS = st.integers(0, 10**6)


@given(SEEDS)
def test_each_distribution_keeps_its_documented_meaning(seed):
    chance = random.Random(seed)

    def draw(expression):
        return sweep_sampling.draw_value(expression, chance)

    assert draw(choice("a", "b")) in ("a", "b")
    assert draw(randint(3)) in (0, 1, 2)
    assert 2 <= draw(uniform(2, 5)) <= 5
    assert math.exp(-6) <= draw(loguniform(-6, -1)) <= math.exp(-1)
    for expression, step in [
        (quniform(1, 100, 5), 5),
        (qloguniform(0, 5, 2), 2),
        (qnormal(3, 20, 4), 4),
        (qlognormal(1, 1, 3), 3),
    ]:
        value = draw(expression)
        assert isinstance(value, int) and value % step == 0
    assert round(draw(quniform(0, 1, 0.1)) * 10, 9) % 1 == 0


@pytest.mark.parametrize(
    ("expression", "undo", "mean", "spread"),
    [
        (uniform(-1, 3), float, 1, 4 / math.sqrt(12)),
        (loguniform(-6, -1), math.log, -3.5, 5 / math.sqrt(12)),
        (normal(2, 0.5), float, 2, 0.5),
        (lognormal(2, 0.5), math.log, 2, 0.5),
    ],
)
def test_means_and_spreads(expression, undo, mean, spread):
    chance = random.Random(1)
    values = [undo(sweep_sampling.draw_value(expression, chance)) for _ in range(4000)]
    assert abs(statistics.fmean(values) - mean) < 0.1
    assert abs(statistics.stdev(values) - spread) < 0.1


def test_a_grid_has_every_combination_once_in_order():
    space = {"a": choice(1, 2), "b": choice("x", "y", "z")}
    seen, found = set(), []
    while (point := sweep_sampling.next_grid_point(space, seen)) is not None:
        found.append((point["a"], point["b"]))
        seen.add(sweep_sampling.point_key(point))
    assert found == [(a, b) for a in (1, 2) for b in "xyz"]


def test_a_grid_passes_over_points_of_other_sweeps():
    space = {"a": choice(1, 2, 3)}
    seen = {sweep_sampling.point_key({"a": 2}), sweep_sampling.point_key({"a": 7})}
    assert sweep_sampling.next_grid_point(space, seen) in ({"a": 1}, {"a": 3})
    seen |= {sweep_sampling.point_key({"a": 3}), sweep_sampling.point_key({"a": 1})}
    assert sweep_sampling.next_grid_point(space, seen) is None


@given(SEEDS)
def test_random_points_of_a_finite_space_come_once_each(seed):
    space = {"a": choice(*range(4)), "b": randint(5)}
    seen = set()
    for number in range(20):
        point = sweep_sampling.random_point(space, seed, number, seen)
        assert sweep_sampling.point_key(point) not in seen
        seen.add(sweep_sampling.point_key(point))
    assert sweep_sampling.random_point(space, seed, 20, seen) is None


@given(SEEDS)
def test_the_same_seed_gives_the_same_points(seed):
    space = {"lr": loguniform(-6, -1), "n": choice(32, 64), "k": normal(0, 1)}

    def points():
        return [sweep_sampling.random_point(space, seed, number, set()) for number in range(5)]

    assert points() == points()
    assert len({sweep_sampling.point_key(each) for each in points()}) == 5


def test_choices_may_hold_anything():
    space = {"layers": choice([1, 2], [3]), "flag": choice(True, None)}
    assert search_space.space_size(space) == 4
    assert sweep_sampling.grid_point(space, 0) == {"layers": [1, 2], "flag": True}
    assert sweep_sampling.grid_point(space, 3) == {"layers": [3], "flag": None}
    assert sweep_sampling.grid_point(space, 4) is None
