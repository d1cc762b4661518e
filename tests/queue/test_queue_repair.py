"""A ticket that cannot be read: its run starts all the same, or ends with a reason; others start."""

from __future__ import annotations

import json
import os

import pytest

from scriptrun.engines.local.engine import Local
from scriptrun.queue import repair, tickets, workers
from scriptrun.runtime import processes
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, until, wait
from scriptrun.tracking import events, run_folder


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local(max_runs=1))


def ticket_of(bench, run):
    return tickets.find(tickets.queue_of(bench.workspace.id), run.id)


def runners(bench):
    return [
        pid
        for pid in jobs.living(str(bench.root))
        if processes.program_name(pid) == processes.RUNNER
    ]


def restarted(bench):
    """End the runner, which has the tickets in its memory, and start another."""
    for pid in runners(bench):
        jobs.kill(pid)
    workers.ensure_runner(bench.workspace)


def a_folder(path):
    path.unlink()
    (path / "x").mkdir(parents=True)


def a_loop(path):
    path.unlink()
    path.symlink_to(path.name)


def with_field(name, value):
    def damage(path):
        path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))

    return damage


def content(data):
    return lambda path: path.write_bytes(data)


DAMAGES = {
    "empty": content(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[:300]),
    "NULs": content(b"\0" * 300),
    "garbage": content(bytes(range(256))),
    "a list": content(b"[]"),
    "an empty object": content(b"{}"),
    "null": content(b"null"),
    "deep": content(b"[" * 100_000),
    "a folder": a_folder,
    "a loop": a_loop,
    "environ a list": with_field("environ", ["A=b"]),
    "a variable a number": with_field("environ", {"A": 1}),
    "a variable with NUL": with_field("environ", {"A": "\0"}),
    "a name with =": with_field("environ", {"A=B": "c"}),
    "folder a number": with_field("folder", 7),
    "another folder": with_field("folder", "/nowhere"),
    "no submitter": with_field("submitter", None),
}


def test_runs_whose_tickets_are_damaged_start_in_their_order(bench, gated_run, gate, monkeypatch):
    monkeypatch.setenv("MINE", "the submitter's")
    runs = [bench.submit(command="echo $MINE >> ../../order", tags={"n": "1"}) for _ in DAMAGES]
    whole = bench.submit("print('whole')")
    for run, damage in zip(runs, DAMAGES.values(), strict=True):
        damage(ticket_of(bench, run))
    restarted(bench)
    gate.touch()
    for run in (*runs, whole):
        assert wait(run) == "Completed", (run.standing.reason, run.get_details()["warnings"])
    began = [events.collect_facts(events.read(run.path)).running for run in (*runs, whole)]
    assert began == sorted(began)
    warnings = [run.get_details()["warnings"] for run in runs]
    assert all("its entry in the queue was damaged" in each[-1] for each in warnings), warnings
    assert whole.get_details()["warnings"] == []
    until(lambda: not runners(bench))


def test_variables_that_a_run_passes_on_are_not_made_up(bench, gated_run, gate, monkeypatch):
    job = bench.submit("pass").job  # a job to publish again, with a variable that is passed on
    folder = run_folder.make(bench.workspace.runs_folder, job.replace(id="passing"))
    queue = tickets.queue_of(bench.workspace.id)
    path = tickets.write(queue, folder, {"TOKEN": "secret"}).path
    run_folder.publish(folder, job.replace(id="passing", passed=("TOKEN",)))
    path.write_bytes(b"")
    restarted(bench)
    until(lambda: run_folder.read_result(folder))
    result = run_folder.read_result(folder)
    assert result["state"] == "Failed"
    assert "TOKEN" in result["reason"] and "scriptrun rerun passing" in result["reason"]
    until(lambda: not path.exists())
    gate.touch()


def test_a_damaged_ticket_without_a_run_is_dropped_once_it_is_old(bench, tmp_path):
    queue = tickets.queue_of(bench.workspace.id)
    old = tickets.write(queue, tmp_path / "nobody", {}).path
    old = old.rename(queue / f"{1:020d}-nobody.json")
    new = tickets.write(queue, tmp_path / "somebody", {}).path
    odd = queue / "odd.json"
    for path in (old, new, odd):
        path.write_bytes(b"{}")
        assert repair.renew_ticket(bench.workspace, path) is None
    assert not old.exists() and new.exists()
    new.unlink()


@pytest.mark.parametrize("data", [b"", b"[]", b'{"id": 7, "format": 1}', b'{"format": 99}'])
def test_a_waiting_run_whose_record_is_damaged_ends_and_the_next_starts(
    bench, gated_run, gate, data
):
    run, after = bench.submit("pass"), bench.submit("print('after')")
    (run.path / "job.json").write_bytes(data)
    restarted(bench)
    gate.touch()
    assert wait(after) == "Completed" and ticket_of(bench, after) is None
    until(lambda: run_folder.read_result(run.path))
    result = run_folder.read_result(run.path)
    assert result["state"] == "Failed" and str(run.path / "job.json") in result["reason"]
    until(lambda: not os.listdir(tickets.queue_of(bench.workspace.id)))


def test_a_run_that_cannot_be_started_ends_with_the_error_and_its_traceback(bench, gated_run, gate):
    run = bench.submit("pass")
    try:
        raise LookupError("a part that is not there")
    except LookupError as error:
        repair.end_unstartable(bench.workspace, ticket_of(bench, run), error)
    assert run.standing.reason == "it cannot be started: LookupError: a part that is not there"
    assert "Traceback" in (run.path / "system_logs" / "launcher.txt").read_text()
    assert ticket_of(bench, run) is None
    gate.touch()
