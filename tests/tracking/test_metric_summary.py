"""The summaries of a run's metrics, from files as formats.md describes them."""

from __future__ import annotations

import json
import math

import pytest

from scriptrun.tracking import metric_summary


@pytest.fixture
def summary(tmp_path):
    """The summary of the metric ``m`` that the lines (dicts without its name) make."""

    def of(*lines: dict):
        folder = tmp_path / "run"
        (folder / "metrics").mkdir(parents=True, exist_ok=True)
        with open(folder / "metrics" / "0-1-aa.jsonl", "w", encoding="utf-8") as file:
            for number, line in enumerate(lines):
                file.write(json.dumps({"t": number, "k": "scalar", "m": "m", **line}) + "\n")
        return metric_summary.summarize(folder).get("m")

    return of


def test_a_run_without_metrics(tmp_path):
    assert metric_summary.summarize(tmp_path / "none") == {}


def test_numbers_with_steps(summary):
    item = summary(*({"v": value, "s": step} for step, value in ((0, 3), (10, 1.5), (20, 2))))
    assert (item.kind, item.count, item.last, item.last_step) == ("numbers", 3, 2, 20)
    assert (item.lowest.value, item.lowest.step) == (1.5, 10)
    assert (item.highest.value, item.highest.step) == (3, 0)
    assert item.as_dict() == {
        "kind": "numbers",
        "count": 3,
        "last": 2,
        "last_step": 20,
        "min": 1.5,
        "min_step": 10,
        "max": 3,
        "max_step": 0,
    }


def test_without_steps_a_value_s_place_is_its_number(summary):
    item = summary({"v": 3}, {"v": 1})
    assert item.as_dict()["min_position"] == 2 and item.as_dict()["max_position"] == 1


def test_nan_is_neither_smallest_nor_largest_and_infinity_is(summary):
    special = [{"v": "NaN", "f": 1}, {"v": 2}, {"v": "Infinity", "f": 1}, {"v": "NaN", "f": 1}]
    item = summary(*special)
    assert (item.lowest.value, item.highest.value, item.count) == (2, math.inf, 4)
    assert math.isnan(item.last) and item.curve.means() == [None, 2.0, None, None]
    only = summary({"v": "NaN", "f": 1})
    assert only.lowest is only.highest is None and only.count == 1


def test_other_kinds(summary):
    assert summary({"v": "a text"}).kind == "values"
    assert summary({"v": True}).highest is None
    assert summary({"k": "list", "v": [1, 5, 2]}).highest.position == 2
    rows = summary(*({"k": "row", "v": {"x": n, "y": 1}} for n in range(3)))
    assert (rows.kind, rows.count, rows.columns) == ("table", 3, ("x", "y"))
    table = summary({"k": "table", "v": {"x": [1, 2], "z": [3, 4]}})
    assert (table.count, table.columns) == (2, ("x", "z"))
    image = summary({"k": "image", "v": "a.png"})
    assert image.kind == "image" and image.last.endswith("dcid.run/a.png")
    assert summary({"k": "confusion_matrix", "v": {"data": {}}}).kind == "confusion_matrix"


def test_damaged_lines_are_skipped(summary):
    item = summary({"v": 1}, {"k": None, "v": 3}, {"m": None}, {"v": 10**400}, {"v": 2, "s": 4})
    assert item.last == 2 and item.lowest.value == 1


def test_a_curve_stays_small_and_keeps_its_shape(summary):
    item = summary(*({"v": n} for n in range(20_000)))
    means = item.curve.means()
    assert metric_summary.CURVE // 2 <= len(means) <= metric_summary.CURVE
    assert means == sorted(means) and means[0] < 200 and means[-1] > 19_700
