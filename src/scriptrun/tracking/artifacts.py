"""A run's artifacts: their names, where they lie, keeping and fetching them.

Where each lies is documented in docs/explanation/formats.md. The work is done by what a job's
script uses as well (``scriptrun.runtime.injob.artifacts``). An artifact that is a link to a file
is that file; links to folders are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from scriptrun.runtime.injob import artifacts as inner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any


def names(folder: Path) -> list[str]:
    """The names of all artifacts of the run in ``folder``, sorted, with ``/`` on every system."""
    found: list[str] = inner.names(str(folder))
    return found


def path_of(folder: Path, name: str) -> Path | None:
    """Where the artifact ``name`` lies now, or None where there is none.

    ``./outputs/x`` is ``outputs/x``. Raises UserErrorException for a name that leads
    out of the run.
    """
    place = inner.path_of(str(folder), name)
    return None if place is None else Path(place)


def store(folder: Path, name: str, source: str | os.PathLike[str] | IO[Any]) -> str:
    """Keep a file (by its path, or open for reading) under ``name``; gives the name's one form.

    What had that name before is replaced. Raises UserErrorException where there is no such file or
    the name is none.
    """
    kept: str = inner.store(str(folder), name, source)
    return kept


def store_folder(folder: Path, name: str, source: str | os.PathLike[str]) -> list[str]:
    """Keep all files below the folder ``source`` under ``name``/...; gives their names."""
    kept: list[str] = inner.store_folder(str(folder), name, source)
    return kept


def download(folder: Path, name: str, output: str | os.PathLike[str] | None = None) -> Path:
    """Copy one artifact to ``output``: a file's path, or a folder that is there or ends with ``/``.

    Without ``output`` it goes to the current directory under the last component of its name. Gives
    the copy's path. Raises UserErrorException, with the names there are, where there is none.
    """
    return Path(inner.fetch(str(folder), name, output))


def download_all(
    folder: Path,
    prefix: str | None = None,
    output_directory: str | os.PathLike[str] | None = None,
    output_paths: Sequence[str | os.PathLike[str]] | None = None,
    append_prefix: bool = True,
) -> list[Path]:
    """Copy all artifacts whose names begin with ``prefix``, as the SDK v1's ``download_files``.

    Copies keep their names as paths below ``output_directory`` (default: the current directory),
    with ``append_prefix=False`` without the prefix; ``output_paths`` names each copy instead.
    """
    found = inner.fetch_all(str(folder), prefix, output_directory, output_paths, append_prefix)
    return [Path(path) for path in found]
