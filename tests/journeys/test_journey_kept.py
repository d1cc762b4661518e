"""What a workspace keeps beside its runs: its name, compute targets, environments; the doctor."""

from __future__ import annotations

import os


def test_init(user):
    assert user.does("init", "mine").out.startswith("Workspace 'mine': ")
    assert user.does("init", "mine", "--json").json["path"] == str(user.here)
    other = user.types("init", "other")
    assert other.code == 2
    assert "'mine'" in other.err


def test_the_workspace_is_found_upwards_and_by_its_variable(user, tmp_path):
    user.does("init")
    user.writes("deep/train.py", "")
    user.does("run", "train.py", cwd=user.here / "deep")
    assert len(user.runs()) == 1
    assert user.does("list", "--json", cwd=tmp_path, SCRIPTRUN_WORKSPACE=str(user.here)).json[
        "runs"
    ]
    assert not (user.here / "deep" / ".scriptrun").exists()


def test_the_workspace_is_made_at_the_root_of_a_repository(user):
    (user.here / ".git").mkdir()
    user.writes("deep/train.py", "")
    user.does("run", "train.py", cwd=user.here / "deep")
    assert (user.here / ".scriptrun" / "workspace.json").exists()


def test_compute_targets(user):
    assert [each["name"] for each in user.does("compute", "list", "--json").json["targets"]] == [
        "local"
    ]
    assert not (user.here / ".scriptrun").exists()
    refused = user.types("compute", "add", "small", "--max-runs", "1")
    assert refused.code == 2 and "compute add small --class Local --max-runs 1" in refused.err
    assert "Local, Slurm" in refused.err and not (user.here / ".scriptrun").exists()
    user.does("compute", "add", "small", "--class", "local", "--max-runs", "1")
    assert user.does("compute", "show", "small", "--json").json["options"] == {"max_runs": 1}
    assert user.types("compute", "add", "small").code == 2
    user.does("compute", "set", "small", "--max-runs=3")
    assert user.does("compute", "show", "small", "--json").json["options"] == {"max_runs": 3}
    user.does("compute", "default", "small")
    assert user.does("compute", "default").out == "small\n"
    user.writes("train.py", "")
    user.does("run", "train.py")
    user.does("compute", "alias", "gpu-*", "local")
    user.does("run", "--target", "gpu-big", "train.py")
    assert [run["target"] for run in user.runs()] == ["local", "small"]
    assert "small can accept jobs" in user.does("compute", "check", "small").out
    user.does("compute", "set", "small", "--max-runs", "none")
    user.does("compute", "default", "local")
    user.does("compute", "remove", "small")
    assert user.types("compute", "show", "small").code == 2


def test_environments(user):
    found = user.does("env", "list", "--json").json
    names = [each["name"] for each in found["named"]]
    assert "scriptrun-sklearn" in names
    assert "AzureML-PyTorch-1.6-GPU" in names
    assert found["built"] == []
    assert "scikit-learn" in user.does("env", "show", "scriptrun-sklearn").out
    user.writes("requirements.txt", "")
    plan = user.does("env", "build", "--plan", "--requirements", "requirements.txt")
    assert "Build from the lockfile." in plan.out
    assert user.does("env", "list", "--built").out == "No environments built on this machine.\n"
    built = user.does("env", "build", "--requirements", "requirements.txt", "--json").json
    assert os.path.exists(built["python"])
    (entry,) = user.does("env", "list", "--json").json["built"]
    assert built["place"] == entry["place"]
    assert "cached" in user.does("env", "build", "--requirements", "requirements.txt").out
    user.writes("train.py", "")
    user.does("run", "--requirements", "requirements.txt", "train.py")
    assert "less than a minute" in user.does("env", "prune", "--keep", "0").out
    (run,) = user.runs()
    (entry,) = user.does("env", "list", "--json").json["built"]
    assert entry["runs"] == [run["id"]]
    assert run["id"] in user.does("env", "show", entry["key"][:10]).out
    assert "same packages" in user.does("env", "diff", entry["key"][:10], run["id"]).out
    user.does("env", "alias", "old", "scriptrun-minimal")
    assert "old -> scriptrun-minimal" in user.does("env", "alias").out
    assert user.types("env", "diff", "old", "run?").code == 2
    user.does("env", "remove", entry["key"][:10])
    assert user.does("env", "list", "--built").out == "No environments built on this machine.\n"


def test_a_registered_environment_runs_a_job(user):
    user.does("init")
    user.writes("register.py", "from scriptrun import *\ne = Environment('mine')\ne.python.user_managed_dependencies = True\n"
        "e.environment_variables = {'A': 'b'}\ne.register(Workspace.from_config())\n")  # fmt: skip
    import subprocess
    import sys

    subprocess.run([sys.executable, "register.py"], cwd=user.here, env=user.environ, check=True)
    user.writes("train.py", "import os; print(os.environ['A'])\n")
    assert user.does("run", "--environment", "mine:1", "train.py").out == "b\n"
    assert user.types("run", "--environment", "mine:2", "train.py").code == 2


def test_the_doctor(user):
    checks = {each["name"]: each for each in user.does("doctor", "--json").json["checks"]}
    assert {"python", "uv", "git", "workspace", "cache", "slots", "compute"} <= set(checks)
    assert not (user.here / ".scriptrun").exists()
    path = user.here / "not-a-folder"
    path.write_text("")
    done = user.types("doctor", SCRIPTRUN_CACHE=str(path / "cache"))
    assert done.code == 1
    assert "SCRIPTRUN_CACHE" in done.out


def test_a_build_that_is_refused_makes_no_workspace(user):
    user.writes("no.yml", "dependencies:\n- python=9.9\n")
    refused = user.types("env", "build", "--conda", "no.yml")
    assert "Python 9.9" in refused.err
    user.writes("none.txt", "./nowhere\n")
    assert user.types("env", "build", "--requirements", "none.txt").code == 2
    assert not (user.here / ".scriptrun").exists()
    user.writes("empty.txt", "")
    built = user.does("env", "build", "--requirements", "empty.txt")
    assert "Created workspace" in built.err
    assert len(list((user.here / ".scriptrun" / "locks").iterdir())) == 1
    assert user.does("env", "show", "empty").out.split()[1] in built.out
    assert (
        "none (already built)"
        in user.does("env", "build", "--plan", "--requirements", "empty.txt").out
    )
