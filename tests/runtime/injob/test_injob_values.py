"""Whatever is written is read back: names, values and shapes of any kind."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.runtime.injob import values
from scriptrun.runtime.injob.metrics.writer import MetricWriter
from scriptrun.tracking import metric_series

#: any text, half surrogates too; the texts that stand for special numbers come up often
texts = st.text(st.characters()) | st.sampled_from(
    ["NaN", "\\NaN", "\\\\Infinity", "-Infinity", "\\", "Infinity ", "\u2028\r\n\0", "\udc80"]
)
numbers = st.floats() | st.integers() | st.booleans() | st.none()
leaves = numbers | texts
trees = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def same(left, right) -> bool:
    """Equal in type and value; NaN is NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right


@pytest.fixture
def fresh(tmp_path_factory):
    def make() -> tuple[Path, MetricWriter]:
        folder = tmp_path_factory.mktemp("run")
        return folder, MetricWriter(folder)

    return make


@many
@given(
    logged=st.lists(st.tuples(texts, leaves, st.none() | st.integers(0, 10**9), texts), max_size=8)
)
def test_scalars_of_any_name(fresh, logged):
    folder, writer = fresh()
    expected: dict = {}
    for name, value, step, description in logged:
        writer.scalar(name, value, description, step)
        expected.setdefault(name, []).append(value)
    writer.flush()
    found = metric_series.read(folder)
    once_is_alone = {k: v[0] if len(v) == 1 else v for k, v in expected.items()}
    assert same(found, once_is_alone)
    points = list(metric_series.points(folder))
    assert [(p.name, p.step, p.description) for p in points] == [(n, s, d) for n, _, s, d in logged]


@many
@given(tree=trees)
def test_any_tree_of_values(fresh, tree):
    folder, writer = fresh()
    writer.write("predictions", "p", values.nested(tree))
    writer.write("list", "l", values.sequence([tree, tree]))
    writer.flush()
    found = metric_series.read(folder)
    assert same(found["p"], tree) and same(found["l"], [tree, tree])


@many
@given(rows=st.lists(st.dictionaries(texts, leaves, min_size=1), min_size=1, max_size=5))
def test_rows_keep_their_lines(fresh, rows):
    folder, writer = fresh()
    for row in rows:
        writer.write("row", "r", row)
    writer.flush()
    columns = metric_series.read(folder)["r"]
    assert all(len(cells) == len(rows) for cells in columns.values())
    for number, row in enumerate(rows):
        assert same({name: columns[name][number] for name in row}, row)
        assert all(columns[name][number] is None for name in columns.keys() - row.keys())


@many
@given(tree=trees)
def test_lines_are_json_for_everyone(fresh, tree):
    """No bare NaN, and one line a call, whatever is in it."""
    folder, writer = fresh()
    writer.write("predictions", "p", values.nested(tree), "d\n")
    writer.flush()
    (path,) = (folder / "metrics").iterdir()
    (line,) = path.read_bytes().splitlines(keepends=True) or [b""]

    def refuse(text):
        raise AssertionError(text)

    json.loads(line, parse_constant=refuse)


class Tensor:
    """As torch's: item() fails for more than one element, tolist() gives them."""

    def __init__(self, *items):
        self.items, self.shape = items, (len(items),)

    def item(self):
        if len(self.items) != 1:
            raise ValueError("only one element tensors can be converted")
        return self.items[0]

    def tolist(self):
        return list(self.items)


def test_tensors():
    assert values.scalar(Tensor(1.5)) == 1.5
    assert values.sequence(Tensor(1, 2)) == [1, 2]
    assert values.nested({"a": (Tensor(1, 2), Tensor(3))}) == {"a": [[1, 2], [3]]}
    assert values.scalar(Tensor(1, 2)).startswith("<")


def test_numpy_where_it_is_there():
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    for kind in (
        numpy.float16,
        numpy.float32,
        numpy.float64,
        numpy.longdouble,
        numpy.int8,
        numpy.uint64,
    ):
        value = values.scalar(kind(3))
        assert value == 3 and type(value) in (int, float)
    assert values.scalar(numpy.bool_(True)) is True
    assert values.scalar(numpy.array(2.5)) == 2.5 and values.scalar(numpy.array([2])) == 2
    assert values.sequence(numpy.arange(4).reshape(2, 2)) == [[0, 1], [2, 3]]
    assert values.sequence(numpy.array(7)) == [7]
    assert values.scalar(numpy.str_("text")) == "text"


class _Measure:
    def __float__(self):
        return 0.25


class _Count:
    def __index__(self):
        return 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.5"), 0.5),
        (Fraction(1, 4), 0.25),
        (_Measure(), 0.25),
        (_Count(), 3),
        (pd.NA, math.nan),
        (np.float16(0.5), 0.5),
        (np.array(2), 2),
        (Decimal("sNaN"), "sNaN"),
        (np.timedelta64(1, "s"), "1 seconds"),
        (np.complex128(1), "(1+0j)"),
        (pd.NaT, "NaT"),
    ],
    ids=lambda value: f"{type(value).__name__}-{value}"[:20].replace(" ", "-"),
)
def test_what_has_a_number_is_one(value, expected):
    assert same(values.scalar(value), expected)
    assert same(values.sequence([value]), [expected])


def test_a_tag_keeps_the_digits_of_a_decimal():
    assert values.tag_text(Decimal("0.10")) == "0.10"
    assert values.tag_text(np.int64(3)) == "3"
    assert values.tag_text(None) is None


class Wrapper:
    """What some libraries give: its number is one of numpy's."""

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


def test_a_number_that_is_wrapped_twice_is_one():
    assert same(values.scalar(Wrapper(np.float32(0.5))), 0.5)
    assert same(values.scalar(Wrapper(np.int64(3))), 3)


def test_a_masked_number_is_not_zero():
    assert math.isnan(values.scalar(np.ma.masked))


@pytest.mark.parametrize("missing", [np.datetime64("NaT"), np.timedelta64("NaT"), pd.NaT])
def test_a_missing_time_is_named(missing):
    assert values.scalar(missing) == "NaT"


def test_a_fraction_beyond_the_floats_is_infinite():
    assert values.scalar(Fraction(10**400)) == math.inf
    assert values.scalar(Fraction(-(10**400))) == -math.inf


def test_a_dict_is_one_value_and_a_frame_its_rows():
    assert values.sequence({"a": np.int64(1)}) == [{"a": 1}]
    assert values.sequence(pd.DataFrame({"a": [1, 2], "b": [3, 4]})) == [[1, 3], [2, 4]]


def test_a_tag_of_several_values_has_pythons_own():
    assert values.tag_text({"a": np.int64(1)}) == "{'a': 1}"
    assert values.tag_text([np.float32(0.5), None]) == "[0.5, None]"
