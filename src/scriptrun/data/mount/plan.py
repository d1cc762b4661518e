"""The plan of a mount, as a JSON value for the process that serves it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scriptrun.data.datasets.content import Content, Root
from scriptrun.data.datasets.manifest import Manifest
from scriptrun.data.datasets.sources import Place
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.spec.values import Value, fresh

Json = dict[str, Any]


class _Temporary:
    """Stands in for a workspace, to hold the manifest of content that is in none."""

    name = id = "mount"

    def __init__(self, directory: Path) -> None:
        self.directory = directory


class Plan(Value):
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
                {**_place(root.place), "folder": root.folder, "under": root.under}
                for root in self.roots
            ],
            "manifest": self.manifest,
            "cache": self.cache,
            "time_limit": self.time_limit,
        }


def of_value(value: Json) -> Plan:
    """Read a value of ``MountPlan.value``."""
    roots = [Root(_place_of(each), each["folder"], each["under"]) for each in value["roots"]]
    return Plan(value["mountpoint"], roots, value["manifest"], value["cache"], value["time_limit"])


def listed(content: Content, folder: Path) -> tuple[Manifest, list[Root]]:
    """The manifest of ``content``: its own, or a new one in ``folder``.

    Raises DatasetValidationError if a source matches no files, and DatastoreException if a store
    cannot be listed.
    """
    if content.fixed is not None and not content.steps:
        return content.fixed, content.places()
    fixed, _ = content.fix(_Temporary(folder))
    assert fixed.fixed is not None
    return fixed.fixed, fixed.places()


def _place(place: Place) -> Json:
    if place.datastore is None:
        return {"url": place.url, "query": place.query}
    return {"name": place.datastore.name, "record": place.datastore.record()}


def _place_of(value: Json) -> Place:
    if "url" in value:
        return Place(None, value["url"], value["query"])
    return Place(datastore_classes.of_record(None, value["name"], value["record"]))


def identity(root: Root) -> str:
    """A text that identifies the root's store; it contains no secret."""
    return repr(sorted(_place(root.place).items()))


def absolute(path: str | os.PathLike[str]) -> str:
    """``path`` with links resolved, as in the kernel's list of mounts."""
    return os.path.realpath(path)
