"""``--set PATH=VALUE``: sets any field of the run configuration by its path."""

from __future__ import annotations

import json

from scriptrun.config import camel_case
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.section_base import Section
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.suggestion import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def put(made: RunConfiguration, text: str) -> None:
    """Set the field of ``made`` that ``text`` (``path=VALUE``) names.

    Field names are those of the API or of a .runconfig file; a leading ``run_config.`` is ignored.
    VALUE is JSON unless the field is a string. Raises UserErrorException.
    """
    path, mark, value = text.partition("=")
    path = path.strip().removeprefix("run_config.")
    if not mark or not path:
        raise UserErrorException(
            f"Invalid --set {text!r}.", "Use --set PATH=VALUE, e.g. --set node_count=2."
        )
    *above, last = path.split(".")
    place: Any = made
    for number, name in enumerate(above):
        place = _inside(place, name, path, ".".join(above[:number]))
    if isinstance(place, dict):
        place[last] = value
        return
    field = _field(place, last, path)
    setattr(place, field, _converted(type(place), field, value, path))


def _inside(place: Any, name: str, path: str, shown: str) -> Any:
    found = (
        place.get(name) if isinstance(place, dict) else getattr(place, _field(place, name, path))
    )
    if isinstance(found, Section | dict):
        return found
    raise UserErrorException(
        f"Invalid --set {path!r}: {f'{shown}.{name}'.lstrip('.')!r} has no fields.",
        "Field names are those of a .runconfig file.",
    )


def _field(place: Section, name: str, path: str) -> str:
    if name in place.fields:
        return name
    kind: Any = type(place)
    keys = camel_case.names_by_key(kind)
    if name in keys:
        return keys[name]
    raise UserErrorException(
        f"Invalid --set {path!r}: unknown field {name!r}{did_you_mean(name, place.fields)}"
    )


def _converted(kind: Any, field: str, text: str, path: str) -> Any:
    """Convert ``text`` to the field's type: strings unchanged, other types from JSON."""
    wanted = camel_case._field_types(kind)[field]
    problems: list[str] = []
    if wanted is str or "str" in str(wanted).replace("dict[str", "").replace("list[str", ""):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    found = camel_case.convert(value, wanted, f"--set {path}", problems)
    refuse(problems)
    return found
