"""Whose workspaces are believed. Runs as root, which can make what belongs to others."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from scriptrun.registry import trust
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import WorkspaceException

#: a user and a group that no machine has
OTHER, GROUP = 61234, 61235
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only as root are files of others made")


@pytest.fixture
def home(tmp_path):
    return WorkspaceFiles.create("team", path=tmp_path / "home")


def refused(root):
    with pytest.raises(WorkspaceException) as caught:
        WorkspaceFiles(root)
    assert f"scriptrun trust {root}" in caught.value.hint
    return caught.value.message


def own_by(path, user, group=-1):
    for folder, _, names in os.walk(path):
        for name in ("", *names):
            os.chown(os.path.join(folder, name), user, group, follow_symlinks=False)


@as_root
def test_a_workspace_of_another_user_is_refused_until_it_is_trusted(home):
    own_by(home.directory, OTHER)
    assert f"belongs to the user with ID {OTHER}" in refused(home.root)
    for open_it in (
        lambda: WorkspaceFiles.get("team", path=home.root),
        lambda: WorkspaceFiles.from_config(home.root),
        lambda: WorkspaceFiles.search(home.root),
        lambda: WorkspaceFiles.create("team", path=home.root, exist_ok=True),
    ):
        with pytest.raises(WorkspaceException, match="belongs to"):
            open_it()
    trust.trust(home.root)
    assert WorkspaceFiles(home.root).id == home.id
    assert trust.trusted() == [str(home.root)]
    own_by(home.directory, OTHER + 1)  # not who was trusted
    refused(home.root)
    assert trust.distrust(home.root) and not trust.distrust(home.root)


@as_root
@pytest.mark.parametrize(
    "name",
    [
        "workspace.json",
        "runtime",
        "runs",
        "snapshots",
        "locks",
        "compute",
        "runtime/0123456789abcdef",
    ],
)
def test_its_children_are_checked_too(home, name):
    if not (home.directory / name).exists():
        (home.directory / name).mkdir()
    os.chown(home.directory / name, OTHER, -1)
    assert f"its {name!r} belongs to" in refused(home.root)
    os.chown(home.directory / name, 0, 0)
    os.chmod(home.directory / name, 0o777)
    assert f"its {name!r} can be written by everyone" in refused(home.root)


def test_what_everyone_can_write_is_refused(home):
    home.directory.chmod(0o777)
    assert "can be written by everyone" in refused(home.root)
    with pytest.raises(WorkspaceException) as caught:
        WorkspaceFiles(home.root)
    command = caught.value.hint.partition("run: chmod")[2]
    subprocess.run(f"chmod {command}", shell=True, check=True)
    assert WorkspaceFiles(home.root).id == home.id


@as_root
def test_a_group_of_others_makes_it_shared_and_the_user_s_own_does_not(home):
    home.directory.chmod(0o775)  # as umask 002 makes it
    assert WorkspaceFiles(home.root).id == home.id
    os.chown(home.directory, 0, GROUP)
    assert f"can be written by the group {GROUP}" in refused(home.root)
    trust.trust(home.root)
    assert WorkspaceFiles(home.root).id == home.id


@as_root
def test_sudo_may_read_the_caller_s_workspace(home, monkeypatch):
    own_by(home.directory, OTHER)
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    assert WorkspaceFiles(home.root).id == home.id
    for other in ("0", "", "x", "-1", str(OTHER + 1)):
        monkeypatch.setenv("SUDO_UID", other)
        refused(home.root)


@as_root
def test_a_symbolic_link_of_another_user_is_refused(home, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / ".scriptrun").symlink_to(home.directory)
    assert WorkspaceFiles(inside).id == home.id
    os.chown(inside / ".scriptrun", OTHER, -1, follow_symlinks=False)
    refused(inside)


@as_root
def test_a_config_found_upwards_is_believed_only_of_oneself(tmp_path):
    config = tmp_path / "shared" / "config.json"
    below = tmp_path / "shared" / "mine"
    below.mkdir(parents=True)
    config.write_text(json.dumps({"workspace_name": "theirs"}))
    os.chown(config, OTHER, -1)
    with pytest.raises(WorkspaceException, match=r"config\.json' belongs to"):
        WorkspaceFiles.search(below)
    assert not (tmp_path / "shared" / ".scriptrun").exists()
    trust.trust(config.parent)
    assert WorkspaceFiles.search(below).name == "theirs"


@as_root
@pytest.mark.parametrize("name", ["config.json", ".azureml"])
def test_another_users_link_to_a_config_of_ones_own_is_refused(tmp_path, name):
    own = tmp_path / "own" / ".azureml"
    own.mkdir(parents=True)
    (own / "config.json").write_text(json.dumps({"workspace_name": "own"}))
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / name).symlink_to(own / "config.json" if name == "config.json" else own)
    os.chown(shared / name, OTHER, -1, follow_symlinks=False)
    with pytest.raises(WorkspaceException, match="belongs to"):
        WorkspaceFiles.search(shared)
    assert not (shared / ".scriptrun").exists()


@as_root
def test_a_workspace_is_not_made_in_a_folder_that_another_user_prepared(tmp_path):
    (tmp_path / ".scriptrun" / "runtime").mkdir(parents=True)
    own_by(tmp_path / ".scriptrun", OTHER)
    with pytest.raises(WorkspaceException, match="belongs to"):
        WorkspaceFiles.create("mine", path=tmp_path)
    assert trust.trusted() == []
    os.chown(tmp_path / ".scriptrun", 0, 0)  # but not what is in it
    with pytest.raises(WorkspaceException, match="'runtime' belongs to"):
        WorkspaceFiles.create("mine", path=tmp_path)
    assert trust.trusted() == []
    trust.trust(tmp_path)
    assert WorkspaceFiles.create("mine", path=tmp_path).name == "mine"


@as_root
def test_another_users_repository_does_not_say_where_the_workspace_is(tmp_path):
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / ".git").mkdir()
    assert WorkspaceFiles.root_for(below) == tmp_path
    os.chown(tmp_path / ".git", OTHER, -1)
    assert WorkspaceFiles.root_for(below) == below
    trust.trust(tmp_path)
    assert WorkspaceFiles.root_for(below) == tmp_path


@as_root
@pytest.mark.parametrize("mask", [0o002, 0o000])
def test_a_group_of_others_cannot_enter_what_the_umask_lets_it_write(tmp_path, mask):
    before, gid = os.umask(mask), os.getegid()
    try:
        os.setegid(GROUP)
        home = WorkspaceFiles.create("mine", path=tmp_path / "home")
        (home.directory / "compute").mkdir()
    finally:
        os.setegid(gid)
        os.umask(before)
    assert trust.trusted() == []
    assert home.directory.stat().st_mode & 0o077 == 0
    assert WorkspaceFiles(home.root).id == home.id
    home.directory.chmod(0o755)
    assert "its 'compute' can be written by" in refused(home.root)


def test_trust_that_another_user_wrote_or_that_is_damaged_counts_for_nothing(home):
    home.directory.chmod(0o777)
    trust.trust(home.root)
    (entry,) = (trust.paths.settings_root() / "trusted").iterdir()
    assert WorkspaceFiles(home.root).id == home.id
    if os.geteuid() == 0:
        os.chown(entry, OTHER, -1)
        refused(home.root)
        os.chown(entry, 0, -1)
    for text in ("", "[]", "{}", "null", "{"):
        entry.write_text(text)
        refused(home.root)
        trust.trusted()


def test_a_job_opens_the_workspace_that_it_is_of_and_no_other(home, monkeypatch):
    home.directory.chmod(0o777)
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(home.root))
    refused(home.root)
    monkeypatch.setenv("SCRIPTRUN_RUN_FOLDER", str(home.runs_folder / "2026-01-01" / "a_1"))
    assert WorkspaceFiles(home.root).id == home.id
    monkeypatch.setenv("SCRIPTRUN_RUN_FOLDER", str(home.root / "elsewhere" / "a_1"))
    refused(home.root)


def test_a_worker_that_we_started_asks_nobody(home):
    home.directory.chmod(0o777)
    assert WorkspaceFiles.reopen(home.root).id == home.id


@pytest.mark.parametrize(("mask", "shared"), [(0o000, False), (0o002, False), (0o002, True)])
def test_what_we_make_we_can_open_whatever_the_umask(tmp_path, mask, shared):
    if shared:
        tmp_path.chmod(0o2775)
        if os.geteuid() == 0:
            os.chown(tmp_path, -1, GROUP)
            tmp_path.chmod(0o2775)
    before = os.umask(mask)
    try:
        made = WorkspaceFiles.create("team", path=tmp_path)
    finally:
        os.umask(before)
    mode = made.directory.stat().st_mode
    assert not mode & 0o002
    assert bool(mode & 0o020) == shared
    assert WorkspaceFiles(tmp_path).id == made.id
