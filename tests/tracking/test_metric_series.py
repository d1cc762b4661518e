"""Reading metrics files as formats.md describes them, whoever wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scriptrun.tracking import metric_series


@pytest.fixture
def write(tmp_path):
    """Append lines (dicts, or raw text) to a writer's file of the run called ``run``."""
    (tmp_path / "run" / "metrics").mkdir(parents=True)

    def append(writer: str, *lines: dict | str) -> Path:
        with open(tmp_path / "run" / "metrics" / f"{writer}.jsonl", "a", encoding="utf-8") as file:
            for line in lines:
                file.write(line if isinstance(line, str) else json.dumps(line) + "\n")
        return tmp_path / "run"

    return append


def scalar(t, name, value, **more):
    return {"t": t, "k": "scalar", "m": name, "v": value, **more}


def test_a_run_without_metrics(tmp_path):
    assert metric_series.read(tmp_path) == {}
    assert metric_series.read(tmp_path / "nowhere") == {}
    assert metric_series.Follower(tmp_path).poll() == []


def test_writers_are_merged_by_time_then_name_then_place(write):
    write("1-20-bb", scalar(1, "x", "b1"), scalar(3, "x", "b3"), scalar(3, "x", "b3 too"))
    folder = write("0-10-aa", scalar(2, "x", "a2"), scalar(3, "x", "a3"), scalar(4, "x", "a4"))
    assert metric_series.read(folder) == {"x": ["b1", "a2", "a3", "b3", "b3 too", "a4"]}
    assert metric_series.series(folder, "x").ranks == [1, 0, 0, 1, 1, 0]


def test_a_clock_that_jumps_back_does_not_reorder_a_writers_own_lines(write):
    write(
        "0-1-aa", scalar(100, "x", 1), scalar(50, "x", 2), scalar(60, "x", 3), scalar(101, "x", 4)
    )
    assert metric_series.read(write("0-1-aa")) == {"x": [1, 2, 3, 4]}
    folder = write("1-2-bb", scalar(55, "x", "early"), scalar(100.5, "x", "late"))
    assert metric_series.read(folder) == {"x": ["early", 1, 2, 3, "late", 4]}


def test_a_line_without_its_newline_is_not_there_yet(write):
    folder = write("0-1-aa", scalar(1, "x", 1), '{"t":2,"k":"scalar","m":"x","v":2}')
    assert metric_series.read(folder) == {"x": 1}
    write("0-1-aa", "\n")
    assert metric_series.read(folder) == {"x": [1, 2]}


@pytest.mark.parametrize(
    "bad",
    ["{\n", "\n", "null\n", "[1]\n", '"text"\n', "{},{}\n", '{"t":1,"k":"scalar","m":"x"}\n', "\0\0\0\n",
     '{"t":1,"k":"scalar","m":["x"],"v":1}\n', '{"t":"late","k":"row","m":"x","v":7}\n', "1],[2\n",
     '{"t":1,"k":"list","m":"y","v":null}\n', '{"t":1,"k":"table","m":"y","v":{"a":3}}\n'],
)  # fmt: skip
def test_a_torn_line_hides_no_other(write, bad):
    folder = write("0-1-aa", scalar(1, "x", 1), bad, scalar(2, "x", 2))
    assert metric_series.read(folder)["x"] == [1, 2]
    assert len(metric_series.series(folder, "x").values) in (2, 3)
    follower = metric_series.Follower(folder)
    follower.poll()
    assert follower.metrics()["x"] == [1, 2]
    write("0-2-bb", bad, scalar(3, "x", 3))
    assert metric_series.read(folder)["x"] == [1, 2, 3]


def test_bytes_that_are_no_text(write):
    folder = write("0-1-aa", scalar(1, "x", 1))
    (folder / "metrics" / "0-2-bb.jsonl").write_bytes(
        b"\xff\xfe\n" + b'{"t":2,"k":"scalar","m":"x","v":2}\n'
    )
    assert metric_series.read(folder) == {"x": [1, 2]}


def test_kinds_and_what_repeating_them_gives(write):
    folder = write(
        "0-1-aa",
        {"t": 1, "k": "list", "m": "l", "v": [1]}, {"t": 2, "k": "list", "m": "l", "v": []},
        {"t": 1, "k": "list", "m": "one", "v": [7]}, {"t": 1, "k": "list", "m": "empty", "v": []},
        {"t": 1, "k": "row", "m": "r", "v": {"a": 1}}, {"t": 2, "k": "table", "m": "r", "v": {"a": [2, 3], "b": [4, 5]}},
        {"t": 1, "k": "image", "m": "i", "v": "i_1.png"},
        {"t": 1, "k": "predictions", "m": "p", "v": {"data": 1}}, {"t": 2, "k": "predictions", "m": "p", "v": {"data": 2}},
        {"t": 1, "k": "some day", "m": "new", "v": 3},
        scalar(1, "f", ["NaN", "-Infinity"][1], f=1), scalar(1, "text", "NaN"),
        scalar(1, "mixed", 1), {"t": 2, "k": "list", "m": "mixed", "v": [2, 3]}, {"t": 2, "k": "row", "m": "mixed", "v": {"a": 4}},
    )  # fmt: skip
    assert metric_series.read(folder) == {
        "l": [1], "one": [7], "empty": [], "r": {"a": [1, 2, 3], "b": [None, 4, 5]},
        "i": "aml://artifactId/ExperimentRun/dcid.run/i_1.png", "p": [{"data": 1}, {"data": 2}], "new": 3,
        "f": float("-inf"), "text": "NaN", "mixed": [1, 2, 3, {"a": [4]}],
    }  # fmt: skip


def test_one_name_only(write):
    folder = write("0-1-aa", scalar(1, "x", 1, s=5), scalar(2, "y", 2))
    assert metric_series.read(folder, "y") == {"y": 2}
    assert metric_series.read(folder, "z") == {}
    assert metric_series.series(folder, "x") == metric_series.Series("x", [1], [5], [1], [0])


def test_series_of_lists_and_rows(write):
    folder = write(
        "2-1-aa",
        {"t": 1, "k": "list", "m": "l", "v": [1, 2], "s": 3},
        {"t": 2, "k": "row", "m": "r", "v": {"a": 1}},
    )
    assert metric_series.series(folder, "l") == metric_series.Series(
        "l", [1, 2], [3, 3], [1, 1], [2, 2]
    )
    assert metric_series.series(folder, "r").values == [{"a": 1}]


def test_names_that_are_the_formats_own_keys(write):
    folder = write("0-1-aa", *(scalar(1, name, 1) for name in ("t", "k", "m", "v", "f", "writer")))
    assert metric_series.read(folder) == {"t": 1, "k": 1, "m": 1, "v": 1, "f": 1, "writer": 1}


def test_a_follower_reads_each_line_once(write):
    folder = write("0-1-aa", scalar(1, "x", 1))
    follower = metric_series.Follower(folder)
    assert [point.value for point in follower.poll()] == [1]
    assert follower.poll() == []
    write("0-1-aa", scalar(4, "x", 4), '{"t":5,"k":"sca')
    write("1-2-bb", scalar(3, "x", 3), scalar(6, "x", 6))
    assert [point.value for point in follower.poll()] == [3, 4, 6]
    write("0-1-aa", 'lar","m":"x","v":5}\n')
    assert [(point.value, point.rank) for point in follower.poll()] == [(5, 0)]
    assert follower.metrics() == {"x": [1, 3, 4, 6, 5]}


def test_many_lines_in_several_blocks(write):
    lines = [json.dumps(scalar(i, "x", i, d="ü" * 20)) + "\n" for i in range(30000)]
    folder = write("0-1-aa", "".join(lines))
    assert metric_series.read(folder) == {"x": list(range(30000))}
    write("1-1-bb", "".join(lines))
    assert metric_series.read(folder) == {"x": [i for i in range(30000) for _ in range(2)]}
    assert len(metric_series.Follower(folder).poll()) == 60000
