"""Inputs and outputs of a job: the values that stand for them in the job's arguments."""

from __future__ import annotations

import os
import re
import uuid
from typing import TYPE_CHECKING

from scriptrun.data.datastores.references import DataReference
from scriptrun.data.errors import DatasetValidationError
from scriptrun.data.stores.protocol import normalize_path
from scriptrun.spec.absent import absent

if TYPE_CHECKING:
    from typing import NoReturn

    from scriptrun.core.workspace import Workspace
    from scriptrun.data.datasets.base import AbstractDataset
    from scriptrun.data.datastores.classes import AbstractDatastore
    from scriptrun.runtime.hints import Json, StrPath

    Destination = tuple[AbstractDatastore, StrPath | None] | DataReference

DIRECT, MOUNT, DOWNLOAD, UPLOAD, AUTO = "direct", "mount", "download", "upload", "auto"


def check_name(name: str, kind: str) -> str:
    """Return ``name`` if it is a valid variable name; raise DatasetValidationError otherwise."""
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    raise DatasetValidationError(
        f"Invalid name {name!r} for {kind}.",
        "Use letters, digits and underscores, not starting with a digit.",
    )


@absent("as_hdfs", "Use as_mount or as_download.")
class DatasetConsumptionConfig:
    """A dataset as a job's input.

    ``mode`` is ``direct`` (the dataset itself, for tabular ones), ``mount``, ``download`` or
    ``auto`` (by size). ``path_on_compute`` is an absolute path, or relative to the working
    directory; variables in it are expanded on the node.
    """

    def __init__(
        self,
        name: str,
        dataset: AbstractDataset,
        mode: str = DIRECT,
        path_on_compute: str | None = None,
    ) -> None:
        if mode not in (DIRECT, MOUNT, DOWNLOAD, AUTO):
            raise DatasetValidationError(
                f"Unknown input mode {mode!r}. Use direct, mount, download or auto."
            )
        self.name = check_name(name, "an input")
        self.dataset = dataset
        self.mode = mode
        if path_on_compute is not None and not isinstance(path_on_compute, str | os.PathLike):
            raise DatasetValidationError(
                f"path_on_compute must be a path, not {path_on_compute!r}."
            )
        self.path_on_compute = path_on_compute and os.fspath(path_on_compute)

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """A copy with its files mounted: they are read on access."""
        return self._with_mode(MOUNT, path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """A copy with its files downloaded before the script starts."""
        return self._with_mode(DOWNLOAD, path_on_compute)

    def _with_mode(self, mode: str, path: str | None) -> DatasetConsumptionConfig:
        if self.dataset.kind != "file":
            raise DatasetValidationError(
                f"Input {self.name!r} is a tabular dataset and cannot be {mode}ed as files.",
                "Pass it directly; in the script, use run.input_datasets[name].",
            )
        return DatasetConsumptionConfig(self.name, self.dataset, mode, path)

    @property
    def arg_val(self) -> str:
        """The placeholder for this input in arguments."""
        return f"DatasetConsumptionConfig:{self.name}"

    def describe(self, workspace: Workspace) -> Json:
        """The JSON value for a job's record: the input's mode, and its pinned dataset."""
        return {
            "name": self.name,
            "mode": self.mode,
            "path_on_compute": self.path_on_compute,
            "dataset": self.dataset.pin(workspace),
        }

    def __repr__(self) -> str:
        return f"DatasetConsumptionConfig({self.name!r}, {self.dataset!r}, {self.mode!r})"


@absent(
    "read_delimited_files read_parquet_files",
    "Register the files with register_on_complete and read them with Dataset.Tabular.",
)
class OutputFileDatasetConfig:
    """A folder that the job writes, and the destination of its files: mounted, or uploaded.

    ``destination`` is ``(datastore, path)`` or a DataReference; the path may contain ``{run-id}``
    and ``{output-name}``. The default is ``dataset/{run-id}/{output-name}`` on the default
    datastore. ``source`` is the folder in the job (default: a new one).
    """

    def __init__(
        self,
        name: str | None = None,
        destination: Destination | None = None,
        source: str | None = None,
        partition_format: str | None = None,
    ) -> None:
        self.name = check_name(name or f"output_{uuid.uuid4().hex[:8]}", "an output")
        self.destination = _parse_destination(destination)
        self.source = source
        self.mode = MOUNT
        self.partition_format = partition_format
        self.overwrite = False
        self.source_globs: list[str] | None = None
        self.disable_metadata_cache = False
        self.registration: Json | None = None

    def as_upload(
        self, overwrite: bool = False, source_globs: str | list[str] | None = None
    ) -> OutputFileDatasetConfig:
        """A copy that is uploaded after the script ends; ``source_globs`` select its files."""
        globs = [source_globs] if isinstance(source_globs, str) else source_globs
        return self._copy(mode=UPLOAD, overwrite=overwrite, source_globs=globs)

    def as_mount(self, disable_metadata_cache: bool = False) -> OutputFileDatasetConfig:
        """A copy whose files are uploaded as they are closed."""
        return self._copy(mode=MOUNT, disable_metadata_cache=disable_metadata_cache)

    def register_on_complete(
        self, name: str, description: str | None = None, tags: dict[str, str] | None = None
    ) -> OutputFileDatasetConfig:
        """A copy that becomes the next version of the dataset ``name`` when the run ends."""
        registration = {"name": name, "description": description, "tags": dict(tags or {})}
        return self._copy(registration=registration)

    def as_input(self, name: str | None = None) -> NoReturn:
        """Unsupported: this connects pipeline steps, and there are no pipelines."""
        raise DatasetValidationError(
            "Only a registered output can be the input of another job.",
            "Use register_on_complete('name') here and Dataset.get_by_name in the other job.",
        )

    @property
    def arg_val(self) -> str:
        """The placeholder for this output in arguments."""
        return f"OutputFileDatasetConfig:{self.name}"

    def describe(self, workspace: Workspace) -> Json:
        """The JSON value for a job's record. ``{run-id}`` is filled in later."""
        datastore, path = self.destination or (None, "dataset/{run-id}/{output-name}")
        return {
            "name": self.name,
            "mode": self.mode,
            "datastore": (datastore or workspace.get_default_datastore()).name,
            "path": path,
            "source": self.source,
            "overwrite": self.overwrite,
            "source_globs": self.source_globs,
            "registration": self.registration,
        }

    def _copy(self, **changes: object) -> OutputFileDatasetConfig:
        copy = OutputFileDatasetConfig.__new__(type(self))
        copy.__dict__.update(self.__dict__, **changes)
        return copy

    def __repr__(self) -> str:
        return f"OutputFileDatasetConfig({self.name!r}, {self.destination!r}, {self.mode!r})"


def _parse_destination(value: object) -> tuple[AbstractDatastore, str] | None:
    if value is None:
        return None
    if isinstance(value, DataReference):
        value = (value.datastore, value.path_on_datastore or "")
    if isinstance(value, tuple) and len(value) == 2 and hasattr(value[0], "store"):
        return value[0], normalize_path(str(value[1] or ""), value[0].name)
    raise DatasetValidationError(
        f"An output's destination must be (datastore, 'path'), not {value!r}.",
        "Get the datastore with Datastore.get(workspace, 'name').",
    )
