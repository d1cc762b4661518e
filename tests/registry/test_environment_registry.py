from __future__ import annotations

import pytest

from scriptrun import Environment, Workspace
from scriptrun.registry import environments as environment_registry
from scriptrun.spec.errors import EnvironmentException, UserErrorException


@pytest.fixture
def ws(tmp_path):
    return Workspace.create("team", path=tmp_path / "ws")


def test_a_teams_files_are_environments(ws, tmp_path, monkeypatch):
    team = tmp_path / "team"
    Environment("x").save_to_directory(str(team / "saved"))
    (team / "vision.yml").write_text("dependencies:\n- python=3.11\n- pip:\n  - six\n")
    (team / "text.txt").write_text("requests\n")
    (team / "README.md").write_text("about them\n")
    own = ws.directory / "curated"
    own.mkdir()
    (own / "text.txt").write_text("never seen: the team's comes first\n")
    (own / "here.txt").write_text("six\n")
    monkeypatch.setenv("SCRIPTRUN_ENVIRONMENTS", str(team))
    assert {"saved", "vision", "text", "here"} <= set(ws.environments)
    assert "README" not in ws.environments
    pip = Environment.get(ws, "text").python.conda_dependencies.pip_packages
    assert list(pip) == ["requests"]
    conda = Environment.get(ws, "vision").python.conda_dependencies.serialize_to_string()
    assert "python=3.11" in conda
    assert Environment.get(ws, "saved").name == "saved"
    assert environment_registry.is_team_environment(
        ws, "here"
    ) and not environment_registry.is_team_environment(ws, "scriptrun-sklearn")
    Environment("text").register(ws)
    assert Environment.get(ws, "text").version == "1"


def test_an_old_name_stands_for_a_current_one(ws):
    environment_registry.set_alias(ws, "AzureML-PyTorch-*", "scriptrun-pytorch")
    environment_registry.set_alias(ws, "gpu", "scriptrun-pytorch-minimal")
    assert Environment.get(ws, "azureml-pytorch-1.6-gpu").name == "scriptrun-pytorch"
    assert ws.environments["AzureML-PyTorch-1.6-GPU"].name == "scriptrun-pytorch"
    assert ws.environments["gpu"].name == "scriptrun-pytorch-minimal"
    Environment("gpu").register(ws)
    assert Environment.get(ws, "gpu").name == "gpu"
    environment_registry.remove_alias(ws, "AzureML-PyTorch-*")
    assert Environment.get(ws, "AzureML-PyTorch-1.6-GPU").name == "AzureML-PyTorch-1.6-GPU"
    with pytest.raises(UserErrorException, match="does not exist"):
        environment_registry.remove_alias(ws, "AzureML-PyTorch-*")


def test_aliases_that_mean_nothing(ws):
    with pytest.raises(EnvironmentException, match="Environment 'nothing' not found"):
        environment_registry.set_alias(ws, "old", "nothing")
    with pytest.raises(UserErrorException, match="equals or matches that name"):
        environment_registry.set_alias(ws, "scriptrun-*", "scriptrun-sklearn")
