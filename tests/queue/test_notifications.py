"""Requests for notifications are private, and a worker lives while there are any."""

from __future__ import annotations

import sys

from scriptrun import Experiment, ScriptRunConfig, Workspace
from scriptrun.queue import notifications
from scriptrun.testing.jobs import until


def test_a_request_starts_the_worker_and_is_done_when_the_run_has_ended(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(
        "import os, time\nwhile not os.path.exists(os.environ['GATE']): time.sleep(0.01)\n"
    )
    gate, out = tmp_path / "gate", tmp_path / "out"
    monkeypatch.setenv("GATE", str(gate))
    workspace = Workspace.create("w", path=tmp_path)
    run = Experiment(workspace, "e").submit(ScriptRunConfig(".", "train.py"))
    code = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    command = [sys.executable, "-c", code, str(out), "{state}"]
    notifications.request(workspace, run.id, command)
    (request,) = notifications.pending(workspace)
    assert request.path.stat().st_mode & 0o777 == 0o600
    assert request.command == tuple(command) and request.environ["GATE"] == str(gate)
    gate.touch()
    run.wait_for_completion()
    until(lambda: out.exists() and out.read_text() == "Completed")
    until(lambda: notifications.pending(workspace) == [])


def test_damaged_requests_are_removed(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    folder = notifications.folder_of(workspace)
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text('{"command": 5}')
    (folder / "notify.log").write_text("")
    assert notifications.pending(workspace) == []
    assert [path.name for path in folder.iterdir()] == ["notify.log"]
