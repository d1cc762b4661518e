"""Metrics as tables and charts in the terminal."""

from __future__ import annotations

import io
import math
import sys

import pytest

from scriptrun.cli.runs import metric_table, metrics
from scriptrun.cli.terminal import charts
from scriptrun.cli.terminal.charts import Line
from scriptrun.tracking.metric_summary import MetricSummary


def use(monkeypatch, encoding):
    """Make stdout one of that encoding, to which nothing can be written that it lacks."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))


@pytest.fixture(params=["utf-8", "ascii"])
def encoding(request):
    return request.param


def summary(*values, name="m", kind="scalar"):
    made = MetricSummary(name)
    for step, value in enumerate(values):
        made.add(kind, value, step)
    return made


def test_a_sparkline_has_the_curve_s_shape(monkeypatch, encoding):
    use(monkeypatch, encoding)
    line = charts.sparkline([0, 1, 2, 3], 10)
    blocks = charts.BLOCKS if encoding == "utf-8" else charts.ASCII_BLOCKS
    assert line == "".join(blocks[n] for n in (0, 2, 5, 7))
    assert charts.sparkline([], 10) == charts.sparkline([None], 10) == ""
    assert len(charts.sparkline([5, 5, 5], 10)) == 3
    assert charts.sparkline([1, None, 2], 10)[1] == " "
    assert len(charts.sparkline(list(range(1000)), 10)) == 10
    print(line, flush=True)


@pytest.mark.parametrize(
    "ys",
    [
        [1.0],
        [1.0, 1.0],
        [1.0, math.nan, 3.0],
        [1.0, math.inf, -math.inf, 2.0],
        [-1.7e308, 1.7e308],
        [1e-320, 2e-320],
        [math.sin(n / 1e4) for n in range(100_000)],
    ],
)
@pytest.mark.parametrize("lines", [1, 2])
def test_a_plot_fits(monkeypatch, encoding, ys, lines):
    use(monkeypatch, encoding)
    made = [Line(str(n), list(range(len(ys))), ys) for n in range(lines)]
    rows = charts.plot(made, 60, 12)
    assert len(rows) == 12 and all(len(row) <= 60 for row in rows)
    area = "".join(row.partition("│" if encoding == "utf-8" else "|")[2] for row in rows)
    assert area.strip()
    assert len(charts.legend(made)) == (0 if lines == 1 else 2)
    print("\n".join(rows), flush=True)


def test_what_has_no_finite_number_is_not_plotted():
    assert charts.plot([Line("", [0, 1], [math.nan, math.inf])], 60, 12) == []
    assert charts.plot([], 60, 12) == []


def test_a_falling_line_falls(monkeypatch):
    monkeypatch.setattr(charts, "has_unicode", lambda: False)
    rows = charts.plot([Line("", [0, 1, 2], [2, 1, 0])], 40, 8)
    columns = [row.index("*") for row in rows if "*" in row]
    assert columns == sorted(columns) and len(columns) == 6
    assert rows[0].startswith("2 |") and rows[-1].split() == ["0", "2"]


def test_columns_are_dropped_where_they_do_not_fit(capsys, monkeypatch):
    items = [summary(*range(100), name="a-rather-long-name-of-a-metric"), summary("x" * 99)]
    for width in (200, 100, 60, 40):
        monkeypatch.setattr(metric_table, "_terminal_width", lambda width=width: width)
        metric_table.print_summaries(items)
        heads, *rows = capsys.readouterr().out.splitlines()
        assert max(map(len, rows)) <= max(width, 70)
        assert heads.split()[:1] == ["METRIC"] and "LAST" in heads
        assert ("CURVE" in heads) is (width >= 100)


def test_the_best_is_marked_by_its_goal(capsys):
    metric_table.print_summaries([summary(3, 1, 2, name="loss")], {"loss": False})
    assert "1 (step 1) *" in capsys.readouterr().out
    metric_table.print_summaries([summary(3, 1, 2, name="accuracy")], {"accuracy": True})
    assert "3 (step 0) *" in capsys.readouterr().out


def test_single_values_have_neither_curve_nor_extremes(capsys):
    metric_table.print_summaries([summary(3, name="alpha")])
    assert capsys.readouterr().out.split() == ["METRIC", "LAST", "alpha", "3"]


def test_a_row_is_shown_with_its_columns():
    assert metric_table.value_text({"x": 0.5, "y": "a\nb"}) == "x=0.5, y=a b"
    assert metric_table.value_text({"schema_type": "confusion_matrix"}) == "(confusion matrix)"


def test_values_are_chosen_evenly_with_both_ends():
    assert metric_table.choose(range(3), 40) == [0, 1, 2]
    chosen = metric_table.choose(range(1_000_000), 40)
    assert len(chosen) == 40 and chosen[0] == 0 and chosen[-1] == 999_999


def test_numbers_of_rows_are_lines_of_their_own():
    rows = [{"x": 1, "y": True, "z": 2.0}, {"x": "text", "z": 3}]
    assert metric_table.numbers_by_column(rows) == {"x": [(0, 1.0)], "z": [(0, 2.0), (1, 3.0)]}
    assert metric_table.numbers_by_column([1, "a", 2]) == {"": [(0, 1.0), (2, 2.0)]}


def test_the_help_has_examples():
    assert "--plot --with RUN2" in metrics.__doc__
