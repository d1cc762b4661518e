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
from scriptrun.store import document_limits
from scriptrun.store.document_limits import LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.runtime.hints import Json

    E = TypeVar("E", bound=Section)

JSON_FILE_NAME = "azureml_environment.json"


def to_dict(environment: Section, inline: bool = True) -> Json:
    """The content of azureml_environment.json; ``inline`` adds conda and drops the password."""
    content: Json = to_wire(environment)
    content["python"]["condaDependenciesFile"] = None
    if inline:
        content["docker"]["baseImageRegistry"]["password"] = None
        content["python"]["condaDependencies"] = (
            environment.python.conda_dependencies.without_logins()
        )
    return content


def from_dict(environment: E, data: Json, where: str) -> E:
    """Fill ``environment`` from ``to_dict``; RunConfigurationException lists all problems."""
    problems: list[str] = []
    from_wire(environment, data, "", problems)
    refuse([f"{where}: {problem}" for problem in problems], f"Cannot read {where}")
    return environment


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


def load(environment: E, path: str | os.PathLike[str]) -> E:
    """Fill ``environment`` with the environment in the directory ``path``."""
    json_path = os.path.join(path, JSON_FILE_NAME)
    try:
        text = document_limits.read_text(json_path)
    except (OSError, UnicodeDecodeError, LimitExceeded) as error:
        raise UserErrorException(
            f"Cannot read {str(json_path)!r}: {document_limits.reason_of(error)}.",
            "Give a directory written by Environment.save_to_directory.",
        ) from None
    from_dict(environment, yaml_text.load(text, json_path), json_path)
    conda_path = os.path.join(path, CONDA_FILE_NAME)
    if os.path.isfile(conda_path):
        environment.python.conda_dependencies = CondaDependencies(conda_path)
    return environment
