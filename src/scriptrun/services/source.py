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
    """Copy the Python files in ``origin``, and the packages (with ``__init__.py``)."""
    for entry in sorted(origin.iterdir()):
        if entry.suffix == ".py" and entry.is_file():
            folder.mkdir(exist_ok=True)
            shutil.copy2(entry, folder / entry.name)
        elif entry.name not in _NO_MODULES and (entry / "__init__.py").is_file():
            _copy_modules(entry, folder / entry.name)
