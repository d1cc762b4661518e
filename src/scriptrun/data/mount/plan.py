"""The plan of a mount, as a JSON value for the process that serves it."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.data.datasets.content import Content, Root
from scriptrun.data.datasets.manifest import Manifest
from scriptrun.data.datasets.sources import StoreRef
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


class _TemporaryWorkspace:
    """Stands in for a workspace, to hold the manifest of content that is in none."""

    name = id = "mount"

    def __init__(self, directory: Path) -> None:
        self.directory = directory


class MountPlan(Value):
    """What to mount. ``manifest`` is the file that lists the mounted files.

    ``cache`` is the local cache folder, or "". A read that the store has not answered within
    ``time_limit`` seconds is an I/O error.
    """

    mountpoint: str
    roots: list[Root]
    manifest: str = ""
    cache: str = ""
    time_limit: float = 60.0
    log: Json = fresh(default_factory=dict)

    def value(self) -> Json:
        """The plan as a JSON value without secrets; ``from_value`` reads it."""
        return {
            "mountpoint": self.mountpoint,
            "roots": [
                {**_store_ref_value(root.store_ref), "folder": root.folder, "under": root.under}
                for root in self.roots
            ],
            "manifest": self.manifest,
            "cache": self.cache,
            "time_limit": self.time_limit,
        }


def from_value(value: Json) -> MountPlan:
    """Read a value of ``MountPlan.value``."""
    roots = [Root(_read_store_ref(root), root["folder"], root["under"]) for root in value["roots"]]
    return MountPlan(
        value["mountpoint"], roots, value["manifest"], value["cache"], value["time_limit"]
    )


def manifest_for(content: Content, folder: Path) -> tuple[Manifest, list[Root]]:
    """The manifest of ``content``: its own, or a new one in ``folder``.

    Raises DatasetValidationError if a source matches no files, and DatastoreException if a store
    cannot be listed.
    """
    if content.manifest is not None and not content.steps:
        return content.manifest, content.resolve_roots()
    frozen, _ = content.freeze(_TemporaryWorkspace(folder))
    assert frozen.manifest is not None
    return frozen.manifest, frozen.resolve_roots()


def _store_ref_value(store_ref: StoreRef) -> Json:
    if store_ref.datastore is None:
        return {"url": store_ref.url, "query": store_ref.query}
    return {"name": store_ref.datastore.name, "record": store_ref.datastore.record()}


def _read_store_ref(value: Json) -> StoreRef:
    if "url" in value:
        return StoreRef(None, value["url"], value["query"])
    return StoreRef(datastore_classes.from_record(None, value["name"], value["record"]))


def store_identity(root: Root) -> str:
    """A text that identifies the root's store; it contains no secret."""
    return repr(sorted(_store_ref_value(root.store_ref).items()))


def absolute(path: str | os.PathLike[str]) -> str:
    """``path`` with links resolved, as in the kernel's list of mounts."""
    return os.path.realpath(path)
