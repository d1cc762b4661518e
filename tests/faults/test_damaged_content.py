"""Content that was damaged in the store: it is found when it is read, and never used.

Every kind of file that a digest names, damaged in four ways; then all that reads it. What can be
had again is made again; the rest ends as a sentence with a hint, never as a run that Completed.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from scriptrun.cli import dispatch
from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.testing.jobs import Bench, log_of

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
