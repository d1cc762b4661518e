"""Runs of this process that keep what it writes to a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from scriptrun.core.run import Run
from scriptrun.runtime import file_walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class InteractiveRun(Run):
    """A run of this process that uploads a folder's new files on completion."""

    _watched_folder = ""
    _initial_stamps: Mapping[Path, tuple[int, ...]] = {}

    @classmethod
    def watch(cls, run: Run, folder: str) -> InteractiveRun:
        """Create ``folder`` and return the run, set to upload its new files on completion."""
        watched = cls.continued(run)
        os.makedirs(folder, exist_ok=True)
        watched._watched_folder = os.path.abspath(folder)
        watched._initial_stamps = _stamps(folder)
        return watched

    @classmethod
    def continued(cls, run: Run) -> Self:
        """The run as one of this class, which watches the same folder."""
        same = cls.at(run.workspace, run.path)
        assert isinstance(same, cls)
        if isinstance(run, InteractiveRun):
            same._watched_folder, same._initial_stamps = run._watched_folder, run._initial_stamps
        return same

    def complete(self, *args: object, **kwargs: object) -> None:
        """Complete the run and upload the files it has written."""
        uploaded = set(self.get_file_names())
        for path, stamp in _stamps(self._watched_folder).items():
            name = f"outputs/{path.relative_to(self._watched_folder).as_posix()}"
            if self._initial_stamps.get(path) != stamp and name not in uploaded:
                self.upload_file(name, str(path))
        super().complete(*args, **kwargs)


def _stamps(folder: str) -> dict[Path, tuple[int, ...]]:
    """The files below ``folder``, each with what differs once it is written or replaced."""
    if not folder:
        return {}
    root = Path(folder).absolute()
    statuses = {root / name: (root / name).stat() for name in sorted(file_walk.files_below(root))}
    return {
        path: (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        for path, status in statuses.items()
    }
