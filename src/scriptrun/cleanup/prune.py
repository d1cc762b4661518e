"""Prune a workspace: delete removed and old runs, then what nothing refers to any more."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable
from pathlib import Path

from scriptrun import remote
from scriptrun.cleanup import protection, run_removal, selection, stored_runs
from scriptrun.cleanup.report import Freed, KeptRun, PrunedRun, PruneReport
from scriptrun.cleanup.run_removal import RunRemoval
from scriptrun.cleanup.selection import Criteria, Selected
from scriptrun.cleanup.stored_runs import References, StoredRuns
from scriptrun.spec import accounts
from scriptrun.spec.values import Value, fresh
from scriptrun.store import trees
from scriptrun.store.snapshots import garbage, prune_lease
from scriptrun.store.snapshots.prune_lease import Collector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles

#: seconds for which what nothing refers to is kept after its last use
AGE = garbage.DAY
#: folders of the workspace in which an interrupted process may have left temporary files
_FOLDERS = ("snapshots", "manifests", "locks", "models")
#: what a report says of a prune that others may have taken for dead
_STOPPED = (
    "The deletion of unused snapshots was stopped: this prune was suspended, or could not write to "
    "the workspace, for a minute. Run it again"
)


def plan(workspace: WorkspaceFiles, criteria: Criteria) -> PruneReport:
    """What ``prune`` would free. Writes nothing. Raises QueryException for an invalid query."""
    return _Prune(workspace).plan(criteria)


def prune(
    workspace: WorkspaceFiles,
    criteria: Criteria,
    only: list[str] | None = None,
    on_progress: Callable[[int], None] = lambda count: None,
) -> PruneReport:
    """Delete the runs that ``criteria`` select, and what nothing refers to; returns what was freed.

    ``only`` are the IDs that an earlier plan has shown: no other run goes. ``on_progress`` is
    called with the number of runs that were handled so far.
    """
    return _Prune.deleting(workspace).prune(criteria, only, on_progress)


def prune_runs(workspace: WorkspaceFiles, run_ids: list[str]) -> PruneReport:
    """As ``prune``, for the runs with these IDs, of which some may be gone already."""
    return _Prune.deleting(workspace).prune_ids(run_ids)


class _Prune(Value):
    """One prune of ``workspace``; ``known`` is what was read of runs already.

    What nothing refers to goes ``age`` seconds after its last use, by this machine's clock.
    """

    workspace: WorkspaceFiles
    known: dict[str, References] = fresh(default_factory=dict)
    age: float = AGE

    @staticmethod
    def deleting(workspace: WorkspaceFiles) -> _Prune:
        """One that deletes: a clock that is ahead makes nothing look old."""
        lead = garbage.clock_lead(workspace.snapshots_folder)
        return _Prune(workspace, age=AGE + lead)

    def plan(self, criteria: Criteria) -> PruneReport:
        report = PruneReport(dry_run=True)
        runs = StoredRuns(self.workspace, criteria.query, self.known)
        selection.select(self.workspace, runs, criteria.selected(runs), report)
        gone = {run.id for run in report.runs}
        for run_id in gone:
            del runs.runs[run_id]
        for folder in self._leftover_folders():
            report.leftovers = report.leftovers.plus(trees.size(folder))
        self._stored(runs, report)
        return report

    def prune(
        self, criteria: Criteria, only: list[str] | None, on_progress: Callable[[int], None]
    ) -> PruneReport:
        runs = StoredRuns(self.workspace, criteria.query, self.known)
        selected = criteria.selected(runs)
        if only is not None:
            selected = {run_id: selected[run_id] for run_id in only if run_id in selected}
        return self._remove(runs, selected, on_progress)

    def prune_ids(self, run_ids: list[str]) -> PruneReport:
        runs = StoredRuns(self.workspace, known=self.known)
        selected = {run_id: Selected("pruned") for run_id in run_ids if run_id in runs.runs}
        return self._remove(runs, selected, lambda count: None)

    def _remove(
        self, runs: StoredRuns, selected: dict[str, Selected], on_progress: Callable[[int], None]
    ) -> PruneReport:
        report = PruneReport(dry_run=False)
        selection.select(self.workspace, runs, selected, report)
        self._remove_runs(report, on_progress)
        self._remove_leftovers(report)
        self._remove_stored(report)
        for name in _FOLDERS:
            freed = garbage.remove_leftovers(self.workspace.directory / name, self.age)
            report.leftovers = report.leftovers.plus(freed, 0)
        return report

    def _remove_stored(self, report: PruneReport) -> None:
        """Remove what nothing refers to; if there is nothing, no submission has to wait."""
        preview = PruneReport(dry_run=True)
        self._stored(StoredRuns(self.workspace, known=self.known), preview)
        if not preview.snapshots.size and not preview.manifests.count:
            report.recent = preview.recent
            report.problems += preview.problems
            return
        with prune_lease.hold(self.workspace.snapshots_folder) as collector:
            self._stored(StoredRuns(self.workspace, known=self.known), report, collector)
            if not collector.may_delete():
                report.problems.append(_STOPPED)

    def _remove_runs(self, report: PruneReport, on_progress: Callable[[int], None]) -> None:
        failed = self._prune_distant([run for run in report.runs if run.host])
        here = [run for run in report.runs if run.id not in failed]
        failed.update(self._removal().remove(here, on_progress, self._protected))
        report.kept += [
            KeptRun(run.id, run.name, failed[run.id]) for run in report.runs if run.id in failed
        ]
        report.runs = [run for run in report.runs if run.id not in failed]
        run_removal.remove_empty_days(self.workspace.runs_folder)

    def _prune_distant(self, runs: list[PrunedRun]) -> dict[str, str]:
        """Delete runs on their hosts; why some are kept, by ID. Those that stay here stay there."""
        protected, kept = self._protected() if runs else {}, dict[str, str]()
        for run in runs:
            reason = protected.get(run.id) or run_removal.why_kept_everywhere(
                Path(run.folder), run.reason
            )
            if reason:
                kept[run.id] = reason
        kept.update(remote.prune({run.id: Path(run.folder) for run in runs if run.id not in kept}))
        return kept

    def _protected(self) -> dict[str, str]:
        """Which runs are protected now, and why: it may have changed since the selection."""
        return protection.find(self.workspace, StoredRuns(self.workspace, known=self.known))

    def _removal(self) -> RunRemoval:
        return RunRemoval(self.workspace.directory, _user())

    def _leftover_folders(self) -> list[Path]:
        return [
            folder
            for folder in stored_runs.unfinished(self.workspace)
            if not accounts.is_of_another(folder)
            and (run_removal.is_interrupted(folder) or run_removal.is_unpublished(folder, self.age))
        ]

    def _remove_leftovers(self, report: PruneReport) -> None:
        """Delete what interrupted submissions and prunes have left among the runs."""
        folders = self._leftover_folders()
        sizes = {folder: trees.size(folder) for folder in folders}
        interrupted = [folder for folder in folders if run_removal.is_interrupted(folder)]
        failed = self._removal().finish(interrupted)
        for folder in set(folders) - set(interrupted):
            problem = run_removal.delete(folder)
            if problem:
                failed[folder.name] = problem
        for folder in folders:
            if folder.name not in failed:
                report.leftovers = report.leftovers.plus(sizes[folder])
        report.problems += [f"{name} {problem}" for name, problem in failed.items()]

    def _stored(
        self, runs: StoredRuns, report: PruneReport, collector: Collector | None = None
    ) -> None:
        """Add what nothing refers to to the report; with a ``collector``, remove it."""
        broken = stored_runs.broken_link(self.workspace)
        if broken:
            report.problems.append(
                f"No snapshots are deleted: {broken} is a link to a missing folder, so what its "
                "runs need is unknown. Restore the folder, or delete the link"
            )
            return
        used = stored_runs.digests_in_use(self.workspace, runs)
        if used is None:
            damaged = next(run for run in runs.runs.values() if run.is_damaged)
            report.problems.append(
                f"No snapshots are deleted: the record of run {damaged.row.id} cannot be read, so "
                "its snapshot is unknown. Restore its job.json, or delete its folder"
            )
            return
        store = self.workspace.snapshots_folder
        found = garbage.find(store, used, self.age)
        report.recent = found.recent
        if found.damaged:
            report.problems.append(f"The content of snapshots is kept: {found.damaged}")
        report.snapshots = Freed(found.snapshots, found.size)
        if collector is not None:
            size = garbage.remove(store, found, self.age, collector.may_delete)
            report.snapshots = Freed(found.snapshots - found.kept, size)
        self._manifests(used, report, collector)

    def _manifests(self, used: set[str], report: PruneReport, collector: Collector | None) -> None:
        """The lists of datasets' files that neither a run nor a registered dataset refers to."""
        for path in (self.workspace.directory / "manifests").glob("*.manifest"):
            try:
                status = path.stat()
                if path.stem in used or time.time() - garbage.last_used(path) < self.age:
                    continue
                if collector is not None:
                    if not collector.may_delete():
                        return
                    path.unlink()
            except OSError:
                continue  # removed meanwhile, or of another user
            report.manifests = report.manifests.plus(status.st_size)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
