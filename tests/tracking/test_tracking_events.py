from __future__ import annotations

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime import events as runtime_events
from scriptrun.tracking import events, run_state


def write(folder, writer, *lines):
    place = folder / "events"
    place.mkdir(exist_ok=True)
    with open(place / f"{writer}.jsonl", "a") as handle:
        for line in lines:
            handle.write(line if isinstance(line, str) else json.dumps(line) + "\n")


def test_events_are_merged_by_time_then_writer_then_number(tmp_path):
    write(tmp_path, "b", {"t": 1.0, "n": 0, "kind": "note", "message": "3"})
    write(tmp_path, "b", {"t": 2.0, "n": 1, "kind": "note", "message": "5"})
    write(tmp_path, "a", {"t": 1.0, "n": 0, "kind": "note", "message": "1"})
    write(tmp_path, "a", {"t": 1.0, "n": 1, "kind": "note", "message": "2"})
    write(tmp_path, "c", {"t": 1.5, "n": 0, "kind": "note", "message": "4"})
    assert [each["message"] for each in events.read(tmp_path)] == list("12345")


def test_a_torn_line_hides_no_other(tmp_path):
    good = {"t": 1.0, "n": 0, "kind": "tag", "set": {"a": "1"}}
    write(tmp_path, "a", good, '{"t": 2.0, "n": 1, "kind": "ta\n', {**good, "set": {"b": "2"}})
    write(tmp_path, "a", json.dumps({**good, "set": {"c": "3"}}))  # its newline is still to come
    write(tmp_path, "b", "\n", "[1, 2]\n", "null\n", '{"kind": "unknown to us"}\n')
    assert events.collect_facts(events.read(tmp_path)).tags == {"a": "1", "b": "2"}


@given(cut=st.integers(0, 400))
def test_however_a_file_is_cut_the_whole_lines_count(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("run")
    log = runtime_events.EventWriter(folder, "node-0")
    for number in range(5):
        log.write("note", message="é\n漢" * number)
    path = folder / "events" / "node-0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    seen = [each["n"] for each in events.read(folder)]
    assert seen == list(range(whole[:cut].count(b"\n")))


def test_properties_keep_their_first_value_and_tags_their_last():
    told = [
        {"kind": "tag", "set": {"a": "1", "b": "1"}},
        {"kind": "tag", "set": {"a": None}},
        {"kind": "tag", "remove": ["b", "never there"]},
        {"kind": "properties", "set": {"p": "first"}},
        {"kind": "properties", "set": {"p": "second", "q": "x"}},
    ]
    facts = events.collect_facts(told)
    assert facts.tags == {"a": None}
    assert facts.properties == {"p": "first", "q": "x"}


def test_a_damaged_mark_changes_nothing(tmp_path):
    good = {"t": 1.0, "kind": "mark", "name": "pinned", "on": True}
    write(tmp_path, "a", good, *({**good, "name": name, "on": on} for name in (["pinned"], None, 3)
                                 for on in (True, False)))  # fmt: skip
    for field in ("name", "t"):
        write(tmp_path, "b", {name: value for name, value in good.items() if name != field})
    assert events.collect_facts(events.read(tmp_path)).marks == {"pinned": 1.0}


@given(st.randoms())
def test_a_state_never_goes_back_however_the_clocks_were_set(chance: random.Random):
    told = [
        {"kind": "state", "state": state, "t": chance.random()}
        for state in ("Queued", "Preparing", "Running", "Finalizing")
    ]
    chance.shuffle(told)
    assert events.collect_facts(told).state == "Finalizing"


def test_two_writers_of_one_process_name_never_share_a_file(tmp_path):
    first, second = events.later_writer(tmp_path), events.later_writer(tmp_path)
    first.write("note", message="a")
    second.write("note", message="b")
    assert first.path != second.path
    assert len(events.read(tmp_path)) == 2


def test_fail_counts_after_the_end_and_not_before(tmp_path):
    log = runtime_events.EventWriter(tmp_path, "script-x")
    log.write("state", state="Running")
    log.write("fail", message="it was no good")
    assert run_state.read_status(tmp_path).state == "Running"
    status = run_state.record_lost(tmp_path, "the machine went away")
    assert (status.state, status.reason) == ("Failed", "it was no good")


def test_what_is_lost_is_settled_once(tmp_path):
    first = run_state.record_lost(tmp_path, "the first evidence")
    second = run_state.record_lost(tmp_path, "the second evidence")
    assert first.reason == second.reason == "the first evidence"
    assert first.state == "Failed"


def test_the_newest_attempt_decides(tmp_path):
    from scriptrun.runtime import results

    for attempt, state in ((1, "Failed"), (2, "Completed"), (10, "Canceled")):
        (tmp_path / "attempts" / str(attempt)).mkdir(parents=True)
        results.publish(str(tmp_path), attempt, results.result(state))
    assert run_state.read_status(tmp_path).state == "Canceled"
    (tmp_path / "attempts" / "11").mkdir()
    assert run_state.read_status(tmp_path).state == "NotStarted"
