"""Two threads submit to two workspaces and targets at once: what one is given, the other never sees."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from index_server import serving
from wheel_making import make_wheel

from scriptrun import Environment, Run, Workspace
from scriptrun.engines.base import PollRound
from scriptrun.engines.slurm import poll
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.environments import locks
from scriptrun.environments.builder import platform_tag
from scriptrun.history import reopen
from scriptrun.preparation import build as build_environment
from scriptrun.preparation import build_secrets, environment_record, prepare_run
from scriptrun.runtime import events, files
from scriptrun.spec import ids
from scriptrun.spec.environment import PACKAGES, EnvironmentSpec
from scriptrun.spec.job import JobSpec, Target
from scriptrun.store.secrets import vault
from scriptrun.store.snapshots import snapshots
from scriptrun.submission import submit
from scriptrun.testing.jobs import PATIENCE

#: submissions in all
MANY = 200
#: the same name in both workspaces, and another value in each
SECRET = "token"
#: answers as a tool with an empty store, until something is given a name there
DOCKER = """#!/bin/sh
case "$1 $2" in
  info*) echo '{"ServerVersion": "1"}' ;;
  "image inspect") test -e "$0.tagged.${5##*:}" && echo sha256:0123 ;;
  tag*) touch "$0.tagged.${3##*:}" ;;
esac
"""
#: sees the job on another node each time
SQUEUE = """#!/bin/sh
echo asked >> "$0.asked"
echo "7|RUNNING|N/A|node-$(wc -l < "$0.asked" | tr -d ' ')|None"
"""


@dataclass
class Side:
    """One of the two: what its thread works with, and the other's never."""

    workspace: Workspace
    root: Path
    spec: EnvironmentSpec
    password: str

    def job(self) -> JobSpec:
        """A job on a cluster, whose environment lies below that target's ``root``."""
        source = self.root / "source"
        source.mkdir(exist_ok=True)
        (source / "train.py").write_text("print('trained')")
        target = Target("far", "Slurm", {"root": str(self.root)})
        return JobSpec(
            ids.new_id("threads"),
            "threads",
            self.workspace.name,
            ids.now(),
            script="train.py",
            snapshot=snapshots.take(self.workspace.snapshots_folder, source).digest,
            environment=self.spec,
            target=target,
        )

    def written(self) -> Run:
        """A run that is written down as a submission does it."""
        written = submit.create_run(self.job(), self.workspace, [])
        if written.ready is not None:
            assert self.owns(written.ready.place)
        return Run.at(self.workspace, written.folder)

    def owns(self, place: str | None) -> bool:
        """Whether that is a place in the cache folder of this target."""
        return Path(place or "").is_relative_to(self.root / ".scriptrun" / "cache")


@pytest.fixture
def sides(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    made = [tmp_path / name for name in ("one", "two")]
    for root in made:
        make_wheel(root / "index" / root.name, root.name, "1.0")
    with (
        serving(made[0] / "index", "me", "pw-one") as one,
        serving(made[1] / "index", "me", "pw-two") as two,
    ):
        yield [_side(*each) for each in zip(made, (one, two), strict=True)]


def _side(root: Path, host: str) -> Side:
    workspace = Workspace.create(root.name, path=root / "home")
    password = f"pw-{root.name}"
    vault.store(vault.workspace_secret(workspace.id, SECRET), password)
    index = f"--index-url http://me:${{secret:{SECRET}}}@{host}/"
    spec = EnvironmentSpec(PACKAGES, pip=(root.name,), pip_options=(index,))
    return Side(workspace, root, spec, password)


class Meeting:
    """Where both threads wait for each other; one that fails lets the other go."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2)

    def meet(self, *_: object) -> None:
        self._barrier.wait(PATIENCE)

    def once(self) -> Callable[[str], None]:
        """A log: with its first line it waits for the other's."""
        lines: list[str] = []

        def line(text: str) -> None:
            lines.append(text)
            if len(lines) == 1:
                self.meet()

        return line

    def both(self, work: Callable[[Side], None], sides: list[Side]) -> None:
        """Let each do ``work`` in a thread; what either raises is raised."""

        def guarded(side: Side) -> None:
            try:
                work(side)
            except BaseException:
                self._barrier.abort()
                raise

        with ThreadPoolExecutor(2) as pool:
            found = [pool.submit(guarded, side) for side in sides]
        errors = [each.exception() for each in found]
        for error in sorted(
            filter(None, errors), key=lambda e: isinstance(e, threading.BrokenBarrierError)
        ):
            raise error


@pytest.fixture
def often(monkeypatch):
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_each_builds_in_its_own_cache_folder_with_its_own_secret(sides):
    """Both have begun, and know for whom and where, before either looks for a place to build in."""
    meeting = Meeting()

    def work(side: Side) -> None:
        visit = reopen.copy_run(side.written(), side.root / "copy", meeting.once())
        assert side.owns(visit.python)

    meeting.both(work, sides)


def test_many_submissions_find_their_own(sides, often):
    meeting = Meeting()

    def work(side: Side) -> None:
        keyvault = side.workspace.get_default_keyvault()
        for _ in range(MANY // 2):
            meeting.meet()
            run = side.written()
            assert prepare_run.prepare(side.workspace, run.job, run.path) == 0, _log(run)
            told = [e for e in events.read(run.path / "events" / "prepare.jsonl") if "place" in e]
            assert [side.owns(each["place"]) for each in told] == [True]
            assert build_secrets.find_secrets(side.spec, side.workspace) == {SECRET: side.password}
            assert keyvault.get_secret(SECRET) == side.password

    meeting.both(work, sides)


def _log(run: Run) -> str:
    return (run.path / environment_record.LOG).read_text()


def test_what_is_lent_to_one_the_other_does_not_know(sides):
    meeting = Meeting()

    def work(side: Side) -> None:
        for _ in range(MANY // 2):
            with vault.with_secrets({"far": side.password}), vault.for_workspace(side.workspace.id):
                meeting.meet()
                assert vault.find("far") == side.password
                assert vault.find(SECRET) == side.password
                meeting.meet()
            assert not vault.exists("far")

    meeting.both(work, sides)


def test_each_asks_the_registry_of_its_own_workspace(sides, tmp_path, monkeypatch):
    program = tmp_path / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", str(program))
    meeting = Meeting()

    def work(side: Side) -> None:
        name = side.root.name
        side.workspace.set_container_registry(f"127.0.0.1:1/{name}")
        environment = Environment(name)
        environment.docker.base_image = f"localhost/{name}:1"
        environment.python.conda_dependencies.add_pip_package(name)
        spec = build_environment.spec_of(environment)
        lock = {"kind": spec.kind, "platform": platform_tag(), "base": name, "requirements": name}
        locks.store(side.workspace.locks_folder, spec, lock)
        said: list[str] = []
        first = meeting.once()
        build_environment.build(
            side.workspace, environment, lambda line: (said.append(line), first(line))
        )
        key = locks.content_key(lock)
        image = f"127.0.0.1:1/{name}/scriptrun-env:{key}"
        assert f"Pulling existing image {image}." in said
        assert any(line.startswith("Pushing") and image in line for line in said)

    meeting.both(work, sides)


def test_a_round_of_polls_has_an_answer_of_its_own(sides, tmp_path, monkeypatch):
    """Every poll of a round says the same, whatever others have heard since."""
    program = tmp_path / "bin" / "squeue"
    program.parent.mkdir()
    program.write_text(SQUEUE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(poll, "FRESH", 0.0)
    meeting, heard = Meeting(), {}

    def work(side: Side) -> None:
        folder = side.written().path
        place = folder / "slurm" / "1"
        place.mkdir(parents=True)
        files.publish(str(place / "job.json"), files.to_json({"job": "7", "user": "me"}))
        rounds = []
        for _ in range(5):
            poll_round = PollRound()
            meeting.meet()
            said = []
            for _ in range(3):
                said.append(Slurm().poll([folder], poll_round)[0].evidence)
                meeting.meet()
            assert len(set(said)) == 1 and "node-" in said[0]
            rounds.append(said[0])
        heard[side.root.name] = rounds

    meeting.both(work, sides)
    answers = [*heard["one"], *heard["two"]]
    assert len(program.with_name("squeue.asked").read_text().splitlines()) == len(answers)
