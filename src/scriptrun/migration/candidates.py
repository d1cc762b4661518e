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
#: the file in the root of a virtual environment
_ENVIRONMENT = "pyvenv.cfg"
#: every relevant file contains it
MARK = b"azureml"


def _ignore(subject: object) -> None:
    return None


def files(
    paths: list[str],
    on_link_out: Callable[[str], object] = _ignore,
    on_unreadable: Callable[[OSError], object] = _ignore,
) -> Iterator[str]:
    """The scripts, notebooks and run configurations below ``paths``, each once, in order.

    A file in ``paths`` counts whatever its suffix; symlink loops are skipped. A link that leads out
    of its path is not followed, but handed to ``on_link_out``; the error of a directory that cannot
    be listed goes to ``on_unreadable``. Raises UserErrorException if a path does not exist.
    """
    walk = _Walk(on_link_out, on_unreadable)
    for path in paths:
        if os.path.isdir(path):
            yield from walk.below(path, os.path.realpath(path))
        elif os.path.exists(path):
            if walk.is_new(os.stat(path)):
                yield path
        else:
            raise UserErrorException(
                f"{str(path)!r} does not exist.", "Give scripts, notebooks or directories of them."
            )


class _Walk:
    """A walk through directories that visits each file and directory once."""

    def __init__(
        self,
        on_link_out: Callable[[str], object],
        on_unreadable: Callable[[OSError], object],
    ) -> None:
        self.on_link_out, self.on_unreadable = on_link_out, on_unreadable
        self._visited: set[tuple[int, int]] = set()

    def below(self, folder: str, root: str, is_inner: bool = False) -> Iterator[str]:
        try:
            if not self.is_new(os.stat(folder)):
                return
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda item: item.name)
        except OSError as error:
            self.on_unreadable(error)
            return
        if is_inner and any(entry.name == _ENVIRONMENT for entry in entries):
            return
        for entry in entries:
            try:
                is_folder = entry.is_dir()
                if entry.name in _SKIPPED if is_folder else not entry.name.endswith(SUFFIXES):
                    continue
                if _leads_out(entry, root):
                    self.on_link_out(entry.path)
                elif is_folder:
                    yield from self.below(entry.path, root, is_inner=True)
                elif self.is_new(os.stat(entry.path)):
                    yield entry.path
            except OSError:
                continue  # a broken symlink

    def is_new(self, status: os.stat_result) -> bool:
        """Whether the file has not been visited; it has afterwards."""
        key = (status.st_dev, status.st_ino)
        new = key not in self._visited
        self._visited.add(key)
        return new


def _leads_out(entry: os.DirEntry[str], root: str) -> bool:
    """Whether the entry is a link to what is not below ``root``."""
    if not entry.is_symlink():
        return False
    target = os.path.realpath(entry.path)
    return target != root and not target.startswith(os.path.join(root, ""))


def may_matter(path: str) -> bool:
    """Whether the file mentions azureml, or cannot be read (which must be reported)."""
    try:
        with document_limits.open_document(path) as handle:
            return path.endswith(".runconfig") or MARK in handle.read()
    except OSError:
        return True
