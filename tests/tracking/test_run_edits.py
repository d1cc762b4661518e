from __future__ import annotations

import os

import pytest

from scriptrun.runtime import events
from scriptrun.spec.errors import WorkspaceException
from scriptrun.tracking import run_edits


@pytest.fixture
def folders(tmp_path):
    made = [tmp_path / "2024-05-01" / name for name in ("a", "b")]
    for folder in made:
        (folder / "events").mkdir(parents=True)
    return made


def test_each_run_gets_the_event_and_new_times(folders):
    for path in (*folders, folders[0].parent):
        os.utime(path, (1, 1))
    run_edits.write(folders, "tag", set={"a": "b"})
    run_edits.write(folders[:1], "tag", remove=["a"])
    kinds = [[event["kind"] for event in events.read_all(folder)] for folder in folders]
    assert kinds == [["tag", "tag"], ["tag"]]
    assert all(path.stat().st_mtime > 1e9 for path in (*folders, folders[0].parent))


def test_an_edit_counts_though_another_hosts_clock_is_ahead(folders):
    line = '{"t": 9e9, "n": 0, "kind": "tag", "set": {"a": "old"}}\n'
    (folders[0] / "events/user-ahead.jsonl").write_text(line)
    run_edits.write(folders, "tag", set={"a": "new"})
    assert events.read_all(folders[0])[-1]["set"] == {"a": "new"}


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="only on Linux, which names open files"
)
def test_events_and_the_times_of_folders_are_synced(folders, monkeypatch):
    synced = set()
    sync = os.fsync

    def note(descriptor):
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    run_edits.write(folders, "tag", set={"a": "b"})
    expected = {os.path.realpath(path) for path in (*folders, folders[0].parent)}
    for folder in folders:
        expected |= {
            os.path.realpath(path) for path in (folder / "events", *folder.rglob("*.jsonl"))
        }
    assert synced == expected


def test_a_run_that_cannot_be_written(folders):
    (folders[0] / "events").rmdir()
    folders[0].rmdir()
    with pytest.raises(WorkspaceException, match="Cannot write the workspace"):
        run_edits.write(folders, "tag", set={"a": "b"})
