"""Many at once: an environment is built once, no more run than may, a killed build is made again."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import time
import zipfile

import pytest
import victims

from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.testing.scripts import MARK

pytestmark = pytest.mark.slow

USES = "import bulky.m7; print(bulky.m7.x)"


@pytest.fixture
def requirements(tmp_path):
    """A requirements file whose one package lies here, so that no index is asked."""
    wheel = tmp_path / "bulky-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for number in range(3000):
            archive.writestr(f"bulky/m{number}.py", f"x = {number}\n")
        archive.writestr("bulky/__init__.py", "")
        about = "bulky-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: bulky\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{about}/RECORD", "")
    place = tmp_path / "requirements.txt"
    place.write_text(f"bulky @ {wheel.as_uri()}\n")
    return str(place)


def places(bench):
    root = os.path.join(os.environ["SCRIPTRUN_CACHE"], "environments")
    return [
        os.path.join(root, shelf, name)
        for shelf in os.listdir(root)
        for name in os.listdir(os.path.join(root, shelf))
        if name.isdigit()
    ]


def test_fifty_submissions_at_once_build_one_environment(tmp_path, requirements):
    bench = Bench(tmp_path, Local())
    order = bench.order(USES, requirements=requirements, count=10)
    several = [
        subprocess.Popen(jobs.submitter(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for _ in range(5)
    ]
    for process in several:
        process.stdin.write(json.dumps(order).encode())
        process.stdin.close()
    assert [process.wait() for process in several] == [0] * 5
    runs = [Run.at(bench.workspace, folder) for folder in victims.every_run(bench.workspace)]
    assert len(runs) == 50
    assert {wait(run) for run in runs} == {"Completed"}
    assert {log_of(run) for run in runs} == {"7\n"}
    built = [run for run in runs if "Built in" in text(run.path / "system_logs/environment.txt")]
    assert (len(built), len(places(bench))) == (1, 1)


def text(path):
    return path.read_text() if path.exists() else ""


@pytest.mark.faults
@pytest.mark.parametrize("number", range(3))
def test_the_builder_is_killed_and_the_run_starts_all_the_same(
    number, tmp_path, requirements, request
):
    seed = os.environ.get("FAULT_SEED") or str(secrets.randbelow(10**9))
    print(f"to repeat: FAULT_SEED={seed} pytest '{request.node.nodeid}'")
    chance = random.Random(f"{seed}-{number}")
    bench = Bench(tmp_path, Local())
    run = bench.submit(USES, requirements=requirements)

    def builders():
        return [
            pid
            for runner in victims.runners(bench.workspace)
            for pid in victims.children(runner)
            if victims.comm(pid) == "scriptrun-queue"
        ]

    until(lambda: builders() or run.standing.is_final, "no builder came")
    time.sleep(chance.uniform(0, 0.5))
    for pid in builders():
        jobs.kill(pid)
    assert wait(run) == "Completed", run.standing.reason
    assert log_of(run) == "7\n"


def test_a_canceled_build_does_not_hurt_those_who_wait_for_it(tmp_path, requirements):
    bench = Bench(tmp_path, Local())
    runs = [bench.submit(USES, requirements=requirements) for _ in range(6)]
    for run in runs[:-1]:
        until(lambda run=run: run.get_status() != "Queued")
        run.cancel()
    assert wait(runs[-1]) == "Completed", runs[-1].standing.reason
    assert {wait(run) for run in runs[:-1]} <= {"Canceled", "Completed"}


def test_no_more_launchers_than_runs_that_may_run(tmp_path):
    bench = Bench(tmp_path, Local(max_runs=2))
    place = tmp_path / "ran"
    code = MARK + "mark(sys.argv[1], os.environ['SCRIPTRUN_RUN_ID'])"
    source = bench.source(code)
    runs = [bench.submit(source=source, arguments=[str(place)]) for _ in range(60)]
    most = 0
    while not all(run.standing.is_final for run in runs[-5:]):
        most = max(most, len(victims.launchers(bench.workspace)))
    assert {wait(run) for run in runs} == {"Completed"}
    assert 1 <= most <= 2
    assert sorted(place.read_text().split()) == sorted(run.id for run in runs)


def test_the_cache_holds_one_whole_environment_after_a_killed_build(tmp_path, requirements):
    bench = Bench(tmp_path, Local())
    assert wait(bench.submit(USES, requirements=requirements)) == "Completed"
    (place,) = places(bench)
    os.unlink(os.path.join(place, cache_folders.MARKER))
    run = bench.submit(USES, requirements=requirements)
    assert (wait(run), log_of(run)) == ("Completed", "7\n")
