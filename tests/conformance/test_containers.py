"""The local engine passes the shared suite with its jobs in containers of a real podman."""

from __future__ import annotations

import pytest
from pods import BASE

from scriptrun.engines.local import slots
from scriptrun.engines.local.engine import Local
from scriptrun.runtime import files
from scriptrun.store import paths
from scriptrun.testing import jobs
from scriptrun.testing.engines import EngineSuite
from scriptrun.testing.jobs import Bench, wait
from scriptrun.tracking import events

pytestmark = [pytest.mark.podman, pytest.mark.slow]


class TestInContainers(EngineSuite):
    engine = "local, in containers"

    @pytest.fixture
    def bench(self, tmp_path, podman):
        made = Bench(tmp_path, Local(), image=BASE)
        made.workspace.build_environment(jobs._config(made.order("")).run_config.environment)
        return made

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

    def test_mpi_starts_exactly_the_requested_ranks(self, bench):
        pytest.skip("only on images that hold mpi4py: the suite's interpreter is this machine's")

    def beyond(self, bench):
        config = jobs._config(bench.order("print('never')"))
        config.cpus = 100_000
        return config

    def test_a_missing_interpreter_is_reported(self, bench):
        run = bench.submit("print('never')", python="/no/such/python")
        assert wait(run) == "Failed"
        assert "/no/such/python" in run.standing.reason

    def test_an_interpreter_removed_while_queued_is_reported(self, narrow):
        pytest.skip("this machine has no way to change an image: it is named by its content")
