"""Garbage collection and submissions: neither sees the other's half-done work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from scriptrun.runtime import workdir
from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import filesystem_kind
from scriptrun.store.locks import leases
from scriptrun.store.snapshots import garbage, prune_lease, snapshots, unchanged
from scriptrun.testing.jobs import PATIENCE, until


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a").write_bytes(b"a" * 1000)
    return folder


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def make_old(folder):
    then = time.time() - 2 * garbage.DAY
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def test_one_collector_at_a_time(store):
    with prune_lease.hold(store):
        assert prune_lease.is_held(store)
        with pytest.raises(WorkspaceException, match="Another prune"), prune_lease.hold(store):
            pass
    assert not prune_lease.is_held(store)
    with prune_lease.hold(store):
        pass


def test_what_was_used_while_a_collector_came_and_went_is_used_again(store):
    calls = []

    def use():
        calls.append(len(calls))
        if len(calls) == 1:
            with prune_lease.hold(store):
                pass
        return calls[-1]

    assert prune_lease.outside(store, use) == 1
    assert prune_lease.outside(store, use) == 2, "and once without a collector"


def test_a_snapshot_waits_for_the_collector_and_is_then_stored_again(source, store, tmp_path):
    digest = snapshots.take(store, source).digest
    make_old(store)
    taken = []
    thread = threading.Thread(target=lambda: taken.append(snapshots.take(store, source).digest))
    with prune_lease.hold(store):
        thread.start()
        garbage.remove(store, garbage.find(store, set()))
        assert not snapshots.exists(store, digest)
        assert not taken
    thread.join(PATIENCE)
    assert taken == [digest]
    snapshots.restore(store, digest, tmp_path / "back")


def test_a_claim_keeps_an_old_snapshot(source, store, tmp_path):
    digest = snapshots.take(store, source).digest
    make_old(store)
    assert snapshots.claim(store, digest)
    assert garbage.find(store, set()).snapshots == 0
    garbage.remove_snapshots(store, set())
    snapshots.restore(store, digest, tmp_path / "back")
    assert not snapshots.claim(store, "0" * 64)


def test_what_is_used_after_it_was_found_stays(source, store, tmp_path):
    digest = snapshots.take(store, source).digest
    make_old(store)
    found = garbage.find(store, set())
    assert found.snapshots == 1
    assert unchanged.mark_used(workdir.manifest_path(store, digest))
    garbage.remove(store, found)
    snapshots.restore(store, digest, tmp_path / "back")
    assert (tmp_path / "back" / "a").read_bytes() == b"a" * 1000


def test_a_snapshot_without_its_places_cannot_be_claimed(source, store):
    digest = snapshots.take(store, source).digest
    os.unlink(workdir.manifest_path(store, digest) + ".places")
    assert not snapshots.claim(store, digest)


def test_a_collector_whose_lease_another_took_deletes_nothing_more(source, store, tmp_path):
    digest = snapshots.take(store, source).digest
    make_old(store)
    found = garbage.find(store, set())
    with prune_lease.hold(store) as collector:
        shutil.rmtree(store / prune_lease.LEASE)
        with prune_lease.hold(store) as other:
            assert other.may_delete() and not collector.may_delete()
            assert garbage.remove(store, found, may_delete=collector.may_delete) == 0
    snapshots.restore(store, digest, tmp_path / "back")


def test_a_collector_that_was_suspended_deletes_nothing_more(source, store, tmp_path, monkeypatch):
    digest = snapshots.take(store, source).digest
    make_old(store)
    found = garbage.find(store, set())
    with prune_lease.hold(store) as collector:
        assert collector.may_delete()
        monkeypatch.setattr(leases, "PAUSE_SECONDS", 0.0)
        assert garbage.remove(store, found, may_delete=collector.may_delete) == 0
        monkeypatch.undo()
        assert not collector.may_delete(), "although the heartbeats go on"
    snapshots.restore(store, digest, tmp_path / "back")


def test_a_heartbeat_does_not_hide_the_pause_before_it(tmp_path, monkeypatch):
    lease = leases.try_lease(tmp_path / "x.lease", thread=False)
    monkeypatch.setattr(leases, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.0)
    lease._next_heartbeat = 0.0
    assert lease.heartbeat()
    monkeypatch.undo()
    assert lease.has_paused() and lease.is_ours()
    lease.release()


def test_a_collector_waits_for_the_clients_of_an_nfs_server(store, tmp_path, monkeypatch):
    exports = tmp_path / "exports"
    monkeypatch.setattr(filesystem_kind, "_EXPORTS", (str(tmp_path / "none"), str(exports)))
    slept = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=time.monotonic)
    monkeypatch.setattr(prune_lease, "time", clock)
    monkeypatch.setattr(filesystem_kind, "is_shared", lambda path: False)
    exports.write_text("# Version 1.1\n# Path Client(Flags) # IPs\n")
    with prune_lease.hold(store):
        assert not slept
    exports.write_text("# Version 1.1\n/home  *(rw,root_squash,sync)\n")
    with prune_lease.hold(store):
        assert slept == [prune_lease.CACHE_SECONDS]


KILLED = """
import os, signal, sys
from pathlib import Path
from scriptrun.store.snapshots import prune_lease
with prune_lease.hold(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="only on POSIX")
def test_nobody_waits_for_a_collector_that_was_killed(source, store):
    store.mkdir()
    subprocess.run([sys.executable, "-c", KILLED, str(store)], timeout=PATIENCE)
    assert (store / prune_lease.LEASE).exists()
    until(lambda: not prune_lease.is_held(store))
    assert snapshots.take(store, source).files == 1
    with prune_lease.hold(store):
        pass


@pytest.mark.skipif(os.name != "posix" or os.geteuid(), reason="only as root")
def test_a_file_of_another_user_is_marked_beside_it(source, store):
    """Only a file's owner can set its time; others who may write its folder leave a mark."""
    digest = snapshots.take(store, source).digest
    path = workdir.manifest_path(store, digest)
    make_old(store)
    for folder in (*store.parents[:1], store, *store.rglob("*")):
        os.chmod(folder, 0o777 if folder.is_dir() else 0o644)
    code = (
        "import os, sys; from scriptrun.store.snapshots import unchanged; "
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "assert unchanged.mark_used(sys.argv[1])"
    )
    for folder in store.parents:
        if not os.stat(folder).st_mode & 0o001:
            os.chmod(folder, os.stat(folder).st_mode | 0o001)
    subprocess.run([sys.executable, "-c", code, path], check=True, timeout=PATIENCE)
    assert os.path.exists(path + unchanged.USED)
    assert garbage.find(store, set()).snapshots == 0
