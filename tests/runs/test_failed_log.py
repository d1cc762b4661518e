"""The end of a failed run's log, with paths that lead to files that exist."""

from __future__ import annotations

import pytest

from scriptrun import Experiment, ScriptRunConfig
from scriptrun.exceptions import ActivityFailedException
from scriptrun.runs import failed_log
from scriptrun.runtime import files, log_tail
from scriptrun.testing.jobs import Bench, wait

WORK = "work"


@pytest.fixture
def failed(tmp_path):
    """A run whose script fails in a module of its own, in a folder with a blank."""
    source = tmp_path / "the source"
    (source / "deep er").mkdir(parents=True)
    (source / "train.py").write_text(
        "import sys\nsys.path.insert(0, 'deep er')\nimport part\npart.work(__file__)\n"
    )
    (source / "deep er" / "part.py").write_text("def work(name):\n    raise ValueError(name)\n")
    bench = Bench(tmp_path)
    config = ScriptRunConfig(str(source), "train.py")
    run = Experiment(bench.workspace, "fails").submit(config)
    assert wait(run) == "Failed"
    return source, run


def test_paths_are_those_of_the_source(failed):
    source, run = failed
    log = failed_log.read(run)
    assert log.location == f"{source / 'deep er' / 'part.py'}:2"
    assert f'  File "{source / "train.py"}", line 4, in <module>' in log.lines
    assert log.lines[-1] == f"ValueError: {source / 'train.py'}" and str(run.path) not in log.text


def test_paths_of_a_child_are_those_of_the_source(failed):
    source, run = failed
    reason = f'run 0: ValueError: x\n  File "{run.path}_0/{WORK}/train.py", line 4'
    status = run.standing.replace(reason=reason)
    expected = f'run 0: ValueError: x\n  File "{source / "train.py"}", line 4'
    assert failed_log.reason_of(run, status) == expected


def test_paths_of_what_has_changed_are_those_of_the_snapshot(failed):
    source, run = failed
    part = source / "deep er" / "part.py"
    content = part.read_bytes()
    part.write_bytes(b"#" + content)
    (source / "train.py").unlink()
    log = failed_log.read(run)
    path, _, line = log.location.rpartition(":")
    assert str(source) not in log.text and line == "2"
    assert files.read_bytes(path) == content
    with pytest.raises(ActivityFailedException) as error:
        run.wait_for_completion()
    assert f'File "{path}", line 2' in str(error.value)


def test_without_the_snapshot_paths_stay(failed):
    _, run = failed
    for path in run.workspace.snapshots_folder.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"damaged")
    log = failed_log.read(run)
    assert log.location == "" and str(run.path / "work" / "train.py") in log.text


def test_without_its_log_there_are_no_lines(failed):
    _, run = failed
    (run.path / "user_logs" / "std_log.txt").unlink()
    assert failed_log.read(run) == failed_log.FailedLog()
    assert run.get_details()["lastLines"] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'File "/a b/r_1/{WORK}/x.py", line 1', "x.py"),
        ("/w/r_1/work-node-2/deep/x.py:7: error", "deep/x.py"),
        ("at /local/me/r_1.1.0/x.py)", "x.py"),
        (f"/w/r_12/{WORK}/x.py", None),
        ("/w/r_1/outputs/x.py", None),
    ],
)
def test_what_lies_in_a_working_directory(text, found):
    match = failed_log._work_path("r_1").search(text)
    assert (match and (match[1] or match[2])) == found


def test_lines_are_cleaned(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"10%\r20%\r\n\x1b[31mred\x1b[0m \x1b]0;title\x07\x00text\nlast\r\n")
    assert log_tail.read_tail(log) == ["20%", "red text", "last"]
    assert log_tail.read_tail(log, 1) == ["last"]
    assert log_tail.read_tail(tmp_path / "none") == log_tail.read_tail(tmp_path) == []
