"""Points that Optuna gives: in the space, better with time, and the same after a restart."""

from __future__ import annotations

import math

from scriptrun.config.sweeps.search_space import (
    choice,
    loguniform,
    normal,
    quniform,
    randint,
    uniform,
)
from scriptrun.sweeps import bayesian

SPACE = {
    "lr": loguniform(-6, -1),
    "kind": choice("a", None, [1, 2]),
    "n": normal(3, 2),
    "q": quniform(0, 1, 0.1),
    "r": randint(5),
}


def worth(point):
    return -abs(math.log(point["lr"]) + 3) - abs(point["n"] - 4)


def history(count):
    adviser = bayesian.BayesianSampler(SPACE, 7, True)
    found = []
    for number in range(count):
        point, raw = adviser.ask(number)
        found.append((point, raw))
        adviser.add_result(number, worth(point))
    return found


def test_points_lie_in_the_space():
    for point, _ in history(20):
        assert math.exp(-6) <= point["lr"] <= math.exp(-1)
        assert point["kind"] in ("a", None, [1, 2])
        assert point["r"] in range(5)
        assert round(point["q"] * 10, 9) % 1 == 0


def test_a_new_driver_gives_the_same_point_from_the_journal():
    before = history(16)
    again = bayesian.BayesianSampler(SPACE, 7, True)
    for number, (point, raw) in enumerate(before[:15]):
        again.add_running(number, point, raw)
    for number, (point, _) in enumerate(before[:15]):
        again.add_result(number, worth(point))
    assert again.ask(15) == before[15]


def test_failed_and_foreign_points_do_no_harm():
    adviser = bayesian.BayesianSampler({"x": uniform(0, 1)}, 1, False)
    adviser.add_running(0, {"x": 0.5})
    adviser.add_result(0, None)
    adviser.add_running(1, {"x": 0.6})
    adviser.add_result(1, math.nan)
    adviser.add_result(7, 1.0)
    adviser.add_completed({"y": 3}, 0.1)
    adviser.add_completed({"x": 0.2}, 0.1)
    assert 0 <= adviser.ask(2)[0]["x"] <= 1


def test_it_finds_what_is_good():
    adviser = bayesian.BayesianSampler({"x": uniform(0, 1)}, 3, False)
    points = []
    for number in range(40):
        point, _ = adviser.ask(number)
        points.append(point["x"])
        adviser.add_result(number, (point["x"] - 0.3) ** 2)
    late = points[-10:]
    assert sum(abs(x - 0.3) for x in late) / 10 < 0.15
