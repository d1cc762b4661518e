"""An engine that another package brings, and whose nodes see no file of the workspace.

It is installed as a plug-in is: by an entry point in the site-packages of an environment, whose
interpreter is that of all processes of these tests.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from scriptrun.engines import registry
from scriptrun.engines.base import NoAnswer
from scriptrun.engines.local.engine import Local
from scriptrun.registry import compute_targets
from scriptrun.runs import status as run_status
from scriptrun.runtime import files
from scriptrun.submission import resume_from
from scriptrun.testing import jobs
from scriptrun.testing.engines import EngineSuite
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.testing.scripts import GATED
from scriptrun.tracking import events

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def plugin(tmp_path_factory):
    """An environment that has scriptrun and the toy engine: its site-packages and interpreter."""
    root = tmp_path_factory.mktemp("plugin")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True)
    python = root / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.check_output([python, "-c", code], text=True).strip())
    ours = sysconfig.get_path("purelib")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    (packages / "toy_engine.py").write_text((HERE / "toy_engine.py").read_text("utf-8"))
    info = packages / "toy_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[scriptrun.engines]\nToy = toy_engine:Toy\n")
    return packages, python


@pytest.fixture
def toy(plugin, monkeypatch):
    """The engine's class, as the registry gives it."""
    packages, python = plugin
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr(sys, "executable", str(python))
    return registry.engine_class("Toy")


@pytest.fixture
def toy_bench(toy, tmp_path):
    return Bench(tmp_path / "workspace", toy(node=str(tmp_path / "node")))


class TestToy(EngineSuite):
    engine = "a toy without shared files"

    @pytest.fixture
    def bench(self, toy_bench):
        return toy_bench

    def vanish(self, run):
        folder = compute_targets.engine_of(run.job.target).home(run.path).folder
        began = events.collect_facts(events.read(folder)).began
        guard = files.read_json(folder / "attempts" / "1" / "node-0.start.json")
        for who in (guard, began["launcher"], began["script"]):
            jobs.kill(who["pid"])

    def room(self, bench):
        return not bench.target.running()


def test_a_run_that_was_just_handed_over_is_canceled_on_its_node(toy_bench):
    gate = toy_bench.root / "gate"
    run = toy_bench.submit(GATED, [gate.as_posix()])
    run.cancel()
    assert wait(run) == "Canceled"
    until(lambda: not toy_bench.target.running(), "its launcher lives on")


def test_a_node_that_does_not_answer_is_no_failed_job(toy_bench, monkeypatch):
    gate = toy_bench.root / "gate"
    run = toy_bench.submit(GATED, [gate.as_posix()])
    until(lambda: "began" in log_of(run))

    def silent(self, folder):
        raise NoAnswer("The node does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(type(toy_bench.target), "home", silent)
        with pytest.raises(NoAnswer):
            run.get_status()
        many = run_status.status_of(toy_bench.workspace, run.path, run.job, frozenset())
        assert (many.state, many.reason) == ("Running", "The node does not answer.")
    gate.touch()
    assert wait(run) == "Completed"


def test_a_full_target_does_not_keep_runs_of_others_waiting(toy_bench):
    gate = toy_bench.root / "gate"
    narrow = toy_bench.replace(target=toy_bench.target.replace(max_runs=1))
    before = narrow.submit(GATED, [gate.as_posix()])
    waits = narrow.submit("print('later')")
    here = toy_bench.replace(target=Local()).submit("print('meanwhile')")
    assert wait(here) == "Completed"
    assert waits.get_status() == "Queued"
    gate.touch()
    assert [wait(run) for run in (before, waits)] == ["Completed"] * 2


def test_artifacts_can_be_had_while_the_run_goes_on(toy_bench, tmp_path):
    gate = toy_bench.root / "gate"
    code = "open('outputs/a.txt', 'w').write('so far')\n" + GATED
    run = toy_bench.submit(code, [gate.as_posix()])
    until(lambda: "began" in log_of(run))
    assert "outputs/a.txt" in run.get_file_names()
    run.download_file("outputs/a.txt", tmp_path / "got")
    assert (tmp_path / "got").read_text() == "so far"
    gate.touch()
    assert wait(run) == "Completed"


def test_a_lost_runs_outputs_come_home(toy_bench):
    run = toy_bench.submit("open('outputs/a.txt', 'w').write('kept')\n" + GATED, ["never"])
    until(lambda: "began" in log_of(run))
    TestToy().vanish(run)
    assert wait(run) == "Failed"
    assert (run.path / "outputs" / "a.txt").read_text() == "kept"


def test_the_outputs_of_another_run_are_refused_where_they_are_not_seen(toy_bench):
    before = toy_bench.run("print('first')")
    target = compute_targets.target_of(toy_bench.target)
    (reason,) = resume_from.access_problems(before, target)
    assert "does not share files" in reason


def test_it_is_small():
    assert len((HERE / "toy_engine.py").read_text("utf-8").splitlines()) <= 200


def test_nothing_of_it_is_in_scriptrun():
    source = Path(registry.__file__).resolve().parents[1]
    named = [path for path in source.rglob("*.py") if "toy" in path.read_text("utf-8").lower()]
    assert not named
