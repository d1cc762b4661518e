"""The index of runs, over run folders written by hand: what it takes in, and when it looks again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import threading
import time

import pytest

from scriptrun.query.moments import epoch_seconds
from scriptrun.runtime import events, results
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec import states
from scriptrun.spec.job import JobSpec, Target
from scriptrun.tracking import run_folder, run_state, unstarted
from scriptrun.tracking.index import Index
from scriptrun.tracking.index_tables import VERSION, open_database

#: IDs of the same short name
SAME = ("same_19151", "same_43589")


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def index(tmp_path, runs):
    """What opens an index of ``runs``; every one is closed at the end."""
    opened = []

    def open_index(status=lambda folder, job: run_state.read_status(folder)) -> Index:
        opened.append(Index(runs, tmp_path / "cache" / "index.sqlite", status))
        return opened[-1]

    yield open_index
    for each in opened:
        each.close()


def put(runs, run_id, created="2024-05-01T10:00:00.000000Z", state="", **facts):
    """A run folder, ended in ``state`` where that is given."""
    words = {"experiment": "e", "workspace": "w", **facts}
    job = JobSpec(id=run_id, created=created, **words)
    folder = run_folder.make(runs, job)
    run_folder.publish(folder, job)
    if state:
        end(folder, state)
    return folder


def end(folder, state, **more):
    place = folder / "attempts" / "1"
    place.mkdir(parents=True, exist_ok=True)
    results.publish(str(folder), 1, results.result(state, **more))
    run_folder.touch(folder)


def listed(index, **filters):
    index.refresh()
    return [row.id for row in index.rows(**filters)]


def test_a_workspace_without_runs_has_none(index, runs):
    assert listed(index()) == []
    runs.mkdir()
    (runs / "notes.txt").write_text("no day")
    assert listed(index()) == []


def test_a_row_says_what_the_folder_says(index, runs):
    folder = put(
        runs,
        "one",
        state="",
        script="train.py",
        tags={"a": "1", "b": "2"},
        target=Target(name="gpu"),
        parent="above",
        display_name="shown",
    )
    writer = events.EventWriter(str(folder), "test")
    writer.write("tag", set={"b": "3", "c": None})
    end(folder, "Failed", reason="exit code 3", exit_code=3, ended=17.5)
    found = index()
    found.refresh()
    (row,) = found.rows()
    assert (row.id, row.folder, row.experiment) == ("one", str(folder), "e")
    assert (row.display_name, row.target, row.parent) == ("shown", "gpu", "above")
    assert (row.state, row.reason, row.exit_code, row.ended) == ("Failed", "exit code 3", 3, 17.5)
    assert (row.script, row.tags) == ("train.py", {"a": "1", "b": "3", "c": None})


def test_a_run_without_a_display_name_is_shown_by_its_id_and_a_command_as_its_script(index, runs):
    put(runs, "one", command="make all")
    found = index()
    found.refresh()
    (row,) = found.rows()
    assert (row.display_name, row.script, row.state) == ("one", "make all", states.NOT_STARTED)
    assert row.name == row.short_name == "keen-oasis-72"


def test_newest_first_across_days_and_filtered(index, runs):
    put(runs, "old", "2023-01-01T00:00:00.000000Z", "Completed", experiment="a")
    put(runs, "mid", "2024-05-01T00:00:00.000000Z", "Failed", experiment="b")
    put(runs, "new", "2024-05-01T00:00:00.000001Z", "Completed", experiment="a", parent="mid")
    found = index()
    assert listed(found) == ["new", "mid", "old"]
    assert listed(found, experiment="a") == ["new", "old"]
    assert listed(found, state="Completed", experiment="a", limit=1) == ["new"]
    assert listed(found, limit=0) == []
    assert listed(found, children=False) == ["mid", "old"]
    assert listed(found, state="Running") == []


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("", 5),
        ("train", 3),
        ("train_1", 2),
        ("train_12", 1),
        ("x", 0),
        ("ä", 1),
        ("%", 0),
        ("_", 0),
    ],
)
def test_ids_by_their_beginning(index, runs, prefix, found):
    for number, name in enumerate(("train_12", "train_13", "train", "ä1", "other")):
        put(runs, name, f"2024-05-01T00:00:00.00000{number}Z")
    index_ = index()
    index_.refresh()
    ids = index_.ids_with_prefix(prefix)
    assert len(ids) == found
    assert all(each.startswith(prefix) for each in ids)
    assert index_.ids_with_prefix("train", limit=1) == ["train"], "the newest"


def test_children_are_left_out_where_only_others_are_asked_for(index, runs):
    put(runs, "s")
    put(runs, "s_1", parent="s")
    found = index()
    found.refresh()
    assert sorted(found.ids_with_prefix("s")) == ["s", "s_1"]
    assert found.ids_with_prefix("s", children=False) == ["s"]


def test_display_names_are_found_exactly(index, runs):
    for number, name in enumerate(("best", "best", "Best", "best one", "it's; drop table runs")):
        put(runs, f"r{number}", f"2024-05-01T00:00:00.00000{number}Z", display_name=name)
    found = index()
    found.refresh()
    assert found.ids_named("best") == ["r1", "r0"]
    assert found.ids_named("it's; drop table runs") == ["r4"]
    assert found.ids_named("nothing") == []


def test_short_names_are_found_exactly_and_of_whole_runs_only_where_asked_for(index, runs):
    put(runs, "one", "2024-05-01T10:00:00.000000Z", display_name="given")
    put(runs, SAME[0], "2024-05-01T10:00:01.000000Z")
    put(runs, SAME[1], "2024-05-01T10:00:02.000000Z", parent="one")
    found = index()
    found.refresh()
    name = short_name(SAME[0])
    assert found.ids_short_named(short_name("one")) == ["one"]
    assert found.ids_short_named(name) == [SAME[1], SAME[0]]
    assert found.ids_short_named(name, limit=1) == [SAME[1]]
    assert found.ids_short_named(name, children=False) == [SAME[0]]
    assert found.ids_short_named(name[:-1]) == found.ids_short_named("") == []


def test_bytes_that_are_no_text_do_not_stand_in_the_way(index, runs):
    put(runs, "one", display_name="a\udcffb", experiment="\ud800")
    found = index()
    found.refresh()
    (row,) = found.rows()
    assert row.id == "one"
    assert "\udcff" not in row.display_name
    assert found.ids_named("a\udcffb") == ["one"], "it is asked as it was kept"


def test_only_runs_that_have_not_ended_are_asked_for_their_state(index, runs):
    asked = []

    def status(folder, job):
        asked.append((folder.name, job.id))
        return run_state.RunState(states.RUNNING)

    put(runs, "done", state="Completed")
    put(runs, "runs")
    found = index(status)
    assert listed(found, state="Running") == ["runs"]
    assert set(asked) == {("runs", "runs")}
    asked.clear()
    end(runs / "2024-05-01" / "runs", "Completed")
    assert listed(found, state="Completed") == ["runs", "done"]
    asked.clear()
    listed(found)
    assert asked == []


def test_a_folder_without_its_job_is_taken_in_once_that_is_there(index, runs):
    job = JobSpec(id="late", experiment="e", workspace="w", created="2024-05-01T00:00:00.000000Z")
    folder = run_folder.make(runs, job)
    os.utime(folder.parent, (1, 1))
    found = index()
    assert listed(found) == []
    run_folder.publish(folder, job)
    os.utime(folder.parent, (1, 1))
    assert listed(found) == ["late"]


def test_runs_and_days_that_are_removed_leave_the_list(index, runs):
    for run_id, created in (("a", "2024-05-01"), ("b", "2024-05-01"), ("c", "2024-05-02")):
        put(runs, run_id, f"{created}T00:00:00.000000Z", "Completed")
    put(runs, "unfinished", "2024-05-02T00:00:00.000000Z")
    found = index()
    assert len(listed(found)) == 4
    shutil.rmtree(runs / "2024-05-01" / "a")
    assert listed(found) == ["unfinished", "c", "b"]
    shutil.rmtree(runs / "2024-05-02" / "unfinished")
    assert listed(found) == ["c", "b"]
    shutil.rmtree(runs / "2024-05-02")
    assert listed(found) == ["b"]
    shutil.rmtree(runs)
    assert listed(found) == []


def test_a_damaged_job_is_listed_with_its_file_until_it_is_whole_again(index, runs):
    def status(folder, job):
        return run_state.RunState(states.FAILED, job.problem)

    put(runs, "whole", state="Completed")
    folder = put(runs, "cut")
    whole = (folder / "job.json").read_bytes()
    (folder / "job.json").write_text('{"id": "cut", "exp')
    found = index(status)
    assert sorted(listed(found)) == ["cut", "whole"]
    (row,) = found.rows(state="Failed")
    assert (row.id, row.script, row.reason) == (
        "cut",
        None,
        f"{folder / 'job.json'} is damaged: it is not valid JSON",
    )
    (folder / "job.json").write_bytes(whole)
    end(folder, "Completed")
    assert sorted(listed(found, state="Completed")) == ["cut", "whole"]


@pytest.mark.parametrize("rubbish", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_foreign_file_is_replaced(index, runs, tmp_path, rubbish):
    put(runs, "one", state="Completed")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "index.sqlite").write_bytes(rubbish)
    assert listed(index()) == ["one"]


def by_sql(*statements):
    def damage(path):
        with contextlib.closing(sqlite3.connect(path)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    return damage


def as_folder(path):
    path.unlink()
    (path / "below").mkdir(parents=True)


def as_loop(path):
    path.unlink()
    path.symlink_to(path.name)


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage",
    [
        by_sql("drop table runs"),
        by_sql("drop table days"),
        by_sql("drop table runs", "create table runs (id, tags)"),
        by_sql("update runs set tags = '{'"),
        by_sql("update runs set tags = '[]'"),
        by_sql("update runs set created = null"),
        by_sql("update runs set state = 7, began = 'then'"),
        by_sql("update runs set reason = cast(x'ff' as text)"),
        by_sql("update days set changed = 'x'", "update runs set changed = 'x'"),
        as_folder,
        as_loop,
        half,
        lambda path: path.write_bytes(b""),
        lambda path: path.with_name(path.name + "-wal").write_bytes(b"\xff" * 9000),
        lambda path: path.with_name(path.name + "-shm").mkdir(),
    ],
)
def test_a_damaged_index_is_built_again(index, runs, tmp_path, damage):
    put(runs, "one", state="Completed", tags={"a": "b"})
    put(runs, "two", state="Failed")
    first = index()
    assert len(listed(first)) == 2
    first.close()
    damage(tmp_path / "cache" / "index.sqlite")
    again = index()
    assert sorted(listed(again)) == ["one", "two"]
    assert again.ids_with_prefix("o") == ["one"] and again.ids_named("two") == ["two"]
    assert [row.tags for row in again.rows(state="Completed")] == [{"a": "b"}]


def test_an_index_that_is_damaged_while_it_is_open_is_built_again(index, runs, tmp_path):
    put(runs, "one", state="Completed")
    found = index()
    assert listed(found) == ["one"]
    for statement in ("drop table runs", "drop table days"):
        by_sql(statement)(tmp_path / "cache" / "index.sqlite")
        assert found.ids_with_prefix("o") == ["one"]
        assert listed(found) == ["one"]


def test_an_index_that_cannot_be_stored_is_in_memory(index, runs, tmp_path):
    put(runs, "one", state="Completed")
    (tmp_path / "cache").write_text("a file")
    assert listed(index()) == ["one"]


def test_a_day_or_a_run_that_is_a_file_is_passed_over(index, runs):
    put(runs, "one", state="Completed")
    (runs / "2024-05-01" / "note.txt").write_text("no run")
    (runs / "2024-05-02").write_text("no day")
    (runs / "2024-05-03").symlink_to("2024-05-03")
    assert listed(index()) == ["one"]


def test_an_index_of_another_version_is_made_anew(index, runs, tmp_path):
    put(runs, "one", state="Completed")
    (tmp_path / "cache").mkdir()
    with sqlite3.connect(tmp_path / "cache" / "index.sqlite") as old:
        old.execute("create table runs (id, other)")
        old.execute("insert into runs values ('stale', 1)")
        old.execute(f"pragma user_version = {VERSION + 1}")
    old.close()
    assert listed(index()) == ["one"]


def test_indexes_of_one_file_refresh_at_once(tmp_path, runs):
    for number in range(30):
        put(runs, f"r{number:02}", f"2024-05-01T00:00:00.0000{number:02}Z", "Completed")
    barrier = threading.Barrier(3)
    seen: list[list[str]] = []

    def look():
        barrier.wait()
        path = tmp_path / "cache" / "index.sqlite"
        found = Index(runs, path, lambda folder, job: run_state.read_status(folder))
        seen.append(listed(found))
        found.close()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(each) for each in seen] == [30] * 3


def test_several_make_an_index_at_once(tmp_path):
    """SQLite refuses a change of the journal mode at once while another connection makes it."""
    barrier = threading.Barrier(4)
    opened: list[int] = []

    def make(number):
        barrier.wait()
        open_database(tmp_path / str(number) / "index.sqlite").close()
        opened.append(number)

    for number in range(40):
        threads = [threading.Thread(target=make, args=(number,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(opened) == 160


def test_a_run_that_never_began_is_ended_with_its_reason(index, runs):
    folder = put(runs, "one")
    assert unstarted.next_attempt(folder) == 1
    assert unstarted.end_failed(folder, "no room") == 1
    status = run_state.read_status(folder)
    assert (status.state, status.reason, status.is_final) == ("Failed", "no room", True)
    assert unstarted.next_attempt(folder) == 2
    assert listed(index(), state="Failed") == ["one"]


def test_it_is_the_next_attempt_that_ends_and_a_result_that_is_there_stands(runs):
    folder = put(runs, "one")
    for number in (1, 2, 10):
        (folder / "attempts" / str(number)).mkdir(parents=True)
    (folder / "attempts" / "notes").mkdir()
    assert unstarted.next_attempt(folder) == 11
    unstarted.end_failed(folder, "by hand", states.CANCELED)
    assert unstarted.next_attempt(folder) == 12
    result = json.loads((folder / "attempts" / "11" / "result.json").read_text())
    assert (result["state"], result["reason"]) == ("Canceled", "by hand")
    results.publish(str(folder), 11, results.result("Completed"))
    assert run_state.read_status(folder).state == "Canceled", "the first word stands"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-02T00:00:01.5+00:00", 86401.5),
        ("2024-02-29T12:00:00.123456Z", 1709208000.123456),
        ("", 0.0),
        ("yesterday", 0.0),
        ("2023-02-29T12:00:00", 0.0),
    ],
)
def test_moments_of_a_record_as_seconds(text, seconds, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert epoch_seconds(text) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()
