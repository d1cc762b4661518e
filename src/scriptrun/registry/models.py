"""The workspace's registered models: content-addressed files, immutable versions."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from scriptrun.runtime.files import unique
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import blobs, paths
from scriptrun.store.versions import Head, Heads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.registry.workspace_files import Home

#: fields that can be edited after registration
WORDS = (
    "description",
    "tags",
    "properties",
    "datasets",
    "sample_input",
    "sample_output",
    "resource",
)


def keep(home: Home, name: str, paths: Mapping[str, Path], root: str, head: Head) -> Head:
    """Store the files ``paths`` (by their paths in the model) as the next version of ``name``.

    ``root`` is the name of the model's file or folder. Each call creates a version; existing
    content is not stored twice.
    """
    if not isinstance(name, str) or not name.strip() or "/" in name or "\\" in name or ":" in name:
        raise UserErrorException(
            f"Invalid model name {name!r}.", "Use a name without '/' and ':', e.g. 'digits'."
        )
    files = []
    for path, source in sorted(paths.items()):
        digest, size = blobs.put(_content(home), source)
        files.append({"path": path, "size": size, "sha256": digest})
    made = {"key": unique(32), "created": _now(), "root": root, "files": files, **head}
    return get(home, name, _shelf(home).add(name, made))


def files_of(path: str | os.PathLike[str]) -> tuple[dict[str, Path], str]:
    """The files at ``path`` by their paths in the model, and the name of its root.

    Raises UserErrorException if there are none.
    """
    place = Path(path).absolute()
    if place.is_file():
        return {place.name: place}, place.name
    found = {
        f"{place.name}/{each.relative_to(place).as_posix()}": each
        for each in sorted(place.rglob("*"))
        if each.is_file()
    }
    if not found:
        what = "is an empty folder" if place.is_dir() else "does not exist"
        raise UserErrorException(
            f"The model path {str(place)!r} {what}.",
            "Set model_path to a file or a folder that contains files.",
        )
    return found, place.name


def get(home: Home, name: str, version: int | None = None) -> Head:
    """A version's facts (the latest's without ``version``).

    Raises UserErrorException, which lists the known ones, for an unknown name or version.
    """
    found = _shelf(home).versions(name) if isinstance(name, str) and name else []
    if not found:
        known = ", ".join(_shelf(home).names()) or "none"
        raise UserErrorException(
            f"Model {name!r} not found in workspace {home.name!r}.",
            f"{suggestion.question(str(name), _shelf(home).names())}Models: {known}.",
        )
    number = found[-1] if version is None else version
    if number not in found:
        raise UserErrorException(
            f"Model {name!r} has no version {version}.",
            f"Versions: {', '.join(map(str, found))}.",
        )
    return _shelf(home).get(name, number)


def every(home: Home, name: str | None = None) -> Iterator[Head]:
    """All versions, or those of ``name``; the newest first within each name."""
    shelf = _shelf(home)
    for each in [name] if name is not None else shelf.names():
        for number in reversed(shelf.versions(each)):
            yield shelf.get(each, number)


def change(home: Home, head: Head, words: Head) -> Head:
    """Edit a version's metadata; only EDITABLE_FIELDS can change."""
    _shelf(home).change(head["name"], head["version"], words)
    return get(home, head["name"], head["version"])


def remove(home: Home, head: Head) -> None:
    """Remove a version, and content that no other version uses."""
    _shelf(home).remove(head["name"], head["version"])
    used = {file["sha256"] for each in every(home) for file in each["files"]}
    gone = {file["sha256"] for file in head["files"]} - used
    for digest in gone:
        blobs.path_of(_content(home), digest).unlink(missing_ok=True)


def copy_to(home: Home, head: Head, target: Path, exist_ok: bool) -> Path:
    """Copy a version's files into the folder ``target``; returns the path of its root there."""
    import shutil

    there = [target / file["path"] for file in head["files"] if (target / file["path"]).exists()]
    if there and not exist_ok:
        raise UserErrorException(
            f"{str(there[0])!r} already exists.",
            "Choose another folder, or use exist_ok=True (--force).",
        )
    for file in head["files"]:
        place = target / file["path"]
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{unique(12)}.part")
        shutil.copyfile(_kept(home, head, file), part)
        os.replace(part, place)
    return target / str(head["root"])


def laid_out(home: Home, head: Head) -> Path:
    """The path of a version's root in the cache, where its files are links."""
    folder = Path(paths.cache_root()) / "models" / str(head["key"])
    if not (folder / ".ready").exists():
        for file in head["files"]:
            place = folder / file["path"]
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.symlink_to(_kept(home, head, file))
        (folder / ".ready").touch()
    return folder / str(head["root"])


def _kept(home: Home, head: Head, file: Mapping[str, Any]) -> Path:
    place = blobs.path_of(_content(home), file["sha256"])
    if not place.exists():
        raise UserErrorException(
            f"The content of {file['path']!r} of model {head['name']!r}, version "
            f"{head['version']}, is missing from {place}."
        )
    return place


def _content(home: Home) -> Path:
    return home.directory / "models" / ".content"


def _shelf(home: Home) -> Heads:
    return Heads(home.directory / "models")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
