"""The members of Run as the SDK v1's users know them, on real runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from scriptrun import Environment, Experiment, Run, ScriptRunConfig
from scriptrun.config.environments import curated
from scriptrun.config.environments.environment import is_reserved
from scriptrun.engines.local.engine import Local
from scriptrun.spec.errors import ActivityFailedException, EnvironmentException, UserErrorException
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.testing.scripts import GATED, SAVES

LOGS = """
from scriptrun import Run
run = Run.get_context()
run.log("loss", 0.5)
run.log("loss", 0.25)
run.tag("from", "the script")
open("outputs/model.txt", "w").write("weights")
os = __import__("os"); os.makedirs("outputs/deep/er"); open("outputs/deep/er/x.bin", "wb").write(b"\\0")
open("logs/events.log", "w").write("live")
print("trained")
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


@pytest.fixture
def trained(bench):
    return bench.run(LOGS)


def test_what_the_script_logged_and_kept(trained):
    assert trained.get_metrics() == {"loss": [0.5, 0.25]}
    assert trained.get_tags() == {"from": "the script"}
    names = trained.get_file_names()
    assert {"outputs/model.txt", "outputs/deep/er/x.bin", "logs/events.log"} <= set(names)
    assert "user_logs/std_log.txt" in names


def test_downloads_keep_relative_paths(trained, tmp_path):
    trained.download_file("outputs/model.txt", str(tmp_path / "m.txt"))
    assert (tmp_path / "m.txt").read_text() == "weights"
    trained.download_files("outputs/", str(tmp_path / "all"))
    assert (tmp_path / "all/outputs/deep/er/x.bin").exists()
    trained.download_files("outputs/deep/", str(tmp_path / "bare"), append_prefix=False)
    assert (tmp_path / "bare/er/x.bin").exists()
    with pytest.raises(UserErrorException, match=r"no\.such"):
        trained.download_file("no.such")


def test_uploads_after_the_end(trained, tmp_path):
    (tmp_path / "report.md").write_text("fine")
    trained.upload_file("reports/report.md", str(tmp_path / "report.md"))
    assert "reports/report.md" in trained.get_file_names()


def test_tags_overwrite_and_properties_do_not(trained):
    again = Run.get(trained.workspace, trained.id)
    trained.tag("quality", "good")
    again.tag("quality", "bad")
    again.tag("alone")
    assert trained.get_tags() == {"from": "the script", "quality": "bad", "alone": None}
    trained.remove_tags(["alone"])
    assert "alone" not in again.get_tags()
    trained.add_properties({"author": "me"})
    trained.add_properties({"author": "me"})
    with pytest.raises(UserErrorException, match="author"):
        again.add_properties({"author": "you"})
    assert again.get_properties()["author"] == "me"


def test_filters_of_get_runs(bench, trained):
    other = bench.run("pass")
    experiment = trained.experiment
    other.tag("kept", "yes")

    def ids(**filters):
        return [run.id for run in experiment.get_runs(**filters)]

    assert ids() == [other.id, trained.id]
    assert ids(tags="from") == [trained.id]
    assert ids(tags={"kept": "yes"}) == [other.id]
    assert ids(tags={"kept": "no"}) == []
    assert ids(properties="no such") == []
    assert ids(type="azureml.scriptrun") == [other.id, trained.id]
    assert ids(type="hyperdrive") == []
    assert list(Experiment(bench.workspace, "another").get_runs()) == []


def test_details_in_v1s_words(trained):
    details = trained.get_details()
    assert {
        "runId",
        "target",
        "status",
        "startTimeUtc",
        "endTimeUtc",
        "properties",
        "inputDatasets",
        "outputDatasets",
        "runDefinition",
        "logFiles",
        "submittedBy",
    } <= set(details)
    assert (details["runId"], details["status"]) == (trained.id, "Completed")
    assert details["startTimeUtc"] <= details["endTimeUtc"]
    assert details["properties"]["ContentSnapshotId"] == trained.get_snapshot_id()
    assert "error" not in details
    logs = trained.get_details_with_logs()["logFiles"]
    assert logs["user_logs/std_log.txt"] == "trained\n"


def test_a_failed_run_raises_with_its_last_lines(bench):
    run = bench.submit("print('so far'); raise ValueError('the cause')")
    with pytest.raises(ActivityFailedException) as failed:
        run.wait_for_completion()
    assert f"Run {run.id} failed: ValueError: the cause.\n" in str(failed.value)
    assert "so far" in str(failed.value)
    details = run.wait_for_completion(raise_on_error=False)
    assert details["status"] == "Failed"
    message = details["error"]["error"]["message"]
    assert message == details["reason"] == "ValueError: the cause"
    assert details["lastLines"][0] == "so far" and details["exitCode"] == 1


def test_a_script_may_cancel_its_run_and_end(bench):
    run = bench.submit("from scriptrun import Run; Run.get_context().cancel()")
    assert run.wait_for_completion()["status"] == "Canceled"


def test_a_canceled_run_does_not_raise(bench):
    run = bench.submit(SAVES)
    until(lambda: "began" in log_of(run))
    run.cancel()
    assert run.wait_for_completion()["status"] == "Canceled"


def test_fail_after_the_end_counts(trained):
    trained.fail("the data were wrong", error_code="Data")
    assert trained.get_status() == "Failed"
    with pytest.raises(ActivityFailedException, match="the data were wrong"):
        trained.wait_for_completion()
    trained.complete()
    assert Run.get(trained.workspace, trained.id).get_status() == "Failed"


def test_the_output_is_shown_under_headings(bench, capsys):
    run = bench.submit("print('line é'); print('last without an end', end='')")
    run.wait_for_completion(show_output=True)
    shown = capsys.readouterr().out
    assert shown.startswith(f"RunId: {run.id}\nWeb View: file://")
    assert "Streaming user_logs/std_log.txt\n=====" in shown
    assert "line é\nlast without an end" in shown
    summary = shown.partition("Execution Summary\n=================\n")[2]
    assert summary.startswith(f"RunId: {run.id}\nStatus: Completed\n")


def test_ctrl_c_only_detaches(bench, tmp_path):
    gate = tmp_path / "gate"
    run = bench.submit(GATED, [gate.as_posix()])
    until(lambda: "began" in log_of(run))
    code = (
        "import sys; from scriptrun import Run, Workspace; "
        "run = Run.get(Workspace(sys.argv[1]), sys.argv[2]); print('waits', flush=True); "
        "run.wait_for_completion(show_output=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(bench.root), run.id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waits\n"
    until(lambda: "began" in process.stdout.readline())
    process.send_signal(2)
    _, err = process.communicate()
    assert "Detached" in err and run.id in err
    assert run.get_status() == "Running"
    gate.touch()
    assert wait(run) == "Completed"


def test_children(bench):
    with bench_run(bench) as parent:
        with parent.child_run(name="first") as first:
            first.log("x", 1)
        several = parent.create_children(tag_key="fold", tag_values=["a", "b"])
        deep = several[0].child_run()
        for run in (deep, *several):
            run.complete()
    assert [run.id for run in parent.get_children()] == [first.id, *(run.id for run in several)]
    assert {run.id for run in parent.get_children(recursive=True)} >= {deep.id}
    assert [run.id for run in parent.get_children(tags={"fold": "b"})] == [several[1].id]
    assert first.parent.id == parent.id
    assert {run.get_status() for run in (parent, first, *several, deep)} == {"Completed"}
    assert [run.id for run in parent.experiment.get_runs()] == [parent.id]
    assert len(list(parent.experiment.get_runs(include_children=True))) == 5


def bench_run(bench):
    return Experiment(bench.workspace, "interactive").start_logging(snapshot_directory=None)


def test_an_interactive_run(bench, tmp_path):
    with bench_run(bench) as run:
        run.log("accuracy", 0.9)
        assert run.get_status() == "Running"
    assert run.get_status() == "Completed"
    assert run.get_metrics() == {"accuracy": 0.9}
    with pytest.raises(ZeroDivisionError), bench_run(bench) as broken:
        1 / 0
    assert broken.get_status() == "Failed"
    assert "ZeroDivisionError" in broken.standing.reason


def test_an_interactive_run_whose_process_dies(bench):
    code = (
        "import os, sys; from scriptrun import Experiment, Workspace\n"
        "run = Experiment(Workspace(sys.argv[1]), 'notebook').start_logging(snapshot_directory=None)\n"
        "run.log('x', 1); run.flush(); print(run.id, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(bench.root)], capture_output=True, text=True
    )
    run = Run.get(bench.workspace, done.stdout.strip())
    assert run.get_status() == "Failed"
    assert run.standing.reason
    assert run.get_metrics() == {"x": 1}


def test_a_job_submits_children_that_outlive_it(bench, tmp_path):
    gate, child = tmp_path / "gate", bench.source(GATED, "child")
    code = f"""
import sys
from scriptrun import Environment, Run, ScriptRunConfig
environment = Environment("inner")
environment.python.user_managed_dependencies = True
environment.python.interpreter_path = sys.executable
config = ScriptRunConfig(source_directory={str(child)!r}, script="job.py",
                         arguments=[{str(gate)!r}], environment=environment)
print(Run.get_context().submit_child(config).id)
"""
    parent = bench.run(code)
    assert parent.get_status() == "Completed", log_of(parent)
    (run,) = parent.get_children()
    assert run.id == log_of(parent).strip()
    assert run.parent.id == parent.id
    until(lambda: "began" in log_of(run))
    assert not [note for note in parent.get_details()["notes"] if "left running" in note]
    gate.touch()
    assert wait(run) == "Completed"


def test_an_experiment_of_something_else(bench):
    with pytest.raises(UserErrorException, match="expects a Workspace, not 'mine'"):
        Experiment("mine", bench.workspace)


def test_the_snapshot_can_be_restored(bench, trained, tmp_path):
    place = trained.restore_snapshot(path=str(tmp_path / "back"))
    assert os.listdir(place) == ["job.py"]
    assert (tmp_path / "back" / "job.py").read_text() == LOGS


def test_a_run_that_is_not_there(bench):
    with pytest.raises(UserErrorException, match="Run 'x' not found"):
        Run.get(bench.workspace, "x")
    with pytest.raises(UserErrorException):
        Run(Experiment(bench.workspace, "bench"), "../../etc")


def test_a_table_for_notebooks_is_escaped(trained):
    trained.display_name = "<script>"
    assert "&lt;script&gt;" in trained._repr_html_()
    assert trained.id in repr(trained)


def test_what_a_run_has_not_is_no_attribute(trained):
    assert not hasattr(trained, "no_such_thing")


def test_a_program_that_ends_before_its_runs_is_not_warned(bench):
    """Launchers and runners outlive who submitted: Python must not tell of children left behind."""
    gate = bench.root / "gate"
    waits = f"while [ ! -e {shlex.quote(str(gate))} ]; do sleep 0.05; done"
    program = (
        "from scriptrun import Experiment, ScriptRunConfig, Workspace\n"
        f"ws = Workspace({str(bench.workspace.root)!r})\n"
        f"job = ScriptRunConfig('.', command={waits!r})\n"
        "print(*[Experiment(ws, 'e').submit(job).id for _ in range(4)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", program],
        capture_output=True,
        text=True,
        cwd=bench.workspace.root,
    )
    assert done.returncode == 0
    assert "still running" not in done.stderr
    gate.touch()
    for run_id in done.stdout.split():
        wait(Run.get(bench.workspace, run_id))


def test_a_process_that_logs_and_ends_without_a_word(bench):
    """It has no launcher; what it was made from is known as for any run."""
    subprocess.run(["git", "init", "-q", bench.root], check=True)
    program = (
        "from scriptrun import Experiment, Workspace\n"
        f"run = Experiment(Workspace({str(bench.workspace.root)!r}), 'e').start_logging()\n"
        "print(run.id)\n"
    )
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=bench.root, check=True)
    run = Run.get(bench.workspace, done.stdout.strip())
    details = run.get_details()
    assert details["status"] == "Failed"
    assert "the process that logged it" in details["reason"] and "complete()" in details["reason"]
    assert details["properties"]["azureml.git.dirty"] == "False"
    assert details["properties"]["ContentSnapshotId"] == run.get_snapshot_id()


def test_what_was_submitted_with_is_registered_under_its_name(bench):
    """As the SDK v1 did: unchanged it keeps its version, and none comes of what was fetched."""
    experiment = Experiment(bench.workspace, "e")
    mine = Environment("mine")
    mine.python.user_managed_dependencies = True

    def submit(environment):
        job = ScriptRunConfig(bench.root, command="true", environment=environment)
        wait(experiment.submit(job))

    submit(mine)
    submit(mine)
    assert Environment.get(bench.workspace, "mine").version == "1"
    mine.environment_variables = {"A": "1"}
    wait(*experiment.submit_many([ScriptRunConfig(bench.root, command="true", environment=mine)]))
    assert Environment.get(bench.workspace, "mine").environment_variables == {"A": "1"}
    submit(Environment.get(bench.workspace, "mine", version="1"))
    submit(None)
    registered = [name for name in bench.workspace.environments if not is_reserved(name)]
    assert [name for name in registered if not curated.get(name)] == ["mine"]
    assert Environment.get(bench.workspace, "mine").version == "2"
    with pytest.raises(EnvironmentException, match="no version newest"):
        Environment.get(bench.workspace, "mine", version="newest")
