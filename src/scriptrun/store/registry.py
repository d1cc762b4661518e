"""Registries: folders of small YAML files that people read, diff and commit.

``Registry`` keeps versions 1, 2, ... of named values (environments); ``Shelf`` keeps one value a
name (compute targets). Several processes may write at once: a version is created exclusively.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import yaml_file
from scriptrun.store.yaml_file import Value


class Registry:
    """Named values with versions below the folder ``root``: ``<name>/<version>.yaml``."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def add(self, name: str, value: Value) -> int:
        """Keep ``value`` (JSON values) as the next version, and return its number.

        A value equal to the latest version keeps that number. Raises WorkspaceException where the
        folder cannot be written.
        """
        value = yaml_file.plain(value)
        while True:
            latest = max(self.versions(name), default=0)
            if latest and self.get(name, latest) == value:
                return latest
            try:
                if yaml_file.create(self._file(name, latest + 1), value):
                    return latest + 1
            except OSError as error:
                raise _cannot_write(self._file(name, latest + 1), error) from None

    def get(self, name: str, version: int | None = None) -> Value:
        """The value of ``name``, in the latest version unless told otherwise.

        Raises WorkspaceException where there is none, or its file is not valid YAML.
        """
        number = max(self.versions(name), default=0) if version is None else version
        value = yaml_file.read(self._file(name, number)) if number else None
        if value is None:
            which = "" if version is None else f" in version {version}"
            raise WorkspaceException(f"{name!r}{which} not found in {self.root}.")
        return value

    def versions(self, name: str) -> list[int]:
        """The numbers of the versions of ``name``, the latest last; [] where there are none."""
        stems = _stems(self.root / yaml_file.file_name(name))
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())

    def names(self) -> list[str]:
        """All names, sorted."""
        found = [yaml_file.name_of(each) for each in _listed(self.root)]
        return sorted(name for name in found if self.versions(name))

    def _file(self, name: str, version: int) -> Path:
        return self.root / yaml_file.file_name(name) / f"{version}.yaml"


class Shelf:
    """Named values below the folder ``root``, one each: ``<name>.yaml``."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def get(self, name: str) -> Value | None:
        """The value of ``name``, or None. Raises WorkspaceException for a broken file."""
        return yaml_file.read(self.file_of(name))

    def put(self, name: str, value: Value) -> None:
        """Keep ``value`` (JSON values) under ``name``, in place of what stood there."""
        try:
            yaml_file.replace(self.file_of(name), value)
        except OSError as error:
            raise _cannot_write(self.file_of(name), error) from None

    def remove(self, name: str) -> None:
        """Forget ``name``; nothing happens where there is none."""
        try:
            yaml_file.remove(self.file_of(name))
        except OSError as error:
            raise _cannot_write(self.file_of(name), error) from None

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(yaml_file.name_of(stem) for stem in _stems(self.root))

    def file_of(self, name: str) -> Path:
        """Where the value of ``name`` is kept, if there is one."""
        return self.root / f"{yaml_file.file_name(name)}.yaml"


def _stems(folder: Path) -> list[str]:
    return [name[:-5] for name in _listed(folder) if name.endswith(".yaml")]


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _cannot_write(path: Path, error: OSError) -> WorkspaceException:
    return WorkspaceException(f"Cannot write {str(path)!r}: {error.strerror}.")
