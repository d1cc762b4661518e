"""What dies, is deaf, full or missing while a job's processes are containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from pods import BARE, BASE, own

from scriptrun.config.environments.environment import Environment
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.core.experiment import Experiment
from scriptrun.engines.local.engine import Local
from scriptrun.runtime import files
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.testing.scripts import DEAF, GATED
from scriptrun.tracking import events

pytestmark = [pytest.mark.podman, pytest.mark.faults]


@pytest.fixture
def bench(tmp_path, podman):
    return Bench(tmp_path, Local(), image=BASE)


def of_dockerfile(text):
    made = Environment.from_dockerfile("made", text)
    made.python.user_managed_dependencies = True
    return made


def submitted(bench, environment, code="print('ran')"):
    config = ScriptRunConfig(str(bench.source(code)), "job.py", environment=environment)
    return Experiment(bench.workspace, "faults").submit(config)


def deaf(bench, mark):
    grace = {"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC": "0.5"}
    run = bench.submit(DEAF, [mark], variables=grace)
    until(lambda: "began" in log_of(run), "it has not begun")
    return run


def holders(run):
    """Guard, launcher and the tool's process of the run."""
    guard = files.read_json(str(run.path / "attempts" / "1" / "node-0.start.json"))
    seen = events.collect_facts(events.read(run.path)).began
    return {"guard": guard["pid"], "launcher": seen["launcher"]["pid"], "tool": seen["pid"]}


def gone(podman, mark):
    until(lambda: not jobs.living(mark), "processes of the container go on")
    until(lambda: not podman.names(), "the container is still there")


@pytest.mark.parametrize(
    ("killed", "said"),
    [
        (["launcher"], "the launcher was killed by SIGKILL"),
        (["guard", "launcher"], "is gone"),
        (["guard", "launcher", "tool"], "is gone"),
        (["tool"], "SIGKILL"),
    ],
)
def test_whoever_is_killed_the_container_goes_and_the_run_says_why(bench, podman, killed, said):
    mark = f"deaf-{os.urandom(6).hex()}"
    run = deaf(bench, mark)
    pids = holders(run)
    for who in killed:
        os.kill(pids[who], signal.SIGKILL)
    assert wait(run) == "Failed"
    assert said in run.standing.reason
    gone(podman, mark)


def test_the_guard_alone_is_killed_and_the_job_goes_on(bench, podman):
    gate = bench.root / "gate"
    run = bench.submit(GATED, [gate.as_posix()])
    until(lambda: "began" in log_of(run))
    os.kill(holders(run)["guard"], signal.SIGKILL)
    gate.touch()
    assert wait(run) == "Completed"
    assert log_of(run) == "began\ncontinued\n"
    until(lambda: not podman.names(), "the container is still there")


def test_podmans_monitor_is_killed(bench, podman):
    mark = f"deaf-{os.urandom(6).hex()}"
    run = deaf(bench, mark)
    first = int((run.path / "attempts" / "1" / "container-0.pid").read_text())
    with open(f"/proc/{first}/stat") as handle:
        os.kill(int(handle.read().rpartition(")")[2].split()[1]), signal.SIGKILL)
    assert wait(run) == "Failed"
    assert "conmon" in run.standing.reason
    gone(podman, mark)


def test_processes_that_fork_as_fast_as_they_are_killed(bench, podman):
    code = (
        "import os, signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('began', flush=True)\nfor _ in range(200):\n"
        "    if os.fork(): time.sleep(0.01)\n    else: os.setsid()\ntime.sleep(3600)\n"
    )
    mark = f"forks-{os.urandom(6).hex()}"
    grace = {"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC": "0.3"}
    run = bench.submit(code.replace("200", "9"), [mark], variables=grace)
    until(lambda: "began" in log_of(run))
    run.cancel()
    assert wait(run) == "Canceled"
    gone(podman, mark)


def test_an_image_that_is_gone_is_built_again(bench, podman):
    environment = of_dockerfile(f"FROM {BASE}\nRUN echo here > /etc/made\n")
    code = "print(open('/etc/made').read())"
    first = submitted(bench, environment, code)
    assert wait(first) == "Completed", first.standing.reason
    image = files.read_json(str(first.path / "attempts" / "1" / "container-0.json"))["image"]
    podman.say("rmi", "--force", image)
    again = submitted(bench, environment, code)
    assert wait(again) == "Completed", again.standing.reason
    told = (again.path / "system_logs" / "environment.txt").read_text()
    assert "its image is missing from podman's store" in told or "gone" in told


def test_a_build_that_fails_names_its_step_and_last_lines(bench):
    run = submitted(bench, of_dockerfile(f"FROM {BASE}\nRUN echo deep trouble; exit 7\n"))
    assert wait(run) == "Failed"
    assert "STEP 2/2: RUN echo deep trouble" in run.standing.reason
    assert "  deep trouble" in run.standing.reason


def test_an_image_that_is_nowhere(bench):
    environment = Environment.from_docker_image("none", "localhost/no-such-image:1")
    run = submitted(bench, environment)
    assert wait(run) == "Failed"
    assert "localhost/no-such-image:1" in run.standing.reason


def test_a_script_in_an_image_without_python(bench):
    run = submitted(bench, Environment.from_docker_image("bare", BARE))
    assert wait(run) == "Failed"
    assert "has no Python" in run.standing.reason


def test_a_canceled_build_ends(bench, podman):
    mark = f"3600.{int.from_bytes(os.urandom(6))}"
    run = submitted(bench, of_dockerfile(f"FROM {BASE}\nRUN sleep {mark}\n"))
    until(lambda: jobs.living(f"sleep\0{mark}"), "the build has not begun")
    run.cancel()
    assert wait(run) == "Canceled"
    until(lambda: not jobs.living(f"sleep\0{mark}"), "the build goes on")


def test_a_build_that_hangs_is_ended_after_its_time(bench, podman, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_BUILD_TIMEOUT", "4")
    mark = f"3600.{int.from_bytes(os.urandom(6))}"
    run = submitted(bench, of_dockerfile(f"FROM {BASE}\nRUN sleep {mark}\n"))
    assert wait(run) == "Failed"
    assert "timed out after 4 s" in run.standing.reason
    until(lambda: not jobs.living(f"sleep\0{mark}"), "the build goes on")


def test_a_builder_is_killed_and_the_next_builds(bench, podman):
    mark = f"3600.{int.from_bytes(os.urandom(6))}"
    environment = of_dockerfile(f"FROM {BASE}\nRUN sleep {mark} || true\n")
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDS, str(bench.root), environment.docker.base_dockerfile],
        stdout=subprocess.DEVNULL,
    )
    until(lambda: jobs.living(f"sleep\0{mark}"), "the build has not begun")
    builder.kill()
    builder.wait()
    run = submitted(bench, environment)

    def goes_on():
        for pid in jobs.living(f"sleep\0{mark}"):
            jobs.kill(pid)
        return run.standing.is_final

    until(goes_on, "it is not built")
    assert wait(run) == "Completed", run.standing.reason


BUILDS = """
import sys
from scriptrun import Environment, Workspace
environment = Environment.from_dockerfile("made", sys.argv[2])
environment.python.user_managed_dependencies = True
Workspace(sys.argv[1]).build_environment(environment)
"""


def nameless(podman):
    """The images without a name: of a second build, the first one's would have lost its own."""
    return set(podman.say("images", "--quiet", "--filter", "dangling=true").split())


def test_two_builds_at_once_build_once(bench, podman):
    text = f"FROM {BASE}\nRUN sleep 1; echo $$ > /etc/built\n"
    before = nameless(podman)
    words = [sys.executable, "-c", BUILDS, str(bench.root), text]
    builders = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait() for each in builders] == [0, 0]
    assert nameless(podman) <= before


@pytest.mark.slow
def test_a_disk_that_fills_during_a_build(tmp_path, small_disk, monkeypatch):
    root = small_disk("240m") / "podman"
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", str(own.bring_up(root)))
    bench = Bench(tmp_path / "bench", Local(), image=BASE)
    try:
        fill = f"FROM {BASE}\nRUN python3 -c \"open('/fill', 'wb').write(bytes(900_000_000))\"\n"
        run = submitted(bench, of_dockerfile(fill))
        assert wait(run) == "Failed"
        assert "no space left" in run.standing.reason.lower()
    finally:
        own.end(root)


def test_no_tool_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", str(tmp_path / "no-such-tool"))
    bench = Bench(tmp_path, Local(), image="example.org/mine:1")
    with pytest.raises(RunConfigurationException, match=r"example.org/mine:1.*[Ii]nstall podman"):
        bench.submit("print('never')")
    assert not list(bench.workspace.runs_folder.rglob("job.json"))


def test_a_tool_that_does_not_work_says_why(tmp_path, monkeypatch):
    tool = tmp_path / "docker"
    tool.write_text("#!/bin/sh\necho 'Cannot connect to the daemon' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", str(tool))
    bench = Bench(tmp_path, Local(), image="example.org/mine:1")
    with pytest.raises(RunConfigurationException, match="Cannot connect to the daemon"):
        bench.submit("print('never')")


def test_azures_image_without_a_tool_means_processes(tmp_path):
    bench = Bench(tmp_path, Local())
    config = jobs._config(bench.order("print('as a process')"))
    config.run_config.docker.use_docker = True
    run = Experiment(bench.workspace, "azure").submit(config)
    assert wait(run) == "Completed"
    notes = [event.get("message", "") for event in events.read(run.path)]
    assert any("runs as processes with the same packages" in each for each in notes)
