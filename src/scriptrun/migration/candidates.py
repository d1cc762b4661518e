"""Find the files that may need rewriting, without parsing them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from scriptrun.spec.errors import UserErrorException

SUFFIXES = (".py", ".ipynb", ".runconfig")
#: directories without the user's code
_SKIPPED_NAMES = (
    ".git .hg .svn .venv venv env .tox .nox __pycache__ node_modules site-packages "
    ".ipynb_checkpoints .mypy_cache .pytest_cache .ruff_cache .scriptrun build dist"
)
_SKIPPED = frozenset(_SKIPPED_NAMES.split())
#: every relevant file contains it
MARK = b"azureml"


def files(paths: list[str]) -> Iterator[str]:
    """The scripts, notebooks and run configurations below ``paths``, each once, in order.

    A file in ``paths`` counts whatever its suffix; symlink loops are skipped. Raises
    UserErrorException if a path does not exist.
    """
    visited: set[tuple[int, int]] = set()
    for path in paths:
        if os.path.isdir(path):
            yield from _walk(path, visited)
        elif os.path.exists(path):
            if _is_new(os.stat(path), visited):
                yield path
        else:
            raise UserErrorException(
                f"{str(path)!r} does not exist.", "Give scripts, notebooks or directories of them."
            )


def _walk(folder: str, visited: set[tuple[int, int]]) -> Iterator[str]:
    try:
        if not _is_new(os.stat(folder), visited):
            return
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda item: item.name)
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir():
                if entry.name not in _SKIPPED and not _is_environment(entry.path):
                    yield from _walk(entry.path, visited)
            elif entry.name.endswith(SUFFIXES) and _is_new(os.stat(entry.path), visited):
                yield entry.path
        except OSError:
            continue  # a broken symlink


def _is_environment(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "pyvenv.cfg"))


def _is_new(status: os.stat_result, visited: set[tuple[int, int]]) -> bool:
    key = (status.st_dev, status.st_ino)
    new = key not in visited
    visited.add(key)
    return new


def may_matter(path: str) -> bool:
    """Whether the file mentions azureml, or cannot be read (which must be reported)."""
    try:
        with open(path, "rb") as handle:
            return path.endswith(".runconfig") or MARK in handle.read()
    except OSError:
        return True
