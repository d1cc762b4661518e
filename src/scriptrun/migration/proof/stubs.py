"""Stubs for a proof, so that code reaches its submissions on a machine without its data.

A job only names its data, so neither version needs it to exist: missing or remote files count as
one empty file, and nothing is uploaded or downloaded. Names that the workspace lacks are noted;
the next run may be granted stand-ins for them.
"""

from __future__ import annotations

import functools
import importlib
import os
import shlex
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from unittest import mock

from scriptrun.config.environments.environment import Environment
from scriptrun.core import datastore
from scriptrun.core.datastore import Datastore
from scriptrun.core.model import Model
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets import content
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.data.datasets.file import FileDataset, FileDatasetFactory
from scriptrun.data.datasets.sources import Source, StoreRef
from scriptrun.data.datasets.tabular import TabularDataset
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores import records as datastore_records
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.stores.protocol import FileEntry
from scriptrun.engines import registry as engine_registry
from scriptrun.registry import compute_targets
from scriptrun.registry import environments as environment_registry
from scriptrun.registry import models as model_registry
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import ScriptrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import NoReturn

    from scriptrun.data.datastores.references import DataReference
    from scriptrun.runtime.hints import Json, StrPath

COMPUTE, DATASET, DATASTORE, ENVIRONMENT = "compute target", "dataset", "datastore", "environment"
MODEL, SERVICE = "model", "service"
#: the path of stand-in data
_PLACE = "stand-in"


class Assumptions:
    """The assumptions of a proof (``notes``), and the ``missing`` names of the workspace.

    ``adopted`` has the compute targets that azureml's names created, and the commands that do.
    """

    def __init__(self) -> None:
        self.notes: dict[str, None] = {}
        self.adopted: dict[str, str] = {}
        self.missing: list[tuple[str, str]] = []

    def note(self, text: str) -> None:
        """Note the assumption ``text``."""
        self.notes[text] = None

    def note_missing(self, kind: str, name: object) -> None:
        """Note that the workspace has no ``kind`` called ``name``."""
        if isinstance(name, str) and (kind, name) not in self.missing:
            self.missing.append((kind, name))


def assume(assumptions: Assumptions) -> None:
    """Stub data access from now on, and note which names the workspace lacks."""
    _stub_entries(assumptions)
    _stub_transfers(assumptions)
    _stub_tables(assumptions)
    _record_missing_names(assumptions)
    _record_adopted_targets(assumptions)


def only_workspace() -> Workspace:
    """The workspace in SCRIPTRUN_WORKSPACE; the code finds no other from now on."""
    workspace = Workspace.from_config()
    search = classmethod(lambda cls, start, file_name="": cls(workspace.root))
    setattr(WorkspaceFiles, "search", search)  # noqa: B010
    config = classmethod(lambda cls, config: cls(workspace.root))
    setattr(WorkspaceFiles, "_of_azure_config", config)  # noqa: B010
    return workspace


def grant(
    workspace: Workspace,
    names: Iterable[tuple[str, str]],
    assumptions: Assumptions,
    grant_service: Callable[[str], None],
) -> None:
    """Create a stand-in in the workspace ``workspace`` for each kind and name."""
    for kind, name in names:
        if kind == SERVICE:
            grant_service(name)
            continue
        assumptions.note(f"the {kind} {name!r}")
        if kind == COMPUTE:
            importlib.import_module("scriptrun.dropin.azureml.compute").make(workspace, name, {})
        elif kind == ENVIRONMENT:
            Environment(name).register(workspace)
        elif kind == MODEL:
            file = workspace.directory / _PLACE / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
            Model.register(workspace, file, name)
        elif kind == DATASTORE:
            folder = workspace.directory / _PLACE / name
            folder.mkdir(parents=True, exist_ok=True)
            Datastore.register_local(workspace, name, folder, overwrite=True)
        else:
            path = (Datastore.get_default(workspace), f"{_PLACE}/{name}")
            FileDatasetFactory.from_files(path, validate=False).register(workspace, name)


def adopt(workspace: Workspace, target: object) -> None:
    """Register a compute target called ``target`` with the workspace ``workspace``."""
    if isinstance(target, str):
        importlib.import_module("scriptrun.dropin.azureml.compute").adopt(workspace, target)


def _is_local(location: StoreRef) -> bool:
    """Whether the place is a directory on this machine."""
    if location.datastore is not None:
        return location.datastore.kind == "Local"
    return location.url == "file://"


def _stub_entries(assumptions: Assumptions) -> None:
    """Make every remote or empty source list one empty file."""
    original_entries, original_folder = Source.entries, content._folder

    def entries(self: Source) -> Iterator[FileEntry]:
        has_entries = False
        for entry in original_entries(self) if _is_local(self.store_ref) else ():
            has_entries = True
            yield entry
        if not has_entries:
            if _PLACE not in self.path:
                assumptions.note(f"files at {self}")
            yield FileEntry("/".join(filter(None, [self.folder, _PLACE])), 0)

    def folder(source: Source) -> str:
        return original_folder(source) if _is_local(source.store_ref) else source.folder

    setattr(Source, "entries", entries)  # noqa: B010
    setattr(content, "_folder", folder)  # noqa: B010


def _stub_transfers(assumptions: Assumptions) -> None:
    """Replace uploads and downloads that cannot work with no-ops."""

    def wrap(owner: type, name: str, note: str, fallback: Callable[..., object]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def transfer(
            self: AbstractDatastore | AbstractDataset, *args: object, **kwargs: object
        ) -> object:
            try:
                if _is_on_this_machine(self):
                    return original(self, *args, **kwargs)
            except (ScriptrunError, OSError):
                pass
            assumptions.note(note)
            return fallback(self, *args, **kwargs)

        setattr(owner, name, transfer)

    def path(
        self: AbstractDatastore, *args: object, target_path: str | None = None, **kwargs: object
    ) -> DataReference:
        return self.path(target_path)

    def directory(
        self: AbstractDatastore,
        src_dir: object,
        target_path: str | None = None,
        *_: object,
        **__: object,
    ) -> DataReference:
        return self.path(target_path)

    wrap(AbstractDatastore, "upload", "uploaded files", directory)
    wrap(AbstractDatastore, "upload_files", "uploaded files", path)
    wrap(AbstractDatastore, "download", "downloaded files", lambda *_, **__: 0)
    wrap(FileDataset, "download", "downloaded files", lambda *_, **__: [])
    setattr(datastore, "_keep", _register_unchecked)  # noqa: B010
    setattr(urllib.request, "urlretrieve", functools.partial(_retrieve, assumptions))  # noqa: B010


def _stub_tables(assumptions: Assumptions) -> None:
    """Replace tables whose files are not on this machine with stand-ins."""
    original: Callable[..., object] = TabularDataset.to_pandas_dataframe

    def frame(self: object, *args: object, **kwargs: object) -> object:
        try:
            if isinstance(self, TabularDataset) and _is_on_this_machine(self):
                return original(self, *args, **kwargs)
        except (ScriptrunError, OSError):
            pass
        assumptions.note("tables it reads")
        return mock.MagicMock(name="table")

    for kind in (TabularDataset, FileDataset):  # a stand-in's kind is unknown
        setattr(kind, "to_pandas_dataframe", frame)  # noqa: B010


def _register_unchecked(
    workspace: Workspace, name: str, record: Json, overwrite: bool, *_: object, **__: object
) -> AbstractDatastore:
    """Register a datastore without accessing it or storing its credentials."""
    record = {key: value for key, value in record.items() if value not in (None, False, {})}
    datastore_records.put(workspace, name, record, overwrite)
    return datastore_classes.from_record(workspace, name, record)


def _is_on_this_machine(item: AbstractDatastore | AbstractDataset) -> bool:
    if isinstance(item, AbstractDatastore):
        return _is_local(StoreRef(item))
    return all(_is_local(source.store_ref) for source in item._content.sources)


def _retrieve(
    assumptions: Assumptions, url: str, filename: StrPath | None = None, *_: object, **__: object
) -> tuple[str, dict[str, str]]:
    """Replace ``urllib.request.urlretrieve``: write an empty file."""
    assumptions.note("downloaded files")
    target = Path(filename or os.path.basename(url) or _PLACE)
    target.write_bytes(b"")
    return str(target), {}


def _record_missing_names(assumptions: Assumptions) -> None:
    """Note the names that are looked up but missing."""

    def wrap(owner: ModuleType, name: str, kind: str) -> None:
        original = getattr(owner, name)

        def lookup(workspace: object, requested: object, *args: object, **kwargs: object) -> object:
            try:
                return original(workspace, requested, *args, **kwargs)
            except ScriptrunError:
                assumptions.note_missing(kind, requested)
                raise

        setattr(owner, name, lookup)

    wrap(datastore_records, "get", DATASTORE)
    wrap(dataset_versions, "get", DATASET)
    wrap(environment_registry, "get", ENVIRONMENT)
    wrap(model_registry, "get", MODEL)
    for attribute, kind in _LISTED.items():
        setattr(
            Workspace,
            attribute,
            property(_recording_listing(getattr(Workspace, attribute).fget, kind, assumptions)),
        )
    target_class = importlib.import_module("scriptrun.dropin.azureml.compute").ComputeTarget
    original_new = target_class.__new__

    def new(cls: type, workspace: object, name: str, **kwargs: object) -> object:
        try:
            return original_new(cls, workspace, name, **kwargs)
        except ScriptrunError:
            assumptions.note_missing(COMPUTE, name)
            raise

    setattr(target_class, "__new__", new)  # noqa: B010
    setattr(target_class, "delete", lambda self: None)  # noqa: B010 - the other version needs it


def _record_adopted_targets(assumptions: Assumptions) -> None:
    """Note the compute targets that azureml's names create because the workspace lacks them."""
    targets = importlib.import_module("scriptrun.dropin.azureml.compute")
    original: Callable[[WorkspaceFiles, str, Json], None] = targets.make

    def make(workspace: WorkspaceFiles, name: str, facts: Json) -> None:
        original(workspace, name, facts)
        assumptions.adopted[name] = _command(workspace, name)

    setattr(targets, "make", make)  # noqa: B010


def _command(workspace: WorkspaceFiles, name: str) -> str:
    """The command that adds such a compute target."""
    default, engine = (compute_targets.resolve(workspace, each) for each in (None, name))
    options = engine_registry.options_of(engine)
    changed = {
        option: value
        for option, value in options.items()
        if option != "name" and value != engine_registry.options_of(default).get(option)
    }
    if not changed:
        return f"scriptrun compute alias {shlex.quote(name)} {default.name}"
    kind = engine_registry.kind_of(engine)
    words = [f"--{option.replace('_', '-')} {value}" for option, value in changed.items()]
    return " ".join([f"scriptrun compute add {shlex.quote(name)} --class {kind}", *words])


_LISTED = {
    "datasets": DATASET,
    "datastores": DATASTORE,
    "environments": ENVIRONMENT,
    "models": MODEL,
}


def _recording_listing(
    original: Callable[[Workspace], dict[str, object]], kind: str, assumptions: Assumptions
) -> Callable[[Workspace], dict[str, object]]:
    """Wrap ``original``, the function of a property, to note the names that it lacks."""

    class RecordingDict(dict[str, object]):
        def __missing__(self, name: str) -> NoReturn:
            assumptions.note_missing(kind, name)
            raise KeyError(name)

        def get(self, name: str, default: object = None) -> object:
            if name not in self:
                assumptions.note_missing(kind, name)
            return super().get(name, default)

    return lambda workspace: RecordingDict(original(workspace))
