from __future__ import annotations

import json
import os

import pytest

from scriptrun import Workspace
from scriptrun.engines.local.engine import Local
from scriptrun.spec.errors import UserErrorException, WorkspaceException
from scriptrun.testing.jobs import Bench, log_of, until
from scriptrun.testing.scripts import GATED


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def test_created_opened_and_found_from_below(here, monkeypatch):
    made = Workspace.create("mine")
    assert made.root == here
    (here / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(here / "a" / "b")
    assert Workspace.from_config().id == made.id
    assert Workspace.get("mine").id == made.id
    assert Workspace.get("mine", path=here).id == made.id
    with pytest.raises(WorkspaceException, match="found 'mine'"):
        Workspace.get("another")


def test_created_twice(here):
    made = Workspace.create("mine")
    with pytest.raises(WorkspaceException, match="already"):
        Workspace.create("mine")
    assert Workspace.create("mine", exist_ok=True).id == made.id
    with pytest.raises(WorkspaceException, match="Workspace 'mine' already exists"):
        Workspace.create("another", exist_ok=True)


@pytest.mark.parametrize("name", ["", "  ", None, 7, "x" * 300])
def test_names_that_are_none(here, name):
    with pytest.raises(UserErrorException):
        Workspace.create(name)
    assert os.listdir(here) == []


def test_it_is_kept_out_of_git(here):
    Workspace.create("mine")
    assert (here / ".scriptrun" / ".gitignore").read_text() == "*\n"


def test_an_azure_config_opens_a_local_workspace(here, monkeypatch, capsys):
    (here / ".azureml").mkdir()
    facts = {"subscription_id": "s-1", "resource_group": "rg", "workspace_name": "cloudy"}
    (here / ".azureml" / "config.json").write_text(json.dumps(facts))
    (here / "deep").mkdir()
    monkeypatch.chdir(here / "deep")
    opened = Workspace.from_config()
    assert (opened.name, opened.subscription_id, opened.resource_group) == ("cloudy", "s-1", "rg")
    assert opened.root == here
    assert "cloudy" in capsys.readouterr().err
    assert Workspace.from_config().id == opened.id
    assert capsys.readouterr().err == ""


def test_a_config_json_of_something_else_is_passed_by(here):
    (here / "config.json").write_text('{"learning_rate": 0.1}')
    made = Workspace.create("mine")
    assert Workspace.from_config().id == made.id


def test_a_config_named_outright_must_name_a_workspace(here):
    (here / "other.json").write_text("{}")
    with pytest.raises(UserErrorException, match="does not name a workspace"):
        Workspace.from_config("other.json")


def test_what_write_config_writes_is_found(here, tmp_path, monkeypatch):
    made = Workspace.create("mine")
    away = tmp_path / "away"
    away.mkdir()
    made.write_config(away)
    monkeypatch.chdir(away)
    assert Workspace.from_config().id == made.id
    assert json.loads((away / ".azureml" / "config.json").read_text())["workspace_name"] == "mine"


def test_without_any_one_is_made_at_the_root_of_the_repository(here, monkeypatch, capsys):
    (here / ".git").mkdir()
    (here / "src").mkdir()
    monkeypatch.chdir(here / "src")
    made = Workspace.from_config()
    assert made.root == here
    assert str(here / ".scriptrun") in capsys.readouterr().err


def test_the_variable_names_it_outright(here, tmp_path, monkeypatch):
    made = Workspace.create("elsewhere", path=tmp_path / "elsewhere")
    Workspace.create("mine")
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(tmp_path / "elsewhere"))
    assert Workspace.from_config().id == made.id


def test_a_workspace_of_the_future_is_not_touched(here):
    Workspace.create("mine")
    path = here / ".scriptrun" / "workspace.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(WorkspaceException, match="newer scriptrun"):
        Workspace(here)


def test_delete_is_refused_while_a_run_is_alive(tmp_path):
    bench = Bench(tmp_path / "w", Local())
    gate = tmp_path / "gate"
    run = bench.submit(GATED, [gate.as_posix()])
    until(lambda: "began" in log_of(run))
    with pytest.raises(WorkspaceException, match=run.id):
        bench.workspace.delete()
    gate.touch()
    run.wait_for_completion()
    bench.workspace.delete()
    assert not (tmp_path / "w" / ".scriptrun").exists()
    with pytest.raises(WorkspaceException):
        Workspace(tmp_path / "w")


def test_it_may_be_moved(tmp_path):
    bench = Bench(tmp_path / "w", Local())
    run = bench.run("print('before')")
    os.rename(tmp_path / "w", tmp_path / "moved")
    moved = Bench(tmp_path / "moved", Local())
    assert moved.workspace.id == bench.workspace.id
    assert moved.workspace.get_run(run.id).get_status() == "Completed"
    assert moved.run("print('after')").get_status() == "Completed"
