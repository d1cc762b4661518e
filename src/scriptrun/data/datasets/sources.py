"""The sources of a dataset's files: paths and patterns on datastores, and URLs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.datastores.records import WorkspaceLike
from scriptrun.data.datastores.references import DataPath, DataReference
from scriptrun.data.errors import DatasetValidationError, NoListing
from scriptrun.data.stores import globs
from scriptrun.data.stores.local import LocalStore
from scriptrun.data.stores.protocol import FileEntry, Store, normalize_path
from scriptrun.data.stores.web import WebStore
from scriptrun.spec import url_logins
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeGuard

    from scriptrun.runtime.hints import Json, StrPath

    OnDatastore = tuple[AbstractDatastore, StrPath | Sequence[StrPath] | None]
    #: one path or several, as the factories of datasets take them
    Paths = OnDatastore | DataPath | DataReference | AbstractDatastore | StrPath | Sequence["Paths"]

#: words in a query's names that mean a credential, which must not be stored
_CREDENTIAL_WORDS = ("sig", "signature", "token", "key", "secret", "password", "credential")
#: names that begin so are notes of Spark, Hadoop or an editor (``_SUCCESS``, ``.part.crc``)
_HIDDEN = ("_", ".")
#: the name of the store of local paths, which have no datastore
THIS_MACHINE = "this machine"


class StoreRef(Value):
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
            return LocalStore(THIS_MACHINE, Path("/"))
        return WebStore(self.url, self.url, query=self.query)

    def value(self) -> Json:
        """The reference as a JSON value; ``read_store_ref`` reads it."""
        if self.datastore is not None:
            return {"datastore": self.datastore.name}
        return {"url": self.url, **({"query": self.query} if self.query else {})}


def read_store_ref(value: Json, workspace: WorkspaceLike | None) -> StoreRef:
    """Read a value of ``StoreRef.value``, in the workspace ``workspace``."""
    if "datastore" in value:
        if workspace is None:
            raise DatasetValidationError(
                f"Resolving datastore {value['datastore']!r} requires a workspace."
            )
        return StoreRef(datastore_classes.get(workspace, value["datastore"]))
    return StoreRef(None, value["url"], value.get("query", ""))


class Source(Value):
    """A path or pattern in a store.

    Of a folder or pattern that is read as a table, ``for_table``, files whose names begin with
    ``_`` or ``.`` and empty files are passed over: they are other programs' notes.
    """

    store_ref: StoreRef
    path: str
    for_table: bool = False

    @property
    def folder(self) -> str:
        """The folder that contains this source's files, judging by its path alone."""
        if globs.is_pattern(self.path):
            return globs.folder_of(self.path)
        return self.path

    def entries(self) -> Iterator[FileEntry]:
        """The current files: those of the pattern or folder, or the single file."""
        entries = self._all_entries()
        return filter(self._is_part, entries) if self.for_table else entries

    def _is_part(self, entry: FileEntry) -> bool:
        if entry.path == self.path:
            return True
        folder = globs.folder_of(self.path) if globs.is_pattern(self.path) else self.path
        names = entry.path[len(folder) :].strip("/").split("/")
        named = self.path[len(folder) :].strip("/").split("/")
        named_marks = {name[0] for name in named if name[:1] in _HIDDEN}
        return entry.size != 0 and not any(
            name[:1] in _HIDDEN and name[0] not in named_marks and "=" not in name for name in names
        )

    def _all_entries(self) -> Iterator[FileEntry]:
        store = self.store_ref.store()
        if globs.is_pattern(self.path):
            regex = globs.compile_glob(self.path)
            for entry in store.list(globs.folder_of(self.path)):
                if regex.fullmatch(entry.path):
                    yield entry
            return
        file = store.stat(self.path) if self.path else None
        if file is not None:
            yield file
            return
        try:
            yield from store.list(self.path)
        except NoListing:
            if not self.path:
                raise  # otherwise neither a file nor a folder of that name exists

    def value(self) -> Json:
        """The source as a JSON value; ``read_source`` reads it."""
        return {**self.store_ref.value(), "path": self.path}

    def __str__(self) -> str:
        if self.store_ref.datastore is None:
            return f"{self.store_ref.url}/{self.path}".removeprefix("file://")
        return f"{self.path or 'all files'} in {self.store_ref.datastore.name}"


def read_source(value: Json, workspace: WorkspaceLike | None) -> Source:
    """Read a value of ``Source.value``, in the workspace ``workspace``."""
    return Source(read_store_ref(value, workspace), value["path"])


def parse(path: Paths) -> list[Source]:
    """The sources in the ``path`` argument of a dataset factory.

    One of these, or a list of them: ``(datastore, path or paths)``, DataPath, DataReference, a
    URL, an absolute local path. Raises DatasetValidationError for anything else.
    """
    if isinstance(path, list):
        sources = [source for item in path for source in parse(item)]
        if not sources:
            raise DatasetValidationError("A dataset requires at least one path.")
        return sources
    if isinstance(path, DataPath | DataReference):
        return [_on_datastore(path.datastore, path.path_on_datastore or "")]
    if isinstance(path, AbstractDatastore):
        return [_on_datastore(path, "")]
    if isinstance(path, tuple) and len(path) == 2:
        paths = path[1] if isinstance(path[1], list | tuple) else [path[1]]
        texts = [os.fspath(item or "") for item in paths if _is_path(item)]
        if len(texts) == len(paths):
            return [_on_datastore(path[0], text) for text in texts]
    if isinstance(path, str | os.PathLike):
        return [_parse_text(os.fspath(path))]
    raise DatasetValidationError(
        f"A dataset path must be (datastore, 'path'), a URL or a list of these, not {path!r}."
    )


def _is_path(value: object) -> TypeGuard[StrPath | None]:
    return value is None or isinstance(value, str | os.PathLike)


def _on_datastore(datastore: object, path: str) -> Source:
    if not isinstance(datastore, AbstractDatastore):
        raise DatasetValidationError(
            f"The first element of (datastore, path) must be a datastore, not {datastore!r}.",
            "Get it with Datastore.get(workspace, 'name').",
        )
    return Source(StoreRef(datastore), normalize_path(path, datastore.name))


def _parse_text(text: str) -> Source:
    parts = url_logins.split_url(text)
    if parts.scheme in ("http", "https"):
        return _parse_url(text)
    local_path = unquote(parts.path) if parts.scheme == "file" else text
    if not os.path.isabs(local_path):
        raise DatasetValidationError(
            f"{text!r} is neither a URL nor an absolute path.",
            "Use (datastore, 'path'). To upload local files to a datastore, use "
            "Dataset.File.upload_directory.",
        )
    return Source(StoreRef(None, "file://"), normalize_path(local_path, THIS_MACHINE))


def _parse_url(text: str) -> Source:
    parts = url_logins.split_url(text)
    shown_url = f"{parts.scheme}://{parts.hostname}{parts.path}"
    names = [name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if (
        parts.username
        or parts.password
        or any(word in name for word in _CREDENTIAL_WORDS for name in names)
    ):
        raise DatasetValidationError(
            f"URL {shown_url} contains a credential, but dataset paths are stored in plain text.",
            "Register a datastore (e.g. Datastore.register_http) with a named secret.",
        )
    path = normalize_path(unquote(parts.path), shown_url)
    if not path:
        raise DatasetValidationError(
            f"{shown_url} does not name a file.", "Give a file, or a folder that the server lists."
        )
    query = f"?{parts.query}" if parts.query else ""
    return Source(StoreRef(None, f"{parts.scheme}://{parts.netloc}", query), path)


def path_matcher(pattern: str) -> Callable[[str], bool]:
    """A function that matches paths against ``pattern``; without slashes it matches file names."""
    regex = globs.compile_glob(pattern if "/" in pattern else f"**/{pattern}")
    return lambda path: regex.fullmatch(path) is not None
