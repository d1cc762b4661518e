from __future__ import annotations

import json
import subprocess
import sys
import time

from scriptrun.tracking import run_marks


def test_a_mark_is_set_once_and_removed_once(tmp_path):
    (tmp_path / "events").mkdir()
    assert run_marks.write(tmp_path, run_marks.ARCHIVED)
    assert not run_marks.write(tmp_path, run_marks.ARCHIVED)
    assert run_marks.write(tmp_path, run_marks.PINNED)
    assert list(run_marks.read(tmp_path)) == ["archived", "pinned"]
    assert run_marks.write(tmp_path, run_marks.ARCHIVED, on=False)
    assert not run_marks.write(tmp_path, run_marks.ARCHIVED, on=False)
    assert list(run_marks.read(tmp_path)) == ["pinned"]
    assert run_marks.read(tmp_path)["pinned"] > 1.7e9


def test_several_runs_at_once(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        (folder / "events").mkdir(parents=True)
    run_marks.write(folders[1], run_marks.REMOVED)
    assert run_marks.write_all(folders, run_marks.REMOVED) == [folders[0], folders[2]]
    assert run_marks.write_all(folders, run_marks.REMOVED) == []
    assert all(run_marks.REMOVED in run_marks.read(folder) for folder in folders)


def mark_elsewhere(folder, name, on):
    """As a host does whose clock is five minutes ahead."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    line = {"t": time.time() + 300, "n": 0, "kind": "mark", "name": name, "on": on}
    with (folder / "events/user-ahead.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_marks_count_though_another_hosts_clock_is_ahead(tmp_path):
    for _ in range(2):
        mark_elsewhere(tmp_path, run_marks.REMOVED, True)
        assert run_marks.write(tmp_path, run_marks.REMOVED, on=False)
        assert run_marks.REMOVED not in run_marks.read(tmp_path)
        mark_elsewhere(tmp_path, run_marks.PINNED, False)
        assert run_marks.write(tmp_path, run_marks.PINNED)
        assert run_marks.PINNED in run_marks.read(tmp_path)
        assert run_marks.write(tmp_path, run_marks.PINNED, on=False)


def test_what_is_marked_together_has_the_same_time(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    mark_elsewhere(folders[0], run_marks.REMOVED, False)
    (folders[1] / "events").mkdir(parents=True)
    run_marks.write_all(folders, run_marks.REMOVED)
    first, second = (run_marks.read(folder)[run_marks.REMOVED] for folder in folders)
    assert first == second > time.time() + 60


MARKS = """
import pathlib, sys
import subprocess
import sys

from scriptrun.tracking import run_marks
folder = pathlib.Path(sys.argv[1])
sys.stdin.read(1)
for number in range(20):
    run_marks.write(folder, "pinned", on=number % 2 == 0)
    run_marks.write(folder, sys.argv[2])
run_marks.write(folder, "pinned")
"""


def test_two_processes_mark_the_same_run(tmp_path):
    (tmp_path / "events").mkdir()
    processes = [
        subprocess.Popen([sys.executable, "-c", MARKS, str(tmp_path), name], stdin=subprocess.PIPE)
        for name in (run_marks.ARCHIVED, run_marks.REMOVED)
    ]
    for process in processes:
        process.stdin.write(b"1")
        process.stdin.close()
    assert [process.wait() for process in processes] == [0, 0]
    assert set(run_marks.read(tmp_path)) == set(run_marks.NAMES)
