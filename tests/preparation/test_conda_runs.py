"""Jobs in conda environments, from a real channel on disk: what they see, and what the run keeps."""

from __future__ import annotations

import json
import os
import sys

import pytest

from scriptrun import Environment, Experiment, ScriptRunConfig
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.history import compare as compare_runs
from scriptrun.history import reopen
from scriptrun.history import rerun as rerun_runs
from scriptrun.migration.formats import facts
from scriptrun.runtime import conda_prefix
from scriptrun.spec.environment import CONDA, PACKAGES
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.testing.jobs import Bench, log_of, wait
from scriptrun.tracking import events

JOB = """
import json, os, shutil, subprocess, sys, red
names = ("CONDA_PREFIX", "TOOL_HOME", "TOOL_WORDS", "MINE", "VIRTUAL_ENV", "PATH")
said = {name: os.environ.get(name) for name in names}
said["command"] = subprocess.check_output(["pin"], text=True).split()
print(json.dumps({**said, "red": red.VERSION, "prefix": sys.prefix}))
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def environment(channel: str, *packages: str) -> Environment:
    made = Environment("conda")
    made.python.conda_dependencies = CondaDependencies.from_dict(
        {"channels": [channel, "nodefaults"], "dependencies": list(packages)}
    )
    made.environment_variables = {"MINE": "mine", "TOOL_WORDS": "mine too"}
    return made


def submit(bench, environment):
    source = bench.source(JOB)
    config = ScriptRunConfig(source, script="job.py", environment=environment)
    return Experiment(bench.workspace, "conda").submit(config)


def test_a_job_runs_in_an_activated_prefix_and_is_repeated_from_its_lock(bench, conda):
    run = submit(bench, environment(conda, "pin", "red", "tool"))
    assert wait(run) == "Completed", run.standing.reason
    said = json.loads(log_of(run).splitlines()[-1])
    prefix = said["CONDA_PREFIX"]
    assert said["prefix"] == prefix
    assert said["PATH"].split(os.pathsep)[0] == f"{prefix}/bin"
    assert said["TOOL_HOME"] == f"{prefix}/share/tool"
    assert said["TOOL_WORDS"] == "mine too"  # what the user says comes after activation
    assert (said["MINE"], said["VIRTUAL_ENV"]) == ("mine", None)
    assert said["command"] == ["pin", "1.0", "py_0"]
    notes = " ".join(event["message"] for event in events.read(run.path) if event["kind"] == "note")
    assert f"installs conda packages from {conda}: pin, red, tool" in notes
    lock = json.loads((run.path / "environment.lock.json").read_text())
    assert [each["name"] for each in lock["conda"]] == ["blue", "pin", "python", "red", "tool"]
    assert all(each["url"] and each["sha256"] and each["build"] for each in lock["conda"])
    assert compare_runs.packages(lock)["red"] == "1.0=py_0"
    visit = reopen.copy_run(run, bench.root / "visit", print)
    assert (visit.environ["CONDA_PREFIX"], visit.environ["TOOL_HOME"]) == (
        prefix,
        said["TOOL_HOME"],
    )
    exported = facts.read_packages(run.job, lock)
    assert exported.conda[0] == "blue=1.0=py_0"
    assert (exported.python, exported.channels) == (lock["python"], [conda, "nodefaults"])
    again = rerun_runs.start(run).run
    assert wait(again) == "Completed"
    assert json.loads((again.path / "environment.lock.json").read_text()) == lock


def test_who_installs_is_decided_by_the_packages_or_by_the_user(conda, monkeypatch):
    def kind(*packages: str) -> str:
        from scriptrun.preparation.build import spec_of

        return spec_of(environment(conda, *packages)).kind

    assert kind("numpy=1.26") == PACKAGES
    assert kind("numpy=1.26", "ffmpeg") == CONDA
    monkeypatch.setenv("SCRIPTRUN_CONDA", "conda")
    assert kind("numpy=1.26") == kind("python=3.11") == CONDA
    monkeypatch.setenv("SCRIPTRUN_CONDA", "pypi")
    assert kind("ffmpeg") == PACKAGES


def test_what_cannot_be_is_refused_before_anything_is_written(bench, conda, monkeypatch):
    monkeypatch.setitem(sys.modules, "rattler", None)
    wrong = environment("https://me:hunter22@example.org/channel", "ffmpeg", "what is=this=of=all")
    with pytest.raises(RunConfigurationException) as caught:
        submit(bench, wrong)
    text = str(caught.value)
    for word in ("pip install 'scriptrun[conda]'", "'ffmpeg'", "contains a password", "***"):
        assert word in text
    assert "hunter22" not in text
    assert not list(bench.workspace.runs_folder.rglob("job.json"))


def test_a_prefix_that_cannot_be_activated_says_which_script(bench, tmp_path):
    scripts = tmp_path / "prefix" / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (tmp_path / "prefix" / "conda-meta").mkdir()
    (scripts / "b.sh").write_text("echo no licence server >&2; exit 3\n")
    with pytest.raises(OSError, match=r"b\.sh failed: no licence server"):
        conda_prefix.activate(conda_prefix.find_prefix(f"{tmp_path}/prefix/bin"), dict(os.environ))
