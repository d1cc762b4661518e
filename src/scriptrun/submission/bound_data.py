"""One input or output of a job, whichever SDK object it came from."""

from __future__ import annotations

import os

from scriptrun.data.datasets.consumption import (
    DOWNLOAD,
    MOUNT,
    UPLOAD,
    DatasetConsumptionConfig,
    OutputFileDatasetConfig,
)
from scriptrun.data.datasets.content import Content
from scriptrun.data.datasets.file import FileDataset
from scriptrun.data.datasets.sources import Source, StoreRef
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores import records as datastore_records
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.datastores.references import DataReference
from scriptrun.data.errors import DatasetValidationError, DatastoreException
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.data.stores.globs import is_pattern
from scriptrun.data.stores.protocol import Store, normalize_path
from scriptrun.spec.job_data import DatasetPin, DatasetRegistration, JobInput, JobOutput
from scriptrun.spec.values import nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from scriptrun.registry.workspace_files import WorkspaceFiles
else:
    Protocol = object

#: datastore kinds that are read-only, and those that are not supported at all
_READ_ONLY = ("HTTP",)
_UNREACHABLE = ("AzureFile",)


class DataItem(Protocol):
    """An input or output, as the submission uses it.

    ``name`` becomes the name of a variable; ``label`` is for messages; ``path_on_compute`` is the
    requested path on the node, or None, and ``is_link`` whether it becomes a link.
    """

    name: str
    is_link: bool
    path_on_compute: str | None

    @property
    def label(self) -> str:
        """What messages call it."""

    def same(self, other: DataItem) -> bool:
        """Whether ``other`` refers to the same data."""

    def check(self, workspace: WorkspaceFiles) -> None:
        """Raise for the first problem; writes nothing."""

    def stores(self, workspace: WorkspaceFiles) -> list[Store]:
        """The stores that hold it."""

    def notes(self, is_local: bool) -> list[str]:
        """Notes for the user before the job starts."""

    def described(self, workspace: WorkspaceFiles) -> JobInput | JobOutput:
        """The value for ``JobSpec.data``, without the list of files."""

    def pinned(self, workspace: WorkspaceFiles) -> JobInput | JobOutput:
        """The value for ``JobSpec.data``, with the exact files."""


class DatasetInput:
    """A dataset as an input."""

    def __init__(
        self,
        config: DatasetConsumptionConfig,
        variables: list[str] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.name = config.name
        self.config = config
        self.path_on_compute = config.path_on_compute
        self.is_link = config.mode == MOUNT
        self._variables, self._overwrite = tuple(variables or ()), overwrite

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"input {self.name!r}"

    def same(self, other: DataItem) -> bool:
        """Whether ``other`` is the same dataset in the same mode."""
        if not isinstance(other, DatasetInput):
            return False
        config, other_config = self.config, other.config
        modes = [
            (item.mode, item.path_on_compute, item.dataset.id) for item in (config, other_config)
        ]
        return modes[0] == modes[1]

    def check(self, workspace: WorkspaceFiles) -> None:
        """Check that its datastores are this workspace's and that each source matches files."""
        dataset = self.config.dataset
        if self.config.mode in (MOUNT, DOWNLOAD) and dataset.kind != "file":
            raise DatasetValidationError(
                f"A tabular dataset cannot be {self.config.mode}ed as files.",
                "Use as_named_input alone, or a dataset of files (Dataset.File).",
            )
        content: Content = dataset._content
        check_datastores(content, workspace)
        if content.manifest is None:
            content.check()
        elif not content.manifest.path.exists():
            raise DatasetValidationError(
                f"The manifest of {dataset!r} is missing from the workspace.",
                "Register the dataset again.",
            )

    def stores(self, workspace: WorkspaceFiles) -> list[Store]:
        """The stores of its sources."""
        return [source.store_ref.store() for source in self.config.dataset._content.sources]

    def notes(self, is_local: bool) -> list[str]:
        """A note that this machine cannot mount, if the job runs here and requests it."""
        return _mount_notes(self.label, self.config.mode, self.config.dataset._content, is_local)

    def described(self, workspace: WorkspaceFiles) -> JobInput:
        """The input's settings, and its dataset in words."""
        config = self.config
        return JobInput(
            name=self.name,
            kind=config.dataset.kind,
            mode=config.mode,
            path_on_compute=config.path_on_compute,
            variables=self._variables,
            overwrite=self._overwrite,
            what=repr(config.dataset),
        )

    def pinned(self, workspace: WorkspaceFiles) -> JobInput:
        """The input's settings, and its dataset, pinned."""
        pin = DatasetPin.from_dict(self.config.dataset.pin(workspace))
        return self.described(workspace).replace(dataset=pin)


class ReferenceInput:
    """A path on a datastore as an input, from a DataReference or DataPath."""

    def __init__(self, reference: DataReference) -> None:
        self.reference = reference
        self.name = reference.data_reference_name
        self.path_on_compute = reference.path_on_compute
        self.is_link = reference.mode == MOUNT

    @staticmethod
    def from_reference(reference: DataReference) -> DataItem:
        """The input for ``reference``, or an output if its mode is upload."""
        if reference.mode == UPLOAD:
            return DataOutput(_upload_config(reference))
        return ReferenceInput(reference)

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"data reference {self.name!r}"

    @property
    def path(self) -> str:
        """The path on the datastore, "" for its root."""
        return normalize_path(self.reference.path_on_datastore or "", self.name)

    @property
    def is_live(self) -> bool:
        """Whether it is a local folder that is linked, so that writes go through the link."""
        folder = self.reference.datastore.store.folder
        return folder is not None and self.reference.mode == MOUNT and not is_pattern(self.path)

    def same(self, other: DataItem) -> bool:
        """Whether ``other`` is the same path in the same mode."""
        if not isinstance(other, ReferenceInput):
            return False
        return self._described() == other._described()

    def check(self, workspace: WorkspaceFiles) -> None:
        """Check that the datastore is this workspace's, and that there is something to read."""
        store = self.reference.datastore
        check_datastore(store, workspace)
        if self.is_live:
            return
        if store.kind in _READ_ONLY and (not self.path or is_pattern(self.path)):
            raise DatastoreException(
                f"Datastore {store.name!r} does not support listing.", "Reference a single file."
            )
        Content([self._source()]).check()

    def stores(self, workspace: WorkspaceFiles) -> list[Store]:
        """The store of its datastore."""
        return [self.reference.datastore.store]

    def notes(self, is_local: bool) -> list[str]:
        """A note that this machine cannot mount, if the job runs here and requests it."""
        content = Content([self._source()])
        return _mount_notes(f"input {self.name!r}", self.reference.mode, content, is_local)

    def _described(self) -> JobInput:
        reference = self.reference
        return JobInput(
            name=self.name,
            kind="reference",
            mode=reference.mode,
            path_on_compute=reference.path_on_compute,
            overwrite=reference.overwrite,
            datastore=reference.datastore.name,
            path=self.path,
            what=f"{self.path or 'all'} of {reference.datastore.name}",
        )

    def described(self, workspace: WorkspaceFiles) -> JobInput:
        """The reference's settings, and its path in words."""
        return self._described()

    def pinned(self, workspace: WorkspaceFiles) -> JobInput:
        """The reference; if its files are downloaded or mounted, with the exact files."""
        if self.is_live:
            return self._described()
        pin = FileDataset(Content([self._source()])).pin(workspace)
        return self._described().replace(dataset=DatasetPin.from_dict(pin))

    def _source(self) -> Source:
        return Source(StoreRef(self.reference.datastore), self.path)


class DataOutput:
    """A folder that the job writes."""

    is_link = False

    def __init__(self, config: OutputFileDatasetConfig) -> None:
        self.name = config.name
        self.config = config
        self.path_on_compute = config.source

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"output {self.name!r}"

    def same(self, other: DataItem) -> bool:
        """Whether ``other`` is the same output."""
        return isinstance(other, DataOutput) and vars(self.config) == vars(other.config)

    def _datastore(self, workspace: WorkspaceFiles) -> AbstractDatastore:
        if self.config.destination:
            return self.config.destination[0]
        return datastore_classes.get(workspace, datastore_records.default(workspace))

    def stores(self, workspace: WorkspaceFiles) -> list[Store]:
        """The store of its destination."""
        return [self._datastore(workspace).store]

    def check(self, workspace: WorkspaceFiles) -> None:
        """Check that its datastore is this workspace's and writable."""
        store = self._datastore(workspace)
        check_datastore(store, workspace)
        if store.kind in _READ_ONLY:
            raise DatastoreException(
                f"Datastore {store.name!r} is read-only.", "Write to another datastore."
            )
        folder = store.store.folder
        parent = folder and next(
            candidate for candidate in [folder, *folder.parents] if candidate.exists()
        )
        if parent and not os.access(parent, os.W_OK | os.X_OK):
            raise DatastoreException(
                f"Folder {str(parent)!r} of datastore {store.name!r} is not writable.",
                "Change its permissions, or use another folder.",
            )

    def notes(self, is_local: bool) -> list[str]:
        """None."""
        return []

    def described(self, workspace: WorkspaceFiles) -> JobOutput:
        """The output's settings; ``{run-id}`` in its path is filled in on the node."""
        config = self.config
        return JobOutput(
            name=self.name,
            mode=config.mode,
            datastore=self._datastore(workspace).name,
            path=config.destination[1] if config.destination else _DEFAULT_PATH,
            source=config.source,
            overwrite=config.overwrite,
            source_globs=None if config.source_globs is None else tuple(config.source_globs),
            registration=nested(DatasetRegistration, config.registration),
        )

    def pinned(self, workspace: WorkspaceFiles) -> JobOutput:
        """The output's settings; there is nothing to pin."""
        return self.described(workspace)


_DEFAULT_PATH = "dataset/{run-id}/{output-name}"


def _mount_notes(label: str, mode: str, content: Content, is_local: bool) -> list[str]:
    if mode != MOUNT or not is_local:
        return []
    if all(source.store_ref.store().folder is not None for source in content.sources):
        return []
    problem = dataset_mount.available()
    return [f"{label} will be downloaded instead of mounted: {problem}"] if problem else []


def _upload_config(reference: DataReference) -> OutputFileDatasetConfig:
    path = reference.path_on_datastore or ""
    compute_path = reference.path_on_compute
    config = OutputFileDatasetConfig(None, (reference.datastore, path), compute_path)
    config.name = reference.data_reference_name  # may begin with a digit
    return config.as_upload(reference.overwrite)


def check_datastores(content: Content, workspace: WorkspaceFiles) -> None:
    """Check that every datastore of ``content`` is one of the workspace's."""
    for source in content.sources:
        if source.store_ref.datastore is not None:
            check_datastore(source.store_ref.datastore, workspace)


def check_datastore(store: AbstractDatastore, workspace: WorkspaceFiles) -> None:
    """Raise DatastoreException unless the workspace has ``store`` with the same settings."""
    registered = datastore_classes.get(workspace, store.name)
    if registered.record() != store.record():
        raise DatastoreException(
            f"Datastore {store.name!r} in workspace {workspace.name!r} is a different datastore.",
            "Register yours in this workspace under another name.",
        )
    if store.kind in _UNREACHABLE:
        _ = store.store  # raises with a hint
