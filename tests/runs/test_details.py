"""A run's details in v1's words: what stands in them while parts of the run are odd or missing."""

from __future__ import annotations

import json

import pytest

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.runs import details
from scriptrun.spec.job import JobSpec
from scriptrun.tracking import run_folder


@pytest.fixture
def run(tmp_path):
    workspace = Workspace.create("w", path=tmp_path / "home")
    facts = {"id": "r", "experiment": "<e>", "workspace": "w", "display_name": "a & b"}
    job = JobSpec(**facts, created="2024-05-01T10:00:00.000000Z", run_definition={"script": "x"})
    folder = run_folder.make(workspace.runs_folder, job)
    run_folder.publish(folder, job)
    return Run.at(workspace, folder)


def ended(run, **value):
    place = run.path / "attempts" / "1"
    place.mkdir(parents=True)
    told = {"reason": "", "attempt": 1, "node": 0, "exit_code": None, "signal": None, **value}
    (place / "result.json").write_text(json.dumps(told))


def test_a_definition_answers_to_earlier_names_too():
    made = details.Definition({"arguments": [1], "a": 2})
    assert (made["Arguments"], made["A"], dict(made)) == ([1], 2, {"arguments": [1], "a": 2})
    for name in ("missing", "Missing", "", "aRGUMENTS"):
        with pytest.raises(KeyError):
            made[name]


def test_a_run_is_named_by_its_display_name_else_its_short_name(run):
    assert details.details(run)["shortName"] == run.short_name == "epic-fox-21"
    assert details.shown_name(run) == "a & b"
    assert details.title(run) == "a & b (r)"
    assert "<td>a &amp; b</td>" in details.as_html(run)
    run.display_name = run.id
    assert details.shown_name(run) == run.short_name
    assert details.title(run) == "epic-fox-21 (r)"
    assert "<td>epic-fox-21</td>" in details.as_html(run)
    assert run.display_name == run.name == "r"


def test_an_error_stands_where_the_run_failed_and_nowhere_else(run):
    before = details.details(run)
    assert before["endTimeUtc"] is None and not {"error", "reason"} & set(before)
    ended(run, state="Failed", reason="exited with code 3", exit_code=3, began=1.5, ended=2.0)
    after = details.details(Run.at(run.workspace, run.path))
    assert (after["status"], after["exitCode"], after["attempts"]) == ("Failed", 3, 1)
    assert after["error"]["error"]["message"] == after["reason"] == "exited with code 3"
    assert after["startTimeUtc"] == "1970-01-01T00:00:01.500000Z"
    assert after["runDefinition"]["Script"] == "x"


def test_logs_are_read_and_copied_whatever_bytes_they_hold(run, tmp_path):
    (run.path / "user_logs").mkdir(exist_ok=True)
    (run.path / "user_logs" / "std_log.txt").write_bytes(b"\xff\n")
    (run.path / "artifacts" / "logs_of_mine").mkdir(parents=True)
    (run.path / "artifacts" / "logs_of_mine" / "x").write_text("no log")
    (run.path / "outputs").mkdir(exist_ok=True)
    (run.path / "outputs" / "model").write_text("no log")
    name = "user_logs/std_log.txt"
    assert list(details.log_files(run)) == [name]
    assert details.with_logs(run)["logFiles"] == {name: "\ufffd\n"}
    assert details.copy_logs(run, str(tmp_path / "goal")) == [str(tmp_path / "goal" / name)]
    assert (tmp_path / "goal" / name).read_bytes() == b"\xff\n"


def test_a_table_for_notebooks_is_html_whatever_the_names_are(run):
    text = details.as_html(run)
    assert "&lt;e&gt;" in text and "a &amp; b" in text and "<e>" not in text


def test_the_text_for_notebooks_names_the_state_and_the_metrics(run):
    run.log("loss", 0.25)
    run.flush()
    lines = details.as_text(run).splitlines()
    assert f"Id          {run.id}" in lines and "Metrics     loss 0.25" in lines
    assert not any(line.endswith("  ") for line in lines)


def test_the_outputs_are_a_place_for_data(run):
    (run.path / "outputs").mkdir(exist_ok=True)
    (run.path / "outputs" / "m").write_text("m")
    path = details.outputs_of(run)
    assert path.path_on_datastore == "2024-05-01/r/outputs"
    assert (path.datastore.store.folder / path.path_on_datastore / "m").read_text() == "m"
