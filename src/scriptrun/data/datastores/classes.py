"""Datastores: named storage for files. The built-in ones are directories of the workspace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from scriptrun.data.cache import transfer
from scriptrun.data.datastores import records as datastore_records
from scriptrun.data.datastores.records import DEFAULT, FILES, Record, WorkspaceLike
from scriptrun.data.datastores.references import DataReference
from scriptrun.data.errors import DatastoreException
from scriptrun.data.stores import credentials as store_credentials
from scriptrun.data.stores import object_settings
from scriptrun.data.stores.fsspec import FsspecStore
from scriptrun.data.stores.local import LocalStore, names_to_upload
from scriptrun.data.stores.object import ObjectStore
from scriptrun.data.stores.protocol import Store, normalize_path
from scriptrun.data.stores.web import WebStore
from scriptrun.spec.absent import absent_properties
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import records as store_records
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

__all__ = [
    "DEFAULT",
    "FILES",
    "KINDS",
    "AbstractDatastore",
    "LocalDatastore",
    "all_datastores",
    "get",
]


_CREDENTIAL_TYPES = {
    "sas_token": "Sas",
    "account_key": "AccountKey",
    "client_secret": "ServicePrincipal",
}


class AbstractDatastore:
    """Named storage for files in ``workspace``. Its settings are attributes, as in the SDK v1.

    ``store`` gives access to the files (``scriptrun.data.stores.protocol.Store``).
    """

    datastore_type: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    #: settings that SDK v1's datastores of this type have, None if they were not given
    _unset: ClassVar[tuple[str, ...]] = ()

    def __init__(self, workspace: WorkspaceLike | None, name: str, settings: Record) -> None:
        self.workspace = workspace
        self.name = name
        self.settings = {key: value for key, value in settings.items() if key != "class"}
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The store of the files; it connects on first use."""
        if self._store is None:
            with self._secrets():
                self._store = self._open()
        return self._store

    def _secrets(self) -> AbstractContextManager[None]:
        """Look up secrets in the workspace first."""
        return vault.for_workspace(self.workspace.id if self.workspace else "")

    def _open(self) -> Store:
        raise NotImplementedError

    def record(self) -> Record:
        """The record that the workspace stores of this datastore; it contains no secret."""
        return {"class": self.kind, **self.settings}

    def upload(
        self,
        src_dir: str | os.PathLike[str],
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Upload all files below ``src_dir`` to ``target_path`` (default: the datastore's root).

        Existing files are skipped unless ``overwrite``. Returns a reference to ``target_path``.
        Raises UserErrorException if ``src_dir`` is not a directory, and DatastoreException if the
        datastore fails.
        """
        source = Path(src_dir)
        if not source.is_dir():
            raise UserErrorException(
                f"Directory {str(source)!r} does not exist.",
                "Relative paths start in the current directory.",
            )
        folder = self._target(target_path)
        pairs = [(source / name, _join(folder, name)) for name in names_to_upload(source)]
        transfer.upload(self.store, pairs, folder, overwrite, show_progress)
        return self.path(target_path)

    def upload_files(
        self,
        files: Iterable[str | os.PathLike[str]],
        relative_root: str | os.PathLike[str] | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Upload ``files`` to ``target_path``, keeping their folders below ``relative_root``.

        Returns a reference to ``target_path``. Raises UserErrorException that lists every missing
        file.
        """
        paths = [Path(file) for file in files]
        missing = [str(path) for path in paths if not path.is_file()]
        if missing:
            raise UserErrorException(f"Files to upload not found: {', '.join(missing)}.")
        folder = self._target(target_path)
        pairs = [(path, _join(folder, _relative_path(path, relative_root))) for path in paths]
        transfer.upload(self.store, pairs, folder, overwrite, show_progress)
        return self.path(target_path)

    def download(
        self,
        target_path: str | os.PathLike[str],
        prefix: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> int:
        """Download the files whose paths begin with ``prefix`` to ``target_path``.

        They keep their paths. Returns the number of files.
        """
        path_prefix = normalize_path(prefix or "", self.name)
        folder = path_prefix.rpartition("/")[0]
        entries = [entry for entry in self.store.list(folder) if entry.path.startswith(path_prefix)]
        remote_files = [transfer.RemoteFile(self.store, remote, remote.path) for remote in entries]
        source_name = self.name if show_progress else ""
        transfer.download(remote_files, Path(target_path), overwrite, source_name)
        return len(entries)

    def path(
        self, path: str | None = None, data_reference_name: str | None = None
    ) -> DataReference:
        """A reference to ``path`` on this datastore, for a job's arguments and for datasets."""
        return DataReference(self, data_reference_name, path)

    def as_mount(self) -> DataReference:
        """A reference to the whole datastore, mounted."""
        return self.path().as_mount()

    def as_download(self, path_on_compute: str | None = None) -> DataReference:
        """A reference to the whole datastore, downloaded."""
        return self.path().as_download(path_on_compute)

    def as_upload(self, path_on_compute: str | None = None) -> DataReference:
        """A reference to the whole datastore, uploaded to when the job ends."""
        return self.path().as_upload(path_on_compute)

    def set_as_default(self) -> None:
        """Make this the workspace's default datastore."""
        datastore_records.set_default(self._require_workspace(), self.name)

    def unregister(self) -> None:
        """Remove this datastore and the secret stored for it; its files are kept."""
        datastore_records.remove(self._require_workspace(), self.name)
        secret = secret_name(self._require_workspace(), self.name)
        if self.settings.get("secret") == secret:
            vault.forget(secret)

    def _target(self, path: str | None) -> str:
        """The folder to upload to. Raises DatastoreException if the datastore is read-only."""
        return normalize_path(path or "", self.name)

    def _require_workspace(self) -> WorkspaceLike:
        if self.workspace is None:
            raise DatastoreException(
                f"Datastore {self.name!r} does not belong to a workspace.",
                "Get it with Datastore.get(workspace, name).",
            )
        return self.workspace

    def __getattr__(self, name: str) -> Any:
        settings = self.__dict__.get("settings", {})
        if name in ("account_key", "sas_token", "client_secret"):
            has_secret = settings.get("secret") and settings.get("credential") == name
            with self._secrets():
                return store_credentials.find(settings["secret"]) if has_secret else None
        if name in settings:
            return settings[name]
        if name in self._unset:
            return None
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __repr__(self) -> str:
        settings = "".join(f", {key}={value!r}" for key, value in self.settings.items())
        return f"{type(self).__name__}(name={self.name!r}{settings})"


class LocalDatastore(AbstractDatastore):
    """A directory as a datastore. ``root`` is created by the first upload."""

    datastore_type = kind = "Local"
    account_name = "local"  # v1 code prints the account name of any datastore

    @property
    def container_name(self) -> str:
        """The directory, as a container of the account ``local``."""
        path: str = self.settings["path"]
        return path

    @property
    def root(self) -> Path:
        """The directory."""
        return Path(self.settings["path"])

    def _open(self) -> Store:
        return LocalStore(self.name, self.root)


class _AzureStorage(AbstractDatastore):
    """Storage of Azure that a SAS token or an account key opens."""

    _unset = (
        *("container_name", "account_name", "subscription_id", "resource_group", "tenant_id"),
        *("client_id", "resource_url", "authority_url", "service_data_access_auth_identity"),
    )
    workspace_msi_has_access = False

    @property
    def is_sas(self) -> bool:
        """Whether it was registered with a SAS token."""
        return self.settings.get("credential") == "sas_token"

    @property
    def credential_type(self) -> str | None:
        """``Sas``, ``AccountKey`` or ``ServicePrincipal``; None if it was registered without."""
        return _CREDENTIAL_TYPES.get(str(self.settings.get("credential")))


@absent_properties("blob_service", "Use the datastore's upload and download, or its store.")
class AzureBlobDatastore(_AzureStorage):
    """A container of Azure Blob Storage."""

    datastore_type = kind = "AzureBlob"
    protocol = "https"
    endpoint = "core.windows.net"

    def _open(self) -> Store:
        return _object_store(
            self, object_settings.azure, object_settings.azure_endpoint(self.settings)
        )


class AzureDataLakeGen2Datastore(AzureBlobDatastore):
    """A file system of Azure Data Lake Gen2, read through its Blob endpoint."""

    datastore_type = kind = "AzureDataLakeGen2"


@absent_properties("file_service", "Mount the share, and register its folder as a local datastore.")
class AzureFileDatastore(_AzureStorage):
    """An Azure file share, for v1 code. There is no driver: mount it and use a local datastore."""

    datastore_type = kind = "AzureFile"
    protocol = "https"
    endpoint = "core.windows.net"

    def _open(self) -> Store:
        raise DatastoreException(
            f"Cannot read datastore {self.name!r} directly: it is an Azure file share.",
            "Mount the share (SMB or NFS) and use Datastore.register_local with its path.",
        )


class S3Datastore(AbstractDatastore):
    """A bucket of Amazon S3, or of a compatible server (``endpoint``)."""

    datastore_type = kind = "S3"

    def _open(self) -> Store:
        return _object_store(self, object_settings.s3, self.settings.get("endpoint"))


class GcsDatastore(AbstractDatastore):
    """A bucket of Google Cloud Storage."""

    datastore_type = kind = "GCS"

    def _open(self) -> Store:
        return _object_store(self, object_settings.gcs, self.settings.get("endpoint"))


def _object_store(
    datastore: AbstractDatastore, opener: Callable[[Record], Client], endpoint: str | None
) -> Store:
    encrypted = not (endpoint or "").startswith("http://")
    return ObjectStore(datastore.name, lambda: opener(datastore.settings), encrypted)


class HttpDatastore(AbstractDatastore):
    """The files below an HTTP(S) URL, read-only.

    Its secret is the value of the ``Authorization`` header.
    """

    datastore_type = kind = "HTTP"

    def _target(self, path: str | None) -> str:
        raise DatastoreException(
            f"HTTP datastore {self.name!r} is read-only.",
            "Upload to a datastore for the underlying storage.",
        )

    def _open(self) -> Store:
        secret = self.settings.get("secret")
        headers = {"Authorization": store_credentials.find(secret)} if secret else None
        return WebStore(self.name, self.settings["url"], headers)


class FsspecDatastore(AbstractDatastore):
    """Any storage with an fsspec driver. Its secret is the option that ``credential`` names."""

    datastore_type = kind = "Fsspec"

    def _open(self) -> Store:
        options = dict(self.settings.get("options") or {})
        if self.settings.get("secret"):
            options[self.settings.get("credential", "password")] = store_credentials.find(
                self.settings["secret"]
            )
        return FsspecStore(self.name, self.settings["protocol"], self.settings["path"], options)


KINDS: dict[str, Callable[[WorkspaceLike | None, str, Record], AbstractDatastore]] = {
    datastore_class.kind: datastore_class
    for datastore_class in (
        LocalDatastore,
        AzureBlobDatastore,
        AzureDataLakeGen2Datastore,
        AzureFileDatastore,
        S3Datastore,
        GcsDatastore,
        HttpDatastore,
        FsspecDatastore,
    )
}


def from_record(workspace: WorkspaceLike | None, name: str, record: Record) -> AbstractDatastore:
    """The datastore that ``record`` describes.

    Raises DatastoreException for an unknown class.
    """
    datastore_class = KINDS.get(str(record.get("class")))
    if datastore_class is None:
        raise DatastoreException(
            f"Datastore {name!r} has the unknown class {record.get('class')!r}.",
            f"Valid classes: {', '.join(KINDS)}.",
        )
    return datastore_class(workspace, name, record)


def get(workspace: WorkspaceLike, name: str) -> AbstractDatastore:
    """The datastore ``name``. Raises DatastoreException, which lists all datastores."""
    return from_record(workspace, name, datastore_records.get(workspace, name))


def all_datastores(workspace: WorkspaceLike) -> dict[str, AbstractDatastore]:
    """All datastores by name."""
    names = datastore_records.names(workspace)
    return dict(store_records.readable(names, lambda name: (name, get(workspace, name))))


def secret_name(workspace: WorkspaceLike, name: str) -> str:
    """The name of the secret that stores a key given at registration."""
    return f"datastore-{workspace.id}-{name}"


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _relative_path(path: Path, root: str | os.PathLike[str] | None) -> str:
    if root is None:
        return path.name
    try:
        return path.absolute().relative_to(Path(root).absolute()).as_posix()
    except ValueError:
        raise UserErrorException(
            f"{str(path)!r} is not inside relative_root={root}.",
            "Use a relative_root that contains all files.",
        ) from None
