"""tag, rename, note, archive, pin and remove, with all that a user may write wrongly."""

from __future__ import annotations

import json
import re
import sys

import pytest

from scriptrun.cli import main
from scriptrun.cli.tidy import archive, note, pin, remove, rename, selection, tag
from scriptrun.core.experiment import Experiment
from scriptrun.core.run import Run
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import run_marks

#: each command with a module of its own
COMMANDS = {"archive": archive, "pin": pin, "remove": remove, "tag": tag, "note": note}


def started(workspace, name):
    return Experiment(workspace, "first").start_logging(snapshot_directory=None, display_name=name)


def ended(workspace, name, failed="", children=0):
    run = started(workspace, name)
    for number in range(children):
        run.child_run(f"{name} {number}").complete()
    run.fail(failed) if failed else run.complete()
    return run


@pytest.fixture
def runs(workspace):
    return [
        ended(workspace, "one"),
        ended(workspace, "two", failed="ValueError: bad"),
        ended(workspace, "three", failed="ValueError: worse"),
    ]


def listed(types, *words):
    return [each["name"] for each in json.loads(types("list", "--json", *words))["runs"]]


# tag


def test_tags_are_set_shown_and_removed(types, runs):
    assert (
        types("tag", "one", "team=vision", "baseline", "empty=")
        == "team=vision\nbaseline\nempty=\n"
    )
    assert types("tag", "one", "--remove", "baseline", "--remove", "empty") == "team=vision\n"
    assert types("tag", "one", "team=audio", "x=a=b", "--json").startswith("{")
    assert runs[0].get_tags() == {"team": "audio", "x": "a=b"}
    assert types("tag") == "", "the latest run has none"
    assert types("tag", "-q", "failed", "bad") == "2 runs tagged\n"
    assert types("tag", "-q", "failed") == f"three ({runs[2].id}): bad\ntwo ({runs[1].id}): bad\n"
    assert types("tag", "-q", "failed", "--remove", "bad", "--remove", "none") == "2 runs tagged\n"
    assert listed(types, "tags.bad") == []
    assert types("tag", "-q", "name=none") == "No matching runs.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["team=vision"], "Tags come after the run.\n  Write scriptrun tag RUN team=vision."),
        (["nothing", "a"], "Run 'nothing' not found"),
        (["one", "=x"], "Invalid tag '=x': the name is missing."),
        (["one", " a=x"], "Invalid tag name ' a'"),
        (["one", "a\nb"], "Invalid tag name 'a\\nb'"),
        (["one", "a", "--remove", "a"], "Tag 'a' cannot be both set and removed."),
        (["one", "--remove", "tema"], "has no tag 'tema'.\n  Did you mean 'team'?"),
        (["-q", "stat=failed", "a"], "Invalid query"),
        (["one", "--set", "a"], "Unexpected argument '--set"),
    ],
)
def test_what_tag_refuses(types, runs, words, message):
    types("tag", "one", "team=x")
    assert message in types("tag", *words, code=2)
    assert runs[0].get_tags() == {"team": "x"}


def test_a_second_run_is_not_taken_for_a_tag(types, runs):
    assert "is a run, not a tag" in types("tag", "one", runs[1].id, "x=1", code=2)
    assert runs[0].get_tags() == {}


# rename


def test_a_run_is_found_by_its_new_name(types, runs):
    assert types("rename", "one", "the first") == f"one ({runs[0].id}): renamed to the first\n"
    assert Run.find(runs[0].workspace, "the first") == runs[0]
    assert "Run 'one' not found" in types("show", "one", code=2)
    value = json.loads(types("rename", runs[0].id, "日本", "--json"))
    assert value == {"schema": 1, "id": runs[0].id, "name": "日本"}
    assert listed(types, "日本") == ["日本"]


NAMES_OF_NO_RUN = [
    *("", "  ", " x", "a\x1b[31m", "two\nlines", "x" * 201),
    *("latest", "latest~2", "best:loss", "lowest:loss", "best:"),
]


@pytest.mark.parametrize("name", NAMES_OF_NO_RUN)
def test_invalid_display_names(types, runs, name):
    assert "Invalid display name" in types("rename", "one", name, code=2)
    assert runs[0].display_name == "one"


def test_a_name_that_means_another_run(types, runs, capsys):
    assert "it is the ID of another run" in types("rename", "one", runs[1].id, code=2)
    assert "it is the short name of run" in types("rename", "one", runs[1].short_name, code=2)
    types("rename", "one", runs[0].short_name)
    types("rename", runs[0].id, runs[0].id)
    types("rename", runs[0].id, "one")
    assert main(["rename", "one", "two"]) == 0
    assert f"warning: run {runs[1].id} is named 'two', too" in capsys.readouterr().err
    assert rename.run is not None


# note


def test_a_note_is_written_shown_and_found(types, runs, monkeypatch, tmp_path):
    assert types("note", "one") == ""
    assert types("note", "one", "lost", "power") == f"one ({runs[0].id}): note added\n"
    assert types("note", "one", "lost power") == f"one ({runs[0].id}): note unchanged\n"
    assert types("note", "one") == "lost power\n"
    assert runs[0].note == runs[0].description == "lost power"
    (tmp_path / "note.txt").write_text("\nfirst line\n\n  second line \n\n")
    with open(tmp_path / "note.txt") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert types("note", "one", "-") == f"one ({runs[0].id}): note replaced\n"
    assert types("note", "one") == "first line\n\n  second line\n"
    assert listed(types, "note~SECOND") == ["one"] and listed(types, "not note~second") != ["one"]
    assert re.search(r"^note +first line\n\n? *\n? +second line$", types("show", "one"), re.M)
    assert json.loads(types("show", "one", "--json"))["note"].startswith("first line")
    assert types("note", "two", "--", "-0.5 is better") and runs[1].note == "-0.5 is better"
    assert types("note", "one", "--remove") == f"one ({runs[0].id}): note removed\n"
    assert runs[0].note is None and listed(types, "note!=x") == ["two"]
    assert json.loads(types("note", "one", "--json"))["note"] is None


def test_the_editor(types, runs, monkeypatch, tmp_path):
    editor = tmp_path / "my editor.py"
    editor.write_text(
        "import sys\npath = sys.argv[-1]\ntext = open(path).read()\n"
        "open(path, 'w').write(sys.argv[1].replace('OLD', text))\n"
    )
    command = f"{sys.executable} '{editor}'"
    monkeypatch.setenv("EDITOR", "none-such")
    monkeypatch.setenv("VISUAL", f"{command} written")
    assert types("note", "one", "--editor") == f"one ({runs[0].id}): note added\n"
    monkeypatch.setenv("VISUAL", f"{command} OLDagain")
    types("note", "one", "-e")
    assert runs[0].note == "written\nagain"
    monkeypatch.setenv("VISUAL", f"{command} ''")
    assert types("note", "one", "-e") == f"one ({runs[0].id}): note removed\n"
    monkeypatch.setenv("VISUAL", "")
    assert "Cannot start the editor 'none-such'" in types("note", "one", "-e", code=2)
    monkeypatch.setenv("EDITOR", "false")
    message = "The editor 'false' ended with exit code 1; the note is unchanged."
    assert message in types("note", "one", "-e", code=2)
    monkeypatch.setenv("EDITOR", "a 'b")
    assert "Cannot start the editor" in types("note", "one", "-e", code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([""], "The note is empty.\n  To remove a note, use --remove."),
        (["x", "--remove"], "TEXT cannot be combined with --remove."),
        (["--editor", "--remove"], "--editor cannot be combined with --remove."),
        (["x" * (note.MAX_LENGTH + 1)], "at most 100,000 are allowed"),
    ],
)
def test_what_note_refuses(types, runs, words, message):
    assert message in types("note", "one", *words, code=2)
    assert runs[0].note is None


# archive, pin, remove


@pytest.mark.parametrize(
    ("command", "done", "undone"),
    [("archive", "archived", "unarchived"), ("pin", "pinned", "unpinned"), ("remove", "removed", "restored")],
)  # fmt: skip
def test_marks_are_set_and_undone(types, runs, command, done, undone):
    assert COMMANDS[command].run is not None
    assert types(command, "one", runs[0].id) == f"one ({runs[0].id}): {done}\n"
    assert types(command, runs[0].id) == f"one ({runs[0].id}): already {done}\n"
    assert list(run_marks.read(runs[0].path)) == [done]
    assert listed(types, done) == listed(types, f"{done}=true") == ["one"]
    assert ("one" in listed(types)) == (done == "pinned")
    shown = json.loads(types("show", runs[0].id, "--json"))
    assert shown[done] is True and f"{done}  " in types("show", runs[0].id)
    outcome = json.loads(types(command, "--undo", "one", "--json"))
    (run,) = outcome["runs"]
    assert (run["id"], run["name"], run["result"]) == (runs[0].id, "one", undone)
    assert run["child_runs"] == 0
    assert types(command, "--undo", runs[0].id) == f"one ({runs[0].id}): not {done}\n"
    assert sorted(listed(types)) == ["one", "three", "two"]


@pytest.mark.parametrize("command", ["archive", "pin", "remove"])
def test_a_run_or_a_query_is_needed(types, runs, command):
    assert f"Nothing to {command}: no run given." in types(command, code=2)
    assert "RUN and --query cannot be combined." in types(command, "one", "-q", "failed", code=2)
    assert "Run 'none' not found" in types(command, "none", code=2)
    assert types(command, "-q", "name=none") == "No matching runs.\n"
    assert types(command, "-q", "name=none", "--json") == '{\n  "schema": 1,\n  "runs": []\n}\n'
    assert "Unknown field 'nam'" in types(command, "-q", "nam=x", code=2)


def test_archived_runs_are_hidden_but_found(types, runs):
    types("archive", "three")
    assert listed(types) == ["two", "one"]
    assert (
        listed(types, "--archived")
        == listed(types, "archived or completed and failed")
        == ["three"]
    )
    assert listed(types, "name=three") == []
    hint = "No matching runs, but archived runs match: to list them, use --archived.\n"
    assert types("list", "name=three") == hint
    assert "1 Failed" in types("list", "--group-by", "state", "failed")
    assert "three" in types("show", "three")
    assert "two" in types("show"), "it is not the latest run any more"
    assert types("archive", "--undo", "-q", "failed") == f"three ({runs[2].id}): unarchived\n"


def test_a_workspace_whose_runs_are_all_hidden(types, runs):
    types("archive", "one", "two", "three")
    assert types("list") == "No runs, but archived runs match: to list them, use --archived.\n"
    assert "has no runs that are neither archived nor removed." in types("show", code=2)


def test_removed_runs_vanish_but_for_their_ids(types, runs):
    types("remove", "two", "three")
    assert listed(types) == ["one"] and listed(types, "--removed") == ["three", "two"]
    assert types("list", "failed") == (
        "No matching runs, but removed runs match: to list them, use --removed.\n"
    )
    missing = types("show", "two", code=2)
    assert (
        f"was removed from workspace 'w'.\n  To restore it, run: scriptrun remove --undo {runs[1].id}"
        in missing
    )
    shown = types("show", runs[1].id)
    assert f"to restore it: scriptrun remove --undo {runs[1].id}" in shown
    for words in (["tag", runs[1].id, "x"], ["rename", runs[1].id, "x"], ["note", runs[1].id, "x"]):
        assert "was removed and cannot be" in types(*words, code=2)
    for words in (["archive", runs[1].id], ["pin", runs[1].id]):
        assert "it is removed.\n  To restore it, run" in types(*words, code=2)
    assert "was removed and cannot be rerun." in types("rerun", runs[1].id, code=2)
    assert types("remove", "--undo", "two") == f"two ({runs[1].id}): restored\n"
    assert types("diff", "one", runs[2].id)


def test_what_is_active_pinned_or_the_origin_of_a_model_stays(types, workspace, runs):
    active = started(workspace, "active")
    (workspace.root / "model.txt").write_text("weights")
    runs[0].upload_file("outputs/model.txt", str(workspace.root / "model.txt"))
    runs[0].register_model("digits", "outputs/model.txt")
    types("pin", "two")
    assert "it is active (Running).\n  To cancel it, run: scriptrun cancel" in types(
        "remove", "active", "--force", code=2
    )
    assert "it is active (Running)" in types("archive", "active", code=2)
    assert "model digits:1 came from it.\n  To remove it anyway, use --force." in types(
        "remove", "one", code=2
    )
    several = types("remove", "one", "two", "three", code=2)
    assert (
        several.startswith("scriptrun: 2 runs cannot be removed:\n") and "it is pinned" in several
    )
    assert len(listed(types)) == 4, "all or nothing"
    plan = types("remove", "-q", "", "--dry-run")
    assert plan.startswith("Would remove 1 run:\n") and plan.count("Would skip ") == 3
    assert types("remove", "-q", "").count("skipped: ") == 3
    assert sorted(listed(types)) == ["active", "one", "two"]
    assert types("remove", "one", "two", "--force").count("removed") == 2
    assert runs[1].pinned is None and runs[1].removed is not None
    assert "removed" in types("lineage", "digits") and "(removed)" in types(
        "model", "show", "digits"
    )
    types("remove", "--undo", "one")
    assert "removed" not in types("lineage", "digits") + types("model", "show", "digits")
    active.complete()


def test_child_runs_go_with_their_parent(types, workspace):
    parent = ended(workspace, "parent", children=3)
    first, second, third = parent.get_children()
    assert types("remove", first.id) == f"parent 0 ({first.id}): removed\n"
    assert [child.id for child in parent.get_children()] == [second.id, third.id]
    types("pin", second.id)
    assert f"({second.id}) is pinned" in types("remove", "parent", code=2)
    types("pin", "--undo", second.id)
    assert types("remove", "parent") == f"parent ({parent.id}): removed (with 3 child runs)\n"
    assert listed(types, "--children") == []
    assert len([*parent.get_children()]) == 3, "those of a removed run are there"
    types("remove", "--undo", "parent")
    assert first.removed is not None, "it was removed before"
    assert second.removed is None and parent.removed is None
    assert (
        types("archive", "parent", third.id)
        == f"parent ({parent.id}): archived (with 3 child runs)\n"
    )


def test_removing_several_by_a_query_needs_a_yes(types, runs):
    refused = types("remove", "-q", "failed", code=2)
    assert (
        "The query matches 2 runs; removing them needs confirmation" in refused
        and "--yes" in refused
    )
    assert types("remove", "-q", "failed and name=two") == f"two ({runs[1].id}): removed\n"
    types("remove", "--undo", "-q", "failed")
    plan = json.loads(types("remove", "-q", "failed submitted=today", "--plan", "--json"))
    assert [each["result"] for each in plan["runs"]] == ["would remove", "would remove"]
    assert len(listed(types)) == 3
    assert types("remove", "-q", "failed", "--yes").count(": removed") == 2
    assert types("remove", "-q", "failed", "--undo").count(": restored") == 2


def test_many_runs_are_counted(types, workspace, capsys):
    for number in range(selection.MAX_NAMED + 1):
        ended(workspace, f"run {number}")
    assert types("archive", "-q", "name~run") == "11 runs archived\n"
    assert main(["archive", "--undo", "-q", "name~run"]) == 0
    assert capsys.readouterr().out == "11 runs unarchived\n"
    assert main(["remove", "-q", "name~run", "--yes"]) == 0
    assert "To undo, run: scriptrun remove --undo --query 'name~run'" in capsys.readouterr().err


# in Python


def test_the_same_in_python(workspace, runs):
    one, two, _ = runs
    one.archive()
    assert one.archived is not None and one.archived.utcoffset().total_seconds() == 0
    assert one.id not in [run.id for run in workspace.runs()]
    assert [run.id for run in workspace.runs("archived")] == [one.id]
    assert workspace.runs("archived").to_dicts()[0]["archived"] is True
    assert one.id not in [run.id for run in one.experiment.get_runs()]
    assert [run.number for run in runs] == [1, 2, 3], "hidden runs count"
    one.archive(undo=True)
    two.pin()
    with pytest.raises(UserErrorException, match="cannot be removed: it is pinned") as caught:
        two.remove()
    assert f"scriptrun pin --undo {two.id}" in str(caught.value)
    two.remove(force=True)
    assert (two.pinned, two.archived) == (None, None) and two.removed is not None
    assert two.id not in [run.id for run in one.experiment.get_runs()]
    with pytest.raises(UserErrorException, match="cannot be the origin of a model"):
        two.register_model("m", "outputs/model.txt")
    two.remove(undo=True)
    assert two.removed is None
