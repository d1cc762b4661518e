"""Lists of runs on the command line: queries, columns, groups, the best, and narrow terminals."""

from __future__ import annotations

import csv
import io
import json
import re
import sys

import pytest

from scriptrun.cli import main
from scriptrun.cli.runs import best, columns, groups, question, record
from scriptrun.cli.runs import list as listing
from scriptrun.cli.terminal import csv_text, output
from scriptrun.core.experiment import Experiment
from scriptrun.query.fields import Field
from scriptrun.runs.search import Search


def logged(workspace, name, failed="", tags=None, **metrics):
    run = Experiment(workspace, "first").start_logging(snapshot_directory=None, display_name=name)
    for metric, values in metrics.items():
        for value in values if isinstance(values, list) else [values]:
            run.log(metric, value)
    run.set_tags(tags or {})
    run.fail(failed) if failed else run.complete()
    return run


@pytest.fixture
def runs(workspace):
    return [
        logged(workspace, "one", tags={"team": "vision"}, loss=[0.9, 0.1], accuracy=0.9, same=1),
        logged(workspace, "two", tags={"team": "audio"}, loss=[0.8, 0.5], accuracy=0.6, same=1),
        logged(workspace, "three", failed="ValueError: bad", loss=[0.7, float("nan")], same=1),
    ]


def names(table):
    lines = table.splitlines()
    place = lines[0].split().index("NAME")
    return [line.split()[place] for line in lines[1:]]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], ["three", "two", "one"]),
        (["failed"], ["three"]),
        (["not failed", "--sort", "-accuracy"], ["one", "two"]),
        (["not", "failed", "--sort", "loss", "and", "loss<0.2"], ["one"]),
        (["--tag", "team=audio"], ["two"]),
        (["--tag", "team", "-l", "1"], ["two"]),
        (["--state", "completed", "--sort=submitted"], ["one", "two"]),
        (["min.loss<0.85 or accuracy>0.8", "-e", "first"], ["three", "two", "one"]),
        (["thr"], ["three"]),
    ],
)
def test_which_runs_are_listed(types, runs, words, found):
    assert names(types("list", *words)) == found


def test_columns_come_for_what_differs_and_for_what_is_asked(types, runs):
    heads = types("list").splitlines()[0].split()
    assert {"loss", "accuracy"} <= set(heads) and "same" not in heads
    assert "same" in types("list", "metrics.same=1").splitlines()[0].split()
    table = types("list", "--columns", "name,max.loss,tags.team", "--sort", "name")
    assert table.splitlines()[0].split() == ["NAME", "max.loss", "team"]
    assert table.splitlines()[1].split() == ["one", "0.9", "vision"]


def test_nothing_matches(types, runs, workspace):
    assert types("list", "loss>100") == "No matching runs.\n"
    assert "Did you mean 'failed'?" in types("list", "faild")
    assert "write tags.team." in types("list", "team")
    assert "Did you mean 'first'?" in types("list", "-e", "frist")
    assert "Did you mean 'team'?" in types("list", "--tag", "taem=vision")
    mistyped = "No matching runs.\n  No run has {}. Did you mean {!r}? Values: {}.\n"
    vision = mistyped.format("tags.team=vison", "vision", "audio, vision")
    assert types("list", "tags.team=vison and loss>0") == vision
    assert types("list", "not (tags.team!=vision) and tags.team=audio") == "No matching runs.\n"
    assert "'vision'" in types("list", "tags.team in (vison, x) and loss>0")
    assert "Did you mean 'three'?" in types("list", "name=thre")
    assert types("list", "exit_code=7") == "No matching runs.\n"
    assert types("list", "metrics.loss=7") == "No matching runs.\n"
    child = runs[0].child_run("inner")
    child.log("deep", 1)
    child.complete()
    assert "use --children" in types("list", "deep=1")
    assert "inner" in types("list", "deep=1", "--children")
    assert "inner" in types("list", f"parent={runs[0].id}")


def test_json_and_csv(types, runs, workspace):
    (row,) = json.loads(types("list", "failed", "--json"))["runs"]
    with Search(workspace) as index:
        (found,) = index.runs(question.tree.Word("three"))
    assert {**record.of_found(found), "metrics": row["metrics"]} == row
    assert listing.as_csv([found]).splitlines()[1].startswith(f"{row['id']},three,")
    assert row["metrics"] == {"loss": "NaN", "same": 1.0} and row["params"] == {}
    rows = list(csv.DictReader(io.StringIO(types("list", "--csv", "--sort", "name"))))
    assert [row["metrics.accuracy"] for row in rows] == ["0.9", "", "0.6"]
    assert rows[0]["submitted"].endswith("Z")
    text = types("list", "--csv", "--columns", "name,loss", "one")
    assert text == "name,metrics.loss\none,0.1\n"


def test_groups(types, runs):
    table = types("list", "--group-by", "tags.team").splitlines()
    assert table[0].split()[:3] == ["team", "RUNS", "STATES"]
    assert len(table) == 4 and any(line.startswith("(none)") for line in table)
    grouped = json.loads(types("list", "--group-by", "state", "--json"))["groups"]
    assert grouped[0]["value"] == "Completed" and grouped[0]["runs"] == 2
    assert grouped[0]["metrics"]["loss"] == {"best": 0.1, "mean": 0.3}
    assert grouped[0]["metrics"]["accuracy"]["best"] == 0.9
    head = types("list", "--group-by", "state", "--csv").splitlines()[0]
    assert head.startswith("state,runs,states,") and "best.loss,mean.loss" in head
    assert types("list", "zzz", "--group-by", "state") == "No matching runs.\n"
    assert "Completed" in types("list", "--group-by", "submitted")


def test_the_best(types, runs, capsys):
    assert names(types("best", "loss")) == ["one", "two", "three"]
    assert names(types("best", "loss", "--max", "-l", "1")) == ["one"]
    assert names(types("best", "metrics.accuracy", "not", "failed")) == ["one", "two"]
    assert [row["best"] for row in json.loads(types("best", "accuracy", "--json"))["runs"]] == [
        0.9,
        0.6,
    ]
    rows = list(csv.DictReader(io.StringIO(types("best", "accuracy", "--csv"))))
    assert [(row["max.accuracy"], row["name"]) for row in rows] == [("0.9", "one"), ("0.6", "two")]
    assert "No matching runs logged" in types("best", "accuracy", "failed", code=1)
    main(["best", "loss"])
    assert "Lowest loss first (guessed" in capsys.readouterr().err
    assert "Did you mean 'loss'?" in types("best", "los", code=2)


def test_the_goal_of_a_metric(workspace, runs):
    with Search(workspace) as index:
        for name, flags, goal in (
            ("loss", {}, "minimize"),
            ("same", {}, "maximize"),
            ("loss", {"max": True}, "maximize"),
            ("same", {"min": True}, "minimize"),
        ):
            args = best.argparse.Namespace(**{"min": False, "max": False, **flags})
            assert best._goal(index, name, args).goal == goal


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["state=faild"], ["'faild'", "Did you mean 'Failed'?", "      ^^^^^"]),
        (["metrics.los<1"], ["'los'", "Did you mean 'loss'?"]),
        (["--sort", "-los"], ["Invalid sort order", "'los'", "metrics.loss"]),
        (["--columns", "nam"], ["Invalid columns", "'nam'", "'name'"]),
        (["--group-by", "state,name"], ["one field"]),
        (["--group-by", "state", "--columns", "id"], ["cannot be combined"]),
        (["--json", "--csv"], ["cannot be combined"]),
        (["--watch"], ["terminal"]),
        (["state=x", "--sort", "zzz", "-s", "foo"], ["'x'", "'zzz'", "'foo'"]),
        (["a)", "--bogus"], ["--bogus"]),
        (["-l", "0"], ["at least 1"]),
    ],
)
def test_what_is_refused(types, runs, words, parts):
    err = types("list", *words, code=2)
    for part in parts:
        assert part in err


def test_only_what_is_missing_is_asked_for(types):
    assert "Missing METRIC.\n" in types("best", code=2)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["list", "--limit", "x"], "Invalid --limit 'x': expected a number."),
        (["list", "--sort"], "--sort requires a value."),
        (["best", "loss", "--min", "--max"], "--min cannot be combined with --max."),
        (["export", "--to", "kube"], "Did you mean 'kubernetes'? Values: azureml-v2, sbatch,"),
        (["model", "delete", "m:1"], "Did you mean `scriptrun model remove`?"),
        (["shell", "--json"], "To execute a command, use --: scriptrun shell ... RUN -- --json"),
        (["ls"], "Did you mean `scriptrun list`?"),
    ],
)
def test_mistyped_words_are_refused_in_plain_words(types, words, part):
    assert part in types(*words, code=2)


def test_a_workspace_without_runs(types):
    for words in ([], ["failed"], ["alpha=0.3"], ["--sort", "-loss"], ["foo"]):
        assert types("list", *words) == "No runs.\n"


def test_a_suggestion_ends_the_error(types):
    assert types("list", "--sort-by", "x", code=2).endswith("Did you mean '--sort'?\n")


def test_how_many_are_shown(types, runs, capsys):
    for limit, words in (("1", "the latest run."), ("2", "the latest 2 runs.")):
        main(["list", "-l", limit])
        assert f"Showing {words}" in capsys.readouterr().err


def test_names_are_completed(types, runs):
    words = types("completion", "words", "--", "list", "metrics.").split()
    assert words == ["metrics.accuracy", "metrics.loss", "metrics.same"]
    assert "-metrics.loss" in types("completion", "words", "--", "list", "--sort", "-m").split()
    assert types("completion", "words", "--", "best", "l").split() == ["loss"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("kind", ["list", "best", "groups", "columns"])
def test_no_row_is_wider_than_the_terminal(workspace, runs, monkeypatch, width, kind):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    loss = Field("metrics", "loss")
    with Search(workspace) as index:
        found = index.runs(question.tree.And())
        handles = question.handles(index, found)
    if kind == "list":
        columns.table(found, [loss], handles).print()
    elif kind == "best":
        columns.ranked(found, Field("min", "loss"), [], handles).print()
    elif kind == "columns":
        columns.chosen(found, [Field("", "id"), loss, Field("", "reason")], handles).print()
    else:
        args = best.argparse.Namespace(json=False, csv=False)
        with Search(workspace) as index:
            team = Field("tags", "team")
            groups.show(groups.group(index, question.tree.And(), team, [loss], False), args)
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 4
    assert max(map(output.width, lines)) <= width
    if kind == "list" and width >= 60:
        assert "REASON" in lines[0] and "ValueError" in lines[1]
        first = lines[1].split()[0]
        assert first == "three" if width == 60 else runs[2].id.startswith(first)


def test_a_narrow_list_has_ids_only_where_names_do_not_find_the_runs(workspace, monkeypatch):
    first = logged(workspace, "one", loss=[0.9, 0.1])
    monkeypatch.setenv("NO_COLOR", "1")

    def first_words(width):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr("sys.stdout", Terminal())
        assert main(["list", "completed"]) == 0
        return [line.split()[0] for line in sys.stdout.getvalue().splitlines()]

    unnamed = logged(workspace, "", loss=[0.9, 0.1])
    assert first_words(40) == ["NAME", unnamed.short_name, "one"]
    assert first_words(200) == ["RUN", unnamed.id, first.id]
    logged(workspace, "one", failed="bad")  # the name finds it, though it is not listed
    assert first_words(40)[0] == "RUN"
    first.display_name = "a name that is too long to be shown whole"
    assert first_words(40)[0] == "RUN"


def test_columns_with_odd_names_are_dropped_too(workspace, monkeypatch):
    odd = {"\x1b[31mred": 1, "new\nline": 2, "STATE": 3, "": 4}
    logged(workspace, "three", failed="ValueError: bad", **odd)
    monkeypatch.setenv("COLUMNS", "44")
    monkeypatch.setattr("sys.stdout", Terminal())
    assert main(["list"]) == 0
    heads, row = [re.sub("\x1b.*?m", "", line) for line in sys.stdout.getvalue().splitlines()]
    assert heads.split() == ["NAME", "STATE", "SUBMITTED", "REASON"]
    assert "Failed" in row and "ValueError: bad" in row


def test_names_in_errors_keep_to_one_line(types, workspace):
    logged(workspace, "three", **{"new\nline": 2})
    assert "Metrics: new line." in types("list", "metrics.zzzz=1", code=2)
    assert "Metrics: new line." in types("best", "zzzz", code=2)


def test_a_mistyped_metric_of_the_latest_run(types, runs):
    assert "Did you mean 'loss', a metric of the latest run?" in types("metrics", "los", code=2)


def test_headings_are_distinct(types, workspace):
    logged(workspace, "three", **{"STATE": 3, "": 4})
    assert {"metrics.STATE", 'metrics.""'} < set(types("list").splitlines()[0].split())


def test_groups_of_runs_with_many_metrics(types, workspace):
    for number in range(2):
        logged(workspace, f"r{number}", zzz=1, **{f"{number}layer{n}": n for n in range(40)})
    heads = types("list", "--group-by", "name").splitlines()[0]
    assert heads.count("best ") == 8 and "best zzz" in heads
    assert types("list", "--group-by", "name", "--csv").splitlines()[0].count("best.") == 81


def test_many_metrics_are_not_all_shown(types, workspace):
    run = logged(workspace, "big", **{f"layer{n:02}": n for n in range(40)}, loss=[2, 1])
    lines = types("show").splitlines()
    assert sum(line.startswith("  layer") for line in lines) == 29
    assert f"and 11 more (to list all: scriptrun metrics {run.short_name})" in types("show")
    assert any(line.startswith("  loss") for line in lines)
    assert types("metrics").count("layer") == 40


def test_only_curves_are_plotted_unless_metrics_are_named(types, workspace):
    logged(workspace, "big", layer=1, loss=[2, 1])
    assert "layer" not in types("metrics", "--plot")
    assert "layer" in types("metrics", "big", "layer", "--plot")
    logged(workspace, "single", layer=1)
    assert "layer" in types("metrics", "--plot")


def test_text_of_metrics_runs_no_formula_in_a_spreadsheet(types, workspace):
    logged(workspace, "odd", note="=1+2")
    assert types("metrics", "--csv").splitlines()[1].split(",")[4] == "'=1+2"
    assert types("metrics", "odd", "note", "--csv").splitlines()[1].endswith(",'=1+2")


@pytest.mark.parametrize("width", [20, 40])
def test_values_of_two_runs_fit_the_terminal(workspace, runs, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout", Terminal())
    assert main(["metrics", "one", "loss", "accuracy", "--with", "two"]) == 0
    lines = [re.sub("\x1b.*?m", "", line) for line in sys.stdout.getvalue().splitlines()]
    assert max(map(output.width, lines)) <= width


def test_shown_values():
    assert [
        columns.shown_value(value) for value in ("1e-3", 0.30000000000000004, "x" * 40, 7.0)
    ] == [
        "1e-3",
        "0.3",
        "x" * 23 + "…",
        "7",
    ]
    assert csv_text.as_csv(["a"], [{"a": "=1+2"}, {"a": "1"}]) == "a\n'=1+2\n1\n"
