"""Who may be signalled: only what the user's own private folder names."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from scriptrun.runtime import identity, process_record
from scriptrun.runtime.order import LaunchOrder


@pytest.fixture
def order(tmp_path):
    (tmp_path / "runs" / "a_1").mkdir(parents=True)
    (tmp_path / "private").mkdir(mode=0o700)
    return LaunchOrder(
        folder=str(tmp_path / "runs" / "a_1"),
        workspace="",
        store="",
        runtime="",
        processes=str(tmp_path / "private"),
    )


def found(order, folder=None):
    return process_record.find(order.processes, folder or order.folder)


def test_a_record_names_who_keeps_the_run_and_its_scripts(order):
    process_record.begin(order, identity.identify())
    process_record.add(order, os.getpid(), process_record.SCRIPT, **identity.identify())
    process_record.add(order, os.getpid(), process_record.CONTAINER, container={"name": "c"})
    (record,) = found(order)
    assert record.is_local and record.is_kept and not record.is_outdated
    assert record.living_scripts() == [os.getpid()]
    assert record.containers() == [{"name": "c"}]
    assert os.stat(record.path).st_mode & 0o077 == 0
    process_record.end(order, os.getpid())
    assert found(order) == []


def test_a_copy_of_the_run_s_folder_is_another_run(order, tmp_path):
    process_record.begin(order, identity.identify())
    copy = tmp_path / "copy" / "a_1"
    shutil.copytree(order.folder, copy)
    assert found(order, str(copy)) == []
    moved = tmp_path / "moved" / "a_1"
    moved.parent.mkdir()
    os.rename(order.folder, moved)
    (record,) = found(order, str(moved))
    assert record.folder == order.folder  # as its processes know it


@pytest.mark.parametrize(
    ("change", "is_local", "is_outdated"),
    [
        ({"boot": "earlier"}, False, True),
        ({"pid_namespace": 1}, False, False),
        ({"host": "another-host"}, False, False),
        ({"pid_namespace": None}, True, False),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_not_signalled(order, change, is_local, is_outdated):
    process_record.begin(order, identity.identify())
    (record,) = found(order)
    line = json.loads(Path(record.path).read_text())
    with open(record.path, "w") as handle:
        handle.write(json.dumps({**line, **change}) + "\n")
    (record,) = found(order)
    assert (record.is_local, record.is_outdated) == (is_local, is_outdated)


@pytest.mark.parametrize("text", ["", "[1]\n", "{}\n", '{"kind": "keeper"}\n', "\0\n"])
def test_a_damaged_record_names_nobody(order, text):
    process_record.begin(order, identity.identify())
    (record,) = found(order)
    with open(record.path, "w") as handle:
        handle.write(text)
    assert found(order) == []


def test_a_node_without_a_private_folder_records_nothing(order):
    away = order.replace(processes=None)
    process_record.begin(away, identity.identify())
    process_record.add(away, None, process_record.SCRIPT, pid=1)
    process_record.end(away, os.getpid())
    assert found(order) == []
