"""The shared suite that every engine passes against the real thing (docs/explanation/engines.md).

An engine's author subclasses ``EngineSuite`` in a test module, gives it a ``bench`` fixture whose
``target`` is the engine, and says in ``vanish`` how a job is made to disappear without a trace::

    class TestMine(EngineSuite):
        @pytest.fixture
        def bench(self, tmp_path):
            return Bench(tmp_path, MyEngine())

        def vanish(self, run): ...

``narrow`` gives the same engine with room for one run at a time. Needs pytest and Hypothesis.
"""

# ruff: noqa: D102 (the name of a case says what it promises)

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.config.distributed import MpiConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.core.dataset import Dataset, OutputFileDatasetConfig
from scriptrun.core.datastore import Datastore
from scriptrun.core.experiment import Experiment
from scriptrun.core.run import Run
from scriptrun.engines.base import ALIVE, ENDED, Engine, NoRoom, Order, PollRound
from scriptrun.environments.lookup import find
from scriptrun.queue import tickets
from scriptrun.registry import compute_targets
from scriptrun.spec.errors import RunConfigurationException, UserErrorException
from scriptrun.spec.values import replace
from scriptrun.store import job_runtime
from scriptrun.testing import jobs
from scriptrun.testing.jobs import TIME_TO_SAVE, Bench, log_of, until, wait
from scriptrun.testing.losses import LossCases
from scriptrun.testing.ranks import RankCases
from scriptrun.testing.scripts import COPIES, COUNTS, DEAF, GATED, MARK, SAVES, SEEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


ODD = ["", " ", '"quoted"', "it's", "$HOME", "${HOME}", "`id`", "a\nb", "%j", "%%", "é漢🙂", "\\n"]
#: anything that an argument can hold: no NUL, no half of a surrogate pair
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def _handle(engine: Engine, run: Run, order: Order) -> str:
    """Submit until the engine has room, and return the handle."""
    handles = []

    def is_submitted() -> bool:
        try:
            handles.append(engine.submit(run.job, order))
        except NoRoom:
            return False
        return True

    until(is_submitted, "there was never room")
    return handles[0]


class EngineSuite(RankCases, LossCases):
    """The cases, one method each. Overwrite ``bench`` and ``vanish``; ``engine`` is its name."""

    engine = ""

    @pytest.fixture(autouse=True)
    def told_in_the_table(self, record_property: Callable[[str, object], None]) -> None:
        """Record the engine's name for scriptrun.testing.table."""
        record_property("engine", self.engine or type(self).__name__)

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        """A workspace and the engine under test."""
        raise NotImplementedError

    @pytest.fixture
    def narrow(self, bench: Bench) -> Bench:
        """As ``bench``, with room for one run at a time."""
        return bench.replace(target=replace(bench.target, max_runs=1))

    def test_success(self, bench: Bench) -> None:
        run = bench.run("print('hello'); open('outputs/a.txt', 'w').write('kept')")
        assert run.get_status() == "Completed"
        assert log_of(run) == "hello\n"
        assert (run.path / "outputs" / "a.txt").read_text() == "kept"
        assert not (run.path / "work").exists()

    def test_unchanged_source_files_are_not_outputs(self, bench: Bench) -> None:
        code = "open('outputs/changed.txt', 'w').write('after_')"
        outputs = bench.source(code) / "outputs"
        outputs.mkdir()
        for name in ("kept.txt", "changed.txt"):
            (outputs / name).write_text("before")
        run = bench.run(code)
        assert run.get_status() == "Completed"
        assert [name for name in run.get_file_names() if name.startswith("outputs/")] == [
            "outputs/changed.txt"
        ]
        run.download_file("outputs/kept.txt", str(bench.root / "asked"))
        assert (bench.root / "asked").read_text() == "before"

    def test_the_exit_code_is_recorded(self, bench: Bench) -> None:
        runs = {code: bench.submit(f"raise SystemExit({code})") for code in (1, 3, 255)}
        for code, run in runs.items():
            assert wait(run) == "Failed"
            assert run.get_details()["exitCode"] == code
            assert f"exited with code {code}" in run.standing.reason

    def test_the_signal_that_ended_it_is_named(self, bench: Bench) -> None:
        code = "import os, signal; os.kill(os.getpid(), signal.{})"
        names = ("SIGKILL", "SIGSEGV", "SIGTERM")
        for name, run in [(name, bench.submit(code.format(name))) for name in names]:
            assert wait(run) == "Failed"
            assert name in run.standing.reason
            assert run.standing.exit_code is None

    def test_a_missing_interpreter_is_reported(self, bench: Bench) -> None:
        missing = str(bench.root / "no-such-python")
        with pytest.raises((UserErrorException, subprocess.CalledProcessError)) as error:
            bench.submit("print('never')", python=missing)
        if not bench.forks:
            assert missing in str(error.value)
        assert not list(bench.workspace.runs_folder.rglob("job.json"))

    def test_an_interpreter_removed_while_queued_is_reported(self, narrow: Bench) -> None:
        python, gate = narrow.root / "its-python", narrow.root / "gate"
        python.symlink_to(sys.executable)
        before = narrow.submit(GATED, [gate.as_posix()])
        self.began(before)
        run = narrow.submit("print('never')", python=str(python))
        python.unlink()
        gate.touch()
        assert wait(run) == "Failed"
        assert str(python) in run.standing.reason

    def test_commands_run_in_a_shell(self, bench: Bench) -> None:
        run = bench.run(command="echo $((1 + 2)) && echo $ODD >&2; exit 4", variables={"ODD": "x"})
        assert log_of(run) == "3\nx\n"
        assert run.standing.exit_code == 4

    def test_unusual_arguments_and_variables_arrive_unchanged(self, bench: Bench) -> None:
        run = bench.run(SEEN, ODD, variables={"ODD": "".join(ODD)})
        received = json.loads((run.path / "outputs" / "seen.json").read_text("utf-8"))
        assert received == {"arguments": ODD, "variable": "".join(ODD)}

    @settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.lists(TEXTS, min_size=5, max_size=40), TEXTS), min_size=3))
    def test_arguments_arrive_byte_for_byte(
        self, bench: Bench, examples: list[tuple[list[str], str]]
    ) -> None:
        runs = [bench.submit(SEEN, words, variables={"ODD": odd}) for words, odd in examples[:4]]
        for run, (words, odd) in zip(runs, examples, strict=False):
            assert wait(run) == "Completed"
            received = json.loads((run.path / "outputs" / "seen.json").read_text("utf-8"))
            assert received == {"arguments": words, "variable": odd}

    def test_references_to_job_variables_are_expanded(self, bench: Bench) -> None:
        run = bench.run(SEEN, ["$AZUREML_RUN_ID", "x${SCRIPTRUN_RANK}y", "$NO_SUCH_NAME"])
        received = json.loads((run.path / "outputs" / "seen.json").read_text("utf-8"))
        assert received["arguments"] == [run.id, "x0y", "$NO_SUCH_NAME"]

    def test_large_output(self, bench: Bench) -> None:
        run = bench.run("for n in range(200_000): print('%099d' % n)")
        size = (run.path / "user_logs" / "std_log.txt").stat().st_size
        assert (run.get_status(), size) == ("Completed", 20_000_000)

    def test_later_edits_of_the_source_do_not_affect_the_job(self, narrow: Bench) -> None:
        gate = narrow.root / "gate"
        before = narrow.submit(GATED, [gate.as_posix()])
        self.began(before)
        source = narrow.source("print(open('data.txt').read())", "second")
        (source / "data.txt").write_text("as it was")
        run = narrow.submit(source=source)
        (source / "data.txt").write_text("as it is")
        (source / "job.py").write_text("print('edited')")
        gate.touch()
        assert wait(run) == "Completed"
        assert log_of(run) == "as it was\n"

    def test_jobs_do_not_see_each_others_files(self, bench: Bench) -> None:
        code = "handle = open('data.txt', 'a+'); handle.seek(0); print(repr(handle.read())); "
        source = bench.source(code + "handle.write('more')")
        (source / "data.txt").write_text("first")
        first, second = bench.run(source=source), bench.run(source=source)
        assert log_of(first) == log_of(second) == "'first'\n"

    def test_cancel_gives_time_to_save(self, bench: Bench) -> None:
        run = bench.submit(SAVES, variables=TIME_TO_SAVE)
        self.began(run)
        run.cancel()
        assert wait(run) == "Canceled"
        assert (run.path / "outputs" / "saved.txt").read_text() == "saved"

    def test_cancel_stops_jobs_that_ignore_sigterm(self, bench: Bench) -> None:
        mark = f"deaf-{os.urandom(6).hex()}"
        grace = {"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC": "0.5"}
        run = bench.submit(DEAF, [mark], variables=grace)
        self.began(run)
        run.cancel()
        assert wait(run) == "Canceled"
        until(lambda: not jobs.living(mark), "processes of the job go on")

    def test_leftover_processes_are_stopped_and_reported(self, bench: Bench) -> None:
        mark = f"left-{os.urandom(6).hex()}"
        code = DEAF.replace("time.sleep(3600)\n", "") + "\nos._exit(0)"
        run = bench.run(code, [mark])
        assert run.get_status() == "Completed"
        until(lambda: not jobs.living(mark), "processes of the job go on")

    def test_cancel_while_queued(self, narrow: Bench) -> None:
        gate = narrow.root / "gate"
        before = narrow.submit(GATED, [gate.as_posix()])
        self.began(before)
        counted = narrow.root / "counted"
        run = narrow.submit(COUNTS, [counted.as_posix()])
        assert run.get_status() in ("Queued", "Preparing")
        run.cancel()
        assert wait(run) == "Canceled"
        gate.touch()
        assert wait(before) == "Completed"
        after = narrow.run("print('next')")
        assert (after.get_status(), counted.exists()) == ("Completed", False)

    def test_cancel_twice_and_after_the_end(self, bench: Bench) -> None:
        run = bench.submit(SAVES)
        self.began(run)
        run.cancel()
        run.cancel()
        assert wait(run) == "Canceled"
        run.cancel()
        finished = bench.run("print('done')")
        finished.cancel()
        assert (run.get_status(), finished.get_status()) == ("Canceled", "Completed")
        assert not (finished.path / "cancel.json").exists()

    def test_submitting_twice_runs_once(self, bench: Bench) -> None:
        counted = bench.root / "counted"
        run = bench.submit(COUNTS, [counted.as_posix()])
        engine = compute_targets.engine_of(run.job.target)
        order = self.order(bench, run)
        assert _handle(engine, run, order) == _handle(engine, run, order)
        assert wait(run) == "Completed"
        until(lambda: self.room(bench), "a second job continued")
        assert counted.read_text() == "once\n"

    def order(self, bench: Bench, run: Run) -> Order:
        """The order with which the run's first attempt was started."""
        workspace = bench.workspace
        ready = find(run.job.environment, workspace.locks_folder)
        assert ready is not None
        ticket = tickets.find(tickets.queue_of(workspace.id), run.id)
        return Order(
            folder=run.path,
            workspace=workspace.root,
            store=workspace.snapshots_folder,
            runtime=job_runtime.install(workspace.directory),
            python=ready.python,
            bin=ready.bin,
            prefix=ready.place,
            environ=dict(os.environ),
            ticket=ticket or tickets.queue_of(workspace.id) / "taken.json",
            container=ready.container,
        )

    def room(self, bench: Bench) -> bool:
        """Whether nothing runs any more, so that another job could use all resources."""
        return True

    def test_another_process_can_follow_the_run(self, bench: Bench) -> None:
        run = bench.submit("import time; time.sleep(0.5); print('from the job')")
        code = (
            "import sys; from scriptrun import Workspace, Run; "
            "run = Run.get(Workspace(sys.argv[1]), sys.argv[2]); "
            "run.wait_for_completion(show_output=True); print(run.get_status())"
        )
        result = subprocess.run(
            [sys.executable, "-c", code, str(bench.root), run.id], capture_output=True, text=True
        )
        assert result.stdout.endswith("Completed\n"), result.stderr
        assert "from the job" in result.stdout

    def test_inputs_are_delivered_and_outputs_uploaded(self, bench: Bench) -> None:
        pytest.importorskip("obstore")
        data_folder = bench.root / "given"
        data_folder.mkdir()
        for name in ("a b.txt", "c.txt"):
            (data_folder / name).write_text("brought")
        store = Datastore.register_local(bench.workspace, "suite", data_folder)
        config = jobs._config(bench.order(COPIES))
        data = Dataset.File.from_files((store, "**")).as_named_input("given").as_download()
        config.arguments = [data, OutputFileDatasetConfig("made", (store, "made")).as_upload()]
        run = Experiment(bench.workspace, "data").submit(config)
        assert wait(run) == "Completed", (run.standing.reason, log_of(run))
        assert (data_folder / "made" / "a b.txt").read_text() == "brought"

    def test_the_time_limit_stops_it(self, bench: Bench) -> None:
        run = bench.overrun(SAVES, variables=TIME_TO_SAVE, came=lambda run: "began" in log_of(run))
        assert run.get_status() == "Failed"
        assert "max_run_duration_seconds" in run.standing.reason
        assert (run.path / "outputs" / "saved.txt").exists()

    def test_max_runs_is_respected(self, narrow: Bench) -> None:
        code = MARK + (
            "import time\nmark(sys.argv[1], 'in'); time.sleep(0.1); mark(sys.argv[1], 'out')"
        )
        marks = narrow.root / "marks"
        runs = [narrow.submit(code, [marks.as_posix()]) for _ in range(3)]
        assert [wait(run) for run in runs] == ["Completed"] * 3
        assert marks.read_text().split() == ["in", "out"] * 3

    def test_queued_runs_start_in_order(self, narrow: Bench) -> None:
        gate, marks = narrow.root / "gate", narrow.root / "marks"
        before = narrow.submit(GATED, [gate.as_posix()])
        self.began(before)
        code = MARK + "mark(sys.argv[1], sys.argv[2])"
        runs = [narrow.submit(code, [marks.as_posix(), n]) for n in range(3)]
        gate.touch()
        assert [wait(run) for run in runs] == ["Completed"] * 3
        assert marks.read_text().split() == list("012")

    def test_many_runs_are_polled_at_once(self, narrow: Bench) -> None:
        gate = narrow.root / "gate"
        finished = narrow.run("print('over')")
        alive = narrow.submit(GATED, [gate.as_posix()])
        self.began(alive)
        queued = narrow.submit("print('later')")
        engine = compute_targets.engine_of(finished.job.target)
        until(
            lambda: engine.poll([finished.path])[0].state == ENDED,
            "the engine does not see its end",
        )
        views = engine.poll([finished.path, alive.path, queued.path], PollRound())
        assert [view.state == ALIVE for view in views] == [False, True, False]
        assert views[0].state == ENDED
        gate.touch()
        assert wait(queued) == "Completed"

    def test_render_is_pure_and_contains_no_secret(self, bench: Bench) -> None:
        run = bench.run("print('done')", ["--alpha", "0.5"], variables={"TOKEN": "s3cr3t-value"})
        engine = compute_targets.engine_of(run.job.target)
        until(lambda: not jobs.living(str(bench.root)), "the run's launcher continues")
        before = jobs.tree(bench.workspace.directory)
        text = engine.render(run.job, run.path)
        assert engine.render(run.job, run.path) == text
        assert "--alpha" in text and "job.py" in text and "TOKEN" in text
        assert "s3cr3t-value" not in text
        assert jobs.tree(bench.workspace.directory) == before

    def test_clean_leaves_nothing_behind(self, bench: Bench) -> None:
        mark = f"clean-{os.urandom(6).hex()}"
        run = bench.run("print('done')", [mark])
        until(lambda: self.room(bench), "the run still holds a place")
        before = jobs.tree(run.path)
        compute_targets.engine_of(run.job.target).clean(run.path)
        assert jobs.tree(run.path) == before
        until(lambda: not jobs.living(mark), "processes of the job go on")
        assert not tickets.waiting(tickets.queue_of(bench.workspace.id))

    def test_unsupported_requests_are_refused(self, bench: Bench) -> None:
        config = self.beyond(bench)
        if config is None:
            pytest.skip("this engine honours everything that can be asked")
        with pytest.raises(RunConfigurationException) as error:
            Experiment(bench.workspace, "refused").submit(config)
        assert str(error.value).strip()
        assert not list(bench.workspace.runs_folder.rglob("job.json"))

    def beyond(self, bench: Bench) -> ScriptRunConfig | None:
        """A job that the engine can't honour (default: one of two nodes); None: there is none."""
        config = jobs._config(bench.order("print('never')"))
        config.run_config.mpi = MpiConfiguration(node_count=2)
        config.run_config.node_count = 2
        config.run_config.communicator = "IntelMpi"
        return config
