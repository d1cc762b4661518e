"""Workspaces by Azure's names: found where they are, made where there is none, explained once."""

from __future__ import annotations

import pytest

import scriptrun
from scriptrun import Run, ScriptRunConfig
from scriptrun.dropin import one_time_notes
from scriptrun.dropin.azureml.compute import ComputeTarget
from scriptrun.dropin.azureml.experiment import Experiment
from scriptrun.dropin.azureml.workspace import Workspace
from scriptrun.engines.local.engine import Local
from scriptrun.registry import compute_targets
from scriptrun.spec.errors import UserErrorException, WorkspaceException

AZURE = {"subscription_id": "s-1", "resource_group": "group"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(one_time_notes, "_said", set())
    return tmp_path


@pytest.mark.parametrize(
    "opened",
    [
        lambda: Workspace("s-1", "group", "mine"),
        lambda: Workspace(workspace_name="mine", auth=object(), **AZURE),
        lambda: Workspace.get(name="mine", location="westeurope", **AZURE),
        lambda: Workspace.create("mine", exist_ok=True, create_resource_group=True, **AZURE),
    ],
)
def test_a_workspace_is_made_where_there_is_none(opened, here, capsys):
    first = opened()
    assert (first.name, first.root, first.resource_group) == ("mine", here, "group")
    again = opened()
    assert again.id == first.id
    assert capsys.readouterr().err.count("Azure subscriptions") == 1


def test_it_is_found_from_below_and_written_down(here, monkeypatch):
    made = Workspace.create("mine", **AZURE)
    (here / "deep").mkdir()
    monkeypatch.chdir(here / "deep")
    assert Workspace.get("mine").id == made.id
    made.write_config()
    assert (here / "deep" / ".azureml" / "config.json").is_file()
    assert Workspace.from_config().id == made.id
    assert type(Workspace.from_config()) is Workspace


def test_another_name_is_taken_for_the_workspace_that_is_here(capsys):
    made = Workspace.create("mine")
    assert Workspace.get("theirs").id == made.id
    assert "for 'theirs'" in capsys.readouterr().err
    with pytest.raises(WorkspaceException, match="already"):
        Workspace.create("theirs")


def test_what_only_azure_has_says_so():
    made = Workspace.create("mine")
    for use in (made.list_connections, lambda: made.private_endpoints):
        with pytest.raises(NotImplementedError):
            use()
    assert not hasattr(made, "nonsense")
    assert made.models == {}
    assert list(Workspace.list("s-1")) == ["mine"]


def test_the_default_cluster_is_adopted_and_forgotten():
    made = Workspace.create("mine")
    target = made.get_default_compute_target("GPU")
    assert target.name == made.DEFAULT_GPU_CLUSTER_NAME
    assert "gpu-cluster" in made.compute_targets
    target.delete()
    assert "gpu-cluster" not in made.compute_targets


def test_a_config_file_of_another_name(here):
    (here / "conf").mkdir()
    (here / "conf" / "ws.json").write_text('{"workspace_name": "named"}')
    assert Workspace.from_config("conf", _file_name="ws.json").name == "named"
    assert Workspace.from_config(path="conf/ws.json").root == here / "conf"


def test_an_experiment_with_runs_is_kept_and_one_without_can_go(here):
    made = Workspace.create("mine")
    experiment = Experiment(made, "tried")
    (here / "train.py").write_text("print('done')")
    run = experiment.submit(ScriptRunConfig(".", "train.py"))
    run.wait_for_completion()
    with pytest.raises(UserErrorException, match="archive"):
        Experiment.delete(made, "tried")
    Experiment(made, "empty").tag("a", "b")
    Experiment.delete(made, "empty")
    assert list(made.experiments) == ["tried"]
    assert Experiment.from_directory(here).name == here.name
    local = made.compute_targets["local"]
    assert [each.id for each in Run.list_by_compute(local)] == [run.id]


def test_a_name_that_an_alias_stands_for_is_there(here):
    made = Workspace.create("mine")
    compute_targets.put(made, Local(name="big", max_runs=3))
    compute_targets.set_alias(made, "gpu-*", "big")
    for targets in (made.compute_targets, scriptrun.Workspace(here).compute_targets):
        assert "gpu-7" in targets and "cpu" not in targets
        assert sorted(targets) == ["big", "local"]
    assert made.compute_targets["gpu-7"].name == "gpu-7"
    assert scriptrun.Workspace(here).compute_targets["gpu-7"].name == "big"
    found = ComputeTarget(made, "gpu-7")
    (here / "train.py").write_text("")
    run = Experiment(made, "e").submit(ScriptRunConfig(".", "train.py", compute_target=found))
    run.wait_for_completion()
    assert run.job.target.name == "big"
    with pytest.raises(KeyError):
        scriptrun.Workspace(here).compute_targets["cpu"]
