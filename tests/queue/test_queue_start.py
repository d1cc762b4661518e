"""Starting one run by hand, as the runner does: it has to wait, and then it runs once."""

from __future__ import annotations

import os
import sys

import pytest

from scriptrun import Run
from scriptrun.core.workspace import Workspace
from scriptrun.engines.base import NoRoom
from scriptrun.engines.local import slots
from scriptrun.engines.local.engine import Local
from scriptrun.environments import locks
from scriptrun.environments.builder import ReadyEnvironment
from scriptrun.preparation import environment_record
from scriptrun.queue import start, tickets
from scriptrun.registry import compute_targets
from scriptrun.runtime import events
from scriptrun.spec.job import JobSpec
from scriptrun.store import paths
from scriptrun.testing.jobs import log_of, until, wait
from scriptrun.tracking import run_folder


@pytest.fixture
def made(tmp_path):
    """What starts a run whose command names a variable of its ticket."""
    home = Workspace.create("w", path=tmp_path / "home")
    facts = {"id": "r", "experiment": "e", "workspace": "w", "command": "echo $MINE"}
    target = compute_targets.target_of(Local(max_runs=1))
    job = JobSpec(**facts, created="2024-05-01T10:00:00.000000Z", target=target)
    folder = run_folder.make(home.runs_folder, job)
    run_folder.publish(folder, job)
    environ = {"PATH": os.defpath, "MINE": "ü"}
    ticket = tickets.write(tickets.queue_of(home.id), folder, environ)
    ready = ReadyEnvironment("key", sys.executable, None, os.path.dirname(sys.executable), {"a": 1})
    return home, job, folder, ready, ticket


def test_the_order_says_where_all_is(made):
    home, _, folder, _, ticket = made
    order = start.make_order(*made, attempt=3)
    assert (order.folder, order.workspace, order.attempt) == (folder, home.root, 3)
    assert (order.python, order.prefix) == (sys.executable, None)
    assert (order.ticket, order.environ) == (ticket.path, ticket.environ)
    assert (order.runtime / "scriptrun" / "__init__.py").is_file()
    assert order.secrets == {} and order.tool[0] == sys.executable


def test_a_run_waits_for_room_and_keeps_its_ticket(made):
    _, _, folder, _, ticket = made
    held = slots.take(paths.slots_root(), 1)
    try:
        with pytest.raises(NoRoom):
            start.start(*made)
    finally:
        held.close()
    assert ticket.path.exists() and run_folder.read_result(folder) is None
    assert environment_record.read_lockfile(folder) == locks.seal({"a": 1})


def test_what_fails_to_import_is_a_warning_of_the_run(made):
    _, _, folder, ready, _ = made
    ready = ready.replace(notes=("for Python 3.8",), failed_imports=("a 1.0 fails to import",))
    environment_record.write_lockfile(folder, ready)
    found = {(each["kind"], each.get("message")) for each in events.read_all(folder)}
    assert {("note", "for Python 3.8"), ("warning", "a 1.0 fails to import")} <= found


def has_started(made):
    try:
        start.start(*made)
    except NoRoom:  # the launcher syncs what it has published, and then goes
        return False
    return True


def test_of_two_who_start_one_attempt_one_has_it(made):
    home, job, folder, _, ticket = made
    start.start(*made)
    run = Run.get(home, job.id)
    assert wait(run) == "Completed"
    assert log_of(run) == "ü\n" and not ticket.path.exists()
    kept = run_folder.read_result(folder)
    until(lambda: has_started(made), "the first keeps its slot")
    assert wait(run) == "Completed" and run_folder.read_result(folder) == kept
    assert log_of(run) == "ü\n" and run_folder.attempts(folder) == [1]
