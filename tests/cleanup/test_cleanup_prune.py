"""Prune: what goes, what stays and why, with real runs."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from scriptrun import Model, Run, Workspace
from scriptrun.cleanup import protection, prune, run_removal, selection, stored_runs
from scriptrun.cleanup.report import Freed, PrunedRun, PruneReport
from scriptrun.data.datasets import manifest
from scriptrun.diagnostics import fsck
from scriptrun.engines.local.engine import Local
from scriptrun.history import rerun
from scriptrun.runs import details
from scriptrun.runtime import files
from scriptrun.spec.errors import UserErrorException, WorkspaceException
from scriptrun.store.locks import leases
from scriptrun.store.snapshots import garbage, snapshots
from scriptrun.testing.jobs import Bench, until, wait
from scriptrun.testing.scripts import GATED
from scriptrun.tracking import pruned_runs, run_folder, run_marks

TRAINS = "open('outputs/model.txt', 'w').write('weights' * 1000)"


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


def ended(bench, code=TRAINS, **settings):
    """A run that has ended, and whose launcher has gone."""
    run = bench.run(code, **settings)
    until(lambda: not selection._why_kept(stored(bench, run.id)), "its launcher lives on")
    return run


def stored(bench, run_id):
    return stored_runs.StoredRuns(bench.workspace).runs[run_id]


def remove(*runs):
    for run in runs:
        run_marks.write(run.path, run_marks.REMOVED)


def make_old(folder):
    then = time.time() - 2 * garbage.DAY
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def ids(rows):
    return {row.id for row in rows}


def test_removed_runs_go_with_their_snapshots_and_the_rest_stays(bench, tmp_path):
    first = ended(bench, TRAINS + "  # first")
    second = ended(bench, TRAINS + "  # second")
    remove(first)
    make_old(bench.workspace.snapshots_folder)
    plan = bench.workspace.prune(dry_run=True)
    assert plan.dry_run and ids(plan.runs) == {first.id} and plan.snapshots.count == 1
    assert plan.size > 7000 and first.path.exists(), "a plan deletes nothing"
    report = bench.workspace.prune()
    assert ids(report.runs) == {first.id} and report.snapshots.count == 1
    assert report.size == plan.size
    assert not first.path.exists()
    assert not snapshots.exists(bench.workspace.snapshots_folder, first.job.snapshot)
    assert ids(bench.workspace.runs()) == {second.id}
    snapshots.restore(bench.workspace.snapshots_folder, second.job.snapshot, tmp_path / "back")
    assert {check.verdict for check in fsck.checks(bench.workspace)} == {"ok"}
    assert wait(rerun.start(second).run) == "Completed"
    assert bench.workspace.prune().is_empty


def test_a_pruned_run_is_remembered(bench):
    run = ended(bench)
    remove(run)
    bench.workspace.prune()
    record = pruned_runs.find(bench.workspace.directory, run.id[:12])
    assert record.id == run.id and record.experiment == "bench"
    assert pruned_runs.all_ids(bench.workspace.directory) == {run.id}
    with pytest.raises(UserErrorException, match=r"was pruned by .* on 20"):
        Run.find(bench.workspace, run.id)


def test_what_stands_on_a_run_keeps_it(bench):
    modelled, pinned = ended(bench), ended(bench)
    Model.register(bench.workspace, str(modelled.path / "outputs/model.txt"), "weights")
    modelled.register_model("net", "outputs/model.txt")
    run_marks.write(pinned.path, run_marks.PINNED)
    gate = bench.root / "gate"
    active = bench.submit(GATED, [gate.as_posix()])
    remove(modelled, pinned, active)
    report = bench.workspace.prune()
    assert report.runs == []
    reasons = {run.id: run.reason for run in report.kept}
    assert reasons.pop(active.id).startswith("active (")
    assert reasons == {modelled.id: "model net:1 came from it", pinned.id: "pinned"}
    gate.touch()
    assert wait(active) == "Completed"


def test_a_run_whose_outputs_an_active_run_needs_stays(bench):
    source, gate = ended(bench), bench.root / "gate"
    code = GATED + f"\n# {source.path / 'outputs'}"
    active = bench.submit(code, [gate.as_posix(), str(source.path / "outputs/model.txt")])
    remove(source)
    (kept,) = bench.workspace.prune().kept
    assert kept.reason == f"active run {details.title(active)} refers to it"
    gate.touch()
    wait(active)
    until(lambda: stored(bench, active.id).is_final, "it goes on")
    assert ids(bench.workspace.prune().runs) == {source.id}


def test_a_family_stays_or_goes_together(bench):
    parent = ended(bench)
    children = [parent.child_run(name=f"child {number}") for number in range(3)]
    for child in children:
        child.complete()
    run_marks.write(children[0].path, run_marks.PINNED)
    remove(parent, *children[1:])
    runs = stored_runs.StoredRuns(bench.workspace)
    reasons = protection.find(bench.workspace, runs)
    assert reasons == {
        children[0].id: "pinned",
        parent.id: f"its run {details.title(children[0])} is kept",
    }
    assert list(runs.ancestors(children[1].id)) == [parent.id]
    assert set(runs.descendants(parent.id)) == {child.id for child in children}
    run_marks.write(children[0].path, run_marks.PINNED, on=False)
    remove(children[0])
    run_marks.write(parent.path, run_marks.PINNED)
    reasons = protection.find(bench.workspace, stored_runs.StoredRuns(bench.workspace))
    assert reasons == {
        parent.id: "pinned",
        **{child.id: f"part of {details.title(parent)}, which is kept" for child in children},
    }


def test_a_run_that_was_restored_without_its_parent_stays_with_it(bench):
    parent = ended(bench)
    restored = parent.child_run()
    restored.complete()
    remove(parent, restored)
    run_marks.write(restored.path, run_marks.REMOVED, on=False)
    report = bench.workspace.prune()
    assert {run.id: run.reason for run in report.kept} == {
        restored.id: "restored",
        parent.id: f"its run {details.title(restored)} is kept",
    }
    assert not report.runs and parent.path.exists() and restored.path.exists()


def test_what_an_active_sweep_resumes_from_stays(bench):
    """Also what that one has resumed from, whose results count too."""
    first, second, restarted, gate = ended(bench), ended(bench), ended(bench), bench.root / "gate"
    active = bench.submit(GATED, [gate.as_posix()])
    resumes(second, resume_from=[first.id])
    resumes(active, resume_from=[second.id], resume_child_runs=[restarted.id])
    remove(first, second, restarted)
    report = bench.workspace.prune()
    reason = f"active run {details.title(active)} refers to it"
    assert {run.id: run.reason for run in report.kept} == dict.fromkeys(
        (first.id, second.id, restarted.id), reason
    )
    gate.touch()
    wait(active)
    until(lambda: stored(bench, active.id).is_final, "it goes on")
    assert len(bench.workspace.prune().runs) == 3


def resumes(run, **names):
    (run.path / "sweep.json").write_text(json.dumps(names))


def test_what_a_sweep_of_a_newer_version_needs_stays(bench):
    source, resumed, newer = ended(bench), ended(bench), ended(bench)
    digest = manifest.write(
        bench.workspace.directory / "manifests", [manifest.ManifestRow("a.csv", 1, "e")]
    ).digest
    outputs = str(source.path / "outputs")
    resumes(newer, resume_from=[resumed.id], child={"manifest": digest, "arguments": [outputs]})
    job = json.loads((newer.path / "job.json").read_text())
    (newer.path / "job.json").write_text(json.dumps({**job, "format": 99}))
    make_old(bench.workspace.directory / "manifests")
    remove(source, resumed)
    report = bench.workspace.prune()
    assert {run.id for run in report.kept} == {source.id, resumed.id}
    assert report.manifests == Freed() and source.path.exists() and resumed.path.exists()


def test_a_parent_that_is_kept_keeps_what_would_only_go_with_it(bench):
    parent = ended(bench)
    pinned, other, removed = (parent.child_run(name=str(number)) for number in range(3))
    for child in (pinned, other, removed):
        child.complete()
    run_marks.write(pinned.path, run_marks.PINNED)
    remove(removed)
    report = bench.workspace.prune(older_than=0.0, dry_run=True)
    reasons = {run.id: run.reason for run in report.kept}
    assert reasons[other.id] == f"part of {details.title(parent)}, which is kept"
    assert {parent.id, pinned.id, other.id} <= set(reasons)
    assert ids(report.runs) <= {removed.id}


def test_old_runs_and_those_that_match_a_query_go_too(bench):
    first, second = ended(bench), ended(bench)
    second.tag("keep", "no")
    workspace = bench.workspace
    assert workspace.prune(older_than=3600.0, dry_run=True).is_empty
    assert ids(workspace.prune(older_than=0.0, dry_run=True).runs) == {first.id, second.id}
    assert workspace.prune("tags.keep=no", older_than=3600.0, dry_run=True).is_empty
    run_marks.write(second.path, run_marks.ARCHIVED)
    report = workspace.prune("tags.keep=no")
    assert {run.id: run.reason for run in report.runs} == {second.id: "matches the query"}
    remove(first)
    assert workspace.prune(removed_before=3600.0).is_empty
    assert ids(workspace.prune(removed_before=0.0).runs) == {first.id}


def test_only_what_was_shown_goes(bench):
    first, second = ended(bench), ended(bench)
    remove(first)
    plan = prune.plan(bench.workspace, selection.Criteria())
    remove(second)
    report = prune.prune(bench.workspace, selection.Criteria(), [run.id for run in plan.runs])
    assert ids(report.runs) == {first.id}
    assert second.path.exists()


def test_a_run_that_was_restored_or_pinned_since_is_kept(bench):
    restored, pinned = ended(bench), ended(bench)
    remove(restored, pinned)
    plan = prune.plan(bench.workspace, selection.Criteria())
    run_marks.write(restored.path, run_marks.REMOVED, on=False)
    run_marks.write(pinned.path, run_marks.PINNED)
    removal = run_removal.RunRemoval(bench.workspace.directory, "me")
    assert removal.remove(plan.runs) == {
        restored.id: "restored meanwhile",
        pinned.id: "pinned meanwhile",
    }
    assert restored.path.exists() and pinned.path.exists()


def test_what_protects_a_run_is_read_again_before_each_batch(bench, monkeypatch):
    monkeypatch.setattr(run_removal, "_BATCH", 1)
    runs = {run.id: run for run in (ended(bench), ended(bench))}

    def register_the_other(count):
        (left,) = (run for run in runs.values() if run.path.exists())
        left.register_model("net", "outputs/model.txt")

    order = iter((register_the_other, lambda count: None))
    criteria = selection.Criteria(older_than=0.0)
    report = prune.prune(bench.workspace, criteria, None, lambda count: next(order)(count))
    assert len(report.runs) == 1
    (kept,) = report.kept
    assert kept.reason == "model net:1 came from it" and runs[kept.id].path.exists()


def test_a_run_that_is_kept_here_is_kept_on_its_host(bench):
    """Its host does not exist: to ask it would be another reason."""
    pinned, restored, used = ended(bench), ended(bench), ended(bench)
    address = {"host": "missing.invalid", "root": "/tmp/missing", "tool": "/tmp/missing/tool"}
    for run in (pinned, restored, used):
        (run.path / "address.json").write_text(json.dumps(address))
    remove(pinned, restored, used)
    pruning, report = prune._Prune(bench.workspace), PruneReport(dry_run=False)
    runs = stored_runs.StoredRuns(bench.workspace, known=pruning.known)
    selection.select(bench.workspace, runs, selection.Criteria().selected(runs), report)
    assert {run.host for run in report.runs} == {"missing.invalid"}
    run_marks.write(pinned.path, run_marks.PINNED)
    run_marks.write(restored.path, run_marks.REMOVED, on=False)
    dataset = bench.workspace.directory / "datasets/d/1.yaml"
    dataset.parent.mkdir(parents=True)
    dataset.write_text(f"folder: {used.path / 'outputs'}\n")
    assert pruning._prune_distant(report.runs) == {
        pinned.id: "pinned",
        restored.id: "restored meanwhile",
        used.id: "datasets/d/1.yaml refers to its files",
    }


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_run_in_a_read_only_folder_is_not_deleted_on_its_host(bench):
    run = ended(bench)
    run.path.chmod(0o500)
    try:
        reason = run_removal.why_kept_everywhere(run.path, "old")
    finally:
        run.path.chmod(0o700)
    assert reason == "cannot be deleted: Permission denied"
    assert run_removal.why_kept_everywhere(run.path, "old") == ""


@pytest.mark.parametrize("linked", ["run", "day"])
def test_linked_folders_are_not_emptied(bench, tmp_path, linked):
    run = ended(bench)
    remove(run)
    source = run.path if linked == "run" else run.path.parent
    target = tmp_path / "elsewhere"
    source.rename(target)
    source.symlink_to(target)
    (kept,) = bench.workspace.prune().kept
    assert kept.reason == run_removal.IS_LINK
    removal = run_removal.RunRemoval(bench.workspace.directory, "me")
    plan = PrunedRun(run.id, "n", "removed", 0, str(run.path))
    assert removal.remove([plan]) == {run.id: run_removal.IS_LINK}
    assert run_removal.delete(run.path) == run_removal.IS_LINK
    assert (run.path / "job.json").exists() and (run.path / "outputs/model.txt").exists()


@pytest.mark.parametrize("linked", ["run", "day"])
def test_what_only_looks_like_a_leftover_behind_a_link_stays(bench, tmp_path, linked):
    day = ended(bench).path.parent
    target = tmp_path / "elsewhere"
    content = target if linked == "run" else target / "x"
    content.mkdir(parents=True)
    (content / "precious.tmp").write_text("")
    make_old(target)
    os.utime(content, (0, 0))
    name = "x" if linked == "run" else "../2020-01-01"
    (day / name).symlink_to(target)
    assert bench.workspace.prune().leftovers == Freed()
    assert (content / "precious.tmp").exists()


@pytest.mark.parametrize("linked", ["run", "day"])
def test_a_broken_link_keeps_all_snapshots_and_runs(bench, tmp_path, linked):
    run, other = ended(bench, TRAINS + " # 1"), ended(bench, TRAINS + " # 2")
    digests = {each.id: each.job.snapshot for each in (run, other)}
    source = run.path if linked == "run" else run.path.parent
    source.rename(tmp_path / "unmounted")
    source.symlink_to(tmp_path / "missing")
    make_old(bench.workspace.snapshots_folder)
    if linked == "run":
        remove(other)
    for dry_run in (True, False):
        report = bench.workspace.prune(dry_run=dry_run)
        assert report.snapshots == Freed() and f"{source} is a link" in report.problems[0]
        assert all(f"{source} is a link" in kept.reason for kept in report.kept)
        assert not report.runs and len(report.kept) == (linked == "run")
    for each in (run, other):
        assert snapshots.exists(bench.workspace.snapshots_folder, digests[each.id])


def test_a_log_that_cannot_be_written_stops_no_prune(bench):
    """As on a full disk, where space has to be freed first."""
    run = ended(bench)
    remove(run)
    (bench.workspace.directory / pruned_runs.NAME).mkdir()
    assert ids(bench.workspace.prune().runs) == {run.id}
    assert not run.path.exists()


def test_a_damaged_record_keeps_its_run_and_all_snapshots(bench):
    damaged, other = ended(bench, TRAINS + " # 1"), ended(bench, TRAINS + " # 2")
    remove(damaged, other)
    (damaged.path / "job.json").write_bytes(b"{")
    make_old(bench.workspace.snapshots_folder)
    report = bench.workspace.prune()
    assert ids(report.runs) == {other.id}
    assert [run.id for run in report.kept] == [damaged.id]
    assert report.snapshots == Freed() and damaged.id in report.problems[0]
    for run in (damaged, other):
        assert snapshots.exists(bench.workspace.snapshots_folder, run.job.snapshot)


def test_lists_of_dataset_files_go_unless_a_run_or_a_dataset_has_them(bench):
    folder = bench.workspace.directory / "manifests"
    rows = [[manifest.ManifestRow(f"{n}.csv", 1, "e")] for n in range(3)]
    unused, of_run, of_dataset = (manifest.write(folder, each).digest for each in rows)
    ended(bench, TRAINS, arguments=[of_run])
    registered = bench.workspace.directory / "datasets" / "d"
    registered.mkdir(parents=True)
    (registered / "1.yaml").write_text(f"manifest: {of_dataset}\n")
    assert bench.workspace.prune().manifests == Freed(), "it was written today"
    make_old(folder)
    assert bench.workspace.prune().manifests.count == 1
    assert {path.stem for path in folder.glob("*.manifest")} == {of_run, of_dataset}
    assert not manifest.manifest_path(folder, unused).exists()


@pytest.mark.parametrize("root", ["/", ".scriptrun", ".scriptrun/runs"])
def test_a_dataset_in_a_runs_folder_keeps_it(bench, root):
    """Its path is relative to the root of its datastore."""
    run = ended(bench)
    folder = bench.workspace.directory / "datasets" / "d"
    folder.mkdir(parents=True)
    parents = {each.name: each for each in run.path.parents}
    path = run.path.relative_to(parents[root.rpartition("/")[2]] if root != "/" else "/")
    (folder / "1.yaml").write_text(f"folder: {path / 'outputs'}\n")
    remove(run)
    (kept,) = bench.workspace.prune().kept
    assert kept.reason == "datasets/d/1.yaml refers to its files"


def linked_registry(bench, away):
    """A registry behind a link, with a dataset that has the files of an old list."""
    digest = manifest.write(
        bench.workspace.directory / "manifests", [manifest.ManifestRow("a.csv", 1, "e")]
    ).digest
    make_old(bench.workspace.directory / "manifests")
    (away / "d").mkdir(parents=True)
    (away / "d" / "1.yaml").write_text(f"manifest: {digest}\n")
    registry = bench.workspace.directory / "datasets"
    registry.symlink_to(away, target_is_directory=True)
    return manifest.manifest_path(bench.workspace.directory / "manifests", digest)


def test_a_registry_behind_a_link_counts(bench, tmp_path):
    stored_list = linked_registry(bench, tmp_path / "away")
    assert bench.workspace.prune().manifests == Freed()
    assert stored_list.exists()


def test_nothing_goes_while_a_registry_cannot_be_read(bench, tmp_path):
    stored_list = linked_registry(bench, tmp_path / "away")
    run = ended(bench)
    remove(run)
    (tmp_path / "away").rename(tmp_path / "unmounted")
    with pytest.raises(WorkspaceException, match=r"datasets cannot be read .*any run"):
        bench.workspace.prune()
    assert stored_list.exists() and run.path.exists()
    (tmp_path / "unmounted").rename(tmp_path / "away")
    assert ids(bench.workspace.prune().runs) == {run.id}


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty():
    with pytest.raises(PermissionError):
        stored_runs._refuse_unreadable(PermissionError(13, "Permission denied", "datasets"))
    stored_runs._refuse_unreadable(FileNotFoundError())


def test_a_copy_of_a_workspace_leaves_the_cluster_to_the_original(bench, tmp_path):
    run = ended(bench)
    address = {"host": "cluster.invalid", "root": "/root"}
    (run.path / "address.json").write_bytes(files.to_json(address))
    remove(run)
    shutil.copytree(bench.workspace.root, tmp_path / "copy", symlinks=True)
    copy = Workspace(tmp_path / "copy")
    assert [each.host for each in copy.prune(dry_run=True).runs] == [""]
    assert ids(copy.prune().runs) == {run.id}
    assert [each.host for each in bench.workspace.prune(dry_run=True).runs] == ["cluster.invalid"]


def test_leftovers_of_interrupted_processes_go(bench):
    day = ended(bench).path.parent
    unpublished, interrupted, unknown = (day / name for name in ("a", "b", "c"))
    for folder in (unpublished, interrupted, unknown):
        (folder / "events").mkdir(parents=True)
        (folder / "events/submit.jsonl").write_text("{}\n")
    (interrupted / run_removal.MARKER).write_text("{}")
    (interrupted / "outputs").mkdir()
    (unknown / "outputs").mkdir()
    assert run_removal.is_interrupted(interrupted) and not run_removal.is_unpublished(unpublished)
    assert bench.workspace.prune().leftovers.count == 1
    assert unpublished.exists() and not interrupted.exists(), "it may be being submitted"
    assert pruned_runs.all_ids(bench.workspace.directory) == {"b"}
    for folder in (unpublished, unknown):
        make_old(day)
        os.utime(folder, (0, 0))
    assert bench.workspace.prune(dry_run=True).leftovers.count == 1
    assert bench.workspace.prune().leftovers.count == 1
    assert unknown.exists() and not unpublished.exists()


def test_empty_days_go_but_not_those_in_which_runs_may_be_made(bench):
    run = ended(bench)
    remove(run)
    (bench.workspace.runs_folder / "2020-01-01").mkdir()
    bench.workspace.prune()
    assert files.names_in(bench.workspace.runs_folder) == [run.path.parent.name]
    assert run_folder.days(bench.workspace.runs_folder) == [run.path.parent.name]


def test_what_cannot_be_deleted_is_named_and_finished_later(bench, monkeypatch):
    run = ended(bench)
    remove(run)
    monkeypatch.setattr("scriptrun.store.trees.remove", lambda path: None)
    report = bench.workspace.prune()
    (kept,) = report.kept
    assert "cannot be deleted completely" in kept.reason and report.has_failed
    assert not ids(bench.workspace.runs())
    monkeypatch.undo()
    assert bench.workspace.prune().leftovers.count == 1
    assert not run.path.exists()


def test_a_prune_that_was_suspended_keeps_snapshots_and_says_so(bench, monkeypatch):
    run = ended(bench)
    remove(run)
    lists = bench.workspace.directory / "manifests"
    manifest.write(lists, [manifest.ManifestRow("a.csv", 1, "e")])
    for folder in (bench.workspace.snapshots_folder, lists):
        make_old(folder)
    monkeypatch.setattr(leases, "PAUSE_SECONDS", 0.0)
    report = bench.workspace.prune()
    (problem,) = report.problems
    assert report.snapshots == report.manifests == Freed()
    assert "this prune was suspended" in problem
    assert snapshots.exists(bench.workspace.snapshots_folder, run.job.snapshot)
    assert list(lists.glob("*.manifest"))
    monkeypatch.undo()
    assert bench.workspace.prune().snapshots.count == 1


def test_a_clock_that_is_ahead_makes_nothing_look_unused(bench, monkeypatch):
    run = ended(bench)
    remove(run)
    lists = bench.workspace.directory / "manifests"
    manifest.write(lists, [manifest.ManifestRow("a.csv", 1, "e")])
    (bench.workspace.snapshots_folder / "x.tmp").touch()
    submission = run.path.parent / "a"
    submission.mkdir()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 2 * garbage.DAY)
    report = bench.workspace.prune()
    assert ids(report.runs) == {run.id} and report.recent == 1
    assert snapshots.exists(bench.workspace.snapshots_folder, run.job.snapshot)
    assert list(lists.glob("*.manifest")) and submission.exists()
    assert (bench.workspace.snapshots_folder / "x.tmp").exists()


def test_a_report_in_words():
    report = PruneReport(dry_run=True, snapshots=Freed(2, 10), leftovers=Freed(1, 5))
    assert repr(report) == "PruneReport(would free 0 runs, 2 snapshots, 15 bytes)"
    assert not report.is_empty and PruneReport(dry_run=False).is_empty
