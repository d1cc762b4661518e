"""Immutable versions with separate, editable metadata, for datasets and models.

Below ``root``, ``<name>/<version>.yaml`` never changes; ``<version>.tags.yaml`` holds later
edits of its metadata.
"""

from __future__ import annotations

from pathlib import Path

from scriptrun.store import yaml_file
from scriptrun.store.records import Shape
from scriptrun.store.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: the facts of one version
VersionRecord = dict[str, "Any"]


class VersionStore:
    """The versions below the folder ``root``."""

    def __init__(self, root: Path, shape: Shape | None = None) -> None:
        self.root, self._shape = root, shape or Shape()
        self._registry = Registry(root, shape)

    def add(self, name: str, record: VersionRecord) -> int:
        """Store ``record`` as the next version of ``name``, and return its number.

        If it equals the latest version, that one's number is returned.
        """
        return self._registry.add(name, record)

    def original(self, name: str, number: int) -> VersionRecord:
        """The version as it was first stored."""
        return self._registry.get(name, number)

    def get(self, name: str, number: int) -> VersionRecord:
        """The version with later edits, and with ``name`` and ``version``."""
        path = self._changes_file(name, number)
        changes = self._shape.check(path, yaml_file.read(path) or {}, is_whole=False)
        return {**self.original(name, number), **changes, "name": name, "version": number}

    def change(self, name: str, number: int, changes: VersionRecord) -> None:
        """Set the metadata ``changes`` of a version; other fields stay."""
        current = yaml_file.read(self._changes_file(name, number)) or {}
        yaml_file.replace(self._changes_file(name, number), {**current, **changes})

    def remove(self, name: str, number: int) -> None:
        """Remove one version."""
        yaml_file.remove(self._changes_file(name, number))
        yaml_file.remove(self._folder(name) / f"{number}.yaml")

    def versions(self, name: str) -> list[int]:
        """The numbers of the versions of ``name``, the latest last."""
        return self._registry.versions(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        return self._registry.names()

    def _folder(self, name: str) -> Path:
        return self.root / yaml_file.file_name(name)

    def _changes_file(self, name: str, number: int) -> Path:
        return self._folder(name) / f"{number}.tags.yaml"
