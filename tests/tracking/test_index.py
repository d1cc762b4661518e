from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.runs import find as find_runs
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec import ids
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.testing.jobs import Bench
from scriptrun.tracking import run_folder

#: IDs of the same short name
SAME = ("same_19151", "same_43589", "same_49970")


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


def listed(bench, **filters):
    return [(row.id, row.state) for row in find_runs.rows(bench.workspace, **filters)]


@pytest.fixture
def runs(bench):
    source = bench.source("raise SystemExit('bad' in __import__('sys').argv)")
    return [bench.run(source=source, arguments=words) for words in ([], ["bad"], [])]


def test_newest_first_and_filtered(bench, runs):
    ids = [run.id for run in reversed(runs)]
    assert listed(bench) == list(zip(ids, ["Completed", "Failed", "Completed"], strict=True))
    assert listed(bench, status="Failed") == [(runs[1].id, "Failed")]
    assert listed(bench, limit=1) == [(runs[2].id, "Completed")]
    assert listed(bench, experiment="another") == []


def test_it_is_a_cache(bench, runs):
    before = listed(bench)
    find_runs.index_path(bench.workspace).unlink()
    assert listed(bench) == before


@pytest.mark.parametrize("place", [0, 100, 4096, -1])
def test_a_damaged_file_is_rebuilt(bench, runs, place):
    before = listed(bench)
    path = find_runs.index_path(bench.workspace)
    data = bytearray(path.read_bytes())
    if place < 0:
        data = bytearray(b"no database at all")
    else:
        data[place : place + 2000] = b"\xff" * 2000
    path.write_bytes(data)
    assert listed(bench) == before


@pytest.mark.parametrize("warm", [True, False])
def test_a_run_that_is_marked_as_failed_after_its_end(bench, runs, warm):
    if warm:
        listed(bench)
        listed(bench)
    Run.get(bench.workspace, runs[0].id).fail("it was no good after all")
    assert dict(listed(bench))[runs[0].id] == "Failed"


def test_a_tag_and_a_name_that_come_late(bench, runs):
    listed(bench)
    run = Run.get(bench.workspace, runs[0].id)
    run.tag("kept", "yes")
    run.display_name = "the good one"
    row = next(row for row in find_runs.rows(bench.workspace) if row.id == run.id)
    assert (row.tags, row.display_name) == ({"kept": "yes"}, "the good one")
    run.tag("kept", "still")
    assert [each.id for each in Run.list(run.experiment, tags={"kept": "still"})] == [run.id]
    row = next(row for row in find_runs.rows(bench.workspace) if row.id == run.id)
    assert row.tags == {"kept": "still"}
    assert Run.find(bench.workspace, "the good one").id == run.id


def test_a_run_folder_that_was_deleted(bench, runs):
    listed(bench)
    shutil.rmtree(runs[1].path)
    assert [name for name, _ in listed(bench)] == [runs[2].id, runs[0].id]
    shutil.rmtree(runs[0].path.parent)
    assert listed(bench) == []


def test_a_run_that_is_still_being_written_down(bench, runs):
    """A folder without its job.json is no run yet; it shows as soon as it is one."""
    job = runs[0].path / "job.json"
    text = job.read_bytes()
    job.unlink()
    find_runs.index_path(bench.workspace).unlink(missing_ok=True)
    assert runs[0].id not in dict(listed(bench))
    job.write_bytes(text)
    assert runs[0].id in dict(listed(bench))


def test_several_processes_refresh_at_once(bench, runs):
    code = (
        "import sys; from scriptrun import Workspace; from scriptrun.runs import find as find_runs\n"
        "for _ in range(20): print(len(find_runs.rows(Workspace(sys.argv[1]))))"
    )
    several = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(bench.root)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    more = [bench.run("pass") for _ in range(3)]
    for process in several:
        out, _ = process.communicate()
        assert process.returncode == 0
        assert set(map(int, out.split())) <= {3, 4, 5, 6}
    assert len(listed(bench)) == len(runs) + len(more)


def test_finding_by_the_beginning_of_an_id(bench, runs):
    assert Run.find(bench.workspace).id == runs[-1].id
    assert Run.find(bench.workspace, runs[0].id).id == runs[0].id
    with pytest.raises(Exception, match="is ambiguous"):
        Run.find(bench.workspace, "bench_")
    with pytest.raises(Exception, match="Run 'nothing' not found"):
        Run.find(bench.workspace, "nothing")


def put(workspace, run_id, **facts):
    job = JobSpec(id=run_id, created=ids.now(), experiment="e", workspace="w", **facts)
    folder = run_folder.make(workspace.runs_folder, job)
    run_folder.publish(folder, job)
    return Run.get(workspace, run_id)


def test_finding_by_a_short_name(bench):
    run, other = put(bench.workspace, "a_1"), put(bench.workspace, "a_2")
    assert Run.find(bench.workspace, run.short_name).id == run.id
    other.display_name = run.short_name
    assert Run.find(bench.workspace, run.short_name).id == other.id, "a display name comes first"
    found = put(bench.workspace, other.short_name)
    assert Run.find(bench.workspace, other.short_name).id == found.id, "and an ID before it"
    put(bench.workspace, f"{found.short_name}-more")
    assert Run.find(bench.workspace, found.short_name).id == found.id, "a prefix comes last"


def test_a_short_name_of_several_runs(bench):
    put(bench.workspace, SAME[0], parent="a_1")
    assert Run.find(bench.workspace, short_name(SAME[0])).id == SAME[0]
    put(bench.workspace, SAME[1])
    assert Run.find(bench.workspace, short_name(SAME[0])).id == SAME[1], "a child comes last"
    put(bench.workspace, SAME[2])
    with pytest.raises(UserErrorException) as raised:
        Run.find(bench.workspace, short_name(SAME[0]))
    assert "is ambiguous" in raised.value.message
    assert all(each in raised.value.message for each in SAME)


def test_a_mistyped_short_name(bench):
    name = put(bench.workspace, "a_1").short_name
    with pytest.raises(UserErrorException, match=f"Did you mean '{name}'?"):
        Run.find(bench.workspace, name[1:])
