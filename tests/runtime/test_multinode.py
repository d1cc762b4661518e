"""Several nodes: how they meet, what one knows of the others, and how their ends become one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime import events, files, identity, log_tail, results
from scriptrun.runtime.launcher import collect
from scriptrun.runtime.multinode import gang, gather, peers, rendezvous
from scriptrun.runtime.order import Attempt, LaunchOrder

JOB = {"id": "r", "distribution": {"kind": "nodes", "nodes": 2, "settings": {}}}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run"
    (made / "attempts" / "1").mkdir(parents=True)
    return made


def order_of(folder, node=0, count=2, **more):
    root = str(folder.parent)
    places = {"folder": str(folder), "workspace": root, "store": root, "runtime": root}
    return LaunchOrder(**places, node=node, nodes=count, environ={}, **more)


def tell(folder, name, value):
    (folder / "attempts" / "1" / name).write_text(json.dumps(value))


def ended(state=results.COMPLETED, reason="", t=None, **more):
    value = results.result(state, reason, **more)
    value["usage"] = {"user_seconds": 1.0, "system_seconds": 0.5, "peak_memory_kb": 7}
    if t is not None:
        value["cause"] = {"t": t, "reason": reason}
    return value


def owner_that_lives():
    return identity.identify()


def owner_that_is_gone():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        return identity.identify(process.pid)


def test_all_of_a_job_agree_on_one_place(folder):
    found = {}

    def meet(node):
        attempt = Attempt(order_of(folder, node, 3, address=f"10.0.0.{node}", prefix=f"/env{node}"))
        found[node] = rendezvous.meet(JOB, attempt, peers.Peers(attempt.order))

    nodes = [threading.Thread(target=meet, args=[node]) for node in (2, 0, 1)]
    for each in nodes:
        each.start()
    for each in nodes:
        each.join()
    assert found[0] == found[1] == found[2] == files.read_json(str(folder / "attempts/1/head.json"))
    assert [each["address"] for each in found[1]["nodes"]] == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    assert found[1]["nodes"][2]["own"]["prefix"] == "/env2"
    assert found[1]["address"] == "10.0.0.0" and 0 < found[1]["port"] < 65536


@pytest.mark.parametrize("wanted", ["0", "65536", "-1", "x", "", "99999999999"])
def test_a_port_that_is_none_is_not_taken(folder, wanted):
    job = {**JOB, "variables": {"MASTER_PORT": wanted}}
    attempt = Attempt(order_of(folder, count=1))
    agreed = rendezvous.meet(job, attempt, peers.Peers(attempt.order))
    assert 0 < agreed["port"] < 65536 and str(agreed["port"]) != wanted
    assert agreed["address"] == "127.0.0.1"


def test_the_others_may_know_the_first_nodes_address_better(folder):
    tell(folder, "node-1.ready.json", {"head": "192.168.0.9", "address": "192.168.0.8"})
    attempt = Attempt(order_of(folder, address="127.0.1.1"))
    agreed = rendezvous.meet(JOB, attempt, peers.Peers(attempt.order))
    assert agreed["address"] == agreed["nodes"][0]["address"] == "192.168.0.9"


def test_a_canceled_run_does_not_wait_for_its_nodes(folder):
    (folder / "cancel.json").write_text("{}")
    attempt = Attempt(order_of(folder, 1))
    with pytest.raises(rendezvous.RendezvousFailure) as caught:
        rendezvous.meet(JOB, attempt, peers.Peers(attempt.order))
    assert caught.value.value["state"] == results.CANCELED


def test_nor_does_one_whose_other_node_has_failed(folder):
    tell(folder, "node-1.json", ended(results.FAILED, "no disk"))
    attempt = Attempt(order_of(folder))
    with pytest.raises(rendezvous.RendezvousFailure, match="no disk") as caught:
        rendezvous.meet(JOB, attempt, peers.Peers(attempt.order))
    assert caught.value.value["state"] == results.FAILED


@pytest.mark.parametrize(
    ("kind", "servers", "node", "expected"),
    [("nodes", 0, 0, 0), ("tensorflow", 0, 0, 1), ("tensorflow", 3, 0, 3), ("tensorflow", 3, 1, 2)],
)
def test_a_node_has_a_port_for_each_of_its_servers(folder, kind, servers, node, expected):
    way = {"kind": kind, "nodes": 2, "settings": {"parameter_servers": servers}}
    tell(folder, "node-1.ready.json", {"node": 1})
    tell(folder, "head.json", {"seen": True})
    attempt = Attempt(order_of(folder, node))
    if node:
        (folder / "attempts/1/node-1.ready.json").unlink()
        rendezvous.meet({"distribution": way}, attempt, peers.Peers(attempt.order))
        told = files.read_json(str(folder / "attempts/1/node-1.ready.json"))
    else:
        (folder / "attempts/1/head.json").unlink()
        agreed = rendezvous.meet({"distribution": way}, attempt, peers.Peers(attempt.order))
        told = agreed["nodes"][0]
    assert len(set(told["ports"])) == len(told["ports"]) == expected


def test_a_node_that_has_not_come_is_no_trouble_and_a_dead_one_is(folder):
    seen = peers.Peers(order_of(folder))
    assert seen.find_problem() == ""
    tell(folder, "node-1.start.json", owner_that_lives())
    assert peers.Peers(order_of(folder)).find_problem() == ""
    tell(folder, "node-1.start.json", owner_that_is_gone())
    assert "node 1 is lost" in peers.Peers(order_of(folder)).find_problem()


def test_a_node_whose_guard_alone_is_gone_is_not_lost(folder):
    tell(folder, "node-1.start.json", owner_that_is_gone())
    tell(folder, "node-1.ready.json", {"launcher": owner_that_lives()})
    assert peers.Peers(order_of(folder)).find_problem() == ""


def test_one_that_ended_before_it_went_is_not_lost(folder):
    tell(folder, "node-1.start.json", owner_that_is_gone())
    tell(folder, "node-1.json", ended())
    seen = peers.Peers(order_of(folder))
    assert (seen.find_problem(), seen.lost) == ("", {})
    assert seen.ended[1]["state"] == results.COMPLETED
    seen.wait()


def test_a_file_that_is_cut_is_as_if_it_were_not_there(folder):
    for name in ("node-1.json", "node-1.start.json", "node-1.ready.json"):
        (folder / "attempts/1" / name).write_text('{"cut')
    assert peers.Peers(order_of(folder)).find_problem() == ""


def test_a_node_stops_for_another_that_failed_and_for_a_result_from_outside(folder):
    tell(folder, "node-1.json", ended(results.FAILED, "no disk"))
    assert peers.Peers(order_of(folder)).find_problem() == "node 1 stopped: no disk"
    tell(folder, "node-1.json", ended())
    tell(folder, "result.json", ended())
    assert "externally" in peers.Peers(order_of(folder)).find_problem()


def test_servers_are_let_go_once_every_node_has_only_such(folder):
    first, second = peers.Peers(order_of(folder)), peers.Peers(order_of(folder, 1))
    assert not first.all_idle()
    assert second.all_idle() and first.all_idle() and first.all_idle()


def test_a_node_without_ranks_stays_as_long_as_the_first(folder):
    seen = peers.Peers(order_of(folder, 1))
    assert not seen.must_wait()
    seen.only_waits = True
    assert seen.must_wait()
    tell(folder, "node-0.json", ended())
    seen.find_problem()
    assert not seen.must_wait()


def test_the_first_cause_is_the_runs_whichever_node_it_was_on():
    found = {
        0: ended(results.FAILED, "node 2 stopped", t=9.0),
        1: ended(),
        2: ended(results.FAILED, "exited with code 3", t=4.0, exit_code=3),
    }
    found[2]["cause"].update(exit_code=3, rank=5)
    value = gather.merge_results(found, found[0])
    assert (value["reason"], value["exit_code"], value["rank"]) == ("exited with code 3", 3, 5)
    assert value["cause"] == {} and "t" not in value


ENDS = st.builds(
    lambda state, t: ended(state, state, t if state == results.FAILED else None),
    st.sampled_from([results.COMPLETED, results.FAILED, results.CANCELED]),
    st.floats(1, 100),
)


@given(st.lists(ENDS, min_size=1, max_size=5))
def test_a_run_is_as_well_as_its_worst_node(listed):
    found = dict(enumerate(listed))
    kept = json.dumps(found)
    value = gather.merge_results(found, found[0])
    seen = {each["state"] for each in listed}
    worst = next(
        each for each in (results.CANCELED, results.FAILED, results.COMPLETED) if each in seen
    )
    assert value["state"] == worst
    assert value["usage"]["user_seconds"] == len(listed)
    assert value["usage"]["peak_memory_kb"] == 7
    assert json.dumps(found) == kept


def test_what_has_no_usage_and_no_cause_counts_too():
    lost = results.result(results.FAILED, "node 1 is lost")
    value = gather.merge_results({0: results.result(results.COMPLETED), 1: lost}, ended())
    assert (value["state"], value["reason"]) == (results.FAILED, "node 1 is lost")
    assert value["usage"]["peak_memory_kb"] == 0


def make(folder, *names, text=None):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or name)


def found_in(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_of_artifacts_with_one_name_none_is_lost(folder):
    make(folder, "outputs/model.pt", text="mine")
    make(folder / "work-node-1", "outputs/model.pt", "outputs/deep/own.txt", text="theirs")
    make(folder / "work-node-1", "outputs/same.txt", text="same")
    make(folder / "work-node-2", "outputs/same.txt", "logs/x", text="same")
    make(folder / "work-node-10", "outputs/model.pt", text="tenth")
    (folder / "work-node-2/outputs/link").symlink_to("/etc")
    log = events.EventWriter(folder, "node-0")
    gather.gather(str(folder), log)
    assert found_in(folder / "outputs") == {
        "model.pt": "mine",
        "node-1/model.pt": "theirs",
        "node-10/model.pt": "tenth",
        "deep/own.txt": "theirs",
        "same.txt": "same",
    }
    assert os.readlink(folder / "outputs/link") == "/etc"
    assert (folder / "logs/x").read_text() == "same"
    assert not list(folder.glob("work-node-*"))
    (warning,) = events.read(log.path)
    assert "outputs/node-1/model.pt" in warning["message"] and "same.txt" not in warning["message"]
    gather.gather(str(folder), log)
    assert len(list(events.read(log.path))) == 1


def test_a_file_where_another_node_has_a_folder_stops_nothing(folder):
    make(folder, "outputs/x", text="a file")
    make(folder / "work-node-1", "outputs/x/inner", "outputs/other", text="another")
    make(folder / "work-node-2", "outputs/last", text="last")
    log = events.EventWriter(folder, "node-0")
    gather.gather(str(folder), log)
    assert found_in(folder / "outputs") == {
        "x": "a file",
        "node-1/x/inner": "another",
        "other": "another",
        "last": "last",
    }
    (warning,) = events.read(log.path)
    assert "outputs/node-1/x/inner" in warning["message"]


def test_what_the_script_wrote_below_the_name_of_a_node_stays(folder):
    make(folder, "outputs/x", "outputs/node-1/x", text="the script's")
    make(folder / "work-node-1", "outputs/x", text="another")
    gather.gather(str(folder))
    assert found_in(folder / "outputs") == {
        "x": "the script's",
        "node-1/x": "the script's",
        "node-1.2/x": "another",
    }


def test_outputs_that_met_something_else_in_the_run_move_it_aside(folder):
    make(folder, "outputs/x", text="earlier")
    make(folder, "outputs/y/inner", text="earlier")
    make(folder / "work", "outputs/x/inner", "outputs/y", text="script")
    collect.collect(str(folder))
    assert found_in(folder / "outputs") == {
        "x/inner": "script",
        "x.1": "earlier",
        "y": "script",
        "y.1/inner": "earlier",
    }


def test_a_folder_where_the_run_has_a_file_is_kept_aside(folder):
    make(folder, "outputs/x", text="a file")
    make(folder / "work-node-1", "outputs/x", text="another")
    (folder / "outputs/x").unlink()
    make(folder, "outputs/x/inner")
    gather.gather(str(folder))
    assert (folder / "outputs/node-1/x").read_text() == "another"
    assert (folder / "outputs/x/inner").exists()


def test_a_node_keeps_its_artifacts_and_tells_how_it_ended(folder):
    make(folder / "work-node-1", "outputs/a", "logs/b", "train.py", "data/big")
    (folder / "work-node-1/link").symlink_to(folder.parent)
    log = events.EventWriter(folder, "node-1")
    gather.end_node(order_of(folder, 1), ended(node=1), log)
    assert sorted(os.listdir(folder / "work-node-1")) == ["logs", "outputs"]
    assert folder.parent.is_dir()
    assert files.read_json(str(folder / "attempts/1/node-1.json"))["state"] == results.COMPLETED
    assert not (folder / "attempts/1/result.json").exists()


def test_the_first_node_tells_of_all_and_the_others_of_themselves(folder):
    make(folder / "work-node-1", "outputs/a")
    log = events.EventWriter(folder, "node-0")
    other = ended(results.FAILED, "exited with code 3", exit_code=3, node=1)
    assert gang.end(JOB, Attempt(order_of(folder, 1)), other, log)
    value = ended(node=0)
    assert not gang.end(JOB, Attempt(order_of(folder)), value, log)
    assert (value["state"], value["exit_code"]) == (results.FAILED, 3)
    assert "cause" not in value


def test_a_lost_node_is_the_cause_of_what_its_loss_brought_about(folder):
    tell(folder, "node-1.start.json", owner_that_is_gone())
    value = ended(results.FAILED, "connection reset", exit_code=1)
    value["cause"] = gang.cause_of(value)
    log = events.EventWriter(folder, "node-0")
    found = gather.end(JOB, order_of(folder), value, log)
    assert "node 1 is lost" in found["reason"] and found["exit_code"] is None


def test_a_rehearsal_that_never_began_waits_for_nobody(folder):
    value = ended(results.FAILED, "a damaged snapshot")
    attempt = Attempt(order_of(folder, count=3, rehearsal=True))
    gang.end(JOB, attempt, value, events.EventWriter(folder, "node-0"))
    assert value["reason"] == "a damaged snapshot"


def test_only_a_failure_has_a_cause():
    assert gang.cause_of(ended()) == gang.cause_of(ended(results.CANCELED)) == {}
    told = gang.cause_of({**ended(results.FAILED, "r"), "rank": 2, "own": 1}, 5.0)
    assert (told["t"], told["rank"], told["reason"]) == (5.0, 2, "r") and "own" not in told


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L"])), max_size=40))
def test_a_tail_is_the_last_lines(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("tail") / "log"
    path.write_text("".join(f"{line}\n" for line in lines))
    assert log_tail.read_tail(str(path), count=5) == lines[-5:]


def test_a_tail_of_a_long_or_odd_or_missing_log(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100_000 + b"\xff\nend")
    tail = log_tail.read_tail(str(path))
    assert tail[-1] == "end" and len(tail[0]) <= 8192 and tail[0].endswith("\ufffd")
    assert log_tail.read_tail(str(tmp_path / "none")) == []


def test_the_cpus_are_those_that_this_process_may_use():
    one = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, [{one}])\n"
        f"from {rendezvous.__name__} import count_cpus; print(count_cpus())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "1"
