"""Bad input: one clear sentence with what to do, exit code 2, nothing left behind."""

from __future__ import annotations

import pytest

CASES = {
    "no such script": (["run", "trian.py"], "'trian.py' does not exist", "train.py"),
    "a script outside": (["run", "--source", "src", "train.py"], "outside", "source"),
    "a folder as script": (["run", "src"], "is a directory", ""),
    "no such source": (["run", "--source", "nowhere", "train.py"], "does not exist", "directory"),
    "nothing to run": (["run"], "Nothing to run", "train.py"),
    "script and command": (["run", "--command", "ls", "train.py"], "script and command", "cannot be used together"),
    "command with arguments": (["run", "--command", "ls", "--", "-l"], "arguments", "command"),
    "no such target": (["run", "--compute", "gpu", "train.py"], "'gpu'", "local"),
    "no such environment": (["run", "--environment", "sklern", "train.py"], "'sklern'", "env list"),
    "no such version": (["run", "--environment", "x:y", "train.py"], "version", "1, 2"),
    "no such requirements": (["run", "--requirements", "r.txt", "train.py"], "r.txt", ""),
    "two environments": (["run", "--requirements", "a", "--conda", "b", "train.py"], "cannot be used together", "one"),
    "a bad experiment": (["run", "-e", "no good", "train.py"], "'no good'", "letters"),
    "an argument without --": (["run", "train.py", "--alpha", "1"], "--alpha", "use --:"),
    "a word without --": (["run", "train.py", "more"], "more", "use --:"),
    "a misspelt option": (["run", "--detatch", "train.py"], "--detatch", "--detach"),
    "a variable not set": (["run", "--env", "NOT_SET", "train.py"], "NOT_SET", "not set"),
    "a variable without name": (["run", "--env", "=x", "train.py"], "name is missing", "NAME=VALUE"),
    "a tag without name": (["run", "--tag", "=x", "train.py"], "name is missing", "NAME[=VALUE]"),
    "a setting without value": (["run", "--set", "node_count", "train.py"], "node_count", "="),
    "no such setting": (["run", "--set", "nodecount=1", "train.py"], "nodecount", "node_count"),
    "a setting's wrong type": (["run", "--set", "node_count=two", "train.py"], "node_count", "integer"),
    "a setting of a text": (["run", "--set", "framework.x=2", "train.py"], "framework", "no fields"),
    "a duration below zero": (["run", "--set", "max_run_duration_seconds=-1", "train.py"], "-1", "greater than 0"),
    "no such config": (["run", "-c", "nowhere", "train.py"], "'nowhere'", ".azureml"),
    "an unknown key": (["run", "-c", "key.runconfig", "train.py"], "key.runconfig: nodeCuont", "nodeCount"),
    "a wrong type": (["run", "-c", "type.runconfig", "train.py"], "type.runconfig: nodeCount", "integer"),
    "wrong arguments": (["run", "-c", "list.runconfig"], "arguments[0]", "list"),
    "broken YAML": (["run", "-c", "broken.runconfig", "train.py"], "broken.runconfig", "line"),
    "no YAML at all": (["run", "-c", "binary.runconfig", "train.py"], "binary.runconfig", ""),
    "the script twice": (["run", "-c", "script.runconfig", "src/other.py"], "src/other.py", "conflicts with"),
    "arguments twice": (["run", "-c", "script.runconfig", "--", "x"], "arguments", "conflicts with"),
    "no command": (["lst"], "'lst'", "scriptrun list"),
    "a script as command": (["train.py"], "'train.py'", "scriptrun run train.py"),
    "no such run": (["show", "nobody"], "'nobody'", ""),
    "no such state": (["list", "-s", "Done"], "'Done'", "Completed"),
    "a limit of nothing": (["list", "-l", "0"], "0", "at least 1"),
    "a limit that is none": (["list", "-l", "x"], "--limit", "--help"),
    "no class": (["compute", "add", "x", "--class", "Slrum"], "Slrum", "Local"),
    "no option": (["compute", "set", "local", "--max-run", "2"], "--max-run", "--max-runs"),
    "no number": (["compute", "set", "local", "--max-runs", "two"], "--max-runs", "integer"),
    "no slot at all": (["compute", "set", "local", "--max-runs", "0"], "max_runs=0", "at least 1"),
    "nothing to build": (["env", "build"], "No environment specified", "--requirements"),
    "no script to read": (["env", "build", "--script", "x.py"], "'x.py' does not exist", "path"),
    "no registry": (["env", "registry", "no good"], "'no good'", "HOST"),
    "no shell": (["completion", "csh"], "csh", "bash"),
    "two many words": (["init", "a", "b"], "b", "--help"),
}  # fmt: skip


@pytest.fixture
def project(user):
    user.writes("train.py", "print('hello')\n")
    user.writes("src/other.py", "")
    user.writes("key.runconfig", "nodeCuont: 2\n")
    user.writes("type.runconfig", "nodeCount: many\n")
    user.writes("list.runconfig", "script: train.py\narguments: [[1, 2]]\n")
    user.writes("broken.runconfig", "script: [train.py\nnodeCount: 2\n")
    user.writes("script.runconfig", "script: train.py\narguments: [a]\n")
    (user.here / "binary.runconfig").write_bytes(b"\xff\xfe\x00")
    return user


@pytest.mark.parametrize("case", CASES)
def test_bad_input(project, case):
    words, says, does = CASES[case]
    project.does("init")
    done = project.types(*words)
    assert done.code == 2, done
    assert done.out == ""
    assert done.err.startswith("scriptrun: ")
    assert says in done.err
    assert does in done.err
    assert project.run_folders() == []


def test_bad_input_makes_no_workspace(project):
    assert project.types("run", "trian.py").code == 2
    assert project.types("compute", "set", "local", "--max-runs", "0").code == 2
    assert not (project.here / ".scriptrun").exists()


def test_only_what_is_near_is_proposed(project):
    project.writes("e.py", "")
    assert "did you mean" not in project.types("run", "nope.py").err
    assert "did you mean 'train.py'?" in project.types("run", "trian").err


def test_all_reasons_come_at_once(project):
    done = project.types("run", "--compute", "gpu", "--env", "NOT_SET", "trian.py")
    assert "3 problems" in done.err


def test_commands_on_runs_where_there_is_no_workspace(project):
    for words in (["list"], ["show"], ["logs"], ["cancel"], ["rerun"], ["diff", "a"], ["shell"]):
        done = project.types(*words)
        assert done.code == 2
        assert "No workspace" in done.err
        assert "scriptrun run" in done.err
    assert not (project.here / ".scriptrun").exists()


def test_a_bug_of_our_own_is_called_one(project, tmp_path):
    """A workspace whose own file holds what no version wrote."""
    project.does("init")
    (project.here / ".scriptrun" / "workspace.json").write_text('["what"]')
    done = project.types("list", TMPDIR=str(tmp_path))
    assert done.code in (2, 70)
    if done.code == 70:
        assert "this is a bug" in done.err
        (kept,) = tmp_path.glob("scriptrun-bug-*.txt")
        assert "Traceback" in kept.read_text()
