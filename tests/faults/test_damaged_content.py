"""Content that was damaged in the store: it is found when it is read, and never used.

Every kind of file that a digest names, damaged in four ways; then all that reads it. What can be
had again is made again; the rest ends as a sentence with a hint, never as a run that Completed.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from wheel_making import make_wheel

from scriptrun import Dataset, Environment, Experiment, Model, ScriptRunConfig
from scriptrun.cli import dispatch
from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.environments import locks
from scriptrun.history.compare import packages
from scriptrun.preparation import environment_record
from scriptrun.spec.errors import EnvironmentException, WorkspaceException
from scriptrun.testing.jobs import Bench, log_of, wait

pytestmark = [pytest.mark.faults, pytest.mark.slow]

CODE = """
import hashlib, helper, pathlib
print(helper.VALUE, hashlib.sha256(pathlib.Path("large.bin").read_bytes()).hexdigest())
"""


def flip(path: Path) -> None:
    """Change one byte; the file keeps its size and its modification time."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"import os\n")


DAMAGES = [flip, truncate, empty, append]
damaged_in_each_way = pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__)


@pytest.fixture
def bench(tmp_path):
    """A bench whose source has files in a pack and one that is stored by itself."""
    bench = Bench(tmp_path, Local())
    source = bench.source(CODE)
    (source / "helper.py").write_text("VALUE = 'as it was written'\n")
    (source / "large.bin").write_bytes(random.Random(1).randbytes(3 << 20))
    return bench


def finished(bench: Bench) -> Run:
    run = bench.run(source=bench.root / "source")
    assert run.get_status() == "Completed", run.standing.reason
    return run


def command(bench: Bench, capsys, *words: str) -> tuple[int, str]:
    """The exit code of a command line in the workspace, and what it printed."""
    before = Path.cwd()
    os.chdir(bench.root)
    capsys.readouterr()
    try:
        code = dispatch.run([*words])
    finally:
        os.chdir(before)
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, printed.out + printed.err


PARTS = {
    "pack": "packs/*.pack",
    "index": "packs/*.index",
    "object": "objects/??/*",
    "manifest": "manifests/??/" + "?" * 64,
    "places": "manifests/??/*.places",
}


@damaged_in_each_way
@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_snapshot(bench, part, damage, capsys):
    """What reads it either gives what was submitted, or says so; a new submission makes it anew."""
    first = finished(bench)
    original, printed = first.job.snapshot, log_of(first)
    (path,) = (bench.root / ".scriptrun/snapshots").glob(PARTS[part])
    damage(path)
    again = bench.root / "again"
    code, text = command(bench, capsys, "rerun", first.id)
    assert code in (0, 1, 2), text
    if code == 0:
        assert printed in text
    else:
        assert "damaged" in text or "missing" in text, text
        assert "Submit the source directory again" in text
        assert str(path) in text
    try:
        first.restore_snapshot(path=str(again))
    except Exception as error:
        assert str(path) in str(error)
        assert code != 0
    else:
        assert (again / "helper.py").read_text() == "VALUE = 'as it was written'\n"
    fresh = finished(bench)
    assert fresh.job.snapshot == original
    assert log_of(fresh) == printed
    code, text = command(bench, capsys, "rerun", first.id)
    assert (code, printed in text) == (0, True), text


@damaged_in_each_way
def test_a_damaged_pack_and_a_changed_source(bench, damage):
    """Files that did not change are stored anew if what is stored of them is damaged."""
    finished(bench)
    (path,) = (bench.root / ".scriptrun/snapshots/packs").glob("*.pack")
    damage(path)
    (bench.root / "source/more.py").write_text("new = True\n")
    assert log_of(finished(bench)).startswith("as it was written")


def test_content_that_another_pack_has_is_taken_from_there(bench):
    first = finished(bench)
    (path,) = (bench.root / ".scriptrun/snapshots/packs").glob("*.pack")
    flip(path)
    os.utime(path)
    (bench.root / "source/more.py").write_text("new = True\n")
    finished(bench)
    again = first.restore_snapshot(path=str(bench.root / "again"))
    assert (Path(again) / "job.py").read_text() == CODE


@damaged_in_each_way
def test_a_damaged_model(bench, damage, capsys, tmp_path):
    """Neither a download nor a job gets it; registering the files again makes it whole."""
    weights = tmp_path / "weights.bin"
    weights.write_bytes(random.Random(2).randbytes(100_000))
    Model.register(bench.workspace, str(weights), "net")
    place = Path(Model.get_model_path("net", _workspace=bench.workspace))
    assert place.read_bytes() == weights.read_bytes()
    (stored,) = (bench.root / ".scriptrun/models/.content").glob("??/*")
    stored.chmod(0o644)
    damage(stored)
    code, text = command(bench, capsys, "model", "download", "net", str(tmp_path / "got"))
    assert code in (1, 2), text
    assert str(stored) in text and "Register it again" in text
    assert not (tmp_path / "got/weights.bin").exists()
    with pytest.raises(
        WorkspaceException, match=r"'weights\.bin' of model 'net', version 1, is damaged"
    ):
        Model.get_model_path("net", _workspace=bench.workspace)
    Model.register(bench.workspace, str(weights), "net")
    code, text = command(bench, capsys, "model", "download", "net:1", str(tmp_path / "got"))
    assert code == 0, text
    assert (tmp_path / "got/weights.bin").read_bytes() == weights.read_bytes()
    assert place.read_bytes() == weights.read_bytes()


@damaged_in_each_way
def test_a_damaged_copy_of_the_runtime(bench, damage):
    """What travels with jobs is replaced before the next job uses it."""
    first = finished(bench)
    damaged = list((bench.root / ".scriptrun/runtime").glob("*/scriptrun/runtime/launcher/*.py"))
    originals = {path: path.read_bytes() for path in damaged}
    for path in damaged:
        damage(path)
    assert log_of(finished(bench)) == log_of(first)
    assert {path: path.read_bytes() for path in damaged} == originals


@damaged_in_each_way
def test_a_damaged_wheel(bench, damage, tmp_path):
    wheel = make_wheel(tmp_path, "mauve", "4")
    address = Environment.add_private_pip_wheel(bench.workspace, wheel)
    (stored,) = (bench.root / ".scriptrun/wheels").glob("*/*")
    original = stored.read_bytes()
    damage(stored)
    (tmp_path / "requirements.txt").write_text(f"--no-index\n{address}\n")
    with pytest.raises(EnvironmentException, match="is damaged") as problem:
        bench.submit("import mauve", requirements=str(tmp_path / "requirements.txt"))
    assert str(stored) in str(problem.value)
    assert Environment.add_private_pip_wheel(bench.workspace, wheel) == address
    assert stored.read_bytes() == original


def change_a_version(path: Path) -> None:
    """Damage that is still valid JSON."""
    path.write_bytes(path.read_bytes().replace(b"mauve", b"mauvf"))


@pytest.mark.parametrize("damage", [*DAMAGES, change_a_version], ids=lambda each: each.__name__)
def test_damaged_lockfiles(bench, damage, tmp_path, capsys):
    """The workspace's is made anew; that of a run is refused, as no other says what it used."""
    wheel = make_wheel(tmp_path, "mauve", "4")
    (tmp_path / "requirements.txt").write_text(f"--no-index\n{wheel}\n")
    code, settings = "import mauve; print(mauve.VERSION)", str(tmp_path / "requirements.txt")
    first = bench.run(code, requirements=settings)
    assert first.get_status() == "Completed", first.standing.reason
    (shared,) = (bench.root / ".scriptrun/locks").glob("*.json")
    before = json.loads(shared.read_text())
    assert locks.is_whole(before)
    damage(shared)
    again = bench.run(code, requirements=settings)
    assert (again.get_status(), log_of(again)) == ("Completed", "4\n"), again.standing.reason
    after = json.loads(shared.read_text())
    assert (packages(after), locks.is_whole(after)) == (packages(before), True)
    damage(first.path / environment_record.LOCKFILE)
    export = ("export", first.id, "--to", "sbatch")
    for words in (("rerun", first.id), export, ("shell", first.id, "--", "true")):
        exit_code, text = command(bench, capsys, *words)
        assert exit_code in (1, 2), text
        assert "environment.lock.json is damaged" in text, text


@damaged_in_each_way
def test_a_damaged_manifest_of_a_dataset(bench, damage, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    for number in range(30):
        (tmp_path / "data" / f"{number}.txt").write_text(str(number))
    data = Dataset.File.from_files([str(tmp_path / "data/*.txt")])
    source = bench.source("import os, sys; print(sorted(os.listdir(sys.argv[1])))")
    config = ScriptRunConfig(
        source, "job.py", arguments=[data.as_download()], compute_target="local"
    )
    run = Experiment(bench.workspace, "data").submit(config)
    assert wait(run) == "Completed", run.standing.reason
    (path,) = (bench.root / ".scriptrun/manifests").glob("*.manifest")
    damage(path)
    code, text = command(bench, capsys, "rerun", run.id)
    assert code in (1, 2), text
    assert str(path) in text and "damaged" in text
    again = Experiment(bench.workspace, "data").submit(config)
    assert (wait(again), log_of(again)) == ("Completed", log_of(run)), again.standing.reason
