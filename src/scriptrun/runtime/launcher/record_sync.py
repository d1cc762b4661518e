"""Bring what a run logs to the disk once a second, for as long as its guard lives (Python 3.8+)."""

import _thread  # as ``threading`` takes a millisecond to load
import os
import time

from .. import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import StrPath

#: seconds between two looks: what a power cut may take of a live run's log, metrics and events
SECONDS = 1.0
#: the folders of a run whose files grow while it runs
FOLDERS = ("events", "metrics", "user_logs")


def start(run_folder: "StrPath") -> None:
    """Sync in a thread of this process, until the process ends."""
    if not files.must_sync():
        return
    _thread.start_new_thread(_keep_synced, (str(run_folder),))


def _keep_synced(run_folder: str) -> None:
    known: "dict[str, tuple[int, int]]" = {}
    while True:
        time.sleep(SECONDS)
        try:
            sync_changed(run_folder, known)
        except OSError:
            pass  # a failing disk, or a run that was removed: the run itself says so


def sync_changed(run_folder: str, known: "dict[str, tuple[int, int]]") -> None:
    """Sync the files that look different than in ``known``, and their folders.

    ``known`` holds size and modification time of each file, and is updated.
    """
    for name in FOLDERS:
        folder = os.path.join(run_folder, name)
        has_new = False
        for file_name in files.names_in(folder):
            path = os.path.join(folder, file_name)
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue  # a temporary file
            look = (status.st_size, status.st_mtime_ns)
            if known.get(path) != look:
                has_new = has_new or path not in known
                known[path] = look
                files.sync_file(path)
        if has_new:
            files.sync_folder(folder)
