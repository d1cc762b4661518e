"""The data a job uses: from its arguments, variables and run configuration to JobSpec.data.

Loaded only for jobs with data. ``DataBinding.resolve`` replaces a data object in the arguments by
``$AZUREML_DATAREFERENCE_<name>``, which becomes a path on the node. ``problems`` lists all
problems; if there are none, ``pinned`` pins the exact files.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from scriptrun.config import data_sections
from scriptrun.config.reader import ConfigReader, is_plain
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.data.datasets.consumption import DatasetConsumptionConfig, OutputFileDatasetConfig
from scriptrun.data.datasets.file import FileDataset, FileDatasetFactory
from scriptrun.data.datasets.sources import THIS_MACHINE
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.datastores.classes import get as get_datastore
from scriptrun.data.datastores.references import DataPath, DataReference
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.spec.job_data import JobData, JobInput, JobOutput
from scriptrun.submission.bound_data import DataItem, DataOutput, DatasetInput, ReferenceInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.registry.workspace_files import WorkspaceFiles

PREFIX = "AZUREML_DATAREFERENCE_"
#: the data name of the files that a run resumes from, as in the SDK v1
RESUME = "MODEL_LOCATION"
#: how arguments in a .runconfig name an input and an output of its sections data and outputData
_ARGUMENT_PREFIXES = ("DatasetConsumptionConfig", "DatasetOutputConfig")
_REFERENCE = re.compile(rf"\$\{{?{PREFIX}(\w+)")
#: names that inputs and outputs may not have, as they become variables
_RESERVED = ("PATH", "HOME", "USER", "SHELL", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")


class DataBinding:
    """The data of one submission; ``wrong`` collects what could not be read."""

    def __init__(self, reader: ConfigReader, workspace: WorkspaceFiles) -> None:
        self._workspace = workspace
        self._reader = reader
        self._items: dict[str, DataItem] = {}
        self._placeholders: dict[int, tuple[object, str]] = {}
        self.wrong: list[str] = []
        self._read_run_config()
        resume_from = reader.config.resume_from
        if _is_location(resume_from):
            self._add(ReferenceInput.from_reference(_as_reference(resume_from, RESUME)))

    def resolve(self, value: object) -> str | None:
        """The placeholder for ``value`` in the arguments; None if it is not data."""
        if isinstance(value, str):
            return self._placeholder(value)
        if is_plain(value):
            return None
        if id(value) not in self._placeholders:
            item = _as_data_item(value)
            if item is None:
                return None
            self._add(item)
            self._placeholders[id(value)] = value, f"${PREFIX}{item.name}"
        return self._placeholders[id(value)][1]

    def _placeholder(self, text: str) -> str | None:
        """The placeholder for ``DatasetConsumptionConfig:NAME`` of a run configuration."""
        kind, _, name = text.partition(":")
        is_known = kind in _ARGUMENT_PREFIXES and name in self._items
        return f"${PREFIX}{name}" if is_known else None

    def problems(self, is_local: bool, is_remote: bool = False) -> list[str]:
        """Every problem with the data.

        ``is_local``: the job runs on this machine; ``is_remote``: it cannot see this machine's
        directories.
        """
        messages = list(self.wrong)
        if is_remote:
            messages += [_access_problem(item, self._workspace) for item in self._items.values()]
            messages = [reason for reason in messages if reason]
        for data_item in self._items.values():
            if data_item.name.upper() == data_item.name and data_item.name in _RESERVED:
                messages.append(
                    f"invalid data name {data_item.name!r}: it must be a valid variable name"
                )
            try:
                data_item.check(self._workspace)
            except ScriptrunError as error:
                messages.append(
                    " ".join(filter(None, [f"{data_item.label}: {error.message}", error.hint]))
                )
            messages += _path_problems(data_item, is_local)
        return messages + self._unknown_references()

    def notes(self, is_local: bool) -> list[str]:
        """Notes for the user before the job starts."""
        return [note for item in self._items.values() for note in item.notes(is_local)]

    def described(self) -> JobData:
        """``JobSpec.data`` as far as it is known without listing files."""
        return _job_data([item.described(self._workspace) for item in self._items.values()])

    def pinned(self) -> JobData:
        """``JobSpec.data`` with the exact files. Stores the file lists in the workspace."""
        return _job_data([item.pinned(self._workspace) for item in self._items.values()])

    def _add(self, item: DataItem) -> None:
        existing = self._items.get(item.name)
        if existing is not None and not existing.same(item):
            self.wrong.append(f"duplicate data name {item.name!r}")
        self._items.setdefault(item.name, item)

    def _read_run_config(self) -> None:
        run = self._reader.run
        self._read("data_references", run.data_references, self._from_data_reference)
        self._read("data", run.data, self._from_input)
        self._read("output_data", run.output_data, self._from_output)

    def _read(self, section: str, values: Any, make: Any) -> None:
        for name, value in (values or {}).items():
            self._try(name, section, value, make)

    def _try(self, name: str, section: str, value: Any, make: Any) -> None:
        try:
            self._add(make(name, value))
        except ScriptrunError as error:
            self.wrong.append(f"run_config.{section}[{name!r}]: {error.message}")
        except AttributeError:
            self.wrong.append(f"run_config.{section}[{name!r}] must be the result of to_config()")

    def _from_data_reference(self, name: str, value: Any) -> DataItem:
        if isinstance(value, DataReference):
            return ReferenceInput.from_reference(value)
        datastore = get_datastore(self._workspace, value.data_store_name)
        mode = str(value.mode or "mount").lower()
        path, compute_path = value.path_on_data_store, value.path_on_compute
        reference = DataReference(
            datastore, name, path or None, mode, compute_path, bool(value.overwrite)
        )
        return ReferenceInput.from_reference(reference)

    def _from_input(self, name: str, value: Any) -> DataItem:
        if isinstance(value, DatasetConsumptionConfig):
            return DatasetInput(value)
        if isinstance(value, AbstractDataset):
            return DatasetInput(DatasetConsumptionConfig(name, value))
        mode = str(value.mechanism or "direct").lower()
        dataset = self._find_dataset(value.data_location)
        variables = [value.environment_variable_name] if value.environment_variable_name else []
        config = DatasetConsumptionConfig(name, dataset, mode, value.path_on_compute)
        return DatasetInput(config, variables, bool(value.overwrite))

    def _find_dataset(self, location: data_sections.DataLocation) -> AbstractDataset:
        if location.dataset is not None:
            reference = location.dataset
            if reference.id:
                record = dataset_versions.find_by_id(self._workspace, reference.id)
            else:
                number = dataset_versions.parse_version(reference.version)
                record = dataset_versions.get(self._workspace, str(reference.name), number)
            return AbstractDataset.from_head(self._workspace, record)
        if location.data_path is not None:
            datastore = get_datastore(self._workspace, str(location.data_path.datastore_name))
            path = location.data_path.relative_path or ""
            return FileDatasetFactory.from_files((datastore, path), validate=False)
        if location.uri is not None:
            return FileDatasetFactory.from_files(str(location.uri.path), validate=False)
        raise UserErrorException(
            "data_location has no dataset, data_path or uri.", "Set one of them."
        )

    def _from_output(self, name: str, value: Any) -> DataItem:
        if isinstance(value, OutputFileDatasetConfig):
            return DataOutput(value)
        data_path = value.output_location.data_path if value.output_location else None
        destination = None
        if data_path is not None:
            datastore = get_datastore(self._workspace, str(data_path.datastore_name))
            destination = (datastore, data_path.relative_path or "")
        output = OutputFileDatasetConfig(name, destination)
        options = value.additional_options
        if str(value.mechanism).lower() == "upload":
            upload = options.upload_options if options is not None else None
            globs = upload.source_globs.patterns if upload and upload.source_globs else None
            output = output.as_upload(bool(upload and upload.overwrite), globs)
        registration = options.registration_options if options is not None else None
        if registration is not None and registration.name:
            output = output.register_on_complete(
                registration.name, registration.description, registration.tags
            )
        if options is not None:
            output.source = options.path_on_compute
        return DataOutput(output)

    def _unknown_references(self) -> list[str]:
        """Problems for references to data that the job does not have."""
        messages = []
        for text in self._reader.values:
            if not isinstance(text, str):
                continue
            for name in _REFERENCE.findall(text):
                if name not in self._items and PREFIX + name not in os.environ:
                    messages.append(
                        f"{text!r} refers to unknown data {name!r}; add it to "
                        f"run_config.data_references, or pass the object itself"
                    )
        return messages


def _job_data(items: list[JobInput | JobOutput]) -> JobData:
    inputs = tuple(item for item in items if isinstance(item, JobInput))
    outputs = tuple(item for item in items if isinstance(item, JobOutput))
    return JobData(inputs, outputs, expands=not items)


def _as_data_item(data: object) -> DataItem | None:
    if isinstance(data, DatasetConsumptionConfig):
        return DatasetInput(data)
    if isinstance(data, OutputFileDatasetConfig):
        return DataOutput(data)
    if isinstance(data, FileDataset):
        return DatasetInput(data.as_mount())
    if isinstance(data, AbstractDataset):
        return DatasetInput(data.as_named_input(f"input__{os.urandom(4).hex()}"))
    if _is_location(data):
        return ReferenceInput.from_reference(_as_reference(data, None))
    return None


def _is_location(value: object) -> bool:
    return isinstance(value, DataPath | DataReference | AbstractDatastore)


def _as_reference(value: Any, name: str | None) -> DataReference:
    """A data reference for ``value``, named ``name`` if given; a datastore means all of it."""
    if isinstance(value, AbstractDatastore):
        value = value.as_mount()
    if isinstance(value, DataPath):
        return value.create_data_reference(name or value.name or None)
    if name is None or name == value.data_reference_name:
        reference: DataReference = value  # perhaps the user's own, duck-typed
        return reference
    path, mode = value.path_on_datastore, value.mode
    return DataReference(value.datastore, name, path, mode, value.path_on_compute)


def _access_problem(item: DataItem, workspace: WorkspaceFiles) -> str:
    """Why a remote machine cannot access the data; "" if it can."""
    try:
        names = [store.name for store in item.stores(workspace) if store.folder is not None]
    except ScriptrunError:
        return ""  # reported by ``check``
    if not names:
        return ""
    # a plain path has no datastore
    location = (
        "is on this machine" if names[0] == THIS_MACHINE else f"is in {names[0]!r}, on this machine"
    )
    return (
        f"{item.label} {location}, which the compute target cannot access; copy the "
        "files to storage "
        "that both can access"
    )


def _path_problems(item: DataItem, is_local: bool) -> list[str]:
    """Why the requested path cannot be used; ``is_local``: it is on this machine."""
    requested = item.path_on_compute
    if requested and not os.path.isabs(requested) and os.pardir in Path(requested).parts:
        return [
            f"{item.label} requests the path {requested!r}, which is outside the working directory"
        ]
    if not requested or "$" in requested or not os.path.isabs(requested) or not is_local:
        return []
    path = Path(requested)
    parent = next(candidate for candidate in [path, *path.parents] if candidate.exists())
    if parent.is_dir() and not os.access(parent, os.W_OK | os.X_OK):
        return [
            f"{item.label} requests the path {requested!r}, but {str(parent)!r} is not writable"
        ]
    if not parent.is_dir() and parent != path:
        return [f"{item.label} requests the path {requested!r}, but {str(parent)!r} is a file"]
    if item.is_link and path.is_dir() and not path.is_symlink() and any(path.iterdir()):
        return [f"{item.label} requests the path {requested!r}, but that folder is not empty"]
    return []
