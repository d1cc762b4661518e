"""Azure's config.json: where it is found, and what it may hold."""

from __future__ import annotations

import json

import pytest

from scriptrun import Workspace
from scriptrun.dropin.azureml.workspace import Workspace as OldWorkspace
from scriptrun.registry import azure_config
from scriptrun.spec.errors import UserErrorException

FACTS = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
SCOPE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.X/workspaces/w"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    (folder / "a" / "b").mkdir(parents=True)
    monkeypatch.delenv("SCRIPTRUN_WORKSPACE", raising=False)
    monkeypatch.chdir(folder / "a" / "b")
    return folder


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("content", [FACTS, {"Scope": SCOPE}, {"Id": SCOPE, "Scope": None}])
def test_what_it_says(project, encoding, content):
    (project / "config.json").write_text(json.dumps(content), encoding)
    facts = azure_config.read(project / "config.json")
    assert {key: facts[key] for key in FACTS} == FACTS
    workspace = Workspace.from_config()
    assert (workspace.name, workspace.root) == ("w", project)


def test_a_name_is_a_text(project):
    (project / "config.json").write_text('{"workspace_name": 1.10}')
    assert Workspace.from_config().name == "1.10"


@pytest.mark.parametrize("text", ['{"workspace_name": "a",}', "workspace_name: a"])
def test_a_file_that_is_no_json_is_refused_with_its_line(project, text):
    (project / "config.json").write_text(text)
    for path in (None, project / "config.json"):
        with pytest.raises(UserErrorException, match=r"config\.json', line 1, column \d+: invalid"):
            Workspace.from_config(path)
    assert not (project / ".scriptrun").exists()


@pytest.mark.parametrize("content", [b"{", b'{"model": "bert"}', b"[1]", b"", b"\xe9"])
def test_a_file_of_another_program_is_passed_over(project, content):
    (project / "config.json").write_bytes(content)
    assert Workspace.from_config().root == project / "a" / "b"
    with pytest.raises(UserErrorException, match="does not name a workspace"):
        Workspace.from_config(project / "config.json")


@pytest.mark.parametrize("folder", ["", ".azureml", "aml_config"])
def test_a_file_of_another_name_is_found_above(project, folder):
    (project / folder).mkdir(exist_ok=True)
    (project / folder / "ws.json").write_text(json.dumps(FACTS))
    workspace = OldWorkspace.from_config(_file_name="ws.json")
    assert (workspace.name, workspace.root) == ("w", project)


@pytest.mark.parametrize("path", ["gone", "gone/config.json", ".azureml", "./.azureml/config.json"])
def test_a_path_that_does_not_exist_makes_no_folder_of_its_name(project, path):
    workspace = Workspace.from_config(path)
    assert (workspace.name, workspace.root) == ("b", project / "a" / "b")


def test_a_folder_for_configurations_is_no_project(project):
    (project / ".azureml").mkdir()
    assert Workspace.from_config(project / ".azureml").root == project
