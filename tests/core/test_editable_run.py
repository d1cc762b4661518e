"""Changes to a run outside of its script."""

from __future__ import annotations

import pytest

from scriptrun import Experiment, Run, Workspace
from scriptrun.core.editable_run import EditableRun
from scriptrun.spec.errors import UserErrorException, WorkspaceException
from scriptrun.testing.jobs import Bench, wait

TAGS = """
from scriptrun import Run
run = Run.get_context()
run.tag("own", "1")
run.note = "from the script"
"""


@pytest.fixture
def run(tmp_path):
    run = Experiment(Workspace.create("w", path=tmp_path), "e").start_logging(
        snapshot_directory=None
    )
    run.complete()
    return run


def test_every_run_can_be_edited(run, tmp_path):
    assert isinstance(run, EditableRun)
    run.set_tags({"a": 1, "b": None})
    run.remove_tags("a")
    run.display_name, run.note = "named", "why\nit is so"
    run.add_properties({"p": "q"})
    again = Run.get(run.workspace, run.id)
    assert (again.get_tags(), again.display_name) == ({"b": None}, "named")
    assert again.note == again.description == "why\nit is so"
    assert run.get_details()["note"] == "why\nit is so" and run.get_details()["notes"] == []
    again.description = None
    assert run.note is None
    writers = {path.name.partition("-")[0] for path in (run.path / "events").iterdir()}
    assert writers == {"user"} or "user" in writers


def test_an_edit_that_cannot_be_written_is_an_error(run):
    events = run.path / "events"
    events.rename(run.path / "elsewhere")
    events.write_text("no folder")
    with pytest.raises(WorkspaceException, match="Cannot write the workspace"):
        run.tag("a")


def test_what_the_script_says_stays_and_can_be_changed_later(tmp_path):
    run = Bench(tmp_path).run(TAGS)
    wait(run)
    assert (run.get_tags(), run.note) == ({"own": "1"}, "from the script")
    run.note = "changed"
    run.tag("own", "2")
    assert [each.id for each in run.workspace.runs("note=changed and tags.own=2")] == [run.id]


def test_marks_have_times(run):
    assert (run.archived, run.pinned, run.removed) == (None, None, None)
    run.pin()
    run.pin()
    assert run.pinned is not None and run.pinned.tzinfo is not None
    with pytest.raises(UserErrorException, match="it is pinned"):
        run.remove()
    run.pin(undo=True)
    run.remove()
    with pytest.raises(UserErrorException, match="cannot be archived: it is removed"):
        run.archive()
    run.remove(undo=True)
    run.archive()
    assert run.archived is not None and run.removed is None
