"""How the SDK v1's runs and compute targets behave: each observed line is held here."""

from __future__ import annotations

import uuid

import behaviours
import pytest

from scriptrun import Run, ScriptRunConfig
from scriptrun.dropin import one_time_notes
from scriptrun.dropin.azureml.compute import AmlCompute, ComputeTarget
from scriptrun.dropin.azureml.experiment import Experiment
from scriptrun.dropin.azureml.workspace import Workspace
from scriptrun.spec.errors import (
    ActivityFailedException,
    ComputeTargetException,
    RunEnvironmentException,
    UserErrorException,
)

LINES = {
    # Run
    "start_logging: an id that is a uuid; complete() or with ends it": ("test_interactive_runs",),
    "get_context outside a job: an offline run with only some members": (
        "test_outside_a_job",
        "test_dropin_exec.py::test_start_logging_arguments_and_exit_code",
    ),
    "run.experiment.workspace in a job, without config.json": ("test_a_job_finds_its_workspace",),
    "tags are overwritten, properties are added once; get_runs filters": (
        "test_tags_properties_and_filters",
    ),
    "cancel, fail even after the end, get_details": (
        "test_cancel_and_fail",
        "test_details",
        "differs: `run.fail()` made a run Failed at once",
    ),
    "children: child_run, create_children, submit_child; independent of the parent": (
        "test_children_of_a_job",
        "test_a_parent_does_not_wait",
    ),
    "raise_on_error is True by default": ("test_a_failed_run_raises",),
    "register_model: the next version each time; a folder; ./outputs": ("test_models_of_a_run",),
    "limits on tags, names and metrics": (
        "test_no_limits",
        "differs: limits on tags, names and metrics",
    ),
    # compute
    "ComputeTarget(ws, name) raises when missing; provisioning_configuration and its defaults": (
        "test_a_cluster_is_found_or_made",
    ),
    "ws.compute_targets; get_status().serialize(), list_nodes, update, delete": (
        "test_what_a_cluster_can_do",
    ),
    "RemoteCompute and others are attached": (
        "test_machines_are_not_attached",
        "differs: machines were attached as RemoteCompute",
    ),
}


def test_every_line_is_held():
    assert not behaviours.not_held(LINES, globals())


@pytest.fixture
def ws(tmp_path, monkeypatch):
    monkeypatch.setattr(one_time_notes, "_said", {"cloud", "vm_size"})
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path)
    return Workspace.create("ws")


@pytest.fixture
def ran(ws):
    """Submits a script of the given text, waits, and gives the run."""

    def run_it(text, **kwargs):
        with open("src/train.py", "w", encoding="utf-8") as file:
            file.write(text)
        run = Experiment(ws, "e").submit(ScriptRunConfig("src", "train.py"), **kwargs)
        run.wait_for_completion(raise_on_error=False)
        return run

    return run_it


def test_interactive_runs(ws):
    experiment = Experiment(ws, "e")
    run = experiment.start_logging()
    assert str(uuid.UUID(run.id)) == run.id
    run.log("x", 1)
    assert run.get_status() == "Running"
    run.complete()
    assert run.get_status() == "Completed" and run.get_metrics() == {"x": 1}
    with experiment.start_logging() as run:
        assert run.get_status() == "Running"
    assert run.get_status() == "Completed"
    with pytest.raises(KeyError), experiment.start_logging() as run:
        raise KeyError("lost")
    assert run.get_status() == "Failed" and "lost" in str(run.get_details()["error"])


def test_a_submitted_script_may_complete_its_run(ran):
    run = ran(
        "from azureml.core import Run\nr = Run.get_context()\nr.complete()\nr.log('late', 1)\n"
    )
    assert run.get_status() == "Completed" and run.get_metrics() == {"late": 1}


def test_outside_a_job(capsys):
    run = Run.get_context()
    run.log("x", 1)
    assert "Attempted to log" in capsys.readouterr().out
    there = "log log_list log_row log_table log_image upload_file upload_folder tag add_properties"
    for name in (*there.split(), "child_run", "complete", "fail", "cancel", "flush"):
        assert callable(getattr(run, name)), name
    for name in ("experiment", "parent", "get_metrics", "input_datasets", "create_children"):
        assert not hasattr(run, name), name
    with pytest.raises(RunEnvironmentException):
        Run.get_context(allow_offline=False)


def test_a_job_finds_its_workspace(ws, ran):
    text = "from azureml.core import Run\nws = Run.get_context().experiment.workspace\nprint(ws.name)\n"
    run = ran(text)
    assert (run.path / "user_logs" / "std_log.txt").read_text() == "ws\n"


def test_tags_properties_and_filters(ws, ran):
    run = ran("", tags={"a": "1"})
    run.tag("a", "2")
    run.tag("bare")
    assert run.get_tags() == {"a": "2", "bare": None}
    run.add_properties({"p": "1"})
    run.add_properties({"p": "1"})
    with pytest.raises(UserErrorException, match="already"):
        run.add_properties({"p": "2"})
    other = ran("")
    experiment, found = (
        Experiment(ws, "e"),
        lambda **how: [r.id for r in experiment.get_runs(**how)],
    )
    assert found() == [other.id, run.id]
    for how in ({"tags": {"a": "2"}}, {"tags": "bare"}, {"properties": {"p": "1"}}):
        assert found(**how) == [run.id], how
    assert found(tags={"a": "1"}) == []
    with experiment.start_logging() as parent, parent.child_run() as child:
        pass
    assert child.id not in found() and child.id in found(include_children=True)
    assert found(type="azureml.scriptrun")[-2:] == [other.id, run.id] and found(type="other") == []


def test_cancel_and_fail(ws, ran):
    run = ran("")
    run.fail("no good", "Bad")
    assert run.get_status() == "Failed" and "no good" in str(run.get_details()["error"])
    slow = Experiment(ws, "e").submit(ScriptRunConfig("src", command="sleep 3600"))
    slow.cancel()
    slow.wait_for_completion(raise_on_error=False)
    assert slow.get_status() == "Canceled"


def test_details(ran):
    run = ran("raise SystemExit(3)\n")
    details = run.get_details()
    promised = "runId target status startTimeUtc endTimeUtc properties inputDatasets outputDatasets"
    for name in (*promised.split(), "runDefinition", "logFiles", "submittedBy"):
        assert name in details
    assert details["runId"] == run.id and details["status"] == "Failed"
    assert details["startTimeUtc"] <= details["endTimeUtc"]
    assert details["runDefinition"]["script"] == "train.py"
    assert "exited with code 3" in str(details["error"])
    assert list(details["logFiles"]) == ["user_logs/std_log.txt"]


CHILDREN = """
from azureml.core import Run, ScriptRunConfig
run = Run.get_context()
made = run.create_children(count=2) + run.create_children(tag_key="k", tag_values=["x", "y"])
for number, child in enumerate(made):
    child.log("n", number)
    child.parent.log("seen", number)
    child.complete()
with run.child_run("named") as child, child.child_run() as deep:
    deep.log("deep", 1)
run.submit_child(ScriptRunConfig(".", command="echo child")).wait_for_completion()
"""


def test_children_of_a_job(ran):
    run = ran(CHILDREN)
    assert run.get_status() == "Completed"
    children, tree = list(run.get_children()), list(run.get_children(recursive=True))
    assert (len(children), len(tree)) == (6, 7)
    assert {child.parent.id for child in children} == {run.id}
    assert {child.get_status() for child in tree} == {"Completed"}
    assert [child.get_tags() for child in children if child.get_tags()] == [{"k": "x"}, {"k": "y"}]
    assert run.get_metrics() == {"seen": [0, 1, 2, 3]}
    assert {"deep": 1} in run.get_metrics(recursive=True).values()


def test_a_parent_does_not_wait(ws):
    parent = Experiment(ws, "e").start_logging()
    child = parent.child_run()
    parent.complete()
    assert (parent.get_status(), child.get_status()) == ("Completed", "Running")
    child.fail()
    assert (parent.get_status(), child.get_status()) == ("Completed", "Failed")


def test_a_failed_run_raises(ran):
    run = ran("raise ValueError('why')\n")
    with pytest.raises(ActivityFailedException, match="why"):
        run.wait_for_completion()
    assert run.wait_for_completion(raise_on_error=False)["status"] == "Failed"


WRITES = """
import os
os.makedirs("outputs/deep", exist_ok=True)
for name in ("model.pkl", "deep/more.txt"):
    with open("outputs/" + name, "w") as file:
        file.write(name)
"""


def test_models_of_a_run(ran):
    run = ran(WRITES)
    first = run.register_model("m", "outputs/model.pkl", tags={"a": "b"}, model_framework="Custom")
    second = run.register_model(model_name="m", model_path="./outputs/model.pkl")
    whole = run.register_model("folder", model_path="outputs")
    assert (first.version, second.version, whole.version) == (1, 2, 1)
    assert first.tags == {"a": "b"} and first.run_id == run.id
    whole.download("got", exist_ok=True)
    with open("got/outputs/deep/more.txt", encoding="utf-8") as file:
        assert file.read() == "deep/more.txt"


def test_no_limits(ws):
    with Experiment(ws, "e").start_logging() as run:
        for number in range(60):
            run.tag(f"{number}{'k' * 200}", "v" * 2000)
            run.log(f"metric {number}", number)
        run.log_row("wide", **{f"column_{number}": number for number in range(30)})
    assert len(run.get_tags()) == 60 and len(run.get_metrics()) == 61


def test_a_cluster_is_found_or_made(ws):
    with pytest.raises(ComputeTargetException, match="Compute target 'c' not found"):
        ComputeTarget(ws, "c")
    for given in ({}, {"vm_size": "STANDARD_D2_V2"}, {"max_nodes": 2}):
        with pytest.raises(ComputeTargetException, match="requires vm_size and max_nodes"):
            AmlCompute.provisioning_configuration(**given)
    config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=2)
    ComputeTarget.create(ws, "c", config).wait_for_completion(show_output=True)
    scale = ComputeTarget(workspace=ws, name="c").scale_settings
    assert (scale.minimum_node_count, scale.maximum_node_count) == (0, 2)
    assert scale.idle_seconds_before_scaledown == 1800


def test_what_a_cluster_can_do(ws):
    config = AmlCompute.provisioning_configuration("STANDARD_D2_V2", min_nodes=1, max_nodes=4)
    ComputeTarget.create(ws, "c", config)
    found = ws.compute_targets
    assert sorted(found) == ["c", "local"] and found["c"].type == "AmlCompute"
    status = found["c"].get_status().serialize()
    assert status["scaleSettings"]["maxNodeCount"] == 4 and status["vmSize"] == "STANDARD_D2_V2"
    assert found["c"].list_nodes() == []
    found["c"].update(min_nodes=0, max_nodes=1, idle_seconds_before_scaledown=60)
    scale = ComputeTarget(ws, "c").scale_settings
    assert (scale.maximum_node_count, scale.idle_seconds_before_scaledown) == (1, 60)
    found["c"].delete()
    assert "c" not in ws.compute_targets


def test_machines_are_not_attached(ws):
    with pytest.raises(NotImplementedError, match="scriptrun compute add"):
        ComputeTarget.attach(ws, "vm", object())
