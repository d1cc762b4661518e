"""Datastores: named places for files. The workspace's own are directories in the workspace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from scriptrun.spec.errors import UserErrorException

#: a workspace always has these two, as in the SDK v1; the first is the default one
DEFAULT, FILES = "workspaceblobstore", "workspacefilestore"


class LocalDatastore:
    """A directory as a datastore. ``root`` is the directory; it is made at the first upload."""

    datastore_type = "Local"

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root

    def upload(
        self,
        src_dir: str | os.PathLike[str],
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> int:
        """Copy all files below ``src_dir`` to ``target_path`` in the datastore (default: its root).

        Files that are there already stay, unless ``overwrite``. Returns how many were copied.
        Raises UserErrorException where ``src_dir`` is no directory.
        """
        source = Path(src_dir)
        if not source.is_dir():
            raise UserErrorException(f"There is no directory {source} to upload.")
        pairs = [(path, self._place(target_path) / name) for path, name in _below(source)]
        return _copy_all(pairs, overwrite, show_progress, f"to {self.name}")

    def upload_files(
        self,
        files: Iterable[str | os.PathLike[str]],
        relative_root: str | os.PathLike[str] | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> int:
        """Copy ``files`` to ``target_path``; below ``relative_root`` they keep their folders.

        Returns how many were copied. Raises UserErrorException with every file that is missing.
        """
        listed = [Path(each) for each in files]
        missing = [str(path) for path in listed if not path.is_file()]
        if missing:
            raise UserErrorException(f"There are no such files to upload: {', '.join(missing)}.")
        place = self._place(target_path)
        pairs = [(path, place / _relative(path, relative_root)) for path in listed]
        return _copy_all(pairs, overwrite, show_progress, f"to {self.name}")

    def download(
        self,
        target_path: str | os.PathLike[str],
        prefix: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> int:
        """Copy the files whose paths begin with ``prefix`` below ``target_path``.

        They keep their paths. Returns how many were copied.
        """
        wanted = (prefix or "").lstrip("/")
        pairs = [
            (path, Path(target_path) / name)
            for path, name in _below(self.root)
            if name.startswith(wanted)
        ]
        return _copy_all(pairs, overwrite, show_progress, f"from {self.name}")

    def _place(self, target_path: str | None) -> Path:
        place = Path(os.path.normpath(self.root / (target_path or "").lstrip("/")))
        if place != self.root and self.root not in place.parents:
            raise UserErrorException(f"The path {target_path!r} leads out of {self.name}.")
        return place

    def __repr__(self) -> str:
        return f"LocalDatastore(name={self.name!r}, root={str(self.root)!r})"


def of_workspace(directory: Path) -> dict[str, LocalDatastore]:
    """The datastores that every workspace has, by name."""
    return {
        name: LocalDatastore(name, directory / "datastores" / name) for name in (DEFAULT, FILES)
    }


def _below(folder: Path) -> Iterator[tuple[Path, str]]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            yield path, path.relative_to(folder).as_posix()


def _relative(path: Path, root: str | os.PathLike[str] | None) -> str:
    if root is None:
        return path.name
    try:
        return path.absolute().relative_to(Path(root).absolute()).as_posix()
    except ValueError:
        raise UserErrorException(f"{path} is not below relative_root={root}.") from None


def _copy_all(
    pairs: list[tuple[Path, Path]], overwrite: bool, show_progress: bool, where: str
) -> int:
    copied = 0
    for source, target in pairs:
        if target.exists() and not overwrite:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        copied += 1
    if show_progress:
        print(f"Copied {copied} files {where}; {len(pairs) - copied} were there already.")
    return copied
