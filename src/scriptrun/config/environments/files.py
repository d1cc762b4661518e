"""Environments as JSON and as directories, in the format of the SDK v1."""

from __future__ import annotations

import json
import os

from scriptrun.config import yaml_text
from scriptrun.config.camel_case import from_wire, to_wire
from scriptrun.config.environments.conda_dependencies import CONDA_FILE_NAME, CondaDependencies
from scriptrun.config.section_base import Section
from scriptrun.runtime import files
from scriptrun.spec.errors import UserErrorException, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    E = TypeVar("E", bound=Section)

JSON_FILE_NAME = "azureml_environment.json"


def to_dict(environment: Section, inline: bool = True) -> dict[str, Any]:
    """The content of azureml_environment.json; ``inline`` adds conda and drops the password."""
    made: dict[str, Any] = to_wire(environment)
    made["python"]["condaDependenciesFile"] = None
    if inline:
        made["docker"]["baseImageRegistry"]["password"] = None
        made["python"]["condaDependencies"] = environment.python.conda_dependencies.without_logins()
    return made


def from_dict(made: E, data: dict[str, Any], where: str) -> E:
    """Fill ``made`` from ``to_dict``; RunConfigurationException lists all problems."""
    problems: list[str] = []
    from_wire(made, data, "", problems)
    refuse([f"{where}: {problem}" for problem in problems], f"Cannot read {where}")
    return made


def save(environment: Section, path: str | os.PathLike[str], overwrite: bool) -> None:
    """Write both files into the directory ``path``."""
    if os.path.lexists(path) and not overwrite:
        raise UserErrorException(
            f"Cannot save the environment: {os.fspath(path)!r} already exists.",
            "Use overwrite=True or another directory.",
        )
    os.makedirs(path, exist_ok=True)
    text = json.dumps(to_dict(environment, inline=False), indent=4, ensure_ascii=False)
    files.write_atomic(os.path.join(path, JSON_FILE_NAME), text.encode("utf-8"))
    environment.python.conda_dependencies.save_to_file(path)


def load(made: E, path: str | os.PathLike[str]) -> E:
    """Fill ``made`` with the environment in the directory ``path``."""
    place = os.path.join(path, JSON_FILE_NAME)
    try:
        with open(place, encoding="utf-8-sig") as handle:
            text = handle.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserErrorException(
            f"Cannot read {str(place)!r}: {getattr(error, 'strerror', None) or error}.",
            "Give a directory written by Environment.save_to_directory.",
        ) from None
    from_dict(made, yaml_text.load(text, place), place)
    conda = os.path.join(path, CONDA_FILE_NAME)
    if os.path.isfile(conda):
        made.python.conda_dependencies = CondaDependencies(conda)
    return made
