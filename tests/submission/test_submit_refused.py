"""A submission that is refused leaves nothing in the workspace."""

from __future__ import annotations

import os

import pytest

from scriptrun import Environment, Experiment, ScriptRunConfig, Workspace
from scriptrun.cli import main
from scriptrun.spec.errors import UserErrorException, WorkspaceException
from scriptrun.submission import submit


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def unusable(kind, tmp_path):
    if kind == "below a file":
        (tmp_path / "file").write_text("")
        return tmp_path / "file" / "cache"
    if kind == "a file":
        (tmp_path / "file").write_text("")
        return tmp_path / "file"
    if kind == "no permission":
        (tmp_path / "closed").mkdir(mode=0o555)
        if os.access(tmp_path / "closed", os.W_OK):
            pytest.skip("only as a user whom permissions bind")
        return tmp_path / "closed" / "cache"
    return "/proc/scriptrun-cache"


@pytest.mark.parametrize("kind", ["below a file", "a file", "a system's folder", "no permission"])
def test_a_cache_that_cannot_be_made(tmp_path, monkeypatch, capsys, kind):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "t.py").write_text("print(1)\n")
    workspace = Workspace.create("w", path=tmp_path / "w")
    before = tree(tmp_path / "w")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(unusable(kind, tmp_path)))
    monkeypatch.delenv("SCRIPTRUN_RUNTIME", raising=False)
    config = ScriptRunConfig(tmp_path / "source", "t.py")
    with pytest.raises(WorkspaceException, match=r"^Cannot create folder '.*': .*\."):
        Experiment(workspace, "e").submit(config)
    with pytest.raises(WorkspaceException, match="Cannot create folder"):
        Experiment(workspace, "e").submit_many([config])
    assert tree(tmp_path / "w") == before
    monkeypatch.chdir(tmp_path / "source")
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(tmp_path / "new"))
    assert main(["run", "t.py"]) != 0
    assert capsys.readouterr().err.count("Cannot create folder") == 1
    assert not (tmp_path / "new").exists()


def test_a_queue_that_cannot_be_written(tmp_path, monkeypatch):
    workspace = Workspace.create("w", path=tmp_path / "w")
    monkeypatch.setenv("SCRIPTRUN_RUNTIME", str(tmp_path / "runtime"))
    queue = submit.tickets.queue_of(workspace.id)
    os.chmod(queue, 0o555)
    if os.access(queue, os.W_OK):
        pytest.skip("only as a user whom permissions bind")
    with pytest.raises(WorkspaceException, match="Permission denied"):
        submit.begin(workspace, "e")
    assert not (tmp_path / "w" / ".scriptrun" / "experiments" / "e.json").exists()


def test_what_no_process_can_be_given(tmp_path):
    (tmp_path / "t.py").write_text("print(1)\n")
    workspace = Workspace.create("w", path=tmp_path / "w")
    before = tree(tmp_path / "w")
    config = ScriptRunConfig(tmp_path, "t.py", ["fine", "a\0"])
    config.run_config.environment_variables = {"A": "\ud800"}
    with pytest.raises(UserErrorException) as caught:
        Experiment(workspace, "e").submit(config)
    assert "arguments[1] contains a NUL" in str(caught.value)
    assert "environment variable 'A' contains the lone surrogate" in str(caught.value)
    with pytest.raises(UserErrorException, match="in total"):
        Experiment(workspace, "e").submit(ScriptRunConfig(tmp_path, "t.py", ["x" * 99_999] * 90))
    assert tree(tmp_path / "w") == before


NEVER = ["a\0b", "a\ud800b"]


@pytest.mark.parametrize("text", [*NEVER, "x" * 5000])
def test_paths_that_cannot_be(tmp_path, text):
    workspace = Workspace.create("w", path=tmp_path / "w")
    for config in (ScriptRunConfig(text, "t.py"), ScriptRunConfig(tmp_path, text)):
        with pytest.raises(UserErrorException, match=r"contains|does not exist"):
            Experiment(workspace, "e").submit(config)
    assert not list(workspace.runs_folder.iterdir())


@pytest.mark.parametrize("text", NEVER)
def test_names_that_cannot_be(tmp_path, text):
    workspace = Workspace.create("w", path=tmp_path / "w")
    (tmp_path / "t.py").write_text("")
    environment = Environment("e")
    environment.python.conda_dependencies.set_pip_requirements([text])
    for config in (
        ScriptRunConfig(tmp_path, "t.py", compute_target=text),
        ScriptRunConfig(tmp_path, "t.py", environment=environment),
    ):
        with pytest.raises(UserErrorException, match="Cannot submit this job"):
            Experiment(workspace, "e").submit(config)
    with pytest.raises(UserErrorException, match="no NUL and no lone surrogate"):
        Workspace.create(text, path=tmp_path / "other")
    with pytest.raises(UserErrorException, match="is not a valid path"):
        Workspace.create("w", path=text)
    with pytest.raises(UserErrorException, match="lone surrogate"):
        Environment("a\ud800b").register(workspace)


def test_a_command_is_one_text(tmp_path):
    workspace = Workspace.create("w", path=tmp_path / "w")
    config = ScriptRunConfig(tmp_path, command=["echo", "x" * (128 * 1024 - 1)])
    with pytest.raises(UserErrorException, match="the command has 131,076 bytes"):
        Experiment(workspace, "e").submit(config)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("train.py", "did you mean 'src/train.py'"),
        ("src\\train.py", "did you mean 'src/train.py'"),
        ("gone.py", "is a link to 'nope', which does not exist"),
    ],
)
def test_scripts_that_are_not_there(tmp_path, script, problem):
    source = tmp_path / "source"
    (source / "src").mkdir(parents=True)
    (source / "src" / "train.py").write_text("")
    (source / "gone.py").symlink_to("nope")
    workspace = Workspace.create("w", path=tmp_path / "w")
    with pytest.raises(UserErrorException) as caught:
        Experiment(workspace, "e").submit(ScriptRunConfig(source, script))
    assert problem in str(caught.value)


def test_a_script_whose_name_looks_like_an_option(tmp_path):
    (tmp_path / "-t.py").write_text("print('ran')\n")
    workspace = Workspace.create("w", path=tmp_path / "w")
    run = Experiment(workspace, "e").submit(ScriptRunConfig(tmp_path, "-t.py"))
    run.wait_for_completion(show_output=False)
    assert run.get_status() == "Completed"
