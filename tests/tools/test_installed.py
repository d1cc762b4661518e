"""The wheel alone, as people install it: on each Python, for type checkers, beside its pages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import old_pythons
import pytest

from scriptrun.cli import commands

ROOT = Path(__file__).resolve().parents[2]
UV = (sys.executable, "-m", "uv")
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
TRAIN = """
import sys
from scriptrun import Run

run = Run.get_context()
run.log("minor", sys.version_info[1])
open("outputs/model.txt", "w").write("x")
"""
#: a part of the public names as a typed program uses them
CONSUMER = """
from scriptrun import Environment, Experiment, Run, ScriptRunConfig, Workspace

workspace = Workspace.from_config()
environment = Environment("plain")
config = ScriptRunConfig(".", "train.py", arguments=["--alpha", 0.5], environment=environment)
run = Experiment(workspace, "first").submit(config)
reveal_type(run)
reveal_type(run.get_status())
reveal_type(workspace.name)
run.no_such_method = 1
Experiment(workspace, 3)
"""

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.xdist_group("release")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [*UV, "build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", folder, ROOT], check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """``installed(version)``: an environment of that Python with the wheel and nothing more."""
    made: dict[str, Path] = {}

    def make(version: str) -> Path:
        python = old_pythons.find(version)
        if python is None:
            pytest.skip(f"this machine has no Python {version}")
        if version not in made:
            folder = made[version] = tmp_path_factory.mktemp("env") / "venv"
            subprocess.run([*UV, "venv", "-q", "--python", python, folder], check=True)
            install = [*UV, "pip", "install", "-q", "--python", folder / "bin" / "python", wheel]
            subprocess.run(install, check=True)
        return made[version]

    return make


def call(environment, *words, cwd, **variables):
    program = environment / "bin" / "scriptrun"
    return subprocess.run(
        [program, *words], cwd=cwd, capture_output=True, text=True, env={**os.environ, **variables}
    )


@pytest.fixture
def private(tmp_path, monkeypatch):
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "SCRIPTRUN_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path


@pytest.mark.parametrize("version", VERSIONS)
def test_a_job_runs_on_each_python_without_a_warning(private, installed, version):
    environment = installed(version)
    strict = {"PYTHONWARNINGS": "error", "VIRTUAL_ENV": str(environment)}
    done = call(environment, "run", "train.py", cwd=private, **strict)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr
    shown = call(environment, "show", "--json", cwd=private, **strict)
    assert json.loads(shown.stdout)["metrics"]["minor"] == int(version.partition(".")[2])
    for words in (["list"], ["logs"], ["diff", "--help"], ["doctor"], ["version"]):
        done = call(environment, *words, cwd=private, **strict)
        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stderr and "Warning" not in done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_every_help_is_printed_without_an_extra(private, installed, version):
    environment = installed(version)
    for name in commands.COMMANDS:
        done = call(
            environment,
            name,
            "--help",
            cwd=private,
            COLUMNS="40",
            LC_ALL="C",
            PYTHONWARNINGS="error",
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("usage: scriptrun ")
    assert "manual" not in call(environment, "--help", cwd=private).stderr


def test_man_finds_the_pages_of_the_environment(private, installed):
    if not shutil.which("man"):
        pytest.skip("man is not installed (Debian: apt install man-db)")
    environment = installed("3.11")
    path = f"{environment / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        ["man", "-P", "cat", "scriptrun-run"],
        capture_output=True,
        text=True,
        env={"PATH": path, "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    assert "scriptrun run [options] train.py [-- ARGS]" in " ".join(done.stdout.split())


def test_a_type_checker_reads_the_types(private, installed):
    environment = installed("3.11")
    (private / "consumer.py").write_text(CONSUMER)
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        environment / "bin" / "python",
    ]
    done = subprocess.run(
        [*mypy, "--cache-dir", private / "cache", "consumer.py"],
        cwd=private,
        capture_output=True,
        text=True,
    )
    assert "scriptrun.core.run.Run" in done.stdout, done.stdout + done.stderr
    assert (
        'Revealed type is "builtins.str"' in done.stdout or 'Revealed type is "str"' in done.stdout
    )
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 2, done.stdout
    assert "no_such_method" in errors[0] and "incompatible type" in errors[1]
    assert "import-untyped" not in done.stdout
