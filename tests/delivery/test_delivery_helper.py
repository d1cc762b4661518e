"""The helper process of a node, asked line by line as the launcher asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scriptrun.core.workspace import Workspace
from scriptrun.delivery import helper, node_environment
from scriptrun.preparation import environment_record
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException, UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobData
from scriptrun.testing.jobs import PATIENCE
from scriptrun.tracking import run_folder

OUT = {
    "name": "out", "mode": "upload", "datastore": "workspaceblobstore", "path": "goal",
    "source": None, "overwrite": False, "source_globs": None, "registration": None,
}  # fmt: skip


@pytest.fixture
def home(tmp_path):
    return Workspace.create("w", path=tmp_path / "home")


def run_of(home, **facts):
    words = {"id": "r", "experiment": "e", "workspace": "w"}
    job = JobSpec(**words, created="2024-05-01T10:00:00.000000Z", **facts)
    folder = run_folder.make(home.runs_folder, job)
    run_folder.publish(folder, job)
    (folder / "attempts" / "1").mkdir(parents=True)
    return folder


@pytest.fixture
def ask(tmp_path):
    """Ask one helper question after question; ``ask.ended()`` is its exit code and its log."""
    (tmp_path / "work").mkdir()
    log = tmp_path / "data.txt"
    with open(log, "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", helper.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=tmp_path,
        )

    def question(**words):
        process.stdin.write(json.dumps(words) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def ended():
        rest, _ = process.communicate(timeout=PATIENCE)
        assert rest == ""
        return process.returncode, log.read_text()

    question.ended = ended
    yield question
    process.communicate(timeout=PATIENCE)


def deliver(home, folder, work):
    places = {"folder": str(folder), "workspace": str(home.root), "work": str(work)}
    return {"do": "deliver", "attempt": 1, "node": 0, "nodes": 1, **places}


def test_what_the_job_wrote_goes_to_its_datastore(home, ask, tmp_path):
    folder = run_of(home, data=JobData.from_dict({"outputs": [OUT]}))
    told = ask(**deliver(home, folder, tmp_path / "work"))
    place = told["environ"]["out"]
    assert told["variables"]["AZUREML_DATAREFERENCE_out"] == place
    assert told["variables"]["AZUREML_DATASET_FILE_OUTPUTS"] == "out"
    assert [os.path.realpath(place), os.path.realpath(place), True] in told["binds"]
    (Path(place) / "model").write_text("weights")
    assert ask(do="finish", state="Completed") == {"error": ""}
    store = home.get_default_datastore().store
    assert (store.folder / "goal" / "model").read_text() == "weights"
    assert json.loads((folder / "attempts/1/node-0.data.json").read_text())["out"]
    assert "uploaded" in ask.ended()[1]


def test_an_error_is_an_answer_and_the_next_question_is_heard(home, ask, tmp_path):
    folder = run_of(home, data=JobData.from_dict({"outputs": [{**OUT, "datastore": "no_such"}]}))
    asked = deliver(home, folder, tmp_path / "work")
    assert "no_such" in ask(**asked)["error"]
    assert ask(**{**asked, "folder": str(tmp_path / "none")})["error"]
    assert ask(do="finish", state="Failed") == {"error": ""}
    log = ask.ended()[1]
    assert "Traceback" in log and "no_such" not in log


def test_without_a_question_it_ends_well(ask):
    assert ask.ended() == (0, "")


def test_without_data_there_is_nothing_to_register(ask):
    assert ask(do="register", state="Completed") == {}


def test_an_environment_of_a_node_is_told(home, ask, tmp_path):
    here = EnvironmentSpec(kind=INTERPRETER, interpreter=sys.executable)
    folder = run_of(home, environment=here)
    places = {"workspace": str(home.root), "folder": str(folder)}
    answer = ask(do="environment", node=2, secrets={}, **places)
    assert (answer["python"], answer["prefix"]) == (sys.executable, None)
    assert answer["bin"] == os.path.dirname(sys.executable)


def test_what_kept_an_environment_from_being_built_is_in_the_runs_log(home, tmp_path):
    nothing = EnvironmentSpec(kind=INTERPRETER, interpreter=str(tmp_path / "none"))
    folder = run_of(home, environment=nothing)
    (folder / "system_logs").mkdir(exist_ok=True)
    with pytest.raises(EnvironmentException, match=r"on node 2: .*none"):
        node_environment.build(home, folder, 2)
    assert "node 2: " in (folder / environment_record.LOG).read_text()


def test_a_visitor_has_outputs_that_go_nowhere(home, tmp_path):
    data = JobData.from_dict({"outputs": [OUT, {**OUT, "name": "more"}]})
    job = JobSpec("r", "e", "w", "2024-05-01T10:00:00.000000Z", data=data)
    found, close = helper.deliver_to_visit(home, job, tmp_path / "visit", tmp_path / "work")
    assert found["AZUREML_DATAREFERENCE_out"] == found["out"] != found["more"]
    (Path(found["out"]) / "x").write_text("x")
    assert not close()
    assert not (home.get_default_datastore().store.folder / "goal").exists()


def test_an_error_is_one_line():
    assert helper.error_text(UserErrorException("What is wrong.", "Do this.")).endswith("Do this.")
    assert helper.error_text(UserErrorException("What is wrong.")).strip() == "What is wrong."
