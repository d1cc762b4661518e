"""The local engine passes the shared suite, whichever way its launcher is started."""

from __future__ import annotations

import pytest

from scriptrun.engines.local import slots
from scriptrun.engines.local.engine import Local
from scriptrun.runtime import files
from scriptrun.store import paths
from scriptrun.testing import jobs
from scriptrun.testing.engines import EngineSuite
from scriptrun.testing.jobs import Bench
from scriptrun.tracking import events


class OnThisMachine(EngineSuite):
    def vanish(self, run):
        seen = events.collect_facts(events.read(run.path)).began
        guard = files.read_json(str(run.path / "attempts" / "1" / "node-0.start.json"))
        for who in (guard, seen["launcher"], seen["script"]):
            jobs.kill(who["pid"])

    def room(self, bench):
        held = [slots.take(paths.slots_root(), None) for _ in range(slots.DEFAULT_RUNS)]
        for each in held:
            if each is not None:
                each.close()
        return None not in held

    def gpus(self):
        return min(2, len(slots.machine_gpus()))


class TestLocalAsAFreshInterpreter(OnThisMachine):
    engine = "local"

    @pytest.fixture
    def bench(self, tmp_path):
        return Bench(tmp_path, Local())


class TestLocalByFork(OnThisMachine):
    engine = "local, by fork"

    @pytest.fixture
    def bench(self, tmp_path):
        return Bench(tmp_path, Local(), forks=True)
