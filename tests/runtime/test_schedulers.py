"""What the launcher reads of Slurm's words, as ``scontrol`` prints them; and containers' ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from scriptrun.runtime import files, results
from scriptrun.runtime.containers import launcher_hooks, podman
from scriptrun.runtime.launcher import supervise
from scriptrun.runtime.launcher.variables import Task
from scriptrun.runtime.order import Attempt, LaunchOrder
from scriptrun.runtime.schedulers import slurm, slurm_signals


@pytest.fixture
def order(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name in ("run", "handed"):
        (tmp_path / name).mkdir()
    places = {"workspace": str(tmp_path), "store": str(tmp_path), "runtime": str(tmp_path)}
    folder, handed = str(tmp_path / "run"), str(tmp_path / "handed")
    return LaunchOrder(**places, folder=folder, slurm=handed, requeues=1)


@pytest.fixture
def say(tmp_path, monkeypatch):
    """Have the program ``scontrol`` print a text, and write down how it was called."""

    def set_words(text):
        path = tmp_path / "bin" / "scontrol"
        path.parent.mkdir(exist_ok=True)
        (tmp_path / "said").write_text(text)
        path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncat {tmp_path}/said\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.defpath}")

    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return set_words


def judged(order):
    value = results.result(results.FAILED, "exited with code 1", exit_code=1)
    return slurm_signals.judge(order, value), value


JOB = (
    "JobId=12 JobName=a b=c UserId=me(1) Requeue={} Restarts=0 JobState={} Reason={} PreemptTime={}"
)


@pytest.mark.parametrize(
    ("state", "reason", "preempted", "requeue", "expected"),
    [
        ("TIMEOUT", "TimeLimit", "None", 1, ("Failed", "time-limit", True)),
        ("COMPLETING", "TimeLimit", "None", 1, ("Failed", "time-limit", True)),
        ("OUT_OF_MEMORY", "None", "None", 1, ("Failed", "memory", True)),
        ("PREEMPTED", "None", "None", 1, ("Failed", "preempted", False)),
        ("PREEMPTED", "None", "None", 0, ("Failed", "preempted", True)),
        ("COMPLETING", "NodeDown", "None", 1, ("Failed", "node-lost", False)),
        ("CANCELLED", "None", "None", 1, ("Canceled", None, True)),
        ("COMPLETING", "None", "None", 1, ("Canceled", None, True)),
        ("RUNNING", "None", "2026-11-24T00:00:00", 0, ("Failed", "preempted", True)),
        ("ODD_NEW_STATE", "None", "None", 0, ("Failed", "", True)),
    ],
)
def test_why_slurm_stopped_a_job_is_told(order, say, state, reason, preempted, requeue, expected):
    say(JOB.format(requeue, state, reason, preempted))
    ends, value = judged(order)
    assert (value["state"], value.get("ended_by"), ends) == expected


def test_a_slurm_that_does_not_answer_is_no_reason(order, say):
    ends, value = judged(order)
    assert ends and value["state"] == results.FAILED and "unknown reason" in value["reason"]
    assert not slurm_signals.is_preempted() and not slurm_signals.has_time_to_save()
    say("slurm_load_jobs error: Unable to contact slurm controller")
    assert "unknown reason" in judged(order)[1]["reason"]


def test_a_request_to_cancel_counts_before_slurms_words(order, say):
    say(JOB.format(1, "TIMEOUT", "TimeLimit", "None"))
    with open(os.path.join(order.folder, "cancel.json"), "w") as handle:
        handle.write("{}")
    ends, value = judged(order)
    assert ends and value["state"] == results.CANCELED


@pytest.mark.parametrize(("count", "again"), [("", True), ("0", True), ("1", False), ("2", False)])
def test_a_warning_of_the_limit_starts_the_job_again_as_often_as_was_asked(
    order, say, monkeypatch, count, again
):
    monkeypatch.setenv("SLURM_RESTART_COUNT", count)
    assert not slurm_signals.is_the_last_warning(order)
    with open(os.path.join(order.slurm, f"warned.{count or 0}"), "w"):
        pass
    ends, value = judged(order)
    assert (ends, value["ended_by"]) == (not again, "time-limit")
    assert slurm_signals.is_the_last_warning(order) is not again
    assert os.path.exists(os.path.join(order.slurm, "again")) is again


def test_a_preempted_job_with_time_to_save_asks_to_be_started_again(
    order, say, tmp_path, monkeypatch
):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "10")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    say(JOB.format(1, "RUNNING", "None", "2026-11-24T00:00:00"))
    assert slurm_signals.is_preempted()
    assert not judged(order)[0]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[-2:] == ["--oneliner show job 12", "requeue 10_2"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("PartitionName=a PreemptMode=REQUEUE GraceTime=30", True),
        ("PartitionName=a PreemptMode=REQUEUE GraceTime=0", False),
        ("PartitionName=a PreemptMode=OFF GraceTime=30", False),
        ("", False),
    ],
)
def test_a_partition_gives_time_to_save_or_does_not(order, say, words, expected):
    say(words)
    assert slurm_signals.has_time_to_save() is expected


def test_a_launcher_in_slurm_takes_its_place_from_its_variables_and_its_steps_are_not_the_jobs(
    order, tmp_path
):
    """One node of a job that was requeued, whose order is the second of an array."""
    job = {
        "id": "run", "experiment": "e", "workspace": "w", "format": 1, "arguments": [],
        "distribution": {"kind": "", "processes_per_node": 1}, "script": "",
        "command": "env > outputs/seen",
    }  # fmt: skip
    with open(os.path.join(order.folder, "job.json"), "w") as handle:
        json.dump(job, handle)
    value = {**order.to_json(), "runs": [{"attempt": 5}, {"attempt": 2}]}
    environ = {
        "PATH": os.defpath, "SLURM_ARRAY_TASK_ID": "1", "SLURM_RESTART_COUNT": "1",
        "SLURM_NODEID": "0", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_ID": "12",
        "SLURM_PROCID": "3", "SLURM_STEP_ID": "0", "PMI_RANK": "1", slurm.LENT: '{"T": "s3cret"}',
    }  # fmt: skip
    script = f"import json, sys; from {slurm.__name__} import main; main(json.load(sys.stdin))"
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, env=environ, input=json.dumps(value), text=True)
    assert done.returncode == 0
    assert os.listdir(os.path.join(order.folder, "attempts")) == ["3"]
    result = files.read_json(os.path.join(order.folder, "attempts/3/result.json"))
    assert (result["state"], result["node"]) == ("Completed", 0), result
    seen = (tmp_path / "run" / "outputs" / "seen").read_text()
    assert "SLURM_JOB_ID=12" in seen and "s3cret" not in seen
    assert not {"SLURM_PROCID", "SLURM_STEP_ID", "PMI_RANK"} & {
        line.partition("=")[0] for line in seen.splitlines()
    }
    handle = files.read_json(os.path.join(order.slurm, "job.json"))
    assert (handle["job"], handle["attempt"]) == ("12", 2)


def test_a_launcher_in_slurm_refuses_an_order_of_another_scriptrun(order):
    script = f"from {slurm.__name__} import main; main({{'schema': 99}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1 and "another scriptrun wrote" in done.stderr


def contained(tmp_path, kind, log):
    order = LaunchOrder(
        folder=str(tmp_path), workspace=str(tmp_path), store=str(tmp_path), runtime=str(tmp_path),
        environ={"PATH": os.defpath}, container={"kind": kind, "named": "img", "tool": "/none/tool"},
    )  # fmt: skip
    attempt = Attempt(order)
    attempt.tasks = {7: Task(0, 0, 0, ["x"], {}, "log")}
    (tmp_path / "log").write_text(log)
    return attempt


@pytest.mark.parametrize(
    ("kind", "log", "code", "started", "read"),
    [
        ("apptainer", "FATAL:  no image", 255, False, 255 << 8),
        ("apptainer", "my own words", 255, True, 255 << 8),
        ("apptainer", "", 137, True, 9),
        ("docker", "docker: no image", 125, False, 125 << 8),
        ("docker", "", 1, True, 1 << 8),
        ("docker", "", 143, True, 15),
    ],
)
def test_a_tools_exit_code_is_the_scripts_or_says_that_none_began(
    tmp_path, kind, log, code, started, read
):
    attempt = contained(tmp_path, kind, log)
    watch = supervise.Watch([], None, 1.0, str(tmp_path / "cancel"), str(tmp_path / "beat"))
    launcher_hooks.look_after(watch, attempt)
    assert watch.translate(7, code << 8) == read
    assert (attempt.not_started is None) is started
    assert (watch.terminate is None) is (kind == "apptainer")


def test_a_container_that_did_not_start_is_why_the_run_failed(tmp_path):
    """In a process of its own: all that has ended below it is reaped."""
    attempt = contained(tmp_path, "apptainer", "a line\nFATAL:   no such image\nmore\n")
    code = (
        "import json, sys\n"
        "from scriptrun.runtime.order import Attempt, LaunchOrder\n"
        "from scriptrun.runtime.launcher.variables import Task\n"
        f"from {launcher_hooks.__name__} import settle\n"
        "attempt = Attempt(LaunchOrder.from_json(json.load(sys.stdin)))\n"
        "attempt.not_started = Task(0, 0, 0, [], {}, 'log')\n"
        "failed = {'state': 'Failed', 'reason': 'exit 255', 'exit_code': 255,\n"
        "          'cause': {'reason': 'exit 255', 'exit_code': 255}}\n"
        "canceled = {'state': 'Canceled', 'reason': 'canceled'}\n"
        "settle(attempt, failed); settle(attempt, canceled)\n"
        "print(json.dumps([failed, canceled]))"
    )
    told = json.dumps(attempt.order.to_json())
    out = subprocess.check_output([sys.executable, "-c", code], input=told, text=True)
    failed, canceled = json.loads(out)
    assert "img" in failed["reason"] and failed["reason"].endswith("no such image")
    assert failed["cause"] == {"reason": failed["reason"]} and "exit_code" not in failed
    assert canceled["reason"] == "canceled"


def test_podman_keeps_no_events_wherever_it_is_called():
    assert all(word.startswith("--") for word in podman.OPTIONS)
    assert "--events-backend=none" in podman.OPTIONS
