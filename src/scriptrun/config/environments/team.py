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
_JSON_FILE_NAME = "azureml_environment.json"
_CONDA_SUFFIXES = (".yml", ".yaml")


def directories(default: Path) -> list[Path]:
    """The directories to search: those of ``SCRIPTRUN_ENVIRONMENTS`` in order, then ``default``."""
    configured = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [*(Path(folder).expanduser() for folder in configured if folder), default]


def names(folders: Iterable[Path]) -> list[str]:
    """The environments in ``folders``, sorted."""
    return sorted(
        {_environment_name(path) for folder in folders for path in _environment_files(folder)}
    )


def get(folders: Iterable[Path], name: str) -> Environment | None:
    """The environment ``name`` from the first folder that has it, or None.

    Raises UserErrorException if its file is malformed.
    """
    for folder in folders:
        for path in _environment_files(folder):
            if _environment_name(path) == name:
                return _read_environment(path, name)
    return None


def _environment_files(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    suffixes = (*_CONDA_SUFFIXES, ".txt")
    return [path for path in paths if path.suffix in suffixes or (path / _JSON_FILE_NAME).is_file()]


def _environment_name(path: Path) -> str:
    return path.name if (path / _JSON_FILE_NAME).is_file() else path.stem


def _read_environment(path: Path, name: str) -> Environment:
    if path.is_dir():
        environment = Environment.load_from_directory(str(path))
        environment.name = name
        return environment
    if path.suffix in _CONDA_SUFFIXES:
        return Environment.from_conda_specification(name, str(path))
    return Environment.from_pip_requirements(name, str(path))
