"""The workspace's registered models: content-addressed files, immutable versions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from scriptrun.runtime import file_walk, foreign_names
from scriptrun.runtime.files import read_json, to_json, unique, write_atomic
from scriptrun.spec import ids, suggestion
from scriptrun.spec.control_characters import escape
from scriptrun.spec.digests import digest_of
from scriptrun.spec.errors import (
    ModelNotFoundException,
    UserErrorException,
    WorkspaceException,
)
from scriptrun.store import blobs, name_rules, paths, records, trees
from scriptrun.store.file_stamp import is_settled, stamp_of
from scriptrun.store.versions import VersionRecord, VersionStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

#: fields that can be edited after registration
EDITABLE_FIELDS = (
    "description",
    "tags",
    "properties",
    "datasets",
    "sample_input",
    "sample_output",
    "resource",
)

#: the note, next to a version's links, of how its files looked when they were last compared
_NOTE = ".ready"

_SHAPE = records.Shape(
    {
        "key": "str",
        "created": "str",
        "root": "str",
        "files": "list[Json]",
        "description": "str | None",
        "tags": "Json | None",
        "properties": "Json | None",
        "datasets": "list[list[str]] | None",
        "resource": "Json | None",
        "run_id": "str | None",
    },
    ("key", "created", "root", "files"),
)


def add_version(
    workspace: WorkspaceFiles,
    name: str,
    sources: Mapping[str, Path],
    root: str,
    facts: VersionRecord,
) -> VersionRecord:
    """Store the files ``sources`` (by their paths in the model) as the next version of ``name``.

    ``root`` is the name of the model's file or folder. Each call creates a version; existing
    content is not stored twice.
    """
    problem = name_rules.strict_problem(name)
    if problem and not (isinstance(name, str) and name in names(workspace)):
        raise UserErrorException(f"Invalid model name {name!r}.", problem)
    stored = blobs.put_all(_content(workspace), [source for _, source in sorted(sources.items())])
    files = [
        {"path": path, "size": size, "sha256": digest}
        for path, (digest, size) in zip(sorted(sources), stored, strict=True)
    ]
    created = ids.now_to_the_second()
    record = {"key": unique(32), "created": created, "root": root, "files": files, **facts}
    return get(workspace, name, _version_store(workspace).add(name, record))


def files_of(path: str | os.PathLike[str]) -> tuple[dict[str, Path], str]:
    """The files at ``path`` by their paths in the model, and the name of its root.

    Raises UserErrorException if there are none.
    """
    root_path = Path(path).absolute()
    if root_path.is_file():
        return {root_path.name: root_path}, root_path.name
    left_out: list[tuple[str, str]] = []
    model_files = {
        f"{root_path.name}/{name}": root_path / name
        for name in sorted(
            file_walk.files_below(root_path, leave_out=lambda *each: left_out.append(each))
        )
    }
    if left_out:
        message = f"The model {str(root_path)!r} lacks: {file_walk.describe(left_out)}."
        warnings.warn(escape(message), stacklevel=3)
    if not model_files:
        problem = "is an empty folder" if root_path.is_dir() else "does not exist"
        raise UserErrorException(
            f"The model path {str(root_path)!r} {problem}.",
            "Set model_path to a file or a folder that contains files.",
        )
    return model_files, root_path.name


def get(workspace: WorkspaceFiles, name: str, version: int | None = None) -> VersionRecord:
    """A version's facts (the latest's without ``version``).

    Raises ModelNotFoundException, which lists the known ones, for an unknown name or version.
    """
    versions = _version_store(workspace).versions(name) if isinstance(name, str) and name else []
    if not versions:
        raise ModelNotFoundException(
            f"Model {name!r} not found in workspace {workspace.name!r}.",
            hint=suggestion.hint(str(name), _version_store(workspace).names(), "Models"),
        )
    number = versions[-1] if version is None else version
    if number not in versions:
        raise ModelNotFoundException(
            f"Model {name!r} has no version {version}.",
            hint=f"Versions: {', '.join(map(str, versions))}.",
        )
    return _version_store(workspace).get(name, number)


def all_versions(workspace: WorkspaceFiles, name: str | None = None) -> Iterator[VersionRecord]:
    """All versions, or those of ``name``; the newest first within each name."""
    store = _version_store(workspace)
    for model_name, number in _keys(store, name):
        yield store.get(model_name, number)


def readable_versions(
    workspace: WorkspaceFiles, name: str | None = None
) -> Iterator[VersionRecord]:
    """As ``all_versions``, without those that are damaged: they are named on stderr."""
    store = _version_store(workspace)
    return records.readable(_keys(store, name), lambda key: store.get(*key))


def _keys(store: VersionStore, name: str | None) -> Iterator[tuple[str, int]]:
    for model_name in [name] if name is not None else store.names():
        for number in reversed(store.versions(model_name)):
            yield model_name, number


def change(
    workspace: WorkspaceFiles, record: VersionRecord, changes: VersionRecord
) -> VersionRecord:
    """Edit a version's metadata; only EDITABLE_FIELDS can change."""
    _version_store(workspace).change(record["name"], record["version"], changes)
    return get(workspace, record["name"], record["version"])


def remove(workspace: WorkspaceFiles, record: VersionRecord) -> None:
    """Remove a version, and content that no other version uses."""
    _version_store(workspace).remove(record["name"], record["version"])
    used = {file["sha256"] for version in all_versions(workspace) for file in version["files"]}
    unused = {file["sha256"] for file in record["files"]} - used
    for digest in unused:
        blobs.path_of(_content(workspace), digest).unlink(missing_ok=True)


def copy_to(workspace: WorkspaceFiles, record: VersionRecord, target: Path, exist_ok: bool) -> Path:
    """Copy a version's files into the folder ``target``; returns the path of its root there."""
    origin = _origin(record)
    existing = [
        path for path in (target / name for name in _names(record)) if os.path.lexists(path)
    ]
    if existing and not exist_ok:
        raise UserErrorException(
            f"{str(existing[0])!r} already exists.",
            "Choose another folder, or use exist_ok=True (--force).",
        )
    for file in record["files"]:
        _copy_file(workspace, record, file, target)
    return Path(foreign_names.join(target, record["root"], origin))


def _copy_file(workspace: WorkspaceFiles, record: VersionRecord, file: Json, target: Path) -> None:
    def fill(handle: BinaryIO) -> None:
        blobs.copy(_content(workspace), file["sha256"], handle, _describe(record, file))

    foreign_names.write(target, file["path"], fill, _origin(record))


def cached_root(workspace: WorkspaceFiles, record: VersionRecord) -> Path:
    """The path of a version's root in the cache, where its files are links.

    The content is compared with its digests at first use on this machine, and again if a file looks
    different since. Raises WorkspaceException for damage.
    """
    origin = _origin(record)
    content = _content(workspace)
    key = digest_of([str(content), record["key"]])[:32]  # a copied workspace has the same record
    folder = Path(paths.cache_root()) / "models" / key
    note = str(folder / _NOTE)
    known = read_json(note)
    stamps: Json = {}
    links: dict[Path, Path] = {}
    for file in record["files"]:
        path = blobs.path_of(content, file["sha256"])
        if not path.exists():
            raise blobs.damaged_error(path, file["sha256"], _describe(record, file))
        stamps[file["path"]] = stamp_of(path)
        links[Path(foreign_names.join(folder, file["path"], origin))] = path
    _lay_out(folder, links)
    if stamps != known:
        check(workspace, record)
        if all(is_settled(stamp[-1]) for stamp in stamps.values()):
            write_atomic(note, to_json(stamps), durable=False)
    return Path(foreign_names.join(folder, record["root"], origin))


def stored_files(workspace: WorkspaceFiles, record: VersionRecord) -> dict[str, Path]:
    """The paths of a version's files in the store, by their names in the model.

    They are verified as ``cached_root`` does. Raises WorkspaceException for damage.
    """
    cached_root(workspace, record)
    content = _content(workspace)
    names = _names(record)
    return {
        name: blobs.path_of(content, file["sha256"])
        for name, file in zip(names, record["files"], strict=True)
    }


def _lay_out(folder: Path, links: Mapping[Path, Path]) -> None:
    """Make ``folder`` hold these links and nothing else; other processes may do the same."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [link.relative_to(folder).as_posix() for link in links]
    for name in trees.unexpected(folder, [*names, _NOTE]):
        if not name.endswith(".tmp"):
            trees.remove(folder / name)
    for link, path in links.items():
        if not (link.is_symlink() and os.readlink(link) == str(path)):
            link.parent.mkdir(parents=True, exist_ok=True)
            temporary = folder / f"{unique()}.tmp"
            temporary.symlink_to(path)
            os.replace(temporary, link)


def _origin(record: VersionRecord) -> str:
    return f"The record of {_label(record)}"


def _names(record: VersionRecord) -> list[str]:
    """The files' paths in the model. Raises ForeignNameRefused for one that leads out of it."""
    return [
        "/".join(foreign_names.check(file["path"], _origin(record))) for file in record["files"]
    ]


def names(workspace: WorkspaceFiles) -> list[str]:
    """The names of all models, sorted."""
    return _version_store(workspace).names()


def version_numbers(workspace: WorkspaceFiles, name: str) -> list[int]:
    """The version numbers of ``name``, the latest last."""
    return _version_store(workspace).versions(name)


def check(workspace: WorkspaceFiles, record: VersionRecord) -> None:
    """Raise WorkspaceException if a file of the version does not have its digest."""
    for error in damages(workspace, record):
        raise error


def damages(workspace: WorkspaceFiles, record: VersionRecord) -> Iterator[WorkspaceException]:
    """An error for each file of the version that does not have its digest."""
    for file in record["files"]:
        path = blobs.path_of(_content(workspace), file["sha256"])
        if not blobs.is_whole(path, file["sha256"]):
            yield blobs.damaged_error(path, file["sha256"], _describe(record, file))


def _describe(record: VersionRecord, file: Json) -> str:
    return f"{file['path']!r} of {_label(record)}"


def _label(record: VersionRecord) -> str:
    return f"model {record['name']!r}, version {record['version']},"


def _content(workspace: WorkspaceFiles) -> Path:
    return workspace.directory / "models" / ".content"


def _version_store(workspace: WorkspaceFiles) -> VersionStore:
    return VersionStore(workspace.directory / "models", _SHAPE)
