"""What is archived, pinned and removed with a run, and what protects it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scriptrun import Experiment, Workspace
from scriptrun.runs import find, marks
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import run_marks
from scriptrun.tracking.index import RunRow


def row(name, state="Completed", **more):
    facts = {
        "folder": f"/{name}",
        "created": "",
        "experiment": "e",
        "display_name": name,
        "short_name": name,
    }
    return RunRow(id=name, state=state, **facts, **more)


@pytest.mark.parametrize(
    ("name", "member", "why"),
    [
        ("archived", row("a"), ""),
        ("archived", row("a", "Queued"), "it is active (Queued)"),
        ("archived", row("a", removed=1.0), "it is removed"),
        ("archived", row("a", pinned=1.0), ""),
        ("pinned", row("a", "Running"), ""),
        ("pinned", row("a", removed=1.0), "it is removed"),
        ("removed", row("a", "Failed"), ""),
        ("removed", row("a", "Preparing"), "it is active (Preparing)"),
        ("removed", row("a", pinned=1.0), "it is pinned"),
        ("removed", row("a", removed=1.0), ""),
        ("removed", row("m"), "models x:1, x:2 came from it"),
        ("removed", row("s"), "it is the run of the service 'digits'"),
        ("removed", row("s", "Running"), "it is the run of the service 'digits'"),
        ("archived", row("s"), ""),
    ],
)
def test_why_a_run_is_not_marked(name, member, why):
    known = {"m": ["x:1", "x:2"]}, {"s": "digits"}
    family = marks.Family(member)
    found = marks.objection(family, name, True, *known)
    assert (found.why if found else "") == why
    assert marks.objection(family, name, False, *known) is None, "undoing is never refused"
    below = marks.objection(marks.Family(row("p"), (row("q"), member)), name, True, *known)
    if why and why != "it is removed":
        assert below is not None and f"its run {member.title}" in below.why


def test_families_by_the_index(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    top = Experiment(workspace, "e").start_logging(snapshot_directory=None)
    child = top.child_run()
    grandchild = child.child_run()
    other = Experiment(workspace, "e").start_logging(snapshot_directory=None)
    for run in (grandchild, child, top, other):
        run.complete()
    index = find.open_index(workspace)
    try:
        rows = [index.row(run.id) for run in (child, top, other)]
        families = marks.families(index, rows)
        assert index.row("none") is None
    finally:
        index.close()
    assert [[each.id for each in family.members] for family in families] == [
        [top.id, child.id, grandchild.id],
        [other.id],
    ]
    family = marks.family_of(workspace, top.id)
    assert marks.apply([family], run_marks.REMOVED) and not marks.apply([family], run_marks.REMOVED)
    assert all(run_marks.read(Path(each.folder)) for each in family.members)
    with pytest.raises(UserErrorException, match="was removed and cannot be rerun"):
        marks.refuse_removed(child, "rerun")
    assert marks.apply([family], run_marks.REMOVED, on=False)
    assert not marks.apply([family], run_marks.REMOVED, on=False)
    assert not any(run_marks.read(Path(each.folder)) for each in family.members)
    with pytest.raises(UserErrorException, match="not found"):
        marks.family_of(workspace, "none")


def test_what_an_interrupted_removal_left_is_completed(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    top = Experiment(workspace, "e").start_logging(snapshot_directory=None)
    child = top.child_run()
    child.complete()
    top.complete()
    run_marks.write(top.path, run_marks.REMOVED)
    assert not marks.apply([marks.family_of(workspace, top.id)], run_marks.REMOVED)
    assert child.removed is not None
    run_marks.write(child.path, run_marks.REMOVED, on=False)  # so far came an undo
    assert marks.apply([marks.family_of(workspace, top.id)], run_marks.REMOVED, on=False)
    assert (top.removed, child.removed) == (None, None)
