"""The sources of a dataset's files: paths and patterns on datastores, and URLs."""

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

#: words in a query's names that mean a credential, which must not be stored
_TELLING = ("sig", "signature", "token", "key", "secret", "password", "credential")
#: the name of the store of local paths, which have no datastore
HERE = "this machine"
Json = dict[str, Any]


class Place(Value):
    """A dataset's reference to a store: a datastore, or the root of a URL.

    ``url`` is ``file://`` for local files, or ``https://host``; ``query`` (with its ``?``) is sent
    with every request.
    """

    datastore: AbstractDatastore | None = None
    url: str = ""
    query: str = ""

    @property
    def name(self) -> str:
        """The store's name, used as a path prefix in datasets with several stores."""
        if self.datastore is not None:
            return self.datastore.name
        return self.url.replace("://", "/").rstrip("/")

    def store(self) -> Store:
        """Open the store."""
        if self.datastore is not None:
            return self.datastore.store
        if self.url == "file://":
            return LocalStore(HERE, Path("/"))
        return WebStore(self.url, self.url, query=self.query)

    def value(self) -> Json:
        """The reference as a JSON value; ``read_store_ref`` reads it."""
        if self.datastore is not None:
            return {"datastore": self.datastore.name}
        return {"url": self.url, **({"query": self.query} if self.query else {})}


def place_of(value: Json, home: Home | None) -> Place:
    """Read a value of ``StoreRef.value``, in the workspace ``home``."""
    if "datastore" in value:
        if home is None:
            raise DatasetValidationError(
                f"Resolving datastore {value['datastore']!r} requires a workspace."
            )
        return Place(datastore_classes.get(home, value["datastore"]))
    return Place(None, value["url"], value.get("query", ""))


class Source(Value):
    """A path or pattern in a store."""

    place: Place
    path: str

    @property
    def folder(self) -> str:
        """The folder that contains this source's files, judging by its path alone."""
        if globs.is_pattern(self.path):
            return globs.folder_of(self.path)
        return self.path

    def entries(self) -> Iterator[Entry]:
        """The current files: those of the pattern or folder, or the single file."""
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
                raise  # otherwise neither a file nor a folder of that name exists

    def value(self) -> Json:
        """The source as a JSON value; ``read_source`` reads it."""
        return {**self.place.value(), "path": self.path}

    def __str__(self) -> str:
        if self.place.datastore is None:
            return f"{self.place.url}/{self.path}".removeprefix("file://")
        return f"{self.path or 'all files'} in {self.place.datastore.name}"


def source_of(value: Json, home: Home | None) -> Source:
    """Read a value of ``Source.value``, in the workspace ``home``."""
    return Source(place_of(value, home), value["path"])


def parse(path: Any) -> list[Source]:
    """The sources in the ``path`` argument of a dataset factory.

    One of these, or a list of them: ``(datastore, path or paths)``, DataPath, DataReference, a
    URL, an absolute local path. Raises DatasetValidationError for anything else.
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
    """A function that matches paths against ``pattern``; without slashes it matches file names."""
    wanted = globs.compiled(pattern if "/" in pattern else f"**/{pattern}")
    return lambda path: wanted.fullmatch(path) is not None
