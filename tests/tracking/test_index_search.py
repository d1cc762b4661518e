"""The index answers queries as a plain reading of the run folders would."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from scriptrun.query import fields, language, tree
from scriptrun.query.fields import Field
from scriptrun.query.moments import epoch_seconds
from scriptrun.runtime import events, results
from scriptrun.runtime.injob import record
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec import states
from scriptrun.spec.job import JobSpec
from scriptrun.tracking import (
    index_facts,
    index_groups,
    index_search,
    index_tables,
    metric_series,
    run_edits,
    run_folder,
    run_marks,
    run_state,
)
from scriptrun.tracking.index import Index
from scriptrun.tracking.index_search import SortKey

DAY = 86400.0
#: when the runs of these tests were submitted, and what "now" is
FIRST, NOW = 1714557600.0, 1714557600.0 + 10 * DAY


@contextlib.contextmanager
def index_of(runs: Path):
    path = runs.parent / "cache" / "index.sqlite"
    found = Index(runs, path, lambda folder, job: run_state.read_status(folder))
    try:
        found.refresh()
        yield found
    finally:
        found.close()


def put(runs, number=0, state="Completed", metrics=(), note=None, marks=(), **facts):
    """A run with ``facts`` of its job; ``metrics`` are (name, value) in the order of logging.

    ``marks`` are set or removed in their order: ``("pinned", True)``.
    """
    words = {"experiment": "e", "workspace": "w", **facts}
    day = number % 5
    created = f"2024-05-0{1 + day}T10:00:{number:02}.000000Z"
    job = JobSpec(id=words.pop("id", f"run_{number}"), created=created, **words)
    folder = run_folder.make(runs, job)
    run_folder.publish(folder, job)
    log(folder, *metrics)
    if state:
        end(folder, state, number)
    if note is not None:
        run_edits.write([folder], "description", value=note)
    for name, on in marks:
        run_marks.write(folder, name, on)
    return folder


def log(folder, *metrics, writer="0-test"):
    (folder / "metrics").mkdir(exist_ok=True)
    with open(folder / "metrics" / f"{writer}.jsonl", "a", encoding="utf-8") as file:
        for name, value in metrics:
            special = isinstance(value, float) and not math.isfinite(value)
            spelling = {math.inf: "Infinity", -math.inf: "-Infinity"}
            shown = spelling.get(value, "NaN") if special else value
            line = {
                "t": FIRST,
                "m": name,
                "k": "scalar",
                "v": shown,
                **({"f": 1} if special else {}),
            }
            file.write(json.dumps(line) + "\n")


def end(folder, state, seconds=0, **more):
    (folder / "attempts" / "1").mkdir(parents=True, exist_ok=True)
    times = {"began": FIRST, "ended": FIRST + 60 * seconds}
    results.publish(str(folder), 1, results.result(state, **{**times, **more}))
    run_folder.touch(folder)


def asked(index, text, **more):
    return [row.id for _, row in index.search(language.parse(text, NOW).node, **more)]


# what a plain reading of a run's folder answers

NAMES = ["alpha", "val/loss", "two words", "größe"]
TEXTS = [
    "a",
    "Big",
    "resnet-50",
    "true",
    "False",
    "1e-3",
    "0.001",
    "-2",
    "7",
    "",
    "日本",
    "nan",
    "inf",
]
NUMBERS = [0.0, 0.001, -2.0, 7.0, 0.5, math.nan, math.inf, -math.inf]


def plain(folder: Path, node) -> bool:
    if isinstance(node, tree.And):
        return all(plain(folder, item) for item in node.items)
    if isinstance(node, tree.Or):
        return any(plain(folder, item) for item in node.items)
    if isinstance(node, tree.Not):
        return not plain(folder, node.item)
    job = run_folder.read_job(folder)
    assert job is not None
    if isinstance(node, tree.Word):
        texts = (job.id, job.display_name or short_name(job.id), job.experiment, job.script or "")
        return any(node.text.lower() in text.lower() for text in texts)
    value = value_of(folder, job, node.field)
    if isinstance(node, tree.Has):
        return value is not None
    return value is not None and compare(value, node)


def value_of(folder, job, field):
    """The run's value as a number or text; None if it has none."""
    if field.space in ("metrics", "min", "max"):
        series = metric_series.series(folder, field.name).values
        numbers = [value for value in series if not math.isnan(value)]
        if field.space == "metrics":
            return series[-1] if series else None
        return (min if field.space == "min" else max)(numbers) if numbers else None
    if field.space == "tags":
        return job.tags.get(field.name)
    if field.space == "params":
        words = list(job.arguments)
        given = dict(zip(words[::2], words[1::2], strict=True))
        if "--" + field.name in given:
            return given["--" + field.name]
        series = metric_series.series(folder, field.name).values
        return series[0] if len(series) == 1 else None
    status = run_state.read_status(folder)
    if field.kind == fields.FLAG:
        is_set = False
        for event in events.read_all(folder):
            is_set = event["on"] if event.get("name") == field.name else is_set
        return str(is_set).lower()
    return {
        "note": record.latest(folder, "description", None) or None,
        "state": status.state,
        "exit_code": status.exit_code,
        "experiment": job.experiment,
        "submitted": epoch_seconds(job.created),
        "ended": status.ended,
        "duration": None if status.ended is None else status.ended - status.began,
    }[field.name]


def compare(value, node):
    if node.moment is not None:
        start, end = node.moment.start, node.moment.end
        position = -1 if value < start else 0 if value < end or value == start else 1
        return ORDERED[node.operator](position, 0)
    if node.operator in ("~", "!~"):
        text = "nan" if isinstance(value, float) and math.isnan(value) else value
        found = isinstance(text, str) and node.text.lower() in text.lower()
        return found == (node.operator == "~")
    if node.field.kind == fields.FLAG:
        return ORDERED[node.operator](value, "true" if node.number else "false")
    if node.number is not None:
        number = as_number(value)
        if number is None:
            return node.operator == "!="
        return ORDERED[node.operator](number, node.number)
    if isinstance(value, float):
        text = "nan" if math.isnan(value) else None
    else:
        text = value.lower() if value.lower() in ("true", "false", "nan") else value
    if text is None:
        return node.operator == "!="
    return ORDERED[node.operator](text, node.text)


def as_number(value):
    try:
        number = float(value)
    except ValueError:
        return None
    return None if math.isnan(number) else number


ORDERED = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@some.composite
def described_runs(draw):
    """Runs as the arguments of ``put``."""
    number = some.sampled_from(NUMBERS)
    return {
        "state": draw(some.sampled_from(["Completed", "Failed", ""])),
        "experiment": draw(some.sampled_from(["digits", "Bilder", "größe"])),
        "display_name": draw(some.sampled_from(["", "first try", "日本"])),
        "script": draw(some.sampled_from([None, "train.py"])),
        "tags": draw(
            some.dictionaries(some.sampled_from(NAMES), some.sampled_from(TEXTS), max_size=2)
        ),
        "arguments": tuple(
            itertools.chain(
                *draw(
                    some.dictionaries(
                        some.sampled_from(["--alpha", "--größe"]),
                        some.sampled_from([text for text in TEXTS if text != "-2"]),
                        max_size=2,
                    )
                ).items()
            )
        ),
        "metrics": draw(some.lists(some.tuples(some.sampled_from(NAMES), number), max_size=5)),
        "note": draw(some.sampled_from([None, "", "lost power\nat 日本", "Big"])),
        "marks": draw(
            some.lists(some.tuples(some.sampled_from(run_marks.NAMES), some.booleans()), max_size=4)
        ),
    }


def quoted(text):
    return '"' + text.replace('"', '\\"') + '"'


@some.composite
def conditions(draw):
    space = draw(some.sampled_from(["params", "metrics", "min", "max", "tags"]))
    name = Field(space, draw(some.sampled_from(NAMES))).text
    operator = draw(some.sampled_from(tree.OPERATORS))
    value = draw(some.sampled_from([*TEXTS, "0.5", "i"]))
    is_number = space in ("params", "tags") or as_number(value or "x") is not None
    value = value if value and is_number and draw(some.booleans()) else quoted(value)
    own = [
        f"state{draw(some.sampled_from(['=', '!=']))}failed",
        f"exit_code{draw(some.sampled_from(tree.ORDERS))}0",
        f"experiment{operator}{value}",
        f"submitted{draw(some.sampled_from(['=', '!=', *tree.ORDERS]))}"
        + draw(
            some.sampled_from(
                ["2024-05-04", "2024-05-02", "2024-05", "today", "2024-05-03T10:00:02Z"]
            )
        ),
        f"submitted{draw(some.sampled_from(tree.ORDERS))}-9d",
        f"ended{draw(some.sampled_from(['=', *tree.ORDERS]))}2024-05-01T10:02Z",
        f"duration{draw(some.sampled_from(['=', '!=', *tree.ORDERS]))}2m",
        draw(some.sampled_from(["digits", "RUN_1", "ö", "'failed'", "try", "日"])),
        f"note{operator}{value}",
        draw(some.sampled_from(run_marks.NAMES)),
        draw(some.sampled_from(run_marks.NAMES))
        + draw(some.sampled_from(["=true", "!=true", "=FALSE", "!=no", " in (yes)"])),
        f"{name} in (7, {value})",
        f"{name} not in (7, {value})",
        name,
    ]
    return draw(some.sampled_from([f"{name}{operator}{value}"] * 12 + own))


queries = some.recursive(
    conditions(),
    lambda inner: some.one_of(
        some.tuples(inner, some.sampled_from(["and", "or"]), inner).map(lambda each: f"({' '.join(each)})"),
        inner.map(lambda each: f"not {each}"),
    ),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(some.lists(described_runs(), max_size=5), some.lists(queries, min_size=5, max_size=15))
def test_the_index_answers_as_the_folders_do(described, texts):
    with tempfile.TemporaryDirectory() as place:
        runs = Path(place) / "runs"
        folders = [put(runs, number, **facts) for number, facts in enumerate(described)]
        with index_of(runs) as index:
            for text in texts:
                node = language.parse(text, NOW).node
                expected = {folder.name for folder in folders if plain(folder, node)}
                assert set(asked(index, text)) == expected, text


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(some.lists(described_runs(), max_size=5), some.lists(queries, min_size=5, max_size=15))
def test_what_is_archived_or_removed_is_hidden_unless_the_query_is_about_it(described, texts):
    with tempfile.TemporaryDirectory() as place:
        runs = Path(place) / "runs"
        folders = [put(runs, number, **facts) for number, facts in enumerate(described)]
        with index_of(runs) as index:
            for text in texts:
                node = language.parse(text, NOW).node
                shown = {row.id for _, row in index.search(index_search.visible(node))}
                named = {field.name for field in tree.fields_of(node)}
                hidden = {"removed": {"removed"}, "archived": {"archived", "removed"}}
                expected = {
                    folder.name
                    for folder in folders
                    if plain(folder, node)
                    and not any(
                        mark in run_marks.read(folder) and not names & named
                        for mark, names in hidden.items()
                    )
                }
                assert shown == expected, text


def test_each_change_shows_however_fast_they_follow(runs):
    folder = put(runs, 1)
    with index_of(runs) as index:
        for number in range(30):
            run_marks.write(folder, run_marks.ARCHIVED, on=number % 2 == 0)
            index.refresh()
            assert bool(asked(index, "archived")) == (number % 2 == 0)
            run_edits.write([folder], "tag", set={"n": str(number)})
            index.refresh()
            assert asked(index, f"tags.n={number}") == ["run_1"]


def test_a_change_shows_in_a_folder_whose_times_did_not_change(runs):
    """As on file systems that keep whole seconds."""
    folder = put(runs, 1)
    just_now = time.time() + 3600  # whenever the index looks, the last change is recent
    for path in (folder, folder.parent):
        os.utime(path, (just_now, just_now))
    with index_of(runs) as index:
        assert asked(index, "not pinned") == ["run_1"]
        run_marks.write(folder, run_marks.PINNED)
        for path in (folder, folder.parent):
            os.utime(path, (just_now, just_now))
        index.refresh()
        assert asked(index, "pinned") == ["run_1"]


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def test_sorted_by_a_metric_with_those_that_lack_it_last(runs):
    for number, value in enumerate([0.5, None, math.nan, -1.0, 0.5, math.inf]):
        put(runs, number, metrics=[] if value is None else [("loss", value), ("loss", value)])
    by_loss = Field("metrics", "loss")
    with index_of(runs) as index:
        assert asked(index, "", sort=[SortKey(by_loss)])[:4] == ["run_3", "run_4", "run_0", "run_5"]
        best = asked(index, "", sort=[SortKey(by_loss, True)])
        assert best[:4] == ["run_5", "run_4", "run_0", "run_3"]
        assert set(best[4:]) == {"run_1", "run_2"}
        assert asked(index, "metrics.loss", sort=[SortKey(by_loss)], limit=1) == ["run_3"]
        assert asked(index, "", sort=[SortKey(fields.known("submitted"))])[0] == "run_0"


def test_lowest_and_highest_values(runs):
    put(runs, 1, metrics=[("loss", 3.0), ("loss", 1.0), ("loss", 2.0)])
    with index_of(runs) as index:
        for text, expected in (
            ("metrics.loss=2", True),
            ("min.loss=1", True),
            ("max.loss=3", True),
            ("max.loss=2", False),
            ("params.loss=2", False),
        ):
            assert bool(asked(index, text)) is expected, text
        assert asked(index, "", sort=[SortKey(Field("max", "loss"), True)]) == ["run_1"]


def test_an_active_run_is_read_on_from_where_it_was(runs, monkeypatch):
    folder = put(runs, 1, state="", metrics=[("loss", 1.0)])
    with index_of(runs) as index:
        assert asked(index, "params.loss=1") == ["run_1"], "logged once, it counts as a parameter"
        log(folder, ("loss", 0.5), ("other", 3.0))
        log(folder, ("loss", 0.25), writer="1-test")
        index.refresh()
        assert asked(index, "metrics.loss=0.25 and max.loss=1 and min.loss=0.25") == ["run_1"]
        assert asked(index, "params.loss") == []
        ((run, _),) = index.search(tree.And())
        assert index.named_values([run])[run].metrics["loss"].count == 3
        (folder / "metrics" / "0-test.jsonl").write_text("")  # begun again
        log(folder, ("loss", 9.0))
        index.refresh()
        assert asked(index, "max.loss=9 and min.loss=0.25 and not metrics.other") == ["run_1"]


def test_a_half_written_line_counts_once_it_is_whole(runs):
    folder = put(runs, 1, state="", metrics=[("loss", 1.0)])
    path = folder / "metrics" / "0-test.jsonl"
    line = json.dumps({"t": FIRST, "m": "loss", "k": "scalar", "v": 5.0})
    with index_of(runs) as index:
        with open(path, "a") as file:
            file.write(line[:20])
        index.refresh()
        assert asked(index, "metrics.loss=1") == ["run_1"]
        with open(path, "a") as file:
            file.write(line[20:] + "\n")
        index.refresh()
        assert asked(index, "metrics.loss=5") == ["run_1"]


def test_what_mlflow_logged(runs):
    folder = put(runs, 1, state="", arguments=("--depth", "4"))
    place = folder / "mlflow" / "0" / "abc"
    for name, text in (
        ("params/depth", "3"),
        ("params/lr", "1e-3"),
        ("metrics/val/acc", "1 0.5 0\n2 0.75 1\n"),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    with index_of(runs) as index:
        assert asked(index, "params.lr=0.001 and metrics.val/acc=0.75") == ["run_1"]
        assert asked(index, "params.depth=4") == ["run_1"], "an argument decides"
        index.refresh()
        ((run, _),) = index.search(tree.And())
        assert index.named_values([run])[run].metrics["val/acc"].count == 2


def test_tables_images_and_lists(runs):
    folder = put(runs, 1, state="")
    lines = [
        {"t": 1, "m": "rows", "k": "row", "v": {"a": 1}},
        {"t": 1, "m": "plot", "k": "image", "v": "plot.png"},
        {"t": 1, "m": "loss", "k": "list", "v": [3, 1, 2]},
        {"t": 1, "m": "flag", "k": "scalar", "v": True},
        {"t": 1, "m": "huge", "k": "scalar", "v": 10**400},
        {"t": 1, "m": 5, "k": "scalar", "v": 1},
    ]
    log(folder)
    text = "\n".join(["not json", *map(json.dumps, lines), ""])
    (folder / "metrics" / "0-test.jsonl").write_text(text)
    with index_of(runs) as index:
        assert index.names(fields.METRICS) == ["flag", "huge", "loss"]
        assert asked(index, "metrics.loss=2 and min.loss=1 and metrics.flag=true") == ["run_1"]


def test_names_and_what_removed_runs_leave(runs):
    put(runs, 1, metrics=[("b", 1.0), ("a", 1.0)], arguments=("--x", "1"))
    gone = put(runs, 2, metrics=[("gone", 1.0), ("gone", 2.0)], tags={"t": "1"})
    with index_of(runs) as index:
        assert index.names(fields.METRICS) == ["a", "b", "gone"]
        assert index.names(fields.PARAMS) == ["a", "b", "x"]
        assert index.names(fields.HIGHEST) == index.names(fields.METRICS)
        assert index.names(fields.TAGS) == ["t"] and index.names(fields.PROPERTIES) == []
        assert index.has_name(Field("params", "a"))
        assert not index.has_name(Field("params", "a"), given=True)
        shutil.rmtree(gone)
        run_folder.touch(gone)
        index.refresh()
        assert index.names(fields.METRICS) == ["a", "b"] and index.names(fields.TAGS) == []
        path = runs.parent / "cache" / "index.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as database:
            for table in ("facts", "progress"):
                (count,) = database.execute(
                    f"select count(*) from {table} where run not in (select run from runs)"
                ).fetchone()
                assert count == 0


def test_prefixes_name_one_run(runs):
    for number, (name, parent) in enumerate(
        [
            ("train_1234_aa", None),
            ("train_1234_ab", None),
            ("sweep_1", None),
            ("sweep_1_0", "sweep_1"),
        ]
    ):
        put(runs, number, id=name, parent=parent)
    with index_of(runs) as index:
        assert index.unique_prefix("train_1234_aa", False) == "train_1234_aa"
        assert index.unique_prefix("sweep_1", False, 3) == "swe"
        assert index.unique_prefix("sweep_1_0", True, 3) == "sweep_1_"


def test_a_tag_that_changes(runs):
    folder = put(runs, 1, tags={"team": "a"})
    with index_of(runs) as index:
        events.EventWriter(str(folder), "test").write("tag", set={"team": "b", "only": None})
        run_folder.touch(folder)
        index.refresh()
        assert asked(index, "tags.team=b and tags.only and not tags.team=a") == ["run_1"]


def test_an_index_of_the_first_version_is_built_again(runs):
    put(runs, 1, metrics=[("loss", 1.0)])
    path = runs.parent / "cache" / "index.sqlite"
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("create table runs (id, day, tags, primary key (id)) without rowid")
        old.execute("create index by_created on runs (day)")
        old.execute("insert into runs values ('stale', '2024-05-01', '{}')")
        old.execute("create table days (day primary key, changed) without rowid")
        old.execute("pragma user_version = 1")
        old.commit()
    with index_of(runs) as index:
        assert asked(index, "metrics.loss=1") == ["run_1"]


def test_facts_of_values():
    as_fact = index_facts.as_fact
    assert as_fact(1) == (1.0, None) and as_fact("1e-3") == (0.001, None)
    assert as_fact(True) == (None, "true") and as_fact(None) == (None, "none")
    assert as_fact(math.nan) == (None, "nan") and as_fact("High") == (None, "High")
    assert as_fact(math.inf) == (math.inf, None)
    assert as_fact(10**400)[0] is None


@pytest.mark.parametrize("state", sorted(states.TERMINAL))
def test_states(runs, state):
    put(runs, 1, state)
    with index_of(runs) as index:
        assert asked(index, state.lower()) == ["run_1"]
        assert asked(index, f"state in ({', '.join(states.TERMINAL - {state})})") == []


def test_the_tables_survive_being_opened_again(tmp_path):
    path = tmp_path / "below" / "index.sqlite"
    for _ in range(2):
        with contextlib.closing(index_tables.open_database(path)) as database:
            assert database.execute("select count(*) from facts").fetchone() == (0,)


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("submitted=2024-05-02", [1]),
        ("submitted!=2024-05-02", [0, 2]),
        ("submitted<2024-05-02", [0]),
        ("submitted<=2024-05-02", [0, 1]),
        ("submitted>2024-05-02", [2]),
        ("submitted>=2024-05-02", [1, 2]),
        ("submitted=2024-05-02T10:00:01Z", [1]),
        ("submitted>-8.5d", [2]),
        ("ended<=2024-05-01T10:00Z", [0]),
        ("ended>2024-05-01T10:00Z and duration<=1m", [1]),
    ],
)
def test_times_and_days(runs, condition, numbers):
    for number in range(3):
        put(runs, number)
    with index_of(runs) as index:
        assert sorted(asked(index, condition)) == [f"run_{number}" for number in numbers]


def test_groups(runs):
    for number, (model, loss, state) in enumerate(
        [
            ("a", 1.0, "Completed"),
            ("a", 3.0, "Failed"),
            ("b", math.nan, "Completed"),
            ("", 4.0, "Failed"),
        ]
    ):
        arguments = ("--model", model) if model else ()
        put(runs, number, state, arguments=arguments, metrics=[("loss", loss + 1), ("loss", loss)])
    put(runs, 5, parent="run_1", arguments=("--model", "1e-3"))
    with index_of(runs) as index:
        found = index.group(tree.And(), Field("params", "model"), children=False)
        assert [(each.value, each.runs) for each in found] == [("a", 2), ("b", 1), (None, 1)]
        assert found[0].states == {"Completed": 1, "Failed": 1}
        assert found[0].metrics == {"loss": index_groups.MetricRange(1.0, 4.0, 2.0)}
        assert found[1].metrics == {"loss": index_groups.MetricRange(None, None, None)}
        by_number = index.group(tree.And(), Field("params", "model"))
        assert 0.001 in [each.value for each in by_number]
        failed = language.parse("failed").node
        assert [each.runs for each in index.group(failed, fields.known("state"))] == [2]
        days = index.group(tree.And(), fields.known("submitted"))
        assert "2024-05-02" in [each.value for each in days]
        assert sum(each.runs for each in index.group(tree.And(), Field("max", "loss"))) == 5


def test_the_arguments_of_a_job_that_was_damaged_count_once_it_is_whole(runs):
    folder = put(runs, 1, state="", arguments=("--x", "1", "--token", "abc"))
    whole = (folder / "job.json").read_bytes()
    (folder / "job.json").write_bytes(whole[:50])
    with index_of(runs) as index:
        assert asked(index, "params.x") == []
        (folder / "job.json").write_bytes(whole)
        index.refresh()
        index.refresh()
        assert asked(index, "params.x=1 and params.token='***'") == ["run_1"]
        ((_, row),) = index.search(tree.And())
        assert row.arguments == "--x 1 --token ***"


def test_another_process_is_let_in_between_two_days(runs):
    for number in range(4):
        put(runs, number)
    path = runs.parent / "cache" / "index.sqlite"
    seen = []

    def status(folder, job):
        with contextlib.closing(sqlite3.connect(path)) as other:
            seen.append(other.execute("select count(*) from days").fetchone()[0])
        return run_state.read_status(folder)

    put(runs, 10, state="", id="first_day")  # is asked for its state, on the day refreshed last
    index = Index(runs, path, status)
    index.refresh()
    index.close()
    assert seen[0] == 3, "the days before are committed"


def test_a_refresh_waits_for_another_process_that_writes(runs):
    put(runs, 1)
    with index_of(runs) as index:
        index._db.execute("pragma busy_timeout = 1")
        path = runs.parent / "cache" / "index.sqlite"
        attempts = threading.Event()
        index._db.set_trace_callback(
            lambda statement: statement.startswith("BEGIN") and attempts.set()
        )
        with contextlib.closing(sqlite3.connect(path, check_same_thread=False)) as other:
            other.execute("begin immediate")

            def release():
                attempts.wait()
                other.rollback()

            thread = threading.Thread(target=release)
            put(runs, 2)
            thread.start()
            index.refresh()
            thread.join()
        assert set(asked(index, "")) == {"run_1", "run_2"}
