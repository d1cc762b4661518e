"""What a run logs reaches the disk while it runs."""

from __future__ import annotations

import os

import pytest

from scriptrun.runtime import files
from scriptrun.runtime.launcher import record_sync


@pytest.fixture
def synced(monkeypatch):
    """The paths that are synced."""
    paths = []
    descriptor_sync = os.fsync

    def sync(descriptor):
        paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        descriptor_sync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    return paths


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="only on Linux, which names open files"
)
def test_what_has_changed_is_synced_and_a_new_file_with_its_folder(tmp_path, synced):
    run = os.path.realpath(tmp_path)
    metrics = os.path.join(run, "metrics")
    os.mkdir(metrics)
    path = os.path.join(metrics, "0-1-a.jsonl")
    known = {}
    for text, expected in (("one\n", [path, metrics]), ("", []), ("two\n", [path])):
        with open(path, "a") as file:
            file.write(text)
        synced.clear()
        record_sync.sync_changed(run, known)
        assert synced == expected


def test_a_run_that_is_gone_is_passed_over(tmp_path):
    record_sync.sync_changed(str(tmp_path / "gone"), {})


def test_nothing_is_synced_where_that_is_turned_off(monkeypatch, tmp_path):
    monkeypatch.setenv(files.FSYNC_VARIABLE, "0")
    record_sync.start(tmp_path)
