"""Why a run waits: always said, by the runner that knows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from scriptrun.core.run import Run
from scriptrun.engines.local import slots
from scriptrun.engines.local.engine import Local
from scriptrun.queue import tickets, wait_reasons, workers
from scriptrun.runs import find
from scriptrun.store import paths
from scriptrun.testing.jobs import Bench, until, wait

GATE = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
OTHER = 61234


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local(max_runs=1))


def reason_of(bench, run):
    (row,) = [row for row in find.rows(bench.workspace) if row.id == run.id]
    shown = Run.get(bench.workspace, run.id).standing
    assert (row.state, shown.state) == ("Queued", "Queued")
    return row.reason if row.reason == shown.reason else ""


def test_who_holds_the_slot_is_named_and_who_is_behind_waits_for_its_turn(bench, tmp_path):
    first = bench.submit(GATE, [str(tmp_path / "go")])
    second, third = bench.submit("pass"), bench.submit("pass")
    why = f"waits for a free slot; in use by {first.id}"
    expected = f"position 1 of 2 in the queue: {why}"
    until(lambda: reason_of(bench, second) == expected, lambda: second.standing)
    behind = f"position 2 of 2 in the queue: {wait_reasons.BEHIND}; the first {why}"
    until(lambda: reason_of(bench, third) == behind, lambda: third.standing)
    (tmp_path / "go").touch()
    assert [wait(run) for run in (first, second, third)] == ["Completed"] * 3
    queue = tickets.queue_of(bench.workspace.id)
    until(lambda: not (queue / wait_reasons.FILE).exists(), "the reasons outlive the queue")


def test_a_holder_that_does_not_say_who_it_is(bench):
    held = slots.take(paths.slots_root(), 1)
    run = bench.submit("pass")
    until(lambda: "all 1 of this machine are in use" in reason_of(bench, run))
    held.close()
    assert wait(run) == "Completed"


def test_what_a_slot_s_file_says_is_shown_only_where_it_is_text(tmp_path):
    held = slots.take(tmp_path, 1, 0, holder="a_1")
    slot = tmp_path / "slot-0"
    for text, shown in (
        (json.dumps({"run": "a_2", "user": os.geteuid()}), "in use by a_2"),
        ('{"run": "a\\u001b[31m", "user": 1}', "all 1 of this machine are in use"),
        ("[" * 4096, "all 1 of this machine are in use"),
        ("", "all 1 of this machine are in use"),
        (json.dumps({"run": 3, "user": OTHER}), f"in use by 3 of the user with ID {OTHER}"),
    ):
        slot.write_text(text)
        search = slots.Search()
        assert slots.take(tmp_path, 1, 0, search=search) is None
        assert search.reason() == f"waits for a free slot; {shown}"
    held.close()


def test_a_slot_that_leads_elsewhere_is_not_written_to(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for make in (os.symlink, os.link):
        root = tmp_path / make.__name__
        root.mkdir()
        make(precious, root / "slot-0")
        with pytest.raises(slots.SlotsUnusable, match="slot-0"):
            slots.take(root, 1, 0, holder="a_1")
        assert slots.take(root, 2, 0, holder="a_1") is not None
    assert precious.read_text() == "mine"


@pytest.fixture
def bound():
    """The words that start a command for which files' permissions count, even if we are root."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("only as a user whom permissions bind: setpriv is not there")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def test_another_user_s_folder_of_slots_stops_nothing(bench, bound):
    """The run has a slot of the user's own, and a warning says why."""
    root = paths.slots_root()
    root.chmod(0o700 if bound else 0o500)
    if bound:
        os.chown(root, OTHER, OTHER)
    code = (
        "import json, sys; from scriptrun.testing import jobs; "
        "run = jobs.place_order(json.load(sys.stdin)); jobs.wait(run); print(run.id)"
    )
    done = subprocess.run(
        [*bound, sys.executable, "-c", code],
        input=json.dumps(bench.order("pass")),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    run = Run.get(bench.workspace, done.stdout.strip())
    assert run.standing.state == "Completed"
    (warning,) = run.get_details()["warnings"]
    assert "cannot be used" in warning and str(paths.own_slots_root()) in warning


def test_a_disk_error_is_the_reason_of_all(tmp_path):
    queue = tmp_path
    for number in (1, 2, 3):
        (queue / f"{number:020d}-a_{number}.json").write_text("{}")
    reasons = wait_reasons.Reasons(queue)
    assert wait_reasons.reasons_of(queue)["a_3"].endswith(wait_reasons.BEHIND)
    reasons.add("a_1", "waits for a slot")
    reasons.write()
    assert wait_reasons.reasons_of(queue) == {
        "a_1": "position 1 of 3 in the queue: waits for a slot",
        **{
            f"a_{n}": f"position {n} of 3 in the queue: {wait_reasons.BEHIND}; "
            "the first waits for a slot"
            for n in (2, 3)
        },
    }
    reasons.clear()
    reasons.add(wait_reasons.ALL, "cannot be started")
    reasons.write()
    assert wait_reasons.reasons_of(queue)["a_2"].endswith(": cannot be started")
    for text in ("", "[1]", "{"):
        (queue / wait_reasons.FILE).write_text(text)
        assert wait_reasons.read(queue) == {}
    wait_reasons.forget(queue)
    wait_reasons.forget(queue)
    assert [reason.partition(": ")[2] for reason in wait_reasons.reasons_of(queue).values()] == [
        wait_reasons.STARTING,
        wait_reasons.BEHIND,
        wait_reasons.BEHIND,
    ]
    for name in tickets.names(queue):
        (queue / name).unlink()
    assert wait_reasons.reasons_of(queue) == {}


def test_without_a_runner_the_reason_says_so_and_one_is_started(bench, monkeypatch):
    held = slots.take(paths.slots_root(), 1, holder="a_1")
    run = bench.submit("pass")
    until(lambda: "a_1" in reason_of(bench, run))
    monkeypatch.setattr(workers, "ensure_runner", lambda _: False)
    assert reason_of(bench, run) == wait_reasons.UNANSWERED
    monkeypatch.undo()
    held.close()
    assert wait(Run.get(bench.workspace, run.id)) == "Completed"
