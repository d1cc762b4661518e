"""Delete the folders of runs, so that a kill or a power cut at any moment leaves no half run.

First ``job.json`` becomes ``pruned.json``, by one rename: the folder then is not a run. Once that
is on the disk, the log of pruned runs is written, the rest is deleted, and ``pruned.json`` last. A
folder that has ``pruned.json`` is finished by the next prune; an empty one, which could also be a
submission's, goes a day later. A power cut that keeps some deletions and loses others cannot leave
a run without its parts: no part is deleted before the rename is on the disk.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from scriptrun.cleanup.report import CANNOT_DELETE
from scriptrun.runtime import durability, files
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec.values import Value
from scriptrun.store import trees
from scriptrun.tracking import events, pruned_runs, run_folder, run_state
from scriptrun.tracking.run_marks import PINNED, REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cleanup.report import PrunedRun

MARKER = "pruned.json"
IS_LINK = f"{CANNOT_DELETE}: its folder, or that of its day, is a link"
#: how many runs are synced together
_BATCH = 200
_DAY = 86_400.0
#: what a submission writes before it publishes the run
_SUBMISSION_FILES = (
    *("environment.lock.json", "address.json", "events"),
    *("service.json", "azureml-models", "service_test.txt"),  # a service's
)


class RunRemoval(Value):
    """Deletes runs of the workspace's folder ``directory``, and logs them as pruned by ``user``."""

    directory: Path
    user: str

    def remove(
        self,
        runs: Sequence[PrunedRun],
        on_progress: Callable[[int], None] = lambda count: None,
        protected: Callable[[], dict[str, str]] = dict,
    ) -> dict[str, str]:
        """Delete ``runs``; returns why some were not, by ID.

        ``on_progress`` is called with the number of runs that were handled so far. ``protected``
        says which runs are kept now, and why, before each batch of runs.
        """
        failed: dict[str, str] = {}
        for start in range(0, len(runs), _BATCH):
            batch, kept = runs[start : start + _BATCH], protected()
            reasons = {
                run.id: kept.get(run.id) or _claim(Path(run.folder), run.reason) for run in batch
            }
            claimed = [run for run in batch if not reasons[run.id]]
            durability.sync_files(run.folder for run in claimed)
            for run in claimed:
                run_folder.touch(Path(run.folder))
            self._log({Path(run.folder): run.name for run in claimed})
            reasons.update((run.id, delete(Path(run.folder))) for run in claimed)
            failed.update({run_id: reason for run_id, reason in reasons.items() if reason})
            on_progress(start + len(batch))
        return failed

    def finish(self, folders: Iterable[Path]) -> dict[str, str]:
        """Delete what is left of runs that an interrupted prune began to delete; as ``remove``."""
        logged, failed = pruned_runs.all_ids(self.directory), dict[str, str]()
        folders = list(folders)
        self._log({folder: "" for folder in folders if folder.name not in logged})
        for folder in folders:
            reason = delete(folder)
            if reason:
                failed[folder.name] = reason
        return failed

    def _log(self, names: dict[Path, str]) -> None:
        """Write the log of pruned runs; on a full disk without a line, so that space is freed."""
        with suppress(OSError):
            for folder, name in names.items():
                job = files.read_object(folder / MARKER) or {}
                shown = name or str(job.get("display_name") or short_name(folder.name))
                experiment = str(job.get("experiment") or "")
                pruned_runs.write(self.directory, folder.name, shown, experiment, self.user)
            if names:
                files.sync_file(self.directory / pruned_runs.NAME)


def delete(folder: Path) -> str:
    """Delete a folder that used to be a run, its marker last; returns why it could not be."""
    if run_folder.is_linked(folder):
        return IS_LINK
    for name in files.names_in(folder):
        if name != MARKER:
            trees.remove(folder / name)
    left = [name for name in files.names_in(folder) if name != MARKER]
    if left:
        return f"{CANNOT_DELETE} completely: {folder / left[0]} remains"
    try:
        (folder / MARKER).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        return f"{CANNOT_DELETE} completely: {error.strerror}"
    return ""


def why_kept(folder: Path, selected_as: str) -> str:
    """Why a run that was selected cannot be deleted now; "" if it can. Raises OSError."""
    if run_folder.is_linked(folder):
        return IS_LINK
    facts = events.collect_facts(events.read(folder))
    if PINNED in facts.marks:
        return "pinned meanwhile"
    if selected_as == "removed" and REMOVED not in facts.marks:
        return "restored meanwhile"
    return "" if run_state.read_status(folder, facts).is_final else "active"


def why_kept_everywhere(folder: Path, selected_as: str) -> str:
    """As ``why_kept``, before the run is deleted on its host, after which it must go here, too."""
    if not folder.exists():
        return "deleted meanwhile"
    try:
        if not all(os.access(path, os.W_OK | os.X_OK) for path in (folder, folder.parent)):
            return f"{CANNOT_DELETE}: {os.strerror(errno.EACCES)}"
        return why_kept(folder, selected_as)
    except OSError as error:
        return f"{CANNOT_DELETE}: {error.strerror}"


def _claim(folder: Path, selected_as: str) -> str:
    """Make the folder of a run that has ended no run any more; returns why not."""
    try:
        reason = why_kept(folder, selected_as)
        if not reason:
            os.rename(folder / "job.json", folder / MARKER)
        return reason
    except FileNotFoundError:
        return "deleted meanwhile"
    except OSError as error:
        return f"{CANNOT_DELETE}: {error.strerror}"


def is_interrupted(folder: Path) -> bool:
    """Whether ``folder`` used to be a run, and a prune was killed before it had deleted it."""
    return os.path.lexists(folder / MARKER) and not run_folder.exists(folder)


def is_unpublished(folder: Path, age: float = _DAY) -> bool:
    """Whether ``folder`` was left by a submission that was killed ``age`` seconds ago or longer.

    Then it never became a run, and holds nothing that a run has written.
    """
    names = files.names_in(folder)
    if any(name not in _SUBMISSION_FILES and not name.endswith(".tmp") for name in names):
        return False
    try:
        changed = max(os.lstat(path).st_mtime for path in (folder, *_files_of(folder)))
    except OSError:
        return False
    return time.time() - changed >= age and not run_folder.exists(folder)


def _files_of(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent, name)


def remove_empty_days(runs: Path) -> None:
    """Remove folders of days that have no runs; not of late ones, in which runs may be made."""
    recent = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 3 * _DAY))
    for day in run_folder.days(runs):
        if day < recent:
            try:
                (runs / day).rmdir()
            except OSError:
                continue  # it has runs
