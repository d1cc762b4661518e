"""Folders that must hold certain files and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def unexpected(folder: str | os.PathLike[str], expected: Iterable[str]) -> list[str]:
    """The paths below ``folder`` that are not among the files ``expected``.

    A link counts in the place of a folder, and a folder in that of a file. The content of an
    unexpected folder is not listed.
    """
    file_paths = set(expected)
    folder_paths = _folders_of(file_paths)
    found = []
    for directory, folders, names in os.walk(folder):
        base = os.path.relpath(directory, folder).replace(os.sep, "/")
        prefix = "" if base == "." else f"{base}/"
        for name in sorted(folders):
            is_link = os.path.islink(os.path.join(directory, name))
            if f"{prefix}{name}" not in (file_paths if is_link else folder_paths):
                found.append(f"{prefix}{name}")
        found += sorted(f"{prefix}{name}" for name in names if f"{prefix}{name}" not in file_paths)
        folders[:] = [name for name in folders if f"{prefix}{name}" in folder_paths]
    return found


def _folders_of(paths: Iterable[str]) -> set[str]:
    found = {""}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def count(folder: str | os.PathLike[str]) -> int:
    """How many files, links and special files are below ``folder``."""
    number, folders = 0, [os.fspath(folder)]
    while folders:
        for entry in _entries(folders.pop()):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                number += 1
    return number


def size(folder: str | os.PathLike[str]) -> int:
    """The bytes of all files below ``folder``, shared ones too; links are not followed."""
    total, folders = 0, [os.fspath(folder)]
    while folders:
        for entry in _entries(folders.pop()):
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
            except OSError:
                continue  # removed meanwhile
    return total


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def replace(temporary: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """``os.replace``, also if a folder is in the place of the file ``path``."""
    if os.path.isdir(path):
        remove(Path(path))
    os.replace(temporary, path)


def remove(path: Path) -> None:
    """Remove a folder that contains read-only folders; a file or link too."""
    import shutil

    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for folder, _, _ in os.walk(path):
        try:
            os.chmod(folder, 0o755)
        except OSError:
            pass
    shutil.rmtree(path, ignore_errors=True)
