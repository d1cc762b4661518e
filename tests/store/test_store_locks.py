"""Lock files on the local disk, leases on shared ones, and the places that they lie in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import paths
from scriptrun.store.locks import flocks, leases
from scriptrun.testing.jobs import PATIENCE, until


def test_one_holder_at_a_time(tmp_path):
    path = tmp_path / "locks" / "a.lock"
    held = flocks.try_flock(path)
    assert held is not None
    assert flocks.try_flock(path) is None
    held.release()
    with flocks.flock(path) as again:
        assert again.fileno() >= 0
        assert flocks.try_flock(path) is None
    assert flocks.try_flock(path) is not None


def test_waiting_is_told_once_and_ends(tmp_path):
    path = tmp_path / "a.lock"
    held = flocks.try_flock(path)
    told: list[str] = []
    got = threading.Event()

    def wait() -> None:
        with flocks.flock(path, lambda: told.append("waiting")):
            got.set()

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: told)
    assert not got.is_set()
    held.release()
    assert got.wait(PATIENCE)
    thread.join()
    assert told == ["waiting"]


def test_a_child_holds_on_after_we_close_and_its_death_frees(tmp_path):
    path = tmp_path / "slot"
    held = flocks.try_flock(path)
    child = subprocess.Popen(["sleep", "3600"], pass_fds=[held.fileno()])
    held.close()
    try:
        assert flocks.try_flock(path) is None
    finally:
        child.kill()
        child.wait()
    assert flocks.try_flock(path) is not None


def test_children_do_not_inherit_unless_told(tmp_path):
    path = tmp_path / "slot"
    held = flocks.try_flock(path)
    child = subprocess.Popen(["sleep", "3600"], close_fds=False)
    try:
        held.close()
        again = flocks.try_flock(path)
        assert again is not None
        again.set_inheritable(True)
        heir = subprocess.Popen(["sleep", "3600"], close_fds=False)
        again.close()
        assert flocks.try_flock(path) is None
        heir.kill()
        heir.wait()
    finally:
        child.kill()
        child.wait()


def test_a_lock_file_that_a_cleaner_removed_does_not_lock_twice(tmp_path):
    path = tmp_path / "a.lock"
    held = flocks.try_flock(path)
    waits, got = threading.Event(), threading.Event()

    def wait() -> None:
        with flocks.flock(path, waits.set):
            assert flocks.try_flock(path) is None, "the lock is on the file that is there now"
            got.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert waits.wait(PATIENCE)
    path.unlink()
    held.release()
    assert got.wait(PATIENCE)
    thread.join()


AS_ANOTHER = """
import fcntl, os, sys
from scriptrun.store.locks import flocks
os.setgroups([]); os.setegid(65534); os.seteuid(65534)
print(flocks.try_flock(sys.argv[1]) is not None)
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to be two users")
def test_two_users_share_a_lock(tmp_path, monkeypatch):
    for folder in [tmp_path, *tmp_path.parents]:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    root = tmp_path / "slots"
    monkeypatch.setenv("SCRIPTRUN_SLOTS", str(root))
    assert paths.slots_root() == root
    assert root.stat().st_mode & 0o7777 == 0o1777
    mask = os.umask(0o077)
    try:
        held = flocks.try_flock(root / "slot-0")
    finally:
        os.umask(mask)

    def other(name: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", AS_ANOTHER, root / name], capture_output=True, text=True
        )
        assert done.stderr == ""
        return done.stdout.strip()

    assert other("slot-0") == "False"
    held.release()
    assert other("slot-0") == "True"
    assert other("slot-1") == "True"
    assert flocks.try_flock(root / "slot-1") is not None


def test_runtime_is_private(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_RUNTIME", str(tmp_path / "a" / "runtime"))
    root = paths.runtime_root()
    assert root.stat().st_mode & 0o777 == 0o700
    root.chmod(0o755)
    assert paths.runtime_folder("queue", "x").is_dir()
    assert root.stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("SCRIPTRUN_RUNTIME")
    assert paths.runtime_root() == paths.cache_root() / "runtime"
    if os.geteuid() == 0:
        os.chown(paths.runtime_root(), 65534, 65534)
        with pytest.raises(WorkspaceException, match="belongs to another user"):
            paths.runtime_root()


def test_a_cache_that_cannot_be_made_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WorkspaceException, match="SCRIPTRUN_CACHE"):
        paths.cache_folder("environments")


def test_lease_is_exclusive_and_given_back(tmp_path):
    path = tmp_path / "shared" / "build"
    with leases.lease(path) as held:
        assert held.is_ours()
        assert leases.try_lease(path) is None
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


def test_lease_of_a_process_that_was_killed_is_taken_over(tmp_path):
    script = (
        "import sys, time; from scriptrun.store.locks import leases;"
        "leases.try_lease(sys.argv[1]); print(1, flush=True); time.sleep(3600)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "build"], stdout=subprocess.PIPE
    )
    assert child.stdout.read(1) == b"1"
    told: list[int] = []

    def waiting() -> None:
        told.append(1)
        child.kill()

    with leases.lease(tmp_path / "build", waiting, every=0.02) as held:
        assert child.wait() == -9
        assert held.is_ours()
    child.stdout.close()
    assert told == [1]


def test_lease_of_another_host_is_judged_by_its_counter(tmp_path, monkeypatch):
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    clock = SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0], sleep=sleep)
    monkeypatch.setattr(leases, "time", clock)
    path = tmp_path / "build"
    leases.try_lease(path).release()
    path.mkdir()
    owner = {"token": "theirs", "identity": {"host": "elsewhere", "pid": 1}}
    (path / "owner.json").write_text(json.dumps(owner))
    watch = leases.LeaseWatch(path)
    for count in range(5):
        (path / "beat.json").write_text(json.dumps({"count": count}))
        assert watch.abandoned_token() is None
        sleep(leases.STALE_SECONDS - 1)
        assert watch.abandoned_token() is None
    sleep(1)
    assert watch.abandoned_token() == "theirs"
    with leases.lease(path, every=60) as held:
        assert held.is_ours()


def test_lease_beats_while_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.02)
    with leases.lease(tmp_path / "build"):
        until((tmp_path / "build" / "beat.json").exists)
        assert json.loads((tmp_path / "build" / "beat.json").read_text())["count"] >= 1


def test_lease_that_was_lost_is_not_given_back_twice(tmp_path):
    path = tmp_path / "build"
    lost = leases.try_lease(path)
    os.rename(path, tmp_path / "gone")
    taken = leases.try_lease(path)
    assert not lost.is_ours()
    lost.release()
    assert taken.is_ours()
    taken.release()


def test_lease_of_many_threads_overlaps_never(tmp_path):
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        for _ in range(3):
            with leases.lease(tmp_path / "build", every=0.001):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.001)
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 15
