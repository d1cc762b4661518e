"""Errors about data. Messages never include a server's text, which may contain keys."""

from __future__ import annotations

from scriptrun.spec.errors import UserErrorException


class DatastoreException(UserErrorException):
    """A datastore is unknown or unreachable, or it denies a request."""


class AccessDenied(DatastoreException):
    """The credentials are invalid or lack permission; the server does not say which."""


class FileMissing(DatastoreException):
    """The file does not exist in the datastore."""


class FileChanged(DatastoreException):
    """A file has changed since the dataset was created."""


class FileExists(DatastoreException):
    """The file already exists and must not be overwritten."""


class StoreUnreachable(DatastoreException):
    """A store does not respond, drops the connection or asks to retry later."""

    #: seconds that the server asked to wait (0 if it did not)
    retry_after: float = 0.0


class NoCredentials(DatastoreException):
    """No credentials were found to use the store with."""


class PackageMissing(DatastoreException):
    """A package that is required is not installed."""


class NoRanges(DatastoreException):
    """The server does not support range requests."""


class _DatasetError(UserErrorException):
    """An error of a dataset; ``exception``, or ``hint``, is its cause or what to do about it."""

    def __init__(
        self,
        message: str = "",
        exception: str | BaseException | None = None,
        exception_message: str = "",
        inner_exception: BaseException | None = None,
        *,
        hint: str = "",
        **kwargs: object,
    ) -> None:
        super().__init__(message, exception or hint, exception_message, inner_exception)
        self.compliant_message = self.message
        self.validation_error_code = ""


class DatasetValidationError(_DatasetError):
    """A dataset's definition is invalid or matches no files."""


class DatasetExecutionError(_DatasetError):
    """A dataset's files cannot be read as described."""


def corrupted_upload(path: str, name: str) -> DatastoreException:
    """The error for a file that differs in the store from what was uploaded."""
    return DatastoreException(
        f"File {path!r} was corrupted during upload to {name}: its content differs.",
        "Upload it again. If it fails again, the connection or a proxy is altering the data.",
    )


def missing_package(package: str, feature: str) -> PackageMissing:
    """The error for a package that is not installed but that ``feature`` requires."""
    return PackageMissing(
        f"{feature} requires the package {package}, which is not installed.",
        "Run: pip install 'scriptrun[data]'"
        + ("" if package in ("obstore", "fsspec", "pyarrow") else f" {package}"),
    )


class NoListing(DatastoreException):
    """The store cannot list folders."""
