"""What goes wrong with data, as sentences: no text of a server gets in, which may hold keys."""

from __future__ import annotations

from scriptrun.spec.errors import UserErrorException


class DatastoreException(UserErrorException):
    """A datastore is unknown, cannot be reached, or refuses what was asked."""


class Refused(DatastoreException):
    """The credentials are wrong, or they may not do this: the server does not tell which."""


class FileMissing(DatastoreException):
    """There is no such file in the datastore."""


class FileChanged(DatastoreException):
    """A file is not what it was when the dataset was made."""


class FileExists(DatastoreException):
    """A file that was to be new is there already."""


class Unreachable(DatastoreException):
    """A store does not answer, breaks off, or asks for patience: later it may work."""

    #: seconds that the server asked to wait (0: it did not say)
    after: float = 0.0


class NoRanges(DatastoreException):
    """A server gives whole files only."""


class DatasetValidationError(UserErrorException):
    """A dataset's description is wrong, or finds nothing."""


class DatasetExecutionError(UserErrorException):
    """A dataset's files cannot be read as described."""


def not_whole(path: str, name: str) -> DatastoreException:
    """The error for a file that is not in the store as it was written."""
    return DatastoreException(
        f"File {path!r} was corrupted during upload to {name}: its content differs.",
        "Upload it again. If it fails again, the connection or a proxy is altering the data.",
    )


def needs(package: str, what: str) -> DatastoreException:
    """The error for a package that is not installed here; ``what`` needs it."""
    return DatastoreException(
        f"{what} requires the package {package}, which is not installed.",
        "Run: pip install 'scriptrun[data]'"
        + ("" if package in ("obstore", "fsspec", "pyarrow") else f" {package}"),
    )


class NoListing(DatastoreException):
    """The store cannot tell what a folder holds."""
