"""Conda environment files: reading, checking and writing their content."""

from __future__ import annotations

import os

from scriptrun.config import yaml_text
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.environments import conda_comments
else:
    conda_comments = later("scriptrun.config.environments.conda_comments")


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """The content of the conda environment file at ``path``, and its text.

    Raises UserErrorException if it is missing or malformed.
    """
    place = os.fspath(path)
    try:
        with open(place, encoding="utf-8-sig") as handle:
            text = handle.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserErrorException(
            f"Cannot read conda file {str(place)!r}: {getattr(error, 'strerror', None) or error}.",
            "Give the path of a conda environment file (YAML).",
        ) from None
    return checked(yaml_text.load(text, place), place), text


def checked(content: Any, where: str = "The conda specification") -> dict[str, Any]:
    """``content`` with all lists present. Raises UserErrorException, naming the problem."""
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise UserErrorException(f"{where}: expected a mapping with 'dependencies'.")
    made: dict[str, Any] = {str(key): yaml_text.plain(value) for key, value in content.items()}
    made["dependencies"] = _dependencies(content.get("dependencies"), where)
    made["channels"] = _texts(content.get("channels"), f"{where}: channels")
    return made


def to_text(content: dict[str, Any], source: str = "") -> str:
    """The file's text, with the comments of ``source``, the text it was read from."""
    text = yaml_text.dump(content)
    return conda_comments.carried(source, text) if "#" in source else text


def write(path: str | os.PathLike[str], content: dict[str, Any], source: str = "") -> None:
    """Write the file, creating its directory if necessary."""
    yaml_text.write(path, to_text(content, source))


def _dependencies(value: Any, where: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise UserErrorException(f"{where}: dependencies: expected a list.")
    conda: list[Any] = []
    pip: list[str] = []
    for number, each in enumerate(value or []):
        if isinstance(each, str):
            conda.append(str(each))
        elif isinstance(each, dict) and set(each) == {"pip"}:
            pip += _texts(each["pip"], f"{where}: dependencies[{number}].pip")
        else:
            raise UserErrorException(
                f"{where}: dependencies[{number}]: {yaml_text.plain(each)!r} is neither a package "
                "nor a 'pip:' list.",
            )
    return [*conda, {"pip": pip}] if pip else conda


def _texts(value: Any, where: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UserErrorException(f"{where}: expected a list of strings, not {value!r}.")
    return [str(each) for each in value]
