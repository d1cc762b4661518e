"""The Python for jobs without an environment: the user's, never scriptrun's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from scriptrun.cli.options import pyenv_shims
from scriptrun.spec import accounts

_NAMES = ("python", "python3")


def choose(source: Path, root: Path) -> tuple[str, list[str]]:
    """Return the interpreter, and warnings about it.

    The order is: the active virtual or conda environment, ``.venv`` in the source folder or above
    it (up to ``root``), ``python`` on PATH. Another user's ``.venv`` is passed over. An activated
    environment counts even if scriptrun is installed in it; otherwise scriptrun's own environment
    is skipped.
    """
    python = next(filter(None, map(_python_in, prefixes(source, root))), None)
    if python is not None:
        return python, []
    python = _python_on_path(source)
    if python is not None:
        return python, []
    base = str(getattr(sys, "_base_executable", "") or sys.executable)
    return base, [f"no Python found on PATH; using {base}, which has no packages installed"]


def prefixes(source: Path, root: Path) -> Iterator[str]:
    """The active environment, then each ``.venv`` from the folder ``source`` up to ``root``."""
    yield from _active_prefixes()
    for folder in _folders_upwards(source, root):
        venv = folder / ".venv"
        if not accounts.is_of_another(venv):
            yield str(venv)


def _active_prefixes() -> Iterator[str]:
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = os.environ.get(name)
        if prefix:
            yield prefix


def _folders_upwards(source: Path, root: Path) -> Iterator[Path]:
    yield source
    for folder in source.parents:
        if folder != root and root not in folder.parents:
            return
        yield folder


def _python_in(prefix: str) -> str | None:
    """Return the interpreter of the environment at ``prefix``."""
    for name in _NAMES:
        path = os.path.join(prefix, "bin", name)
        if _is_executable(path):
            return path
    return None


def _python_on_path(source: Path) -> str | None:
    own_bin = (
        os.path.realpath(os.path.join(sys.prefix, "bin")) if sys.prefix != sys.base_prefix else ""
    )
    folders = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    for name in _NAMES:
        for folder in folders:
            path = os.path.join(os.path.abspath(folder), name)
            if not _is_executable(path) or os.path.realpath(folder) == own_bin:
                continue
            python = None if _is_own_python(path) else pyenv_shims.resolve(path, source)
            if python is not None:
                return python
    return None


def _is_own_python(path: str) -> bool:
    """Whether ``path`` links into scriptrun's own environment (as in ~/.local/bin)."""
    if sys.prefix == sys.base_prefix or not os.path.islink(path):
        return False
    target = os.path.join(os.path.dirname(path), os.readlink(path))
    return os.path.realpath(os.path.dirname(target)) == os.path.realpath(
        os.path.join(sys.prefix, "bin")
    )


def _is_executable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
