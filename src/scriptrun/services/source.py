"""The source directory of a service: the user's own, or the entry script with what it imports."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scriptrun.services.request import ServiceRequest
from scriptrun.spec.values import Value
from scriptrun.store.scratch import Scratch
from scriptrun.store.snapshots import snapshots

#: folders that hold no modules of the entry script
_NO_MODULES = ("__pycache__", "node_modules", "site-packages")


class ServiceSource(Value):
    """The folder that becomes the snapshot, the script in it, and the folder that it came from."""

    folder: Path
    script: str | None
    origin: Path


@contextmanager
def gather(request: ServiceRequest) -> Iterator[ServiceSource]:
    """The source of the service; a temporary copy is removed at the end of the block.

    Without a source directory: the entry script, and the Python files and packages next to it.
    """
    script = request.entry_script
    if request.source_directory is not None:
        folder = Path(request.source_directory)
        yield ServiceSource(folder, script, folder.absolute())
        return
    if script is not None and not os.path.isfile(script):  # the check says so
        path = Path(script).absolute()
        yield ServiceSource(path.parent, path.name, path.parent)
        return
    with Scratch("service") as scratch:
        folder, origin = Path(scratch) / "source", Path(script or ".").absolute()
        folder.mkdir()
        if script is None:
            yield ServiceSource(folder, None, origin)
            return
        origin = origin.parent
        _copy_modules(origin, folder)
        shutil.copy2(script, folder / Path(script).name)
        yield ServiceSource(folder, Path(script).name, origin)


def _copy_modules(origin: Path, folder: Path) -> None:
    """Copy the Python files in ``origin``, and the packages (with ``__init__.py``) whole.

    What ``.amlignore`` or ``.gitignore`` excludes from snapshots is left out.
    """

    def left_out(parent: str, names: list[str]) -> list[str]:
        below = Path(parent).relative_to(origin)
        return [name for name in names if name in _NO_MODULES or is_ignored(below / name)]

    def is_ignored(path: Path) -> bool:
        return snapshots.why_ignored(origin, path.as_posix()) is not None

    for entry in sorted(origin.iterdir()):
        if entry.name in _NO_MODULES or is_ignored(Path(entry.name)):
            continue
        if entry.suffix == ".py" and entry.is_file():
            shutil.copy2(entry, folder / entry.name)
        elif (entry / "__init__.py").is_file() and not entry.is_symlink():
            shutil.copytree(entry, folder / entry.name, symlinks=True, ignore=left_out)
