"""What goes wrong with data, as sentences: no text of a server gets in, which may hold keys."""

from __future__ import annotations

from scriptrun.spec.errors import UserErrorException


class DatastoreException(UserErrorException):
    """A datastore is unknown, cannot be reached, or refuses what was asked."""


class FileMissing(DatastoreException):
    """There is no such file in the datastore."""


class FileChanged(DatastoreException):
    """A file is not what it was when the dataset was made."""


class DatasetValidationError(UserErrorException):
    """A dataset's description is wrong, or finds nothing."""


class DatasetExecutionError(UserErrorException):
    """A dataset's files cannot be read as described."""


def needs(package: str, what: str) -> DatastoreException:
    """The error for a package that is not installed here; ``what`` needs it."""
    return DatastoreException(
        f"{what} needs the package {package}, which is not installed here.",
        "Install it: pip install 'scriptrun[data]'"
        + ("" if package in ("obstore", "fsspec", "pyarrow") else f" {package}"),
    )
