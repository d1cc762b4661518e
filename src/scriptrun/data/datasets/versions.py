"""Store registered datasets in the workspace, as ``datasets/<name>/<version>.yaml``."""

from __future__ import annotations

import uuid

from scriptrun.data.datasets.manifest import Manifest, ManifestRow, manifest_path
from scriptrun.data.datastores.records import WorkspaceLike
from scriptrun.data.errors import DatasetValidationError
from scriptrun.data.stores.local import says_the_same
from scriptrun.spec import ids, suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import records, yaml_file
from scriptrun.store.versions import VersionRecord, VersionStore

_SHAPE = records.Shape(
    {
        "id": "str",
        "type": "str",
        "created": "str",
        "description": "str | None",
        "tags": "Json | None",
        "files": "int",
        "bytes": "int",
        "manifest": "str",
        "definition": "Json",
    },
    ("id", "type", "created", "definition"),
)


def add(
    workspace: WorkspaceLike, name: str, record: VersionRecord, create_new_version: bool
) -> VersionRecord:
    """Store ``record`` as the next version of ``name``, unless it equals the latest version.

    Raises UserErrorException if the name is taken and ``create_new_version`` is false. Returns the
    head with ``name``, ``version`` and ``id``.
    """
    if not isinstance(name, str) or not name.strip():
        raise UserErrorException(f"A dataset name must be a string, not {name!r}.")
    version_store = _open_versions(workspace)
    latest = max(version_store.versions(name), default=0)
    if latest and not create_new_version:
        raise UserErrorException(
            f"Dataset {name!r} already exists in version {latest}.",
            "Use create_new_version=True or another name.",
        )
    if latest and _is_same(workspace, version_store.original(name, latest), record):
        return get(workspace, name, latest)
    new_record = {"id": str(uuid.uuid4()), **record, "created": ids.now_to_the_second()}
    number = version_store.add(name, new_record)
    return get(workspace, name, number)


def _is_same(workspace: WorkspaceLike, stored: VersionRecord, record: VersionRecord) -> bool:
    """Whether a stored version has the same values as ``record``, and files with its content."""
    plain_record = yaml_file.plain(record)
    other = {key: stored.get(key) for key in plain_record}
    manifests = [each.pop("manifest", None) for each in (plain_record, other)]
    if plain_record != other or None in manifests:
        return plain_record == other and manifests[0] == manifests[1]
    if manifests[0] == manifests[1]:
        return True
    folder = workspace.directory / "manifests"
    lists = [Manifest(manifest_path(folder, str(digest))).rows() for digest in manifests]
    return all(map(_has_same_content, *lists))


def _has_same_content(one: ManifestRow, other: ManifestRow) -> bool:
    """Whether two rows are of one file: whatever its time, by the digest of its content."""
    is_one_file = one._replace(etag="") == other._replace(etag="")
    return is_one_file and says_the_same(one.etag, other.etag)


def get(workspace: WorkspaceLike, name: str, version: int | None = None) -> VersionRecord:
    """The head of a version (default: the latest), with its current tags.

    Raises UserErrorException, which lists the alternatives, for an unknown name or version.
    """
    versions = _open_versions(workspace).versions(name) if isinstance(name, str) and name else []
    if not versions:
        known = names(workspace)
        raise UserErrorException(
            f"Dataset {name!r} not found in workspace {workspace.name!r}.",
            f"{suggestion.question(str(name), known)}Datasets: {_shorten(known) or 'none'}.",
        )
    number = versions[-1] if version is None else version
    if number not in versions:
        raise UserErrorException(
            f"Dataset {name!r} has no version {version}.",
            f"Versions: {', '.join(map(str, versions))}.",
        )
    return {"description": None, "tags": {}, **_open_versions(workspace).get(name, number)}


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def find_by_id(workspace: WorkspaceLike, dataset_id: str) -> VersionRecord:
    """The version with this ID. Raises UserErrorException if there is none."""
    store = _open_versions(workspace)
    keys = [
        (name, number) for name in names(workspace) for number in reversed(store.versions(name))
    ]
    for name, number, original in records.readable(keys, lambda key: (*key, store.original(*key))):
        if original.get("id") == dataset_id:
            return get(workspace, name, number)
    raise UserErrorException(
        f"Dataset with ID {dataset_id!r} not found in workspace {workspace.name!r}.",
        "To list datasets, run: scriptrun data list",
    )


def latest(workspace: WorkspaceLike) -> list[VersionRecord]:
    """The latest versions of all datasets, without damaged ones: they are named on stderr."""
    return list(records.readable(names(workspace), lambda name: get(workspace, name)))


def names(workspace: WorkspaceLike) -> list[str]:
    """The names of all registered datasets."""
    return _open_versions(workspace).names()


def version_numbers(workspace: WorkspaceLike, name: str) -> list[int]:
    """The version numbers of ``name``, the latest last."""
    return _open_versions(workspace).versions(name)


def change(
    workspace: WorkspaceLike, record: VersionRecord, changes: VersionRecord
) -> VersionRecord:
    """Set the ``description`` or ``tags`` of a version; its other fields are immutable."""
    name, number = record["name"], record["version"]
    _open_versions(workspace).change(name, number, changes)
    return get(workspace, name, number)


def remove(workspace: WorkspaceLike, name: str) -> None:
    """Remove all versions of ``name``. The data itself is kept."""
    get(workspace, name)
    for number in _open_versions(workspace).versions(name):
        _open_versions(workspace).remove(name, number)


def parse_version(version: object) -> int | None:
    """Parse a version as in the SDK v1: 3, "3", "latest" or None; None means the latest."""
    if version is None or version == "latest":
        return None
    if isinstance(version, int) or (isinstance(version, str) and version.isdigit()):
        return int(version)
    raise DatasetValidationError(f"A version must be a number or 'latest', not {version!r}.")


def _open_versions(workspace: WorkspaceLike) -> VersionStore:
    return VersionStore(workspace.directory / "datasets", _SHAPE)
