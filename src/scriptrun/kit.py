"""What runs with jobs, copied once into the workspace under the digest of its content."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec.digests import sha256
from scriptrun.tracking.folders import not_writable

_SOURCE = Path(__file__).resolve().parent / "runtime"


def place(directory: Path) -> Path:
    """The folder that goes on a job's PYTHONPATH: made in ``directory`` at the first use."""
    target = directory / "runtime" / _digest()
    if not target.is_dir():
        try:
            _copy(target)
        except OSError as error:
            raise not_writable(target, error) from error
    return target


def _files() -> list[str]:
    found = []
    for folder, folders, names in os.walk(_SOURCE):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        found += [
            os.path.relpath(os.path.join(folder, name), _SOURCE)
            for name in sorted(names)
            if name.endswith(".py")
        ]
    return sorted(found)


@functools.cache
def _digest() -> str:
    total = sha256()
    for name in _files():
        content = (_SOURCE / name).read_bytes()
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:16]


def _copy(target: Path) -> None:
    """Copy beside the place and rename: complete or absent, however many copy at once."""
    import shutil

    temporary = target.with_name(f"{target.name}.{files.unique()}.tmp")
    package = temporary / "scriptrun" / "runtime"
    try:
        for name in _files():
            goal = package / name
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_SOURCE / name, goal)
        shutil.copyfile(_SOURCE / "script_front.py", temporary / "scriptrun" / "__init__.py")
        os.rename(temporary, target)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not target.is_dir():
            raise
