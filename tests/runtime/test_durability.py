"""Syncs: which files are synced before they get their names, what a failing disk does, none at all."""

from __future__ import annotations

import _thread
import errno
import json
import os
import subprocess
import sys

import pytest

from scriptrun.runtime import durability, files

#: for a process that writes down its syncs and what it names, in order
RECORDER = """
import json, os, sys

def record(name, *paths):
    line = json.dumps([name, *map(os.fsdecode, paths)]) + chr(10)
    out = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, line.encode())
    os.close(out)

def recording(name, real, paths_of):
    def call(*arguments, **keywords):
        paths = paths_of(*arguments)
        result = real(*arguments, **keywords)
        record(name, *paths)
        return result
    return call

os.fsync = recording("sync", os.fsync, lambda handle: [os.readlink(f"/proc/self/fd/{{handle}}")])
os.replace = recording("name", os.replace, lambda old, new: [old, new])
os.link = recording("name", os.link, lambda old, new: [old, new])
"""


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Runs code in a process; returns its syncs and namings."""
    log, site = tmp_path / "log", tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(RECORDER.format(log=str(log)))
    monkeypatch.setenv("PYTHONPATH", str(site))

    def run(code: str) -> list[list[str]]:
        subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
        return [json.loads(line) for line in log.read_text().splitlines()]

    return run


def is_durable(calls: list[list[str]], name: str) -> bool:
    """Whether the file was synced before it got its name, and its folder after that."""
    named = [number for number, call in enumerate(calls) if call[-1] == name and call[0] == "name"]
    assert named, f"{name} was not written"
    synced = ["sync", calls[named[-1]][1]] in calls[: named[-1]]
    return synced and ["sync", os.path.dirname(name)] in calls[named[-1] :]


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors have their names in /proc")
def test_what_is_acknowledged_was_synced_before_and_after_its_name(tmp_path, recorded):
    (tmp_path / "model").write_text("content")
    calls = recorded(
        "from scriptrun import Environment, Model, Workspace\n"
        "workspace = Workspace.create('w', path='.')\n"
        "Model.register(workspace, 'model', 'model')\n"
        "Environment('e').register(workspace)\n"
    )
    directory = str(tmp_path / ".scriptrun")
    for name in ("workspace.json", "models/model/1.yaml", "environments/e/1.yaml"):
        assert is_durable(calls, f"{directory}/{name}")
    (content,) = (tmp_path / ".scriptrun/models/.content").glob("*/*")
    assert is_durable(calls, str(content))


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors have their names in /proc")
def test_a_submission_and_its_end_are_durable(tmp_path, recorded):
    source = tmp_path / "source"
    source.mkdir()
    (source / "job.py").write_text("print('x')")
    calls = recorded(
        "from scriptrun import Experiment, ScriptRunConfig, Workspace\n"
        "from scriptrun.testing import jobs\n"
        "workspace = Workspace.create('w', path='.')\n"
        "run = Experiment(workspace, 'e').submit(ScriptRunConfig('source', 'job.py'))\n"
        "jobs.wait(run)\n"
    )
    (folder,) = (tmp_path / ".scriptrun" / "runs").glob("*/*")
    named = [call[-1] for call in calls].index(f"{folder}/job.json")
    for path in (folder / "job.json", folder, folder.parent):  # the day's folder names the run
        assert ["sync", str(path)] in calls[named:]
    for pattern in ("manifests/*/*", "packs/*"):
        for path in (tmp_path / ".scriptrun" / "snapshots").glob(pattern):
            assert is_durable(calls, str(path)), path


def test_without_syncs_there_are_none(tmp_path, monkeypatch):
    def fail(handle):
        raise AssertionError("it was synced")

    monkeypatch.setenv(files.FSYNC_VARIABLE, "0")
    monkeypatch.setattr(os, "fsync", fail)
    files.write_atomic(tmp_path / "a", b"x")
    files.publish(tmp_path / "b", b"x")
    files.make_folders(tmp_path / "c" / "d")
    durability.sync_tree(tmp_path)
    durability.sync_files([tmp_path / "a"])
    assert (tmp_path / "c" / "d").is_dir()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_is_no_failure(tmp_path, monkeypatch, number):
    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    files.write_atomic(tmp_path / "a", b"x")
    assert files.publish(tmp_path / "b", b"x")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_is_told_and_nothing_gets_a_name(tmp_path, monkeypatch, number):
    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    for write in (files.write_atomic, files.publish):
        with pytest.raises(OSError, match=os.strerror(number)):
            write(tmp_path / "a", b"x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [3, 100])
def test_few_files_and_many(tmp_path, count):
    for number in range(count):
        (tmp_path / str(number)).write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    durability.sync_tree(tmp_path)
    durability.sync_files([tmp_path / str(number) for number in range(count)])


@pytest.mark.parametrize("number_of_threads", [0, 2, files._THREADS])
def test_files_are_synced_together_and_each_error_is_told(tmp_path, monkeypatch, number_of_threads):
    paths = [str(tmp_path / str(number)) for number in range(12)]
    for path in paths[:8]:
        (tmp_path / path).write_text("x")
    start, left, synced = _thread.start_new_thread, [None] * number_of_threads, []

    def limited(*arguments):
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        return start(*arguments)

    def recorded(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))

    monkeypatch.setattr(files, "_SLOW", 0.0)
    monkeypatch.setattr(_thread, "start_new_thread", limited)
    monkeypatch.setattr(os, "fsync", recorded)
    errors = files.sync_together(paths)
    assert sorted(error.filename for error in errors) == sorted(paths[8:])
    assert sorted(synced) == sorted(paths[:8])
    assert files.sync_together([]) == []


def test_folders_are_made_with_those_above_them(tmp_path):
    files.make_folders(tmp_path / "a" / "b" / "c", 0o700)
    files.make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        files.make_folders(tmp_path / "file" / "below")


def test_folders_that_are_removed_meanwhile_are_made_again(tmp_path, monkeypatch):
    make, removals = os.mkdir, ["b", "b"]

    def made_without_its_parent(path, mode=0o777):
        if os.path.basename(path) == "b" and removals:
            removals.pop()
            os.rmdir(os.path.dirname(path))
        make(path, mode)

    monkeypatch.setattr(os, "mkdir", made_without_its_parent)
    files.make_folders(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir() and not removals


def test_an_empty_result_counts_as_none(tmp_path):
    from scriptrun.runtime import results

    (tmp_path / "attempts" / "1").mkdir(parents=True)
    (tmp_path / "attempts" / "1" / "result.json").touch()
    assert results.publish(str(tmp_path), 1, results.result("Failed", "why"))
    assert not results.publish(str(tmp_path), 1, results.result("Completed"))
    assert files.read_json(tmp_path / "attempts" / "1" / "result.json")["state"] == "Failed"
