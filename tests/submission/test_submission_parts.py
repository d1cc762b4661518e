"""Runs without a launcher, words about imports, going on from a run, and environments made ready."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.environments.builder import ReadyEnvironment
from scriptrun.preparation import environment_record, prepare_run
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.environment import INTERPRETER, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.job_data import JobData
from scriptrun.submission import check, import_warnings, interactive, resume_from
from scriptrun.sweeps import children, status
from scriptrun.sweeps.journal import ChildRun
from scriptrun.tracking import events, run_folder, run_state, unstarted


@pytest.fixture
def home(tmp_path):
    return WorkspaceFiles.create("w", path=tmp_path / "home")


def _job(**facts):
    words = {
        "id": "r",
        "experiment": "e",
        "workspace": "w",
        "created": "2024-05-01T10:00:00.000000Z",
    }
    return JobSpec(**{**words, **facts})


def _run(home, **facts):
    job = _job(**facts)
    folder = run_folder.make(home.runs_folder, job)
    run_folder.publish(folder, job)
    return job, folder


def test_the_process_that_logs_is_the_run(home):
    folder = interactive.begin(home, "e", None)
    job = run_folder.read_job(folder)
    assert home.find_run(job.id) == folder
    assert (job.snapshot, job.root, job.parent, job.display_name) == (None, job.id, None, job.id)
    assert job.submitted_by["pid"] == os.getpid()
    assert run_state.read_status(folder).state == "Running"
    child = run_folder.read_job(interactive.begin(home, "e", None, "shown", job))
    grandchild = run_folder.read_job(interactive.begin(home, "e", None, parent=child))
    assert (child.parent, child.root, child.display_name) == (job.id, job.id, "shown")
    assert (grandchild.parent, grandchild.root) == (child.id, job.id)


@pytest.mark.parametrize("name", ["outputs", "logs"])
def test_a_source_whose_outputs_are_a_file_is_refused(home, tmp_path, name):
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").touch()
    (source / name).touch()
    config = ScriptRunConfig(source, script="train.py")
    with pytest.raises(RunConfigurationException, match=f"'{name}' in the source directory is a"):
        check.check(config, home, "e")
    (source / ".amlignore").write_text(f"/{name}\n")
    assert check.check(config, home, "e").job.script == "train.py"


@pytest.mark.parametrize("target", ["results", "/nowhere", ".."])
def test_outputs_that_are_a_link_are_replaced_with_a_note(home, tmp_path, target):
    source = tmp_path / "source"
    (source / "results").mkdir(parents=True)
    (source / "train.py").touch()
    (source / "outputs").symlink_to(target)
    config = ScriptRunConfig(source, script="train.py")
    note = f"'outputs' in the source directory is a link to '{target}'; the run writes to a separate folder"
    assert [text for text in check.check(config, home, "e").job.notes if text.startswith(note)]
    (source / ".amlignore").write_text("/outputs\n")
    assert not [text for text in check.check(config, home, "e").job.notes if "link" in text]


def test_its_source_is_kept_and_what_is_odd_in_it_told(home, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "id_rsa").write_text("key")
    with pytest.warns(UserWarning, match="id_rsa"):
        folder = interactive.begin(home, "e", source)
    job = run_folder.read_job(folder)
    assert job.properties["ContentSnapshotId"] == job.snapshot
    assert job.source_directory == str(source)
    assert any("id_rsa" in each.get("message", "") for each in events.read(folder))


def _missing(tmp_path, code, environment, **facts):
    (tmp_path / "train.py").write_text(code)
    words = {"script": "train.py", "snapshot": "s", "source_directory": str(tmp_path)}
    return import_warnings.missing_imports(
        _job(environment=environment, **{**words, **facts}), None
    )


def test_modules_that_the_environment_does_not_hold_are_named_once(tmp_path):
    asked = EnvironmentSpec(kind=PACKAGES, pip=("numpy", "scikit-learn==1"))
    code = (
        "import os, numpy, torch, torch.nn, mine, folder\nimport sklearn, azureml.core, scriptrun\n"
    )
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "folder").mkdir()
    (said,) = _missing(tmp_path, code, asked)
    assert "torch" in said
    assert "train.py" in said


@pytest.mark.parametrize(
    "facts",
    [
        {"script": None},
        {"snapshot": None},
        {"script": "gone.py"},
        {"environment": EnvironmentSpec(kind=PACKAGES, container=True)},
    ],
)
def test_where_it_cannot_be_told_nothing_is_said(tmp_path, facts):
    asked = facts.pop("environment", EnvironmentSpec(kind=PACKAGES))
    assert _missing(tmp_path, "import torch", asked, **facts) == []


@pytest.mark.parametrize("code", ["import (", "\0", "\ufeff", "def f(:"])
def test_a_script_that_is_no_python_is_nobodys_concern_here(tmp_path, code):
    assert _missing(tmp_path, code, EnvironmentSpec(kind=PACKAGES)) == []


class _Path:
    path_on_datastore = "a"


class _Run:
    def __init__(self, job, path):
        self.id, self.job, self.path, self.removed = job.id, job, path, None

    def get_metrics(self):
        return {}


def test_what_a_run_goes_on_from(home):
    job, folder = _run(home)
    here, run = Target(), _Run(job, folder)
    for before in (None, "a/folder", Path("a"), _Path(), run):
        assert resume_from.problems(before, here) == []
    (said,) = resume_from.problems(3, here)
    assert "int" in said
    assert resume_from.data_of(None, here) == resume_from.data_of(_Path(), here) == JobData()
    assert resume_from.data_of(Path("a/b"), here) == JobData(
        variables={resume_from.VARIABLE: "a/b"}
    )
    outputs = JobData(variables={resume_from.VARIABLE: str(folder / "outputs")})
    assert resume_from.data_of(run, here) == outputs
    resume_from.fetch_outputs(job, folder, here)


def _ready(**facts):
    return ReadyEnvironment(
        **{"key": "k", "python": "/p", "place": None, "bin": "/b", "lock": {"a": 1}, **facts}
    )


def test_a_runs_environment_is_written_down_once(home):
    _, folder = _run(home)
    assert environment_record.read_lockfile(folder) is None
    ready = _ready(notes=("a note",), lock={"a": 1, "relaxed": {"six": ["1", "2"]}})
    environment_record.write_lockfile(folder, ready)
    environment_record.write_lockfile(folder, _ready(lock={"a": 2}))
    assert environment_record.read_lockfile(folder)["a"] == 1
    told = events.read(folder)
    assert [each["kind"] for each in told].count("environment") == 1
    assert [each["message"] for each in told if each["kind"] == "note"] == ["a note"]
    (tags,) = [each["set"] for each in told if each["kind"] == "tag"]
    assert list(tags.values()) == ["six 1 -> 2"]


def test_an_interpreter_that_is_there_makes_a_run_ready(home):
    job, folder = _run(
        home, environment=EnvironmentSpec(kind=INTERPRETER, interpreter=sys.executable)
    )
    assert prepare_run.prepare(home, job, folder) == 0
    assert environment_record.read_lockfile(folder) is not None
    assert run_state.read_status(folder).state == "Preparing"
    (told,) = [each for each in events.read(folder) if each["kind"] == "environment"]
    assert os.path.realpath(told["python"]) == os.path.realpath(sys.executable)


def test_one_that_is_not_ends_the_run_with_the_reason(home, tmp_path):
    gone = str(tmp_path / "no" / "python")
    job, folder = _run(home, environment=EnvironmentSpec(kind=INTERPRETER, interpreter=gone))
    assert prepare_run.prepare(home, job, folder) == 1
    told = run_state.read_status(folder)
    assert (told.state, told.is_final) == ("Failed", True)
    assert gone in told.reason
    assert gone in (folder / environment_record.LOG).read_text()
    assert environment_record.read_lockfile(folder) is None


@pytest.mark.parametrize(
    ("template", "arguments", "command"),
    [
        (
            {"script": "a.py", "arguments": ("--x", "1")},
            ("--x", "1", "--lr", "0.1", "--name", "a b"),
            None,
        ),
        ({"command": "python a.py"}, (), "python a.py --lr 0.1 --name 'a b'"),
    ],
)
def test_a_point_becomes_a_job_of_its_own(template, arguments, command):
    parent = _job(id="s", display_name="sweep")
    child = ChildRun(3, "s_3", {"--lr": 0.1, "name": "a b"}, "2024-05-02T00:00:00.000000Z")
    made = children.job_of(_job(**template), parent, child, None)
    assert (made.id, made.parent, made.created, made.display_name) == (
        "s_3",
        "s",
        child.created,
        "sweep_3",
    )
    assert made.arguments == arguments
    assert made.command == command


def test_a_point_that_goes_on_from_a_run_has_its_outputs():
    template = _job(command="python a.py", data=JobData(variables={"A": "1"}))
    child = ChildRun(0, "s_0", {"lr": 1}, "2024-05-02T00:00:00.000000Z", source="t_4")
    made = children.job_of(template, _job(id="s"), child, "/runs/t_4/outputs")
    assert made.data.variables == {"A": "1", resume_from.VARIABLE: "/runs/t_4/outputs"}
    assert made.command.endswith(f'--resume-from "${resume_from.VARIABLE}"'), (
        "the shell fills it in"
    )
    assert template.data == JobData(variables={"A": "1"})


def test_a_sweep_that_has_ended_is_as_its_result_says(home):
    job, folder = _run(home, kind="hyperdrive")
    unstarted.end_failed(folder, "no room")
    told = status.status_of(home, folder, job)
    assert (told.state, told.reason) == ("Failed", "no room")


def test_what_a_killed_driver_left_is_taken_away_and_a_run_is_not(home):
    whole, folder = _run(home)
    children.remove_partial(home, whole)
    assert (folder / "job.json").exists()
    half = _job(id="half")
    left = run_folder.make(home.runs_folder, half)
    children.remove_partial(home, half)
    children.remove_partial(home, half)
    assert not left.exists()
