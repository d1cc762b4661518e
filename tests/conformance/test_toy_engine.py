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
from scriptrun.runtime import files
from scriptrun.testing import jobs
from scriptrun.testing.engines import EngineSuite
from scriptrun.testing.jobs import Bench
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
        folder = jobs.compute_targets.engine_of(run.job.target).home(run.path).folder
        began = events.facts(events.read(folder)).began
        guard = files.read_json(folder / "attempts" / "1" / "node-0.start.json")
        for who in (guard, began["launcher"], began["script"]):
            jobs.kill(who["pid"])

    def room(self, bench):
        return not bench.target.running()


def test_it_is_small():
    assert len((HERE / "toy_engine.py").read_text("utf-8").splitlines()) <= 200


def test_nothing_of_it_is_in_scriptrun():
    source = Path(registry.__file__).resolve().parents[1]
    named = [path for path in source.rglob("*.py") if "toy" in path.read_text("utf-8").lower()]
    assert not named
