"""Stubs for a proof, so that code reaches its submissions on a machine without its data.

A job only names its data, so neither version needs it to exist: missing or remote files count as
one empty file, and nothing is uploaded or downloaded. Names that the workspace lacks are noted;
the next run may be granted stand-ins for them.
"""

from __future__ import annotations

import functools
import importlib
import os
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from scriptrun.config.environments.environment import Environment
from scriptrun.core import datastore
from scriptrun.core.datastore import Datastore
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets import content
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.data.datasets.file import FileDataset, FileDatasetFactory
from scriptrun.data.datasets.sources import StoreRef, Source
from scriptrun.data.datasets.tabular import TabularDataset
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores import records as datastore_records
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.stores.protocol import FileEntry
from scriptrun.registry import environments as environment_registry
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import ScriptrunError

COMPUTE, DATASET, DATASTORE, ENVIRONMENT = "compute target", "dataset", "datastore", "environment"
#: the path of stand-in data
_PLACE = "stand-in"


class Given:
    """The assumptions of a proof (``notes``), and the ``missing`` names of the workspace."""

    def __init__(self) -> None:
        self.said: dict[str, None] = {}
        self.lacked: list[tuple[str, str]] = []

    def say(self, words: str) -> None:
        """Note the assumption ``words``."""
        self.said[words] = None

    def lack(self, kind: str, name: object) -> None:
        """Note that the workspace has no ``kind`` called ``name``."""
        if isinstance(name, str) and (kind, name) not in self.lacked:
            self.lacked.append((kind, name))


def assume(given: Given) -> None:
    """Stub data access from now on, and note which names the workspace lacks."""
    _entries(given)
    _moves(given)
    _tables(given)
    _names(given)


def only_workspace() -> Workspace:
    """The workspace in SCRIPTRUN_WORKSPACE; the code finds no other from now on."""
    found = Workspace.from_config()
    setattr(WorkspaceFiles, "search", classmethod(lambda cls, start: cls(found.root)))  # noqa: B010
    config = classmethod(lambda cls, config: cls(found.root))
    setattr(WorkspaceFiles, "_of_azure_config", config)  # noqa: B010
    return found


def grant(home: Workspace, names: Iterable[tuple[str, str]], given: Given) -> None:
    """Create a stand-in in the workspace ``home`` for each kind and name."""
    for kind, name in names:
        given.say(f"the {kind} {name!r}")
        if kind == COMPUTE:
            importlib.import_module("scriptrun.dropin.azureml.compute").make(home, name, {})
        elif kind == ENVIRONMENT:
            Environment(name).register(home)
        elif kind == DATASTORE:
            folder = home.directory / _PLACE / name
            folder.mkdir(parents=True, exist_ok=True)
            Datastore.register_local(home, name, folder, overwrite=True)
        else:
            place = (Datastore.get_default(home), f"{_PLACE}/{name}")
            FileDatasetFactory.from_files(place, validate=False).register(home, name)


def adopt(home: Any, target: Any) -> None:
    """Register a compute target called ``target`` with the workspace ``home``."""
    if isinstance(target, str):
        importlib.import_module("scriptrun.dropin.azureml.compute").adopt(home, target)


def _is_here(place: StoreRef) -> bool:
    """Whether the place is a directory on this machine."""
    if place.datastore is not None:
        return place.datastore.kind == "Local"
    return place.url == "file://"


def _entries(given: Given) -> None:
    """Make every remote or empty source list one empty file."""
    listed, folder_of = Source.entries, content._folder

    def entries(self: Source) -> Iterator[FileEntry]:
        found = False
        for entry in listed(self) if _is_here(self.store_ref) else ():
            found = True
            yield entry
        if not found:
            if _PLACE not in self.path:
                given.say(f"files at {self}")
            yield FileEntry("/".join(filter(None, [self.folder, _PLACE])), 0)

    def folder(source: Source) -> str:
        return folder_of(source) if _is_here(source.store_ref) else source.folder

    setattr(Source, "entries", entries)  # noqa: B010
    setattr(content, "_folder", folder)  # noqa: B010


def _moves(given: Given) -> None:
    """Replace uploads and downloads that cannot work with no-ops."""

    def wrap(kind: Any, name: str, words: str, instead: Callable[..., Any]) -> None:
        inner = getattr(kind, name)

        @functools.wraps(inner)
        def moved(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                if _moves_here(self):
                    return inner(self, *args, **kwargs)
            except (ScriptrunError, OSError):
                pass
            given.say(words)
            return instead(self, *args, **kwargs)

        setattr(kind, name, moved)

    def path(self: Any, *args: Any, target_path: str | None = None, **kwargs: Any) -> Any:
        return self.path(target_path)

    def directory(
        self: Any, src_dir: Any, target_path: str | None = None, *_: Any, **__: Any
    ) -> Any:
        return self.path(target_path)

    wrap(AbstractDatastore, "upload", "uploaded files", directory)
    wrap(AbstractDatastore, "upload_files", "uploaded files", path)
    wrap(AbstractDatastore, "download", "downloaded files", lambda *_, **__: 0)
    wrap(FileDataset, "download", "downloaded files", lambda *_, **__: [])
    setattr(datastore, "_keep", _kept)  # noqa: B010
    setattr(urllib.request, "urlretrieve", functools.partial(_retrieve, given))  # noqa: B010


def _tables(given: Given) -> None:
    """Replace tables whose files are not on this machine with stand-ins."""
    read = TabularDataset.to_pandas_dataframe

    def frame(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            if isinstance(self, TabularDataset) and _moves_here(self):
                return read(self, *args, **kwargs)
        except (ScriptrunError, OSError):
            pass
        given.say("tables it reads")
        return mock.MagicMock(name="table")

    for kind in (TabularDataset, FileDataset):  # a stand-in's kind is unknown
        setattr(kind, "to_pandas_dataframe", frame)  # noqa: B010


def _kept(
    workspace: Any, name: str, record: dict[str, Any], overwrite: bool, *_: Any, **__: Any
) -> AbstractDatastore:
    """Register a datastore without accessing it or storing its credentials."""
    record = {key: value for key, value in record.items() if value not in (None, False, {})}
    datastore_records.put(workspace, name, record, overwrite)
    return datastore_classes.from_record(workspace, name, record)


def _moves_here(thing: AbstractDatastore | AbstractDataset) -> bool:
    if isinstance(thing, AbstractDatastore):
        return _is_here(StoreRef(thing))
    return all(_is_here(source.store_ref) for source in thing._content.sources)


def _retrieve(given: Given, url: str, filename: Any = None, *_: Any, **__: Any) -> tuple[str, Any]:
    """Replace ``urllib.request.urlretrieve``: write an empty file."""
    given.say("downloaded files")
    target = Path(filename or os.path.basename(url) or _PLACE)
    target.write_bytes(b"")
    return str(target), {}


def _names(given: Given) -> None:
    """Note the names that are looked up but missing."""

    def wrap(owner: Any, name: str, kind: str) -> None:
        inner = getattr(owner, name)

        def found(home: Any, wanted: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return inner(home, wanted, *args, **kwargs)
            except ScriptrunError:
                given.lack(kind, wanted)
                raise

        setattr(owner, name, found)

    wrap(datastore_records, "get", DATASTORE)
    wrap(dataset_versions, "get", DATASET)
    wrap(environment_registry, "get", ENVIRONMENT)
    for attribute, kind in _LISTED.items():
        setattr(
            Workspace, attribute, property(_listing(getattr(Workspace, attribute), kind, given))
        )
    targets = importlib.import_module("scriptrun.dropin.azureml.compute").ComputeTarget
    made = targets.__new__

    def new(cls: Any, workspace: Any, name: str, **kwargs: Any) -> Any:
        try:
            return made(cls, workspace, name, **kwargs)
        except ScriptrunError:
            given.lack(COMPUTE, name)
            raise

    setattr(targets, "__new__", new)  # noqa: B010


_LISTED = {"datasets": DATASET, "datastores": DATASTORE, "environments": ENVIRONMENT}


def _listing(listed: Any, kind: str, given: Given) -> Callable[[Any], dict[str, Any]]:
    """Wrap the property ``listed`` to note the names that it lacks."""

    class Names(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            given.lack(kind, name)
            raise KeyError(name)

        def get(self, name: str, default: Any = None) -> Any:
            if name not in self:
                given.lack(kind, name)
            return super().get(name, default)

    return lambda home: Names(listed.fget(home))
