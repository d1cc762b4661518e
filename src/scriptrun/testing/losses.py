"""The cases of the engines' suite for what dies: a job's node, its launcher, its submitter."""

# ruff: noqa: D102 (the name of a case says what it promises)

from __future__ import annotations

import json
import os
import signal
import subprocess

from scriptrun.core.run import Run
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.testing.scripts import DEAF, GATED
from scriptrun.tracking import events


class LossCases:
    """Mixed into the suite: needs ``bench`` and ``vanish``."""

    def vanish(self, run: Run) -> None:
        """Make the job disappear without a trace, as a crash of its node would."""
        raise NotImplementedError

    def began(self, run: Run) -> None:
        """Wait until the script says so."""
        until(lambda: "began" in log_of(run), f"{run.id} has not begun")

    def test_the_job_outlives_its_submitter(self, bench: Bench) -> None:
        gate = bench.root / "gate"
        order = {**bench.order(GATED, [gate.as_posix()]), "linger": 3600}
        with subprocess.Popen(
            jobs.submitter(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(order))
            process.stdin.close()
            try:
                run = Run.get(bench.workspace, process.stdout.readline().strip())
                self.began(run)
            finally:
                process.send_signal(signal.SIGKILL)
        gate.touch()
        assert wait(run) == "Completed"
        assert log_of(run) == "began\ncontinued\n"

    def test_a_vanished_job_is_lost_with_a_reason(self, bench: Bench) -> None:
        mark = f"lost-{os.urandom(6).hex()}"
        run = bench.submit(DEAF, [mark])
        self.began(run)
        self.vanish(run)
        assert wait(run) == "Failed"
        assert run.standing.reason
        until(lambda: not jobs.living(mark), "processes of the lost job go on")

    def test_a_killed_launcher_ends_the_run_with_a_reason(self, bench: Bench) -> None:
        mark = f"kept-{os.urandom(6).hex()}"
        run = bench.submit(DEAF, [mark])
        self.began(run)
        began = events.collect_facts(events.read(run.path)).began or {}
        jobs.kill(began["launcher"]["pid"])
        assert wait(run) == "Failed"
        assert "the launcher was killed by SIGKILL" in run.standing.reason
        until(lambda: not jobs.living(mark), "processes of the job go on")
