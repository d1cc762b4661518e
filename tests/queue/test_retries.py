"""Runs that are started again: for the causes that were named, and never for others."""

from __future__ import annotations

import os
import signal

import pytest

from scriptrun import Experiment, ScriptRunConfig
from scriptrun.config.environments.environment import Environment
from scriptrun.queue import tickets
from scriptrun.runtime import events
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.testing.jobs import Bench, kill, log_of, until, wait

#: fails until the third attempt, and goes on from what it saved
SAVES = """
import os, sys
saved = os.path.join(os.environ['SCRIPTRUN_CHECKPOINT_DIR'], 'step')
step = int(open(saved).read()) if os.path.exists(saved) else 0
print('from step', step, flush=True)
open(saved, 'w').write(str(step + 1))
sys.exit(75 if step < 2 else 0)
"""
HANGS = """
import os, signal, sys, time
saved = os.path.join(os.environ['SCRIPTRUN_CHECKPOINT_DIR'], 'saved')
if os.path.exists(saved): print('went on'); sys.exit()
def save(*_): open(saved, 'w').close(); sys.exit(3)
signal.signal(signal.SIGTERM, save)
print('began', flush=True)
time.sleep(3600)
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def submit(bench, code, **settings):
    environment = Environment("bench")
    environment.python.user_managed_dependencies = True
    config = ScriptRunConfig(str(bench.source(code)), "job.py", environment=environment)
    limit = settings.pop("limit", None)
    if limit:
        config.run_config.max_run_duration_seconds = limit
    for name, value in settings.items():
        setattr(config, name, value)
    return Experiment(bench.workspace, "retries").submit(config)


def attempts(run):
    return sorted(int(each.name) for each in (run.path / "attempts").iterdir())


def kept_tickets(bench):
    return [n for n in os.listdir(tickets.queue_of(bench.workspace.id)) if "json" in n]


def test_a_named_exit_code_starts_it_again_from_what_was_saved(bench):
    run = submit(bench, SAVES, retries=3, retry_on="exit:75")
    said = run.path / "system_logs" / "slurm.txt"
    assert wait(run) == "Completed", run.standing.reason + said.read_text()
    assert log_of(run) == "from step 0\nfrom step 1\nfrom step 2\n"
    assert attempts(run) == [1, 2, 3]
    assert [(run.path / "attempts" / str(n) / "result.json").exists() for n in (1, 2, 3)] == [
        False,
        False,
        True,
    ]
    notes = [
        e["message"]
        for e in events.read(str(run.path / "events" / "node-0.jsonl"))
        if e["kind"] == "note"
    ]
    assert "attempt 1 failed (job.py exited with code 75; last line: from step 0)" in notes[0]
    assert not kept_tickets(bench)


def test_retries_are_counted(bench):
    run = submit(bench, "raise SystemExit(75)", retries=1, retry_on=("exit:75",))
    assert wait(run) == "Failed"
    assert run.get_details()["exitCode"] == 75
    assert attempts(run) == [1, 2]
    assert not kept_tickets(bench)


def test_the_scripts_own_error_is_no_cause(bench):
    run = submit(bench, "raise SystemExit(1)", retries=5)
    assert wait(run) == "Failed"
    assert attempts(run) == [1]


@pytest.mark.parametrize("both", [False, True], ids=["launcher", "launcher and guard"])
def test_a_launcher_that_is_lost_starts_it_again(bench, both):
    gate = bench.root / "gate"
    code = f"import os, time\nprint('began', flush=True)\nwhile not os.path.exists({str(gate)!r}): time.sleep(.02)"
    run = submit(bench, code, retries=1)
    until(lambda: log_of(run) == "began\n")
    seen = events.read(str(run.path / "events" / "node-0.jsonl"))
    launcher = next(e for e in seen if e["kind"] == "began")["launcher"]["pid"]
    if both:
        from scriptrun.runtime import files

        kill(files.read_json(str(run.path / "attempts" / "1" / "node-0.start.json"))["pid"])
    os.kill(launcher, signal.SIGKILL)
    until(lambda: run.standing and log_of(run) == "began\nbegan\n")
    gate.touch()
    assert wait(run) == "Completed"
    assert attempts(run) == [1, 2]


def test_a_warning_comes_before_the_limit_and_the_next_attempt_goes_on(bench):
    """Where a busy machine begins it only after the warning, there is more time before that."""
    for seconds in (1, 10, 60):
        how = {"limit": 21 * seconds, "warn_before_seconds": 20 * seconds, "retries": 1}
        run = submit(bench, HANGS, **how)
        if wait(run) == "Completed" and log_of(run) == "began\nwent on\n":
            break
    assert wait(run) == "Completed"
    assert log_of(run) == "began\nwent on\n"


def test_a_canceled_run_stays_canceled(bench):
    run = submit(bench, HANGS, retries=3, retry_on="exit:3,signal:SIGTERM")
    until(lambda: log_of(run) == "began\n")
    run.cancel()
    assert wait(run) == "Canceled"
    assert attempts(run) == [1]
    assert not kept_tickets(bench)


def test_what_cannot_be_meant_is_refused_at_once(bench):
    with pytest.raises(RunConfigurationException) as told:
        submit(bench, "pass", retries=-1, retry_on=("exit:0",), warn_before_seconds=5)
    for words in (
        "retries must be a non-negative integer, not -1",
        "'exit:0'",
        "warn_before_seconds must be less than",
    ):
        assert words in str(told.value)


@pytest.mark.slurm
def test_slurm_starts_it_again_too(slurm, bench):
    from scriptrun.engines.slurm.engine import Slurm

    environment = Environment("bench")
    environment.python.user_managed_dependencies = True
    source = str(bench.source(SAVES))
    target = Slurm(partition="main")
    config = ScriptRunConfig(source, "job.py", environment=environment, compute_target=target)
    config.retries, config.retry_on = 2, ("exit:75",)
    run = Experiment(bench.workspace, "retries").submit(config)
    until(lambda: log_of(run) and "PENDING" in slurm.jobs().values(), "Slurm forgot the job")
    until(lambda: run.get_status() == "Queued", "it does not say that it waits")
    (job,) = slurm.jobs()
    slurm.release(job, lambda: log_of(run).count("from step") == 3)
    assert wait(run) == "Completed", run.standing.reason
    assert log_of(run) == "from step 0\nfrom step 1\nfrom step 2\n"
