"""Paths on datastores as values: DataPath, DataReference, and their entries in a run_config."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from scriptrun.data.errors import DatastoreException
from scriptrun.data.stores.protocol import normalize_path

if TYPE_CHECKING:
    from scriptrun.data.datastores.classes import AbstractDatastore

MODES = ("mount", "download", "upload")


class DataPath:
    """A path on a datastore, with an optional name."""

    def __init__(
        self,
        datastore: AbstractDatastore | None = None,
        path_on_datastore: str | None = None,
        name: str | None = None,
    ) -> None:
        if path_on_datastore is not None and datastore is not None:
            normalize_path(path_on_datastore, datastore.name)
        self.datastore = datastore
        self.path_on_datastore = path_on_datastore
        self.name = name

    @property
    def datastore_name(self) -> str | None:
        """The datastore's name."""
        return self.datastore.name if self.datastore is not None else None

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPath:
        """The path that ``data_reference`` refers to."""
        return DataPath(
            data_reference.datastore,
            data_reference.path_on_datastore,
            data_reference.data_reference_name,
        )

    def create_data_reference(
        self,
        data_reference_name: str | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """A reference to this path, mounted by default."""
        return DataReference.create(data_reference_name, self, datapath_compute_binding)

    def __repr__(self) -> str:
        return f"DataPath({self.datastore_name!r}, {self.path_on_datastore!r})"


class DataPathComputeBinding:
    """How a DataPath is delivered: ``mode``, ``path_on_compute`` and ``overwrite``."""

    def __init__(
        self, mode: str = "mount", path_on_compute: str | None = None, overwrite: bool = False
    ) -> None:
        self.mode = _check_mode(mode)
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPathComputeBinding:
        """The delivery settings of ``data_reference``."""
        return DataPathComputeBinding(
            data_reference.mode, data_reference.path_on_compute, data_reference.overwrite
        )

    def create_data_reference(
        self, data_reference_name: str | None = None, datapath: DataPath | None = None
    ) -> DataReference:
        """A reference to ``datapath`` with these delivery settings."""
        return DataReference.create(data_reference_name, datapath, self)


class DataReference:
    """A path on a datastore that is delivered to a job as a local path.

    Its ``str()`` is ``$AZUREML_DATAREFERENCE_<name>``, which is replaced with that path in the
    job's arguments. The default name is the datastore's for its root, else a random one.
    """

    def __init__(
        self,
        datastore: AbstractDatastore,
        data_reference_name: str | None = None,
        path_on_datastore: str | None = None,
        mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        if path_on_datastore is not None:
            normalize_path(path_on_datastore, datastore.name)
        root = datastore.name if path_on_datastore is None else uuid.uuid4().hex
        self.datastore = datastore
        self.data_reference_name = _check_name(data_reference_name or root)
        self.path_on_datastore = path_on_datastore
        self.mode = _check_mode(mode)
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite

    @staticmethod
    def create(
        data_reference_name: str | None = None,
        datapath: DataPath | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """A reference to ``datapath``. Raises DatastoreException if it has no datastore."""
        if datapath is None or datapath.datastore is None:
            raise DatastoreException("A data reference requires a DataPath with a datastore.")
        binding = datapath_compute_binding or DataPathComputeBinding()
        return DataReference(
            datapath.datastore,
            data_reference_name,
            datapath.path_on_datastore,
            binding.mode,
            binding.path_on_compute,
            binding.overwrite,
        )

    def path(
        self, path: str | None = None, data_reference_name: str | None = None
    ) -> DataReference:
        """A reference to ``path`` below this reference's path, or below the datastore's root."""
        base = (self.path_on_datastore or "").rstrip("/")
        full_path = f"{base}/{path}" if base and path else path or self.path_on_datastore
        return DataReference(self.datastore, data_reference_name, full_path)

    def as_mount(self) -> DataReference:
        """A copy that is mounted in the job."""
        return self._with("mount", None, False)

    def as_download(
        self, path_on_compute: str | None = None, overwrite: bool = False
    ) -> DataReference:
        """A copy that is downloaded before the job starts, to ``path_on_compute`` if given."""
        return self._with("download", path_on_compute, overwrite)

    def as_upload(
        self, path_on_compute: str | None = None, overwrite: bool = False
    ) -> DataReference:
        """A copy for output: the files in ``path_on_compute`` are uploaded when the job ends."""
        return self._with("upload", path_on_compute, overwrite)

    def _with(self, mode: str, path: str | None, overwrite: bool) -> DataReference:
        return DataReference(
            self.datastore,
            self.data_reference_name,
            self.path_on_datastore,
            mode,
            path,
            overwrite,
        )

    def to_config(self) -> ReferenceConfig:
        """The entry for ``run_config.data_references``."""
        return ReferenceConfig(
            dataStoreName=self.datastore.name,
            pathOnDataStore=self.path_on_datastore,
            mode=self.mode,
            overwrite=self.overwrite,
            pathOnCompute=self.path_on_compute,
        )

    def __str__(self) -> str:
        return f"$AZUREML_DATAREFERENCE_{self.data_reference_name}"

    def __repr__(self) -> str:
        return str(self)


class ReferenceConfig(dict[str, str | bool | None]):
    """One entry of ``run_config.data_references``, with the keys of a ``.runconfig`` file.

    The attributes of DataReferenceConfiguration work too.
    """

    _KEYS = {
        "data_store_name": "dataStoreName",
        "path_on_data_store": "pathOnDataStore",
        "mode": "mode",
        "overwrite": "overwrite",
        "path_on_compute": "pathOnCompute",
    }

    def __getattr__(self, name: str) -> Any:
        if name not in self._KEYS:
            raise AttributeError(f"ReferenceConfig has no attribute {name!r}")
        return self[self._KEYS[name]]

    def __setattr__(self, name: str, value: str | bool | None) -> None:
        if name not in self._KEYS:
            raise AttributeError(f"ReferenceConfig has no attribute {name!r}")
        self[self._KEYS[name]] = value


def _check_mode(mode: str) -> str:
    if mode not in MODES:
        raise DatastoreException(
            f"Unknown data reference mode {mode!r}. Use one of {', '.join(MODES)}."
        )
    return mode


def _check_name(name: str) -> str:
    if not name.replace("_", "a").isalnum() or not name.isascii():
        raise DatastoreException(
            f"Invalid data reference name {name!r}.",
            "Use only letters, digits and underscores.",
        )
    return name
