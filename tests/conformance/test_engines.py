"""The local engine passes the shared suite, whichever way its launcher is started."""

from __future__ import annotations

import pytest

from scriptrun.engines import slots
from scriptrun.engines.local import Local
from scriptrun.runtime import files
from scriptrun.store import places
from scriptrun.testing import jobs
from scriptrun.testing.engines import EngineSuite
from scriptrun.testing.jobs import Bench
from scriptrun.tracking import events


class OnThisMachine(EngineSuite):
    def vanish(self, run):
        seen = events.facts(events.read(run.path)).began
        guard = files.read_json(str(run.path / "attempts" / "1" / "node-0.start.json"))
        for who in (guard, seen["launcher"], seen["script"]):
            jobs.kill(who["pid"])

    def room(self, bench):
        held = [slots.take(places.slots_root(), None) for _ in range(slots.DEFAULT_RUNS)]
        for each in held:
            if each is not None:
                each.close()
        return None not in held


class TestLocalAsAFreshInterpreter(OnThisMachine):
    @pytest.fixture
    def bench(self, tmp_path):
        return Bench(tmp_path, Local())


class TestLocalByFork(OnThisMachine):
    @pytest.fixture
    def bench(self, tmp_path):
        return Bench(tmp_path, Local(), forks=True)


def test_a_job_sees_the_gpu_that_it_was_given(tmp_path):
    """One run at a time a GPU: two jobs at once see two different ones."""
    machine = slots.machine_gpus()
    if not machine:
        pytest.skip("this machine has no NVIDIA GPU")
    run = Bench(tmp_path, Local()).run("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")
    assert jobs.log_of(run).strip() in machine
