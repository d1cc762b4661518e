"""Versions that never change, with words beside them that may: datasets and models are kept so.

Below ``root`` lie ``<name>/<version>.yaml``, fixed, and ``<version>.tags.yaml``, which holds what
was said of the version later.
"""

from __future__ import annotations

from pathlib import Path

from scriptrun.store import yaml_file
from scriptrun.store.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: a version as it is kept
Head = dict[str, "Any"]


class Heads:
    """The versions below the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._registry = Registry(root)

    def add(self, name: str, head: Head) -> int:
        """Keep ``head`` as the next version of ``name``, and return its number.

        One that equals the latest keeps that number.
        """
        return self._registry.add(name, head)

    def fixed(self, name: str, number: int) -> Head:
        """What the version was kept with."""
        return self._registry.get(name, number)

    def get(self, name: str, number: int) -> Head:
        """The version as it is now, with ``name`` and ``version``."""
        changed = yaml_file.read(self._words(name, number)) or {}
        return {**self.fixed(name, number), **changed, "name": name, "version": number}

    def change(self, name: str, number: int, words: Head) -> None:
        """Set ``words`` of a version, over what was kept and said before."""
        before = yaml_file.read(self._words(name, number)) or {}
        yaml_file.replace(self._words(name, number), {**before, **words})

    def remove(self, name: str, number: int) -> None:
        """Forget one version."""
        yaml_file.remove(self._words(name, number))
        yaml_file.remove(self._folder(name) / f"{number}.yaml")

    def versions(self, name: str) -> list[int]:
        """The numbers of the versions of ``name``, the latest last."""
        return self._registry.versions(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        return self._registry.names()

    def _folder(self, name: str) -> Path:
        return self.root / yaml_file.file_name(name)

    def _words(self, name: str, number: int) -> Path:
        return self._folder(name) / f"{number}.tags.yaml"
