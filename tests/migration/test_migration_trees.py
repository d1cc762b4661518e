"""Trees of cloned repositories: what is read of them, in which memory, and how it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from bench import repositories

from scriptrun.migration import batch, candidates
from scriptrun.migration.findings import NEEDS_REVIEW
from scriptrun.testing.jobs import PATIENCE

#: writes the first file, and says so; then waits until it is stopped
STOPPED = """
import signal, sys, threading
from scriptrun.cli import main
from scriptrun.migration import batch
signal.signal(signal.SIGINT, signal.default_int_handler)
write = batch._write
def first(outcome):
    write(outcome)
    print("written", flush=True)
    threading.Event().wait()
batch._write = first
sys.exit(main(["migrate", "--write", sys.argv[1]]))
"""


#: a worker sends the length of a result of 1,000 bytes, and none of them
TORN = """
import multiprocessing, os, signal, struct, sys, threading
from scriptrun.cli import main
from scriptrun.migration import batch
multiprocessing.set_start_method("fork")
signal.signal(signal.SIGINT, signal.default_int_handler)
def half(path, **words):
    frame = sys._getframe()
    while "result_queue" not in frame.f_locals:
        frame = frame.f_back
    queue = frame.f_locals["result_queue"]
    with queue._wlock:
        os.write(queue._writer.fileno(), struct.pack("!i", 1000))
        print("half sent", flush=True)
        threading.Event().wait()
batch._outcome = half
sys.exit(main(["migrate", sys.argv[1]]))
"""


def interrupt(program, folder, line):
    """Press Ctrl-C once ``program``, which migrates ``folder``, has printed ``line``."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == line
    process.send_signal(signal.SIGINT)
    _, problems = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "Traceback" not in problems


def looked(*paths, step=lambda done, total: None, **options):
    names = [str(path) for path in paths]
    return batch.look(names, "scriptrun", lambda module, name: None, step, **options)


def test_a_tree_of_repositories(tmp_path):
    assert repositories.plant(tmp_path, repositories=2, files=80) > 100
    steps = []
    report = looked(tmp_path, step=lambda *numbers: steps.append(numbers))
    paths = {os.path.relpath(each.path, tmp_path).split(os.sep)[1] for each in report.changed}
    assert paths == {"old", "new", "notebooks"}
    assert [done for done, _ in steps] == list(range(1, report.looked_at + 1))
    assert not any(outcome.old or outcome.new for outcome in report.outcomes)
    assert all(outcome.diff for outcome in report.changed)
    kept = looked(tmp_path, keep_contents=True)
    assert all(b"azureml" in outcome.old and outcome.new for outcome in kept.changed)


def test_what_holds_nothing_of_azureml_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "one.py").write_text("import os\n")
    (tmp_path / "data.csv").write_text("azureml\n")
    opened = []
    real = candidates.document_limits.open_document
    monkeypatch.setattr(
        candidates.document_limits,
        "open_document",
        lambda path: [opened.append(path), real(path)][1],
    )
    assert looked(tmp_path).looked_at == 1
    assert opened == [str(tmp_path / "one.py")]


def test_a_notebook_that_only_printed_it_has_no_findings(tmp_path):
    plot = repositories._Repository(tmp_path, repositories.random.Random(1))
    (tmp_path / "plot.ipynb").write_bytes(plot._notebook("x = = 1\n"))
    assert looked(tmp_path).findings == []


def test_data_in_a_program_is_not_parsed(tmp_path):
    path = tmp_path / "data.py"
    path.write_text("from azureml.core import Run\nDATA = [\n" + "    1234567,\n" * 180_000 + "]\n")
    (finding,) = looked(tmp_path).findings
    assert finding.kind == NEEDS_REVIEW and "more than 2 MiB of code" in finding.reason


@pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() == 0, reason="root may read all folders")
def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    (finding,) = looked(tmp_path).findings
    assert finding.path == str(tmp_path / "closed") and "cannot read it" in finding.reason


def test_an_error_of_a_folder_is_a_finding(tmp_path):
    error = OSError(13, "Permission denied", str(tmp_path))
    (finding,) = batch._unreadable_outcome(error).findings
    assert finding.reason == "cannot read it: Permission denied"


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one process")
def test_an_interrupt_while_a_worker_sends_its_result(tmp_path):
    repositories.plant(tmp_path, repositories=2, files=400)
    interrupt(TORN, tmp_path, "half sent\n")


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one process")
def test_an_interrupt_ends_it_with_whole_files(tmp_path):
    repositories.plant(tmp_path, repositories=2, files=400)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.py")}
    interrupt(STOPPED, tmp_path, "written\n")
    changed = [path for path, old in before.items() if path.read_bytes() != old]
    assert len(changed) == 1
    assert set(tmp_path.rglob("*.py")) == set(before)
