"""kill -9 at random moments: whatever dies, every run ends in a true state and none runs twice."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest
import rounds
from rounds import HURT, KINDS, ROUNDS, judge, submitted, until_all_submitted

from scriptrun.engines.local.engine import Local
from scriptrun.store import paths
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

#: seconds for which a process is stopped: the suite's rounds are short ones
STOPPED = 20 if ROUNDS >= 100 else 2


@pytest.fixture
def chance(request):
    """A source of chance for one round, whose seed is printed when it fails."""
    return rounds.chance_of(request.node.nodeid)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


@pytest.fixture
def mark():
    return f"fault-{os.urandom(6).hex()}"


def victims_of(kind, bench, chance):
    """The processes of ``kind``, a random moment after the first of them came."""
    met = until(lambda: KINDS[kind](bench.workspace), f"no {kind} came")
    time.sleep(chance.choice((chance.uniform(0, 0.02), chance.uniform(0, 0.3))))
    return KINDS[kind](bench.workspace) or met


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_is_killed(number, bench, mark, chance):
    kind = ["submitter", *KINDS][number % (len(KINDS) + 1)]
    with submitted(bench, mark, chance):
        if kind == "submitter":
            time.sleep(chance.uniform(0.1, 0.6))
        else:
            for pid in victims_of(kind, bench, chance):
                jobs.kill(pid)
            until_all_submitted(bench)
    judge(bench, mark, HURT.get(kind, 1))


@pytest.mark.parametrize("number", range(max(4, ROUNDS // 4)))
def test_two_are_killed_at_once(number, bench, mark, chance):
    kinds = chance.sample(list(KINDS), 2)
    with submitted(bench, mark, chance):
        for kind in kinds:
            until(lambda kind=kind: KINDS[kind](bench.workspace), f"no {kind} came")
        time.sleep(chance.uniform(0, 0.3))
        for pid in [pid for kind in kinds for pid in KINDS[kind](bench.workspace)]:
            jobs.kill(pid)
        until_all_submitted(bench)
    judge(bench, mark, 2)


@pytest.mark.parametrize("number", range(max(3, ROUNDS // 20)))
def test_what_stands_still_for_a_while_goes_on(number, bench, mark, chance):
    kind = list(KINDS)[number % len(KINDS)]
    with submitted(bench, mark, chance):
        stopped = victims_of(kind, bench, chance)
        for pid in stopped:
            _send(pid, signal.SIGSTOP)
        time.sleep(STOPPED)
        for pid in stopped:
            _send(pid, signal.SIGCONT)
        until_all_submitted(bench)
    judge(bench, mark, 0)


@pytest.mark.parametrize("number", range(max(3, ROUNDS // 20)))
def test_the_runtime_directory_is_lost(number, bench, mark, chance):
    """What waits may be lost with it and says so; what runs ends as it would have."""
    with submitted(bench, mark, chance):
        time.sleep(chance.uniform(0.05, 0.6))
        shutil.rmtree(paths.runtime_root(), ignore_errors=True)
        until_all_submitted(bench)
    judge(bench, mark, rounds.JOBS)


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
