"""Find the files that may need rewriting, without parsing them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from scriptrun.spec.errors import UserErrorException
from scriptrun.store import document_limits

SUFFIXES = (".py", ".ipynb", ".runconfig")
#: directories without the user's code
_SKIPPED_NAMES = (
    ".git .hg .svn .venv venv env .tox .nox __pycache__ node_modules site-packages "
    ".ipynb_checkpoints .mypy_cache .pytest_cache .ruff_cache .scriptrun build dist"
)
_SKIPPED = frozenset(_SKIPPED_NAMES.split())
#: every relevant file contains it
MARK = b"azureml"


def _ignore_link(path: str) -> None:
    return None


def files(paths: list[str], on_link_out: Callable[[str], object] = _ignore_link) -> Iterator[str]:
    """The scripts, notebooks and run configurations below ``paths``, each once, in order.

    A file in ``paths`` counts whatever its suffix; symlink loops are skipped. A link that leads out
    of its path is not followed, but handed to ``on_link_out``. Raises UserErrorException if a path
    does not exist.
    """
    visited: set[tuple[int, int]] = set()
    for path in paths:
        if os.path.isdir(path):
            yield from _walk(path, os.path.realpath(path), visited, on_link_out)
        elif os.path.exists(path):
            if _is_new(os.stat(path), visited):
                yield path
        else:
            raise UserErrorException(
                f"{str(path)!r} does not exist.", "Give scripts, notebooks or directories of them."
            )


def _walk(
    folder: str, root: str, visited: set[tuple[int, int]], on_link_out: Callable[[str], object]
) -> Iterator[str]:
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
                if entry.name in _SKIPPED or _is_environment(entry.path):
                    continue
                if _leads_out(entry, root):
                    on_link_out(entry.path)
                else:
                    yield from _walk(entry.path, root, visited, on_link_out)
            elif entry.name.endswith(SUFFIXES) and _leads_out(entry, root):
                on_link_out(entry.path)
            elif entry.name.endswith(SUFFIXES) and _is_new(os.stat(entry.path), visited):
                yield entry.path
        except OSError:
            continue  # a broken symlink


def _leads_out(entry: os.DirEntry[str], root: str) -> bool:
    """Whether the entry is a link to what is not below ``root``."""
    if not entry.is_symlink():
        return False
    target = os.path.realpath(entry.path)
    return target != root and not target.startswith(os.path.join(root, ""))


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
        with document_limits.open_document(path) as handle:
            return path.endswith(".runconfig") or MARK in handle.read()
    except OSError:
        return True
