"""Conda environment files: reading, checking and writing their content."""

from __future__ import annotations

import os

from scriptrun.config import yaml_text
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later
from scriptrun.store import document_limits
from scriptrun.store.document_limits import LimitExceeded
from scriptrun.store.yaml_reader import PlainScalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.environments import conda_comments
    from scriptrun.runtime.hints import Json
else:
    conda_comments = later("scriptrun.config.environments.conda_comments")


#: the keys of a conda environment file, and those that scriptrun adds
_KEYS = ("name", "channels", "dependencies", "variables", "prefix")
_OWN_KEYS = ("uv", "locked")


def read(path: str | os.PathLike[str]) -> tuple[Json, str]:
    """The content of the conda environment file at ``path``, and its text.

    Raises UserErrorException if it is missing or malformed.
    """
    file = os.fspath(path)
    try:
        text = document_limits.read_text(file)
    except (OSError, UnicodeDecodeError, LimitExceeded) as error:
        raise UserErrorException(
            f"Cannot read conda file {str(file)!r}: {document_limits.reason_of(error)}.",
            "Give the path of a conda environment file (YAML).",
        ) from None
    return normalize(yaml_text.load(text, file), file), text


def normalize(content: object, where: str = "The conda specification") -> Json:
    """``content`` with all lists present. Raises UserErrorException, naming the problem."""
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise UserErrorException(f"{where}: expected a mapping with 'dependencies'.")
    normalized: Json = {str(key): _value(key, value) for key, value in content.items()}
    if content.get("variables") is not None:
        normalized["variables"] = _variables(content["variables"], where)
    normalized["dependencies"] = _dependencies(content.get("dependencies"), where)
    normalized["channels"] = _texts(content.get("channels"), f"{where}: channels")
    return normalized


def _value(key: str, value: object) -> object:
    return str(value) if isinstance(value, PlainScalar) else yaml_text.plain(value)


def to_text(content: Json, source: str = "") -> str:
    """The file's text, with the comments of ``source``, the text it was read from."""
    text = yaml_text.dump(content)
    return conda_comments.with_comments(source, text) if "#" in source else text


def write(path: str | os.PathLike[str], content: Json, source: str = "") -> None:
    """Write the file, creating its directory if necessary."""
    yaml_text.write(path, to_text(content, source))


def unknown_keys_warning(content: Json, where: str) -> str:
    """A warning that names the keys which have no meaning in a conda file; "" if there are none."""
    unknown = [key for key in content if key not in (*_KEYS, *_OWN_KEYS)]
    if not unknown:
        return ""
    questions = [suggestion.question(key, _KEYS).strip().lower() for key in unknown]
    shown = [
        f"{key!r} ({question})" if question else repr(key)
        for key, question in zip(unknown, questions, strict=True)
    ]
    word, verb = ("key", "has") if len(unknown) == 1 else ("keys", "have")
    return f"{where}: the {word} {', '.join(shown)} {verb} no effect"


def _variables(value: object, where: str) -> dict[str, str]:
    """The variables of the environment, as texts; conda passes over those without a value."""
    if not isinstance(value, dict):
        raise UserErrorException(f"{where}: variables: expected a mapping of names to values.")
    nested = [name for name, text in value.items() if isinstance(text, dict | list)]
    if nested:
        raise UserErrorException(
            f"{where}: variables: {str(nested[0])!r} must have a single value."
        )
    return {str(name): str(text) for name, text in value.items() if text is not None}


def _dependencies(value: object, where: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise UserErrorException(f"{where}: dependencies: expected a list.")
    conda: list[object] = []
    pip: list[str] = []
    for index, entry in enumerate(value or []):
        if isinstance(entry, str):
            conda.append(str(entry))
        elif entry is None:
            raise UserErrorException(
                f"{where}: dependencies[{index}] is empty.", "Remove it, or name a package."
            )
        elif isinstance(entry, dict) and set(entry) == {"pip"}:
            pip += _texts(entry["pip"], f"{where}: dependencies[{index}].pip")
        else:
            raise UserErrorException(
                f"{where}: dependencies[{index}]: {yaml_text.plain(entry)!r} is neither a package "
                "nor a 'pip:' list.",
                "Use e.g. 'numpy=1.26', or 'pip:' with a list of requirements.",
            )
    return [*conda, {"pip": pip}] if pip else conda


def _texts(value: object, where: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UserErrorException(f"{where}: expected a list of strings, not {value!r}.")
    return [str(text) for text in value]
