"""The command of ``notify`` is executed once when a run ends."""

from __future__ import annotations

import json
import sys

import pytest

from scriptrun import Experiment, ScriptRunConfig, Workspace
from scriptrun.helpers import notifier
from scriptrun.queue import notifications

RECORD = (
    "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '|'.join(sys.argv[2:]) + '\\n')"
)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notifications.workers, "ensure", lambda worker: True)
    (tmp_path / "train.py").write_text("print(1)\n")
    return Workspace.create("w", path=tmp_path)


def submit(workspace, text="print(1)\n"):
    (workspace.root / "train.py").write_text(text)
    run = Experiment(workspace, "e").submit(ScriptRunConfig(".", "train.py"))
    run.wait_for_completion(raise_on_error=False)
    return run


def test_each_run_is_reported_once(workspace, tmp_path):
    out = tmp_path / "out"
    words = ("{run}", "{name}", "{experiment} {state}", "{workspace}", "{{other}}")
    for text, state in (("print(1)\n", "Completed"), ("raise SystemExit(3)\n", "Failed")):
        run = submit(workspace, text)
        command = [sys.executable, "-c", RECORD, str(out), *words]
        notifications.request(workspace, run.id, command)
        notifier.main(str(workspace.root))
        notifier.main(str(workspace.root))
        (line,) = out.read_text().splitlines()
        details, _, arguments = line.partition("}")
        assert arguments.split("|") == [
            *(run.id, run.short_name, f"e {state}", str(workspace.root), "{{other}}"),
        ]
        assert json.loads(details + "}")["state"] == state
        assert json.loads(details + "}")["short_name"] == run.short_name
        assert json.loads(details + "}")["reason"] == (run.standing.reason or "")
        out.unlink()
    assert notifications.pending(workspace) == []


def test_the_command_has_the_submitters_variables(workspace, tmp_path, monkeypatch):
    run = submit(workspace)
    monkeypatch.setenv("GIVEN", "at submission")
    code = "import os; open('seen', 'w').write(os.environ['GIVEN'])"
    notifications.request(workspace, run.id, [sys.executable, "-c", code])
    monkeypatch.setenv("GIVEN", "later")
    notifier.main(str(workspace.root))
    assert (tmp_path / "seen").read_text() == "at submission"


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ([sys.executable, "-c", "print('why'); raise SystemExit(4)"], "exit code 4\nwhy"),
        (["/no/such/program"], "No such file"),
    ],
)
def test_a_command_that_fails_is_logged_and_dropped(workspace, command, part):
    run = submit(workspace)
    notifications.request(workspace, run.id, command)
    notifier.main(str(workspace.root))
    assert part in notifications.log_path(workspace).read_text()
    assert notifications.pending(workspace) == []


def test_a_command_that_hangs_is_killed(workspace, monkeypatch):
    run = submit(workspace)
    monkeypatch.setattr(notifier, "LIMIT", 0.2)
    notifications.request(workspace, run.id, ["sleep", "600"])
    notifier.main(str(workspace.root))
    assert "took more than" in notifications.log_path(workspace).read_text()


def test_a_run_that_is_gone_is_no_longer_watched(workspace):
    notifications.request(workspace, "gone_1", ["true"])
    notifier.main(str(workspace.root))
    assert notifications.pending(workspace) == []
