"""What scriptrun answers on a login node, over its own standard input and output."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile

import pytest

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.helpers import login_node
from scriptrun.spec import accounts
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec
from scriptrun.spec.job import JobSpec
from scriptrun.store.snapshots import snapshots
from scriptrun.testing.jobs import PATIENCE, Bench, log_of, until, wait
from scriptrun.testing.scripts import GATED
from scriptrun.tracking import run_folder, run_state


@pytest.fixture
def ask(tmp_path):
    """Ask one question; the answer, and the bytes behind it."""

    def question(verb, behind=b"", **more):
        told = json.dumps({"verb": verb, "root": str(tmp_path / "far"), **more}).encode()
        argv = [sys.executable, "-m", login_node.__name__]
        done = subprocess.run(
            argv, input=told + b"\n" + behind, capture_output=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        line, _, rest = done.stdout.partition(b"\n")
        return json.loads(line), rest

    return question


@pytest.fixture
def far(tmp_path):
    return Workspace.create(login_node.WORKSPACE_NAME, path=tmp_path / "far")


def job_of(name="r", **facts):
    here = EnvironmentSpec(kind=INTERPRETER, interpreter=sys.executable)
    words = {"id": name, "experiment": "e", "workspace": "w", "environment": here, **facts}
    return JobSpec(**words, created="2024-05-01T10:00:00.000000Z")


def run_of(far, *names):
    folder = run_folder.make(far.runs_folder, job_of())
    run_folder.publish(folder, job_of())
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_the_first_question_makes_the_workspace_and_says_what_is_missing(ask, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("a")
    digest = snapshots.take(tmp_path / "store", tmp_path / "source").digest
    answer, rest = ask("have", parts=[f"snapshots/{digest}", "no such part"])
    assert (answer["root"], rest) == (str(tmp_path / "far"), b"")
    assert Workspace(tmp_path / "far").name == login_node.WORKSPACE_NAME
    assert ask("have", parts=[])[0]["missing"] == []


def test_an_unknown_run_is_an_error_or_nothing(ask, far):
    assert ask("look", runs={"none": {}})[0] == {"runs": {"none": None}}
    for verb in ("names", "cancel"):
        answer, _ = ask(verb, id="none")
        assert "none" in answer["error"] and "hint" in answer


def test_a_look_brings_what_is_new_and_no_results(ask, far):
    folder = run_of(far, "user_logs/std_log.txt", "outputs/m", "work/x", "work-node-1/y", "a.tmp")
    answer, rest = ask("look", runs={"r": {}})
    sizes = {name: size for name, size, _ in answer["runs"]["r"]["files"]}
    assert sizes["user_logs/std_log.txt"] == 21
    assert not {"outputs/m", "work/x", "work-node-1/y", "a.tmp", "job.json"} & set(sizes)
    assert len(rest) == sum(sizes.values())
    assert b"user_logs/std_log.txt" in rest
    seen = {name: [size, changed] for name, size, changed in answer["runs"]["r"]["files"]}
    assert ask("look", runs={"r": seen}) == (
        {"runs": {"r": {**answer["runs"]["r"], "files": []}}},
        b"",
    )
    with open(folder / "user_logs" / "std_log.txt", "a") as handle:
        handle.write("more")
    answer, rest = ask("look", runs={"r": seen})
    assert [file[:2] for file in answer["runs"]["r"]["files"]] == [["user_logs/std_log.txt", 25]]
    assert rest == b"more"


def test_an_artifact_comes_in_pieces(ask, far):
    run_of(far, "artifacts/model")
    assert ask("names", id="r")[0] == {"names": ["model"]}
    for start, expected in ((0, b"artifacts/model"), (10, b"model"), (15, b""), (99, b"")):
        answer = ask("fetch", id="r", name="model", start=start, size=100)
        assert answer == ({"found": True}, expected)
    assert ask("fetch", id="r", name="model", start=3, size=2)[1] == b"if"
    assert ask("fetch", id="r", name="none", start=0, size=9) == ({"found": False}, b"")
    answer, _ = ask("fetch", id="r", name="../job.json", start=0, size=9)
    assert "artifact name" in answer["error"]


def test_a_job_is_submitted_once_however_often_it_is_asked(ask, far, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "t.py").write_text("print('far')")
    digest = snapshots.take(tmp_path / "store", tmp_path / "source").digest
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path in sorted((tmp_path / "store").rglob("*")):
            if path.is_file():
                tar.add(path, f"snapshots/{path.relative_to(tmp_path / 'store')}")
        tar.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
        tar.addfile(tarfile.TarInfo("runs/evil"), io.BytesIO())
    job = job_of(command="python t.py", snapshot=digest).to_dict()
    asked = {"job": job, "warnings": ["odd"], "data": None}
    first, _ = ask("submit", stream.getvalue(), **asked)
    again, _ = ask("submit", stream.getvalue(), **asked)
    assert first == again and "error" not in first
    run = Run.get(far, "r")
    assert wait(run) == "Completed" and log_of(run) == "far\n"
    assert run.get_details()["warnings"] == ["odd"]
    assert not list(tmp_path.rglob("evil"))


def test_a_job_that_cannot_run_there_is_refused_with_its_reasons(ask, far):
    nothing = EnvironmentSpec(kind=INTERPRETER, interpreter="/none/python")
    job = job_of(command="true", environment=nothing).to_dict()
    stream = io.BytesIO()
    tarfile.open(fileobj=stream, mode="w").close()
    answer, _ = ask("submit", stream.getvalue(), job=job, warnings=[])
    assert "/none/python" in answer["error"] and far.find_run("r") is None


def test_it_says_which_python_answers_and_what_is_printed_is_no_part_of_that(ask):
    answer, rest = ask("version", environ={"PYTHONVERBOSE": "1"})
    assert (answer["prefix"], rest) == (sys.prefix, b"")


def test_prune_deletes_runs_and_says_what_it_keeps(ask, tmp_path):
    bench = Bench(tmp_path / "far")
    workspace = bench.workspace
    ended = bench.run("print('x')")
    until(lambda: not workspace.prune("", older_than=0.0, dry_run=True).kept, "a launcher lives")
    gate = tmp_path / "gate"
    active = bench.submit(GATED, [gate.as_posix()])
    answer, _ = ask("prune", runs=[ended.id, active.id, "never-arrived"])
    assert list(answer["kept"]) == [active.id] and answer["size"] > 0
    assert not ended.path.exists() and active.path.exists()
    gate.touch()
    wait(active)


def test_prune_says_that_it_keeps_the_runs_of_other_users(far, tmp_path, monkeypatch):
    folder = run_of(far)
    run_state.record_lost(folder, "test", "Canceled")
    monkeypatch.setattr(login_node, "_workspace", lambda question: far)  # it is trusted
    monkeypatch.setattr(accounts, "own_users", lambda: (os.stat(folder).st_uid + 1,))
    question = {"root": str(tmp_path / "far"), "runs": [folder.name]}
    answer, _ = login_node._prune(question, io.BytesIO())
    owner = accounts.user_name(os.stat(folder).st_uid)
    assert answer["kept"] == {folder.name: f"it belongs to {owner}"} and folder.exists()
    monkeypatch.undo()
    answer, _ = login_node._prune(question, io.BytesIO())
    assert answer["kept"] == {} and not folder.exists()
