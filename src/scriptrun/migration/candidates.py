"""Which files below some paths may hold what is rewritten: by their text, before any is parsed."""

from __future__ import annotations

import os
from collections.abc import Iterator

from scriptrun.spec.errors import UserErrorException

ENDINGS = (".py", ".ipynb", ".runconfig")
#: directories that hold nobody's own code
_NAMES = (
    ".git .hg .svn .venv venv env .tox .nox __pycache__ node_modules site-packages "
    ".ipynb_checkpoints .mypy_cache .pytest_cache .ruff_cache .scriptrun build dist"
)
_PASSED_OVER = frozenset(_NAMES.split())
#: what every file that matters holds
MARK = b"azureml"


def files(paths: list[str]) -> Iterator[str]:
    """The scripts, notebooks and run configurations below ``paths``, each once, in their order.

    A file that is named is taken whatever it is called; a directory that links back is passed over.
    Raises UserErrorException for a path where nothing is.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        if os.path.isdir(path):
            yield from _below(path, seen)
        elif os.path.exists(path):
            if _is_new(os.stat(path), seen):
                yield path
        else:
            raise UserErrorException(
                f"{str(path)!r} does not exist.", "Give scripts, notebooks or directories of them."
            )


def _below(folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    try:
        if not _is_new(os.stat(folder), seen):
            return
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda each: each.name)
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir():
                if entry.name not in _PASSED_OVER and not _is_environment(entry.path):
                    yield from _below(entry.path, seen)
            elif entry.name.endswith(ENDINGS) and _is_new(os.stat(entry.path), seen):
                yield entry.path
        except OSError:
            continue  # a link to nowhere


def _is_environment(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "pyvenv.cfg"))


def _is_new(found: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    key = (found.st_dev, found.st_ino)
    new = key not in seen
    seen.add(key)
    return new


def may_matter(path: str) -> bool:
    """Whether the file's bytes speak of azureml; so does one that cannot be read, to be told."""
    try:
        with open(path, "rb") as handle:
            return path.endswith(".runconfig") or MARK in handle.read()
    except OSError:
        return True
