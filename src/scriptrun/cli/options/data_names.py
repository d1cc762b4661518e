"""Data named on the command line: datasets, datastore paths, URLs and local paths."""

from __future__ import annotations

import os
import re

from scriptrun.core.dataset import Dataset
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores import records as datastore_records
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.stores import globs
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.data.datasets.base import AbstractDataset

_USAGE = "Use DATASET[@VERSION], DATASTORE:PATH, a URL or a local path."


def get_registered(workspace: Workspace, text: str) -> AbstractDataset:
    """Return the registered dataset ``NAME[@VERSION]``."""
    name, separator, version = text.partition("@")
    if separator and not (version.isdigit() or version == "latest"):
        raise UserErrorException(
            f"Invalid dataset version {version!r}.", "Use a number (1, 2, 3, ...) or 'latest'."
        )
    dataset: AbstractDataset = Dataset.get_by_name(workspace, name, version or "latest")
    return dataset


def resolve_source(workspace: Workspace, text: str) -> tuple[AbstractDatastore, str] | str:
    """Return a source for ``Dataset.File.from_files``: a datastore path, a URL or a local path.

    Raises UserErrorException for an unknown datastore, or a local path that does not exist.
    """
    if not text:
        raise UserErrorException("The path of the data is empty.", _USAGE)
    if re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE):
        return text
    datastore_path = parse_datastore_path(workspace, text)
    if datastore_path is not None:
        return datastore_path
    path = os.path.abspath(os.path.expanduser(text))
    if os.path.exists(path) or (globs.is_pattern(text) and os.path.isdir(_before_globs(path))):
        return path
    raise UserErrorException(f"File or folder {text!r} does not exist.", _USAGE)


def _before_globs(path: str) -> str:
    return f"/{globs.folder_of(path).lstrip('/')}"


def parse_datastore_path(workspace: Workspace, text: str) -> tuple[AbstractDatastore, str] | None:
    """Split ``DATASTORE:PATH`` into the datastore and the path; None for a local path.

    Raises DatastoreException if there is neither such a datastore nor such a local file.
    """
    name, separator, path = text.partition(":")
    if not separator or not datastore_records.is_name(name):
        return None
    if name not in datastore_records.names(workspace) and (os.path.exists(text) or len(name) == 1):
        return None  # a file with a colon in its name, or C:\\
    return datastore_classes.get(workspace, name), path


def resolve_dataset(workspace: Workspace, text: str) -> AbstractDataset:
    """Return ``text`` as a dataset: a registered one, else one of the files it names."""
    name, _, version = text.partition(":")
    if version.isdigit() and name in dataset_versions.names(workspace):
        raise UserErrorException(
            f"{text!r} does not name a dataset.", f"To select a version, use {name}@{version}."
        )
    if ":" not in text and not os.path.isabs(text):
        try:
            return get_registered(workspace, text)
        except UserErrorException:
            if not os.path.exists(text):
                raise
    return Dataset.File.from_files(resolve_source(workspace, text))
