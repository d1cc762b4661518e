"""A workspace's directory, and what lies in it: experiments, models, wheels, registries of images."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from wheel_making import make_wheel

from scriptrun.config.environments.environment import Environment
from scriptrun.registry import experiments, image_registries, models, wheels
from scriptrun.registry.workspace_files import DIRECTORY, FORMAT, WorkspaceFiles
from scriptrun.spec.environment import (
    IMAGE,
    PACKAGES,
    DockerOptions,
    EnvironmentSpec,
    ImageRegistry,
)
from scriptrun.spec.errors import UserErrorException, WorkspaceException
from scriptrun.store import container_tool
from scriptrun.store.secrets import vault


@pytest.fixture
def home(tmp_path):
    return WorkspaceFiles.create("team", path=tmp_path / "home")


def test_a_workspace_is_made_once_and_opened_by_its_directory(tmp_path):
    made = WorkspaceFiles.create("team", path=tmp_path / "a", tags={"x": "1"}, location="here")
    opened = WorkspaceFiles(tmp_path / "a")
    assert (opened.name, opened.id, opened.tags, opened.location) == (
        "team",
        made.id,
        {"x": "1"},
        "here",
    )
    assert opened.directory == tmp_path / "a" / DIRECTORY
    assert (opened.directory / ".gitignore").read_text() == "*\n"
    assert WorkspaceFiles.create("team", path=tmp_path / "a", exist_ok=True).id == made.id
    for name, exist_ok in (("team", False), ("other", True)):
        with pytest.raises(WorkspaceException, match="team"):
            WorkspaceFiles.create(name, path=tmp_path / "a", exist_ok=exist_ok)
    assert WorkspaceFiles.create("team", path=tmp_path / "b").id != made.id


@pytest.mark.parametrize("name", ["", "  ", "x" * 261, None, 3])
def test_names_that_no_workspace_can_have(tmp_path, name):
    with pytest.raises(UserErrorException):
        WorkspaceFiles.create(name, path=tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_place_without_a_workspace_or_with_a_newer_one_is_named(tmp_path, home):
    with pytest.raises(WorkspaceException, match=str(tmp_path / "no")):
        WorkspaceFiles(tmp_path / "no")
    facts = json.loads((home.directory / "workspace.json").read_text())
    (home.directory / "workspace.json").write_text(json.dumps({**facts, "format": FORMAT + 1}))
    with pytest.raises(WorkspaceException, match=str(FORMAT + 1)):
        WorkspaceFiles(home.root)


def test_a_workspace_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceException, match="file"):
        WorkspaceFiles.create("team", path=tmp_path / "file" / "below")


def test_it_is_found_from_below_and_by_its_name(home, tmp_path, monkeypatch):
    below = home.root / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert (
        WorkspaceFiles.search(below).id
        == WorkspaceFiles.from_config().id
        == WorkspaceFiles.get("team").id
        == home.id
    )
    assert WorkspaceFiles.search(tmp_path) is None
    with pytest.raises(WorkspaceException, match="team"):
        WorkspaceFiles.get("other")
    assert WorkspaceFiles.get("team", path=home.root).id == home.id


def test_the_variable_names_its_directory_outright(home, tmp_path, monkeypatch):
    other = WorkspaceFiles.create("other", path=tmp_path / "other")
    monkeypatch.chdir(home.root)
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(other.root))
    assert WorkspaceFiles.from_config().id == other.id
    assert WorkspaceFiles.from_config(home.root).id == home.id, "a path that is given counts more"
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(tmp_path / "new"))
    assert WorkspaceFiles.from_config().name == "new"


@pytest.mark.parametrize("place", ["config.json", ".azureml/config.json", "aml_config/config.json"])
def test_an_azure_config_makes_the_workspace_that_it_names(tmp_path, capsys, place):
    config = tmp_path / "project" / place
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"workspace_name": "cloud", "subscription_id": "s"}))
    below = tmp_path / "project" / "deep"
    below.mkdir()
    found = WorkspaceFiles.from_config(below)
    assert (found.name, found.root, found.subscription_id) == ("cloud", tmp_path / "project", "s")
    assert "cloud" in capsys.readouterr().err
    assert WorkspaceFiles.from_config(config).id == found.id
    assert capsys.readouterr().err == "", "it is made once"


@pytest.mark.parametrize("content", ["{}", "[1]", "no json", '{"workspace_name": ""}'])
def test_a_config_of_something_else_is_passed_over_and_an_error_where_it_is_named(
    tmp_path, content
):
    config = tmp_path / "config.json"
    config.write_text(content)
    with pytest.raises(UserErrorException, match=r"config\.json"):
        WorkspaceFiles.from_config(config)
    assert WorkspaceFiles.search(tmp_path) is None


def test_a_written_config_leads_back(home, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    home.write_config(tmp_path / "elsewhere")
    assert WorkspaceFiles.from_config(tmp_path / "elsewhere").id == home.id
    assert not (tmp_path / "elsewhere" / DIRECTORY).exists()


def test_a_config_may_be_written_to_its_folder_itself(home, tmp_path):
    home.write_config(tmp_path / "tutorial" / ".azureml")
    assert os.listdir(tmp_path / "tutorial" / ".azureml") == ["config.json"]
    assert WorkspaceFiles.from_config(tmp_path / "tutorial").id == home.id


def test_the_config_of_an_attached_folder_names_the_workspace_in_its_scope(tmp_path):
    scope = "/subscriptions/s/resourceGroups/r/providers/Microsoft.MachineLearningServices"
    (tmp_path / ".azureml").mkdir()
    config = {"Id": None, "Scope": f"{scope}/workspaces/team-ws/projects/p"}
    (tmp_path / ".azureml" / "config.json").write_text(json.dumps(config))
    opened = WorkspaceFiles.from_config(tmp_path)
    assert (opened.name, opened.resource_group, opened.root) == ("team-ws", "r", tmp_path)


def test_where_nothing_is_found_it_is_made_at_the_root_of_the_repository(tmp_path, capsys):
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "src").mkdir()
    assert WorkspaceFiles.from_config(tmp_path / "repo" / "src").root == tmp_path / "repo"
    (tmp_path / "alone").mkdir()
    assert WorkspaceFiles.from_config(tmp_path / "alone").root == tmp_path / "alone"
    assert str(tmp_path / "alone") in capsys.readouterr().err


def test_one_that_would_be_made_writes_nothing(tmp_path):
    made = WorkspaceFiles.to_be(tmp_path / "x")
    assert (made.name, made.id, made.tags) == ("x", "", {})
    assert made.find_run("a") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("run_id", ["gone", "", "../home", "a/b", "."])
def test_a_run_that_is_not_there_is_named(home, run_id):
    assert home.find_run(run_id) is None
    with pytest.raises(UserErrorException) as caught:
        home.folder_of(run_id)
    assert repr(run_id) in caught.value.message


def test_a_name_with_markup_is_shown_as_text(tmp_path):
    made = WorkspaceFiles.create("<b>&", path=tmp_path / "a")
    assert "&lt;b&gt;&amp;" in made._repr_html_()
    assert repr(made).count("'<b>&'") == 1


def test_an_experiment_is_written_down_once_and_keeps_its_facts(home):
    assert experiments.read(home, "e") == {}
    experiments.make(home, "e")
    created = experiments.read(home, "e")["created"]
    experiments.put(home, "e", tags={"a": "1"})
    experiments.make(home, "e")
    assert experiments.read(home, "e") == {"created": created, "tags": {"a": "1"}}
    experiments.put(home, "e", tags={})
    assert experiments.read(home, "e")["tags"] == {}
    experiments.remove(home, "e")
    experiments.remove(home, "e")
    assert experiments.read(home, "e") == {}


def test_an_experiment_that_cannot_be_written_is_a_workspaces_error(home):
    (home.directory / "experiments").write_text("in the way")
    with pytest.raises(WorkspaceException, match="experiments"):
        experiments.put(home, "e", a=1)


def _model(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / "model" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "model"


def _keep(home, path, name="digits", **head):
    found, root = models.files_of(path)
    return models.add_version(home, name, found, root, head)


def test_a_folder_is_kept_by_its_content_and_copied_out(home, tmp_path):
    kept = _keep(home, _model(tmp_path, a="1", sub__b="2", sub__c="1"), tags={"x": "1"})
    assert (kept["name"], kept["version"], kept["tags"]) == ("digits", 1, {"x": "1"})
    assert [each["path"] for each in kept["files"]] == ["model/a", "model/sub/b", "model/sub/c"]
    assert len({each["sha256"] for each in kept["files"]}) == 2
    root = models.copy_to(home, kept, tmp_path / "out", exist_ok=False)
    assert (root, (root / "sub" / "b").read_text()) == (tmp_path / "out" / "model", "2")
    with pytest.raises(UserErrorException, match="out"):
        models.copy_to(home, kept, tmp_path / "out", exist_ok=False)
    (root / "a").write_text("changed")
    models.copy_to(home, kept, tmp_path / "out", exist_ok=True)
    assert (root / "a").read_text() == "1"
    assert not list(tmp_path.rglob("*.part"))


def test_each_registration_is_a_version_and_the_latest_is_given(home, tmp_path):
    path = _model(tmp_path, a="1") / "a"
    assert [_keep(home, path)["version"] for _ in range(2)] == [1, 2]
    assert models.get(home, "digits")["version"] == 2
    _keep(home, path, name="another")
    assert [(e["name"], e["version"]) for e in models.all_versions(home)] == [
        ("another", 1),
        ("digits", 2),
        ("digits", 1),
    ]
    assert [e["version"] for e in models.all_versions(home, "digits")] == [2, 1]
    assert list(models.all_versions(home, "none")) == []


def test_words_may_change_and_files_may_not(home, tmp_path):
    kept = _keep(home, _model(tmp_path, a="1"))
    changed = models.change(home, kept, {"description": "good"})
    assert changed["description"] == "good"
    assert changed["files"] == kept["files"]


def test_content_goes_with_the_last_version_that_has_it(home, tmp_path):
    first = _keep(home, _model(tmp_path, a="1", b="2"))
    second = _keep(home, _model(tmp_path, a="1", b="3"))
    models.remove(home, first)
    root = models.copy_to(home, second, tmp_path / "out", exist_ok=False)
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("1", "3")
    with pytest.raises(UserErrorException, match=r"model/b"):
        models.copy_to(home, first, tmp_path / "out2", exist_ok=False)
    with pytest.raises(UserErrorException):
        models.get(home, "digits", 1)


def test_a_model_lies_in_the_cache_as_links(home, tmp_path, own_places):
    kept = _keep(home, _model(tmp_path, a="1", sub__b="2"))
    root = models.cached_root(home, kept)
    assert own_places in root.parents
    assert (root / "sub" / "b").read_text() == "2"
    assert (root / "a").is_symlink()
    assert models.cached_root(home, kept) == root
    assert models.cached_root(home, _keep(home, tmp_path / "model")) != root


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\\b", "a:1", None])
def test_names_that_no_model_can_have(home, tmp_path, name):
    with pytest.raises(UserErrorException):
        _keep(home, _model(tmp_path, a="1"), name=name)


def test_what_is_no_model_is_named(home, tmp_path):
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    for place in ("empty", "gone"):
        with pytest.raises(UserErrorException, match=place):
            models.files_of(tmp_path / place)
    for name in ("unknown", "", None):
        with pytest.raises(UserErrorException, match=repr(name)):
            models.get(home, name)
    _keep(home, _model(tmp_path, a="1"))
    with pytest.raises(UserErrorException, match="7"):
        models.get(home, "digits", 7)


def test_a_wheel_lies_by_its_content(home, tmp_path):
    (tmp_path / "x").mkdir()
    wheel = make_wheel(tmp_path / "x", "mauve", "4")
    name = wheels.store_wheel(home, wheel)
    assert wheels.store_wheel(home, wheel) == name == wheels.stored_name(wheel)
    assert (home.directory / name).read_bytes() == wheel.read_bytes()
    (home.directory / name).write_bytes(b"")  # as a power cut leaves it
    assert wheels.store_wheel(home, wheel) == name
    assert (home.directory / name).read_bytes() == wheel.read_bytes()
    assert not list(home.directory.rglob("*.tmp"))
    address = wheels.add(home, wheel, exist_ok=True)
    assert address == (home.directory / name).as_uri()


def test_requirements_follow_their_files(tmp_path):
    (tmp_path / "a b").mkdir()
    wheel = make_wheel(tmp_path / "a b", "mauve", "4")
    lines = (
        f"mauve @ {wheel.as_uri()}",
        f"{wheel} ; python_version > '3'",
        str(tmp_path / "a b"),
        "six==1",
    )
    spec = EnvironmentSpec(kind=PACKAGES, pip=lines, local={str(wheel): "digest"})
    assert wheels.local_files(spec) == {str(wheel): wheel}, "a folder is no file"
    moved = wheels.replace_local_paths(spec, {str(wheel): "/there/m.whl"})
    assert moved.pip[0] == "mauve @ file:///there/m.whl"
    assert moved.pip[1].startswith("file:///there/m.whl ;")
    assert moved.pip[2:] == lines[2:]
    assert moved.local == {"/there/m.whl": "digest"}
    assert wheels.replace_local_paths(spec, {}) == spec


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    """Secrets of the test's own, and builders that know nothing yet."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("SCRIPTRUN_SECRETS_KEY", "of this test")
    monkeypatch.setattr(vault, "_offered", {})


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("r.example", "r.example"),
        ("https://r.example:5000/team/", "r.example:5000/team"),
        ("localhost:5000", "localhost:5000"),
        ("[::1]:5000/a/b-c", "[::1]:5000/a/b-c"),
    ],
)
def test_a_registry_is_named_by_its_address(home, secrets, given, address):
    image_registries.set_registry(home, given, "me", "hunter2")
    assert image_registries.workspace_registry(home) == {"address": address, "username": "me"}
    assert vault.find(container_tool.registry_secret(address)) == "hunter2"
    for path in home.directory.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes()
    image_registries.set_registry(home, None)
    assert image_registries.workspace_registry(home) == {}
    image_registries.set_registry(home, "")


@pytest.mark.parametrize(
    "address", ["R.example", "r example", "r.example/Team", "a@b", "r/_x", "r:x"]
)
def test_what_is_no_address_of_a_registry(home, secrets, address):
    with pytest.raises(UserErrorException, match=repr(address)):
        image_registries.set_registry(home, address)
    assert image_registries.workspace_registry(home) == {}


def test_builders_get_the_registry_of_the_workspace_for_images_alone(home, secrets):
    image_registries.set_registry(home, "shared.example", "me", "one")
    made = Environment("e")
    made.docker.base_image_registry.address = "own.example"
    made.docker.base_image_registry.password = "two"
    image_registries.store_passwords(made)
    docker = DockerOptions(registry=ImageRegistry("own.example"))
    assert image_registries.for_build(EnvironmentSpec(kind=PACKAGES, docker=docker), home) == {}
    image = EnvironmentSpec(kind=IMAGE, container=True, docker=docker)
    named = image_registries.for_build(image, home)
    assert named == {"address": "shared.example", "username": "me"}
    for address, password in (("shared.example", "one"), ("own.example", "two")):
        assert vault.find(container_tool.registry_secret(address)) == password


def test_paths_of_a_home_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = WorkspaceFiles.create("w", path="sub")
    for folder in (made.root, made.runs_folder, made.snapshots_folder, made.locks_folder):
        assert os.path.isabs(folder)
        assert folder.is_dir()


def test_runs_and_snapshots_are_the_owners_and_a_teams(tmp_path):
    """A folder that passes its group on is a team's: its group keeps what the umask leaves it."""
    (tmp_path / "team").mkdir()
    (tmp_path / "team").chmod(0o2775)
    for name, expected in (("own", 0o700), ("team", 0o2750)):
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "scriptrun", "init", "w"], cwd=root, umask=0o022, check=False
        )
        assert done.returncode == 0
        for folder in ("runs", "snapshots"):
            assert stat.S_IMODE((root / ".scriptrun" / folder).stat().st_mode) == expected


def test_no_umask_makes_a_workspace_or_the_cache_writable_for_all(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    subprocess.run(
        [sys.executable, "-m", "scriptrun", "init", "w"], cwd=tmp_path, umask=0, check=True
    )
    subprocess.run([sys.executable, "-m", "scriptrun", "list"], cwd=tmp_path, umask=0, check=True)
    assert stat.S_IMODE((tmp_path / ".scriptrun").stat().st_mode) == 0o750
    assert not (tmp_path / "cache").stat().st_mode & 0o002


@pytest.mark.parametrize("given", ["../../", "../..", ".", "./", "~", "file"])
def test_a_workspace_has_its_folders_own_name(tmp_path, monkeypatch, given):
    folder = tmp_path / "mine"
    deep = folder / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep if ".." in given else folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    if given == "file":
        (folder / "config.json").write_text('{"workspace_name": "mine"}')
        given = str(deep / ".." / ".." / "config.json")
    workspace = WorkspaceFiles.from_config(path=given)
    assert (workspace.name, workspace.root) == ("mine", folder)
    assert WorkspaceFiles.from_config(path=given).id == workspace.id
