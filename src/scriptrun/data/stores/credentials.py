"""Secrets of datastores, looked up by name."""

from __future__ import annotations

from scriptrun.data.errors import DatastoreException
from scriptrun.spec.errors import SecretException
from scriptrun.store.secrets import vault


def find(name: str) -> str:
    """The secret's value. Raises DatastoreException, which lists where it was searched."""
    try:
        return vault.find(name)
    except SecretException as error:
        raise DatastoreException(error.message, error.hint) from None
