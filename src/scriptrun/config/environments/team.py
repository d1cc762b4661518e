"""A team's environments: plain files in a shared directory, besides the curated ones.

Each file or folder of the directory is one environment of the same name: ``NAME.yml`` (a conda
environment file), ``NAME.txt`` (requirements), or a folder ``NAME`` that
``Environment.save_to_directory`` wrote. Other files are ignored.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from scriptrun.config.environments.environment import Environment

#: directories of environments, separated as in PATH
VARIABLE = "SCRIPTRUN_ENVIRONMENTS"
_SAVED = "azureml_environment.json"
_CONDA = (".yml", ".yaml")


def directories(own: Path) -> list[Path]:
    """The directories to search: those of ``SCRIPTRUN_ENVIRONMENTS`` in order, then ``own``."""
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [*(Path(each).expanduser() for each in named if each), own]


def names(folders: Iterable[Path]) -> list[str]:
    """The environments in ``folders``, sorted."""
    return sorted({_name(path) for folder in folders for path in _files(folder)})


def get(folders: Iterable[Path], name: str) -> Environment | None:
    """The environment ``name`` from the first folder that has it, or None.

    Raises UserErrorException if its file is malformed.
    """
    for folder in folders:
        for path in _files(folder):
            if _name(path) == name:
                return _read(path, name)
    return None


def _files(folder: Path) -> list[Path]:
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    kinds = (*_CONDA, ".txt")
    return [each for each in found if each.suffix in kinds or (each / _SAVED).is_file()]


def _name(path: Path) -> str:
    return path.name if (path / _SAVED).is_file() else path.stem


def _read(path: Path, name: str) -> Environment:
    if path.is_dir():
        found = Environment.load_from_directory(str(path))
        found.name = name
        return found
    if path.suffix in _CONDA:
        return Environment.from_conda_specification(name, str(path))
    return Environment.from_pip_requirements(name, str(path))
