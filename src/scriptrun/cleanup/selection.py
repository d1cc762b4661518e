"""Which runs a prune deletes: removed and old ones, unless they are protected."""

from __future__ import annotations

import os
import time

from scriptrun import remote
from scriptrun.cleanup import protection, run_removal
from scriptrun.cleanup.report import KeptRun, PrunedRun, PruneReport
from scriptrun.cleanup.stored_runs import StoredRun, StoredRuns
from scriptrun.engines import launchers
from scriptrun.engines.base import ALIVE, UNKNOWN
from scriptrun.query import moments
from scriptrun.spec import accounts
from scriptrun.spec.values import Value
from scriptrun.store import trees
from scriptrun.store.records import DamagedRecord
from scriptrun.tracking import run_folder
from scriptrun.tracking.run_marks import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles


class Selected(Value):
    """Why a run is selected; ``through`` is the ancestor that it goes with, if only for that."""

    reason: str
    through: str = ""


class Criteria(Value):
    """Which runs go: removed ones, and those that match ``query`` and ended long enough ago.

    Ages are in seconds. Without ``query`` and ``older_than``, only removed runs go.
    """

    query: str = ""
    older_than: float | None = None
    removed_before: float = 0.0

    def selected(self, runs: StoredRuns) -> dict[str, Selected]:
        """The selected runs by ID; with a run, all its descendants are selected."""
        now, found = time.time(), dict[str, Selected]()
        for run_id, run in runs.runs.items():
            removed = run.references.marks.get(REMOVED)
            if removed is not None and now - removed >= self.removed_before:
                found[run_id] = Selected("removed")
            elif removed is None and self._matches(run, runs, now):
                found[run_id] = Selected("matches the query" if self.query else "old")
        for run_id, each in list(found.items()):
            for child in runs.descendants(run_id):
                found.setdefault(child, Selected(each.reason, run_id))
        return found

    def _matches(self, run: StoredRun, runs: StoredRuns, now: float) -> bool:
        if not self.query and (self.older_than is None or run.row.parent in runs.runs):
            return False
        if self.query and run.row.id not in runs.matching:
            return False
        ended = run.row.ended or moments.epoch_seconds(run.row.created)
        return self.older_than is None or now - ended >= self.older_than


def select(
    workspace: WorkspaceFiles,
    runs: StoredRuns,
    selected: dict[str, Selected],
    report: PruneReport,
) -> None:
    """Fill in which of the ``selected`` runs go, and which are kept."""
    protected = protection.find(workspace, runs)
    own_users = accounts.own_users() if os.name == "posix" else ()
    for run_id, each in selected.items():
        run = runs.runs[run_id]
        try:
            status = os.stat(run.folder)
            why = protected.get(run_id, "")
            if not why and each.through in protected:
                why = f"part of {runs.runs[each.through].row.title}, which is kept"
            why = why or _why_kept(run)
        except (OSError, DamagedRecord):
            status, why = None, "its record cannot be read"
        if status is not None and own_users and status.st_uid not in own_users and own_users[0]:
            owner = accounts.user_name(status.st_uid)
            report.other_users[owner] = report.other_users.get(owner, 0) + 1
        elif why:
            report.kept.append(KeptRun(run_id, run.row.name, why))
        else:
            report.runs.append(
                PrunedRun(
                    run_id,
                    run.row.name,
                    each.reason,
                    trees.size(run.folder),
                    str(run.folder),
                    _host_to_clear(workspace, run),
                )
            )


def _host_to_clear(workspace: WorkspaceFiles, run: StoredRun) -> str:
    """The cluster behind ssh whose files of the run go, too; not those of a copy's original."""
    return "" if workspace.has_copied(run.row.created) else remote.host_of(run.folder)


def _why_kept(run: StoredRun) -> str:
    """Why a run that has ended is kept for now; "" if it is not. Raises DamagedRecord."""
    if run_folder.is_linked(run.folder):
        return run_removal.IS_LINK
    run_folder.read_job(run.folder)
    ended = run.row.ended or 0.0
    if time.time() - ended > launchers.HEARTBEAT_TIMEOUT or remote.host_of(run.folder):
        return ""
    if launchers.view(run.folder).state in (ALIVE, UNKNOWN):
        return "it has just ended: its launcher is still running"
    return ""
