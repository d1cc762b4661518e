"""Registries: folders of small YAML files that people read, diff and commit.

``Registry`` stores versions 1, 2, ... of named values (environments); ``NamedValues`` stores one
value per name (compute targets). Several processes may write at once: each version is created
exclusively.
"""

from __future__ import annotations

from pathlib import Path

from scriptrun.runtime import disks, files
from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import yaml_file
from scriptrun.store.records import Shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


class Registry:
    """Named values with versions below the folder ``root``: ``<name>/<version>.yaml``."""

    def __init__(self, root: Path, shape: Shape | None = None) -> None:
        self.root, self._shape = Path(root), shape or Shape()

    def add(self, name: str, value: Json) -> int:
        """Store ``value`` (JSON values) as the next version, and return its number.

        If it equals the latest version, that one's number is returned. Raises WorkspaceException
        if the folder cannot be written.
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

    def get(self, name: str, version: int | None = None) -> Json:
        """The value of ``name``; the latest version by default.

        Raises WorkspaceException if it is missing, DamagedRecord if its file is not valid YAML or
        has another shape.
        """
        number = max(self.versions(name), default=0) if version is None else version
        value = yaml_file.read(self._file(name, number)) if number else None
        if value is None:
            version_note = "" if version is None else f" in version {version}"
            raise WorkspaceException(
                f"{name!r}{version_note} not found in {self.root}.", "Check the name."
            )
        return self._shape.check(self._file(name, number), value)

    def versions(self, name: str) -> list[int]:
        """The version numbers of ``name``, ascending; [] if there are none."""
        stems = _stems(self.root / yaml_file.file_name(name))
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())

    def names(self) -> list[str]:
        """All names, sorted."""
        decoded = [yaml_file.name_from_file(entry) for entry in _list_folder(self.root)]
        return sorted(name for name in decoded if self.versions(name))

    def _file(self, name: str, version: int) -> Path:
        return self.root / yaml_file.file_name(name) / f"{version}.yaml"


class NamedValues:
    """One value per name below the folder ``root``: ``<name>.yaml``."""

    def __init__(self, root: Path, shape: Shape | None = None) -> None:
        self.root, self._shape = Path(root), shape or Shape()

    def get(self, name: str) -> Json | None:
        """The value of ``name``, or None. Raises DamagedRecord for a broken file.

        Names that begin with a dot are settings, of another shape.
        """
        value = yaml_file.read(self.file_of(name))
        if value is None or name.startswith("."):
            return value
        return self._shape.check(self.file_of(name), value)

    def put(self, name: str, value: Json) -> None:
        """Store ``value`` (JSON values) under ``name``, replacing any previous value."""
        try:
            yaml_file.replace(self.file_of(name), value)
        except OSError as error:
            raise _cannot_write(self.file_of(name), error) from None

    def remove(self, name: str) -> None:
        """Remove ``name`` if it exists."""
        try:
            yaml_file.remove(self.file_of(name))
        except OSError as error:
            raise _cannot_write(self.file_of(name), error) from None

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(yaml_file.name_from_file(stem) for stem in _stems(self.root))

    def file_of(self, name: str) -> Path:
        """Where the value of ``name`` is kept, if there is one."""
        return self.root / f"{yaml_file.file_name(name)}.yaml"


def _stems(folder: Path) -> list[str]:
    return [name[:-5] for name in _list_folder(folder) if name.endswith(".yaml")]


def _list_folder(folder: Path) -> list[str]:
    return files.names_in(folder)


def _cannot_write(path: Path, error: OSError) -> WorkspaceException:
    return WorkspaceException(f"Cannot write {str(path)!r}: {disks.describe(error, path)}.")
