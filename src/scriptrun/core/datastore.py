"""``Datastore``: register named file stores in a workspace, and get them back."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores import records as datastore_records
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.datastores.references import DataPath, DataReference
from scriptrun.data.errors import (
    DatastoreException,
    NoCredentials,
    PackageMissing,
    StoreUnreachable,
)
from scriptrun.data.stores import probe
from scriptrun.spec import url_logins
from scriptrun.spec.absent import absent
from scriptrun.spec.control_characters import escape
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

__all__ = ["DataPath", "DataReference", "Datastore"]

#: seconds for a store to answer when it is registered
_PATIENCE = 10.0


@absent(
    "register_azure_my_sql register_azure_postgre_sql register_azure_sql_database",
    "Read the database in the script, or export the table to files.",
)
@absent(
    "register_azure_data_lake register_dbfs register_hdfs",
    "Use register_azure_data_lake_gen2, or another store with an fsspec driver.",
)
class Datastore:
    """``Datastore(workspace, name)`` is the datastore of that name (default: the default one).

    A key or token that you pass to a ``register_...`` method is stored as this user's secret on
    this machine (``scriptrun.store.secrets``), never in the workspace. Otherwise credentials come
    from the secret named by ``secret=``, the environment, or the provider's own login.
    """

    # v1 code calls the class to get a datastore, which is of another class
    def __new__(  # type: ignore[misc]  # noqa: D102
        cls, workspace: WorkspaceFiles, name: str | None = None
    ) -> AbstractDatastore:
        return cls.get(workspace, name) if name else cls.get_default(workspace)

    @staticmethod
    def get(workspace: WorkspaceFiles, datastore_name: str) -> AbstractDatastore:
        """The datastore of that name. Raises DatastoreException if it does not exist."""
        return datastore_classes.get(workspace, datastore_name)

    @staticmethod
    def get_default(workspace: WorkspaceFiles) -> AbstractDatastore:
        """The workspace's default datastore."""
        return datastore_classes.get(workspace, datastore_records.default(workspace))

    set_as_default = AbstractDatastore.set_as_default
    unregister = AbstractDatastore.unregister

    @staticmethod
    def register_local(
        workspace: WorkspaceFiles,
        datastore_name: str,
        path: str | os.PathLike[str],
        overwrite: bool = False,
    ) -> AbstractDatastore:
        """A directory of this machine, local or mounted.

        Raises DatastoreException if the directory does not exist.
        """
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise DatastoreException(
                f"Directory {str(folder)!r} does not exist.", "Create it first."
            )
        return _keep(workspace, datastore_name, {"class": "Local", "path": str(folder)}, overwrite)

    @staticmethod
    def register_azure_blob_container(
        workspace: WorkspaceFiles,
        datastore_name: str,
        container_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
        blob_cache_timeout: int | None = None,
        grant_workspace_access: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        *,
        secret: str | None = None,
        anonymous: bool = False,
        **more: object,
    ) -> AbstractDatastore:
        """A container of Azure Blob Storage.

        ``endpoint`` is the suffix of the cloud (``core.windows.net``) or a full URL. ``secret``
        names a secret with the account key (or a SAS token, which starts with ``?`` or contains
        ``sig=``); ``anonymous`` reads a public container. Unless ``skip_validation`` is set, a
        file is listed to validate the credentials; a warning says why it could not be.
        """
        record = {
            "class": "AzureBlob",
            "container_name": container_name,
            "account_name": account_name,
            "protocol": protocol,
            "endpoint": endpoint,
            "secret": secret,
            "anonymous": anonymous,
        }
        credentials = {"sas_token": sas_token, "account_key": account_key}
        datastore = _keep(
            workspace, datastore_name, record, overwrite, credentials, not skip_validation
        )
        return datastore

    @staticmethod
    def register_azure_data_lake_gen2(
        workspace: WorkspaceFiles,
        datastore_name: str,
        filesystem: str,
        account_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        grant_workspace_access: bool = False,
        *,
        secret: str | None = None,
        **more: object,
    ) -> AbstractDatastore:
        """A file system of Azure Data Lake Gen2; ``secret`` names the client's secret."""
        record = {
            "class": "AzureDataLakeGen2",
            "container_name": filesystem,
            "account_name": account_name,
            "tenant_id": tenant_id,
            "client_id": client_id,
            "authority_host": authority_url,
            "protocol": protocol,
            "endpoint": endpoint,
            "secret": secret,
            "credential": "client_secret" if secret and client_id else None,
        }
        credentials = {"client_secret": client_secret}
        return _keep(workspace, datastore_name, record, overwrite, credentials)

    @staticmethod
    def register_azure_file_share(
        workspace: WorkspaceFiles,
        datastore_name: str,
        file_share_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
        **more: object,
    ) -> AbstractDatastore:
        """An Azure file share, registered by name only: mount it to use its files.

        With ``path=``, the folder where this machine mounts the share, it is a local datastore.
        """
        mount_path = more.get("path")
        if mount_path is not None:
            return Datastore.register_local(workspace, datastore_name, str(mount_path), overwrite)
        record = {
            "class": "AzureFile",
            "container_name": file_share_name,
            "account_name": account_name,
            "protocol": protocol,
            "endpoint": endpoint,
        }
        credentials = {"sas_token": sas_token, "account_key": account_key}
        return _keep(workspace, datastore_name, record, overwrite, credentials)

    @staticmethod
    def register_s3(
        workspace: WorkspaceFiles,
        datastore_name: str,
        bucket: str,
        region: str | None = None,
        endpoint: str | None = None,
        root: str | None = None,
        secret: str | None = None,
        anonymous: bool = False,
        overwrite: bool = False,
    ) -> AbstractDatastore:
        """A bucket of Amazon S3, or of an S3-compatible server at ``endpoint``.

        ``root`` is a prefix of all paths; ``secret`` names a secret with
        ``ACCESS_KEY_ID:SECRET_ACCESS_KEY``.
        """
        record = {
            "class": "S3",
            "bucket": bucket,
            "region": region,
            "endpoint": endpoint,
            "root": root,
            "secret": secret,
            "anonymous": anonymous,
        }
        return _keep(workspace, datastore_name, record, overwrite)

    @staticmethod
    def register_gcs(
        workspace: WorkspaceFiles,
        datastore_name: str,
        bucket: str,
        endpoint: str | None = None,
        root: str | None = None,
        secret: str | None = None,
        anonymous: bool = False,
        overwrite: bool = False,
    ) -> AbstractDatastore:
        """A bucket of Google Cloud Storage; ``secret`` names a service account's key (JSON)."""
        record = {
            "class": "GCS",
            "bucket": bucket,
            "endpoint": endpoint,
            "root": root,
            "secret": secret,
            "anonymous": anonymous,
        }
        return _keep(workspace, datastore_name, record, overwrite)

    @staticmethod
    def register_http(
        workspace: WorkspaceFiles,
        datastore_name: str,
        url: str,
        secret: str | None = None,
        overwrite: bool = False,
    ) -> AbstractDatastore:
        """The files below a URL; ``secret`` names a secret with an Authorization header's value."""
        record = {"class": "HTTP", "url": _plain_url(url), "secret": secret}
        return _keep(workspace, datastore_name, record, overwrite)

    @staticmethod
    def register_fsspec(
        workspace: WorkspaceFiles,
        datastore_name: str,
        protocol: str,
        path: str = "",
        options: Json | None = None,
        secret: str | None = None,
        credential: str = "password",
        overwrite: bool = False,
    ) -> AbstractDatastore:
        """A store with an fsspec driver, ``protocol`` (sftp, ftp, webdav, ...), below ``path``.

        ``options`` are the driver's and are stored in the workspace; the option ``credential`` is
        set from the secret named ``secret``.
        """
        record = {
            "class": "Fsspec",
            "protocol": protocol,
            "path": path,
            "options": _without_secrets(options or {}),
            "secret": secret,
            "credential": credential if secret else None,
        }
        return _keep(workspace, datastore_name, record, overwrite)


def _keep(
    workspace: WorkspaceFiles,
    name: str,
    record: Json,
    overwrite: bool,
    credential_values: dict[str, str | None] | None = None,
    validate: bool = False,
) -> AbstractDatastore:
    """Store the record, and a credential among this user's secrets."""
    record = {key: value for key, value in record.items() if value not in (None, False, {})}
    if "@" in str(record.get("endpoint", "")) or "?" in str(record.get("endpoint", "")):
        raise DatastoreException(
            "The endpoint URL contains a username, password or query, which would be stored in "
            "plain text.",
            "Remove it from the URL and pass the credential as a named secret.",
        )
    credentials = {kind: value for kind, value in (credential_values or {}).items() if value}
    for kind in list(credentials)[:1]:
        record |= {"credential": kind, "secret": datastore_classes.secret_name(workspace, name)}
    datastore_records.check(workspace, name, record, overwrite)
    for value in credentials.values():
        with vault.with_secrets({record["secret"]: value}):
            _validate(workspace, name, record, validate)
        vault.store(record["secret"], value)
        break
    else:
        _validate(workspace, name, record, validate)
    datastore_records.put(workspace, name, record, overwrite)
    return datastore_classes.from_record(workspace, name, record)


def _validate(workspace: WorkspaceFiles, name: str, record: Json, lists: bool) -> None:
    """Raise DatastoreException for invalid settings, and with ``lists`` for invalid credentials.

    A store that cannot be asked now is a warning: it may be reached when it is used.
    """
    datastore = datastore_classes.from_record(workspace, name, record)
    error = probe.listing_error(datastore.store, seconds=_PATIENCE) if lists else None
    if error is None:
        return
    has_credentials = bool(record.get("secret") or record.get("anonymous"))
    kinds = (StoreUnreachable, PackageMissing, *(() if has_credentials else (NoCredentials,)))
    if not isinstance(error, kinds):
        raise error
    reason = f"{error.message} {error.hint}".strip().rstrip(".")
    warnings.warn(
        escape(
            f"Datastore {name!r} is registered, but was not checked: {reason}. To check it, run: "
            f"scriptrun datastore check {name}"
        ),
        stacklevel=4,
    )


def _plain_url(url: str) -> str:
    parts = url_logins.split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DatastoreException(
            f"{url_logins.mask(url)!r} is not an http:// or https:// URL.",
            "Give the URL of a folder on a web server.",
        )
    if parts.username or parts.password or parts.query:
        raise DatastoreException(
            "The URL contains a username, password or query, which would be stored in plain text.",
            "Remove it from the URL and pass the Authorization header as a named secret.",
        )
    return url.rstrip("/")


def _without_secrets(options: Json) -> Json:
    credential_words = ("password", "passphrase", "secret", "token", "key", "credential")
    flagged = sorted(
        name for name in options if any(word in name.lower() for word in credential_words)
    )
    if flagged:
        raise DatastoreException(
            f"Option {flagged[0]!r} looks like a credential, but options are stored in plain text.",
            f"Use credential={flagged[0]!r} and pass the value as a secret: secret='NAME'.",
        )
    return options
