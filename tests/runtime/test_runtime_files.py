from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from scriptrun.runtime import events, files, results
from scriptrun.runtime.launcher import collect


def test_of_many_publishers_one_wins(tmp_path):
    target = tmp_path / "result.json"
    code = (
        "import sys; from scriptrun.runtime import files; "
        "sys.stdin.read(1); print(files.publish(sys.argv[1], sys.argv[2].encode() * 1000))"
    )
    several = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(target), f"{number:03d}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for process in several:
        process.stdin.write("go")
        process.stdin.flush()
    said = [process.communicate()[0].strip() for process in several]
    assert said.count("True") == 1
    winner = f"{said.index('True'):03d}"
    assert target.read_text() == winner * 1000
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "a.json"
    files.write_atomic(str(target), b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        files.write_atomic(str(target), b"new")
    assert (target.read_bytes(), os.listdir(tmp_path)) == (b"old", ["a.json"])


def test_json_keeps_what_no_encoding_can(tmp_path):
    value = {"half": "\udcff", "text": "é漢🙂\n"}
    path = tmp_path / "a.json"
    files.write_atomic(str(path), files.to_json(value))
    assert files.read_json(str(path)) == value
    path.write_bytes(b'{"cut')
    assert files.read_json(str(path)) is None


def test_the_first_result_stands_and_the_second_is_an_event(tmp_path):
    (tmp_path / "attempts" / "1").mkdir(parents=True)
    log = events.EventWriter(tmp_path, "node-0")
    for state in ("Completed", "Failed"):
        value = results.result(state, node=0)
        results.publish_with_retry(str(tmp_path), 1, value, log)
    assert files.read_json(str(tmp_path / "attempts/1/result.json"))["state"] == "Completed"
    assert files.read_json(str(tmp_path / "attempts/1/node-0.json"))["state"] == "Completed"
    assert [event["kind"] for event in events.read(log.path)] == ["late"]


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def found(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_outputs_and_logs_stay_and_the_rest_goes(tmp_path):
    make(tmp_path, "work/outputs/a/b.txt", "work/logs/c.txt", "work/train.py", "work.1/half.py")
    make(tmp_path, "outputs/a/uploaded.txt", "job.json")
    collect.collect(str(tmp_path))
    assert found(tmp_path) == [
        "job.json",
        "logs/c.txt",
        "outputs/a/b.txt",
        "outputs/a/uploaded.txt",
    ]
    assert not (tmp_path / "work").exists()


def test_what_the_script_wrote_wins_over_what_was_there(tmp_path):
    make(tmp_path, "outputs/same.txt", "work/outputs/same.txt")
    collect.collect(str(tmp_path))
    assert (tmp_path / "outputs" / "same.txt").read_text() == "work/outputs/same.txt"


def test_a_link_out_of_the_working_directory_is_not_followed(tmp_path):
    away = tmp_path / "away"
    make(away, "precious.txt")
    run = tmp_path / "run"
    (run / "work" / "outputs").mkdir(parents=True)
    (run / "work" / "outputs" / "link").symlink_to(away)
    (run / "work" / "logs").symlink_to(away)
    collect.collect(str(run))
    assert found(away) == ["precious.txt"]
    assert (run / "outputs" / "link").is_symlink()


def test_empty_folders_leave_no_trace_and_twice_is_once(tmp_path):
    collect.make_artifact_folders(str(tmp_path / "work"))
    collect.collect(str(tmp_path))
    collect.collect(str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_no_pipe_is_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="pipe") as raised:
        files.open_record(pipe)
    assert raised.value.errno == errno.ENXIO
    assert files.read_bytes(pipe) is None
    files.sync_file(pipe)
    assert not files.publish(pipe, b"{}", may_be_empty=True)
    with pytest.raises(OSError, match="pipe"):
        events.append(str(pipe), b"{}\n")
