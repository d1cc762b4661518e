from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scriptrun.store import paths
from scriptrun.store.snapshots import garbage, snapshots
from scriptrun.testing.jobs import PATIENCE


@pytest.fixture
def source(tmp_path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def _take(store: Path, source: Path, **contents: bytes) -> str:
    for name, content in contents.items():
        (source / name).write_bytes(content)
    return snapshots.take(store, source).digest


def _make_old(folder: Path) -> None:
    then = time.time() - 2 * garbage.DAY
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def test_what_nothing_refers_to_goes_and_the_rest_can_be_restored(source, tmp_path):
    store = tmp_path / "store"
    big = [random.Random(seed).randbytes(2 << 20) for seed in range(2)]
    first = _take(store, source, shared=b"shared", one=b"only in the first" * 100, big=big[0])
    second = _take(store, source, one=b"only in the second" * 100, big=big[1])
    assert garbage.remove_snapshots(store, {second}) == 0, "what was used today stays"
    _make_old(store)
    freed = garbage.remove_snapshots(store, {second})
    assert freed > 2 << 20
    assert not snapshots.exists(store, first)
    snapshots.restore(store, second, tmp_path / "back")
    assert (tmp_path / "back/shared").read_bytes() == b"shared"
    assert (tmp_path / "back/big").read_bytes() == big[1]
    assert garbage.remove_snapshots(store, {second}) == 0


def test_content_that_went_is_kept_again_when_it_comes_back(source, tmp_path):
    store = tmp_path / "store"
    _take(store, source, a=b"a" * 1000, big=b"x" * (2 << 20))
    _make_old(store)
    garbage.remove_snapshots(store, set())
    assert [path for path in store.rglob("*") if path.is_file()] == []
    for extra in (b"1", b"2"):
        digest = _take(store, source, extra=extra)
        snapshots.restore(store, digest, tmp_path / extra.decode())
        assert (tmp_path / extra.decode() / "a").read_bytes() == b"a" * 1000


KILLED = """
import os, signal, sys
from scriptrun.store.snapshots import snapshots
def kill(event, words):
    if event in ("os.link", "os.rename"):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
snapshots.take(*sys.argv[1:])
"""


@pytest.mark.skipif(os.name != "posix", reason="only on POSIX")
def test_what_killed_submissions_left_goes_once_it_is_a_day_old(source, tmp_path):
    store, cache = tmp_path / "store", paths.cache_folder("stat")
    (source / "big").write_bytes(b"x" * (2 << 20))
    words = [sys.executable, "-c", KILLED, str(store), str(source)]
    assert subprocess.run(words, timeout=PATIENCE).returncode == -signal.SIGKILL
    left = [path for folder in (store, cache) for path in folder.rglob("*.tmp")]
    assert len(left) >= 4
    _take(store, source, a=b"a")
    assert all(path.exists() for path in left)
    _make_old(store)
    _make_old(cache)
    _take(store, source, a=b"b")
    assert not any(path.exists() for path in left)


def test_an_old_snapshot_that_is_taken_again_is_in_use(source, tmp_path):
    store = tmp_path / "store"
    digest = _take(store, source, a=b"a" * 1000)
    _make_old(store)
    assert _take(store, source) == digest
    garbage.remove_snapshots(store, set())
    snapshots.restore(store, digest, tmp_path / "back")


def test_old_content_that_a_new_snapshot_counts_on_is_in_use(source, tmp_path):
    """The new snapshot's manifest could still be on its way when rubbish is collected."""
    store = tmp_path / "store"
    _take(store, source, a=b"a" * 1000, big=b"x" * (2 << 20))
    _make_old(store)
    digest = _take(store, source, b=b"new")
    for path in store.glob("manifests/??/*"):
        path.rename(tmp_path / path.name)
    garbage.remove_snapshots(store, set())
    for path in tmp_path.glob(f"{digest}*"):
        path.rename(store / "manifests" / digest[:2] / path.name)
    snapshots.restore(store, digest, tmp_path / "back")


def test_leftovers(tmp_path):
    (tmp_path / "a" / "build.tmp").mkdir(parents=True)
    (tmp_path / "a" / "build.tmp" / "x").write_text("x")
    (tmp_path / "a" / "y.json.1234.tmp").write_text("12345")
    (tmp_path / "a" / "keep.json").write_text("x")
    assert garbage.remove_leftovers(tmp_path) == 0
    _make_old(tmp_path)
    (tmp_path / "new.tmp").write_text("x")
    assert garbage.remove_leftovers(tmp_path) == 5
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "keep.json", "new.tmp"]


def test_a_damaged_snapshot_keeps_all_content(source, tmp_path):
    store = tmp_path / "store"
    digest = _take(store, source, a=b"a" * 1000)
    for path in store.glob("manifests/??/*.places"):
        path.unlink()
    _make_old(store)
    garbage.remove_snapshots(store, {digest})
    assert list(store.glob("packs/*.pack"))
