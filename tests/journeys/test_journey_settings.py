"""Somebody writes defaults once, and sees where each comes from."""

from __future__ import annotations

import json
import sys

import pytest

from scriptrun.testing.jobs import until


@pytest.fixture
def mine(user, tmp_path):
    """The user, with settings of their own."""
    user.environ.pop("SCRIPTRUN_SETTINGS", None)
    user.environ.pop("XDG_CONFIG_HOME", None)
    user.settings = tmp_path / ".config" / "scriptrun" / "config.toml"
    (user.here / ".git").mkdir()
    user.writes("train.py", "print('trained')\n")
    return user


def test_defaults_of_a_run_and_where_they_come_from(mine):
    mine.does("compute", "add", "small", "--class", "Local", "--max-runs", "1")
    mine.does("config", "set", "compute", "small")
    mine.does("config", "set", "--project", "experiment", "digits")
    mine.does("config", "set", "--project", "tags.team", "vision")
    assert mine.settings.read_text() == 'compute = "small"\n'
    listed = mine.does("config", "list", "--json").json["settings"]
    assert {key: (each["value"], each["level"]) for key, each in listed.items()} == {
        "compute": ("small", "user"),
        "experiment": ("digits", "project"),
        "tags.team": ("vision", "project"),
    }
    table = mine.does("config", "list", "--show-origin").out
    assert f"{mine.settings}:1" in table and "scriptrun.toml:1" in table
    plan = mine.does("run", "--plan", "train.py").out
    assert f"compute 'small' comes from {mine.settings}:1" in plan
    mine.does("run", "--tag", "team=speech", "train.py")
    shown = mine.does("show", "--json").json
    assert shown["target"] == "small" and shown["id"].startswith("digits_")
    assert shown["tags"] == {"team": "speech"}
    assert f"experiment 'digits' comes from {mine.here}/scriptrun.toml:1" in shown["notes"]
    mine.does("run", "--compute", "local", "-e", "other", "train.py")
    shown = mine.does("show", "--json").json
    assert shown["target"] == "local" and shown["id"].startswith("other_")
    mine.does("run", "train.py", SCRIPTRUN_COMPUTE="local")
    assert mine.does("show", "--json").json["target"] == "local"


def test_environments_inputs_and_pins(mine):
    mine.writes("data/a.txt", "hello\n")
    mine.writes("train.py", "import sys; print(open(sys.argv[1] + '/a.txt').read())\n")
    mine.writes("requirements.txt", "")
    mine.writes(
        "scriptrun.toml",
        'requirements = "requirements.txt"\npins = "relax"\n[inputs]\ndigits = "./data"\n',
    )
    plan = mine.does("run", "--plan", "train.py", "--", "{digits}")
    assert "packages: " in plan.out and "digits:" in plan.out and "pins 'relax'" in plan.out
    other = mine.does("run", "--plan", "--input", "digits=./data", "train.py", "--", "{digits}")
    assert "inputs.digits" not in other.out
    inner = mine.here / "src"
    inner.mkdir()
    (inner / "train.py").write_text("print(1)\n")
    assert "packages: " in mine.does("run", "--plan", "train.py", cwd=inner).out


def test_mistakes_are_named_with_their_lines_and_nothing_runs(mine):
    mine.writes("scriptrun.toml", 'computee = "local"\nexperiment = 5\n')
    done = mine.types("run", "train.py")
    assert done.code == 2 and not (mine.here / ".scriptrun").exists()
    assert "scriptrun.toml:1: unknown setting 'computee'; did you mean 'compute'?" in done.err
    assert "scriptrun.toml:2: experiment: expected a string" in done.err
    mine.writes("scriptrun.toml", '[inputs]\na = "./data"\nb = "./gone"\n')
    mine.writes("data/a.txt", "hello")
    done = mine.types("run", "train.py")
    assert done.code == 2 and f"inputs.b is in {mine.here}/scriptrun.toml:3" in done.err
    mine.writes("scriptrun.toml", 'compute = "gpu"\n')
    done = mine.types("run", "train.py")
    assert done.code == 2 and f"The setting compute is in {mine.here}/scriptrun.toml:1." in done.err


def test_get_set_unset_path_and_edit(mine):
    assert mine.types("config", "get", "compute").code == 1
    mine.does("config", "set", "compute", "gpu")
    assert mine.does("config", "get", "compute").out == "gpu\n"
    assert mine.does("config", "get", "compute", "--json").json["value"] == "gpu"
    mine.does("config", "set", "tags.team", "a b")
    assert mine.does("config", "get", "tags").out == "team=a b\n"
    hidden = mine.does("config", "set", "compute", "x", SCRIPTRUN_COMPUTE="y")
    assert "here compute is 'y', from SCRIPTRUN_COMPUTE" in hidden.err
    mine.does("config", "unset", "compute")
    assert "is not set" in mine.does("config", "unset", "compute").out
    assert mine.does("config", "path", "--user").out == f"{mine.settings}\n"
    assert "(missing)" in mine.does("config", "path").out
    done = mine.types("config", "set", "computee", "x")
    assert done.code == 2 and "Did you mean 'compute'?" in done.err
    editor = f"{sys.executable} -c \"import sys; open(sys.argv[1], 'a').write('oops')\""
    done = mine.types("config", "edit", VISUAL=editor)
    assert done.code == 2 and "config.toml:4: invalid TOML" in done.err
    assert mine.types("config", "edit", VISUAL="/no/editor").code == 2
    words = mine.does("completion", "words", "--", "config", "get", "comp").out
    assert words == "compute\n"


def test_a_command_is_executed_when_a_run_ends(mine, tmp_path):
    out = tmp_path / "out"
    code = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
    command = json.dumps([sys.executable, "-c", code, str(out), "{name} {state}"])
    mine.writes("scriptrun.toml", f"notify = {command}\n")
    done = mine.does("run", "-n", "ignored", "train.py")
    assert f"to allow it: scriptrun trust {mine.here}" in done.err
    mine.does("trust", mine.here)
    mine.does("run", "-n", "followed", "train.py")
    mine.does("run", "-d", "-n", "detached", "train.py")
    mine.does("rerun", "-n", "again")
    mine.does("sweep", "-n", "search", "--param", "a=1", "--metric", "m", "train.py")

    def reported():
        lines = out.read_text().splitlines() if out.exists() else []
        names = {line.partition(" ")[0] for line in lines}
        return lines if names == {"followed", "detached", "again", "search"} else None

    assert len(until(reported)) == 4


def test_old_code_keeps_its_own_values(mine):
    mine.does("compute", "add", "small", "--class", "Local", "--max-runs", "1")
    mine.writes("scriptrun.toml", 'compute = "small"\ntags = { a = "b" }\n')
    mine.writes(
        "submit.py",
        "from azureml.core import Experiment, ScriptRunConfig, Workspace\n"
        "run = Experiment(Workspace.from_config(), 'e').submit(ScriptRunConfig('.', 'train.py'))\n"
        "run.wait_for_completion()\n",
    )
    mine.does("exec", "submit.py")
    shown = mine.does("show", "--json").json
    assert (shown["target"], shown["tags"]) == ("local", {})
