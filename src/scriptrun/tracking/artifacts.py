"""A run's artifacts: list, locate, store and download them.

docs/explanation/formats.md documents the layout. The implementation is shared with jobs
(``scriptrun.runtime.injob.artifacts``). Links to files count as files; links to folders are not
followed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from scriptrun.runtime.injob import artifacts as job_artifacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Source


def names(folder: Path) -> list[str]:
    """The names of all artifacts of the run in ``folder``, sorted, with ``/`` on every system."""
    artifact_names: list[str] = job_artifacts.names(str(folder))
    return artifact_names


def unchanged_names(folder: Path, name: str = "") -> list[str]:
    """The source's files, at or below ``name`` (default: all), that the run did not change.

    They are not among ``names``, but have a path.
    """
    unchanged: list[str] = job_artifacts.unchanged_names(str(folder), name)
    return unchanged


def path_of(folder: Path, name: str) -> Path | None:
    """The current path of the artifact ``name``, or None if it does not exist.

    ``./outputs/x`` is ``outputs/x``. Raises UserErrorException for a name that leads
    out of the run.
    """
    path = job_artifacts.path_of(str(folder), name)
    return None if path is None else Path(path)


def store(folder: Path, name: str, source: Source) -> str:
    """Store a file (a path or an open file) under ``name``; return the normalized name.

    An existing artifact is replaced. Raises UserErrorException if the file is missing or the name
    is invalid.
    """
    stored_name: str = job_artifacts.store(str(folder), name, source)
    return stored_name


def store_folder(folder: Path, name: str, source: str | os.PathLike[str]) -> list[str]:
    """Store all files below the folder ``source`` under ``name``/...; return their names."""
    stored_names: list[str] = job_artifacts.store_folder(str(folder), name, source)
    return stored_names


def download(folder: Path, name: str, output: str | os.PathLike[str] | None = None) -> Path:
    """Copy an artifact to ``output``: a file's path, an existing folder, or a path ending in ``/``.

    By default it goes to the current directory under its base name. Returns the path of the copy.
    Raises UserErrorException, listing the available names, if the artifact does not exist.
    """
    return Path(job_artifacts.fetch(str(folder), name, output))


def download_all(
    folder: Path,
    prefix: str | None = None,
    output_directory: str | os.PathLike[str] | None = None,
    output_paths: Sequence[str | os.PathLike[str]] | None = None,
    append_prefix: bool = True,
) -> list[Path]:
    """Copy all artifacts whose names start with ``prefix``, like SDK v1's ``download_files``.

    Copies keep their names below ``output_directory`` (default: the current directory), without
    the prefix if ``append_prefix`` is False. ``output_paths`` names each copy instead.
    """
    paths = job_artifacts.fetch_all(
        str(folder), prefix, output_directory, output_paths, append_prefix
    )
    return [Path(path) for path in paths]
