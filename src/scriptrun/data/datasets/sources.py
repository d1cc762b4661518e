"""Where a dataset's files come from: paths and patterns on datastores, and addresses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.datastores.records import Home
from scriptrun.data.datastores.references import DataPath, DataReference
from scriptrun.data.errors import DatasetValidationError, NoListing
from scriptrun.data.stores import globs
from scriptrun.data.stores.local import LocalStore
from scriptrun.data.stores.protocol import Entry, Store, clean
from scriptrun.data.stores.web import WebStore
from scriptrun.spec.values import Value

#: parts of a query that are credentials: they would be written down
_TELLING = ("sig", "signature", "token", "key", "secret", "password", "credential")
#: the name of the store that paths of this machine lie in, which have no datastore
HERE = "this machine"
Json = dict[str, Any]


class Place(Value):
    """A store as a dataset names it: a datastore, or the root of an address.

    ``url`` is ``file://`` for this machine's own files, or ``https://host``; ``query`` (with its
    ``?``) is sent with every file of the address.
    """

    datastore: AbstractDatastore | None = None
    url: str = ""
    query: str = ""

    @property
    def name(self) -> str:
        """What tells this place from others, as a path's first folders."""
        if self.datastore is not None:
            return self.datastore.name
        return self.url.replace("://", "/").rstrip("/")

    def store(self) -> Store:
        """The files of the place."""
        if self.datastore is not None:
            return self.datastore.store
        if self.url == "file://":
            return LocalStore(HERE, Path("/"))
        return WebStore(self.url, self.url, query=self.query)

    def value(self) -> Json:
        """A JSON value; ``place_of`` is the way back."""
        if self.datastore is not None:
            return {"datastore": self.datastore.name}
        return {"url": self.url, **({"query": self.query} if self.query else {})}


def place_of(value: Json, home: Home | None) -> Place:
    """The place that ``Place.value`` described, in the workspace ``home``."""
    if "datastore" in value:
        if home is None:
            raise DatasetValidationError(
                f"Resolving datastore {value['datastore']!r} requires a workspace."
            )
        return Place(datastore_classes.get(home, value["datastore"]))
    return Place(None, value["url"], value.get("query", ""))


class Source(Value):
    """A path or pattern in a place."""

    place: Place
    path: str

    @property
    def folder(self) -> str:
        """The folder that this source's files are below, as far as its text tells."""
        if globs.is_pattern(self.path):
            return globs.folder_of(self.path)
        return self.path

    def entries(self) -> Iterator[Entry]:
        """The files that are there now: of a pattern, of a folder, or the one of that name."""
        store = self.place.store()
        if globs.is_pattern(self.path):
            wanted = globs.compiled(self.path)
            for entry in store.list(globs.folder_of(self.path)):
                if wanted.fullmatch(entry.path):
                    yield entry
            return
        one = store.stat(self.path) if self.path else None
        if one is not None:
            yield one
            return
        try:
            yield from store.list(self.path)
        except NoListing:
            if not self.path:
                raise  # else there is neither such a file nor such a folder

    def value(self) -> Json:
        """A JSON value; ``source_of`` is the way back."""
        return {**self.place.value(), "path": self.path}

    def __str__(self) -> str:
        if self.place.datastore is None:
            return f"{self.place.url}/{self.path}".removeprefix("file://")
        return f"{self.path or 'all files'} in {self.place.datastore.name}"


def source_of(value: Json, home: Home | None) -> Source:
    """The source that ``Source.value`` described, in the workspace ``home``."""
    return Source(place_of(value, home), value["path"])


def parse(path: Any) -> list[Source]:
    """The sources that the ``path`` argument of a dataset's factory names.

    That is one of, or a list of: ``(datastore, path or paths)``, DataPath, DataReference, an
    address, an absolute path of this machine. Raises DatasetValidationError for anything else.
    """
    if isinstance(path, list):
        found = [source for each in path for source in parse(each)]
        if not found:
            raise DatasetValidationError("A dataset requires at least one path.")
        return found
    if isinstance(path, DataPath | DataReference):
        return [_on_datastore(path.datastore, path.path_on_datastore or "")]
    if isinstance(path, AbstractDatastore):
        return [_on_datastore(path, "")]
    if isinstance(path, tuple) and len(path) == 2:
        paths = path[1] if isinstance(path[1], list | tuple) else [path[1]]
        if all(each is None or isinstance(each, str | os.PathLike) for each in paths):
            return [_on_datastore(path[0], os.fspath(each or "")) for each in paths]
    if isinstance(path, str | os.PathLike):
        return [_by_text(os.fspath(path))]
    raise DatasetValidationError(
        f"A dataset path must be (datastore, 'path'), a URL or a list of these, not {path!r}."
    )


def _on_datastore(datastore: Any, path: str) -> Source:
    if not isinstance(datastore, AbstractDatastore):
        raise DatasetValidationError(
            f"The first element of (datastore, path) must be a datastore, not {datastore!r}.",
            "Get it with Datastore.get(workspace, 'name').",
        )
    return Source(Place(datastore), clean(path, datastore.name))


def _by_text(text: str) -> Source:
    parts = urlsplit(text)
    if parts.scheme in ("http", "https"):
        return _by_address(text)
    local = unquote(parts.path) if parts.scheme == "file" else text
    if not os.path.isabs(local):
        raise DatasetValidationError(
            f"{text!r} is neither a URL nor an absolute path.",
            "Use (datastore, 'path'). To upload local files to a datastore, use "
            "Dataset.File.upload_directory.",
        )
    return Source(Place(None, "file://"), clean(local, HERE))


def _by_address(text: str) -> Source:
    parts = urlsplit(text)
    shown = f"{parts.scheme}://{parts.hostname}{parts.path}"
    names = [name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if parts.username or parts.password or any(word in name for word in _TELLING for name in names):
        raise DatasetValidationError(
            f"URL {shown} contains a credential, but dataset paths are stored in plain text.",
            "Register a datastore (e.g. Datastore.register_http) with a named secret.",
        )
    path = clean(unquote(parts.path), shown)
    if not path:
        raise DatasetValidationError(
            f"{shown} does not name a file.", "Give a file, or a folder that the server lists."
        )
    query = f"?{parts.query}" if parts.query else ""
    return Source(Place(None, f"{parts.scheme}://{parts.netloc}", query), path)


def matching(pattern: str) -> Callable[[str], bool]:
    """Whether a path below a folder matches ``pattern``; one without slashes matches names."""
    wanted = globs.compiled(pattern if "/" in pattern else f"**/{pattern}")
    return lambda path: wanted.fullmatch(path) is not None
