"""``--set PATH=VALUE``: sets any field of the run configuration by its path."""

from __future__ import annotations

from scriptrun.config import camel_case
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.section_base import Section
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.suggestion import did_you_mean
from scriptrun.store import json_reader
from scriptrun.store.document_limits import LimitExceeded
from scriptrun.store.yaml_reader import PlainScalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def apply(configuration: RunConfiguration, text: str) -> None:
    """Set the field of ``configuration`` that ``text`` (``path=VALUE``) names.

    Field names are those of the API or of a .runconfig file; a leading ``run_config.`` is ignored.
    VALUE is JSON unless the field is a string. Raises UserErrorException.
    """
    path, separator, value = text.partition("=")
    path = path.strip().removeprefix("run_config.")
    if not separator or not path:
        raise UserErrorException(
            f"Invalid --set {text!r}.", "Use --set PATH=VALUE, e.g. --set node_count=2."
        )
    *parents, field_name = path.split(".")
    section: Section | Json = configuration
    for number, name in enumerate(parents):
        section = _descend(section, name, path, ".".join(parents[:number]))
    if isinstance(section, dict):
        section[field_name] = value
        return
    field = _find_field(section, field_name, path)
    setattr(section, field, _convert(type(section), field, value, path))


def _descend(section: Section | Json, name: str, path: str, parent_path: str) -> Section | Json:
    inner = (
        section.get(name)
        if isinstance(section, dict)
        else getattr(section, _find_field(section, name, path))
    )
    if isinstance(inner, Section | dict):
        return inner
    raise UserErrorException(
        f"Invalid --set {path!r}: {f'{parent_path}.{name}'.lstrip('.')!r} has no fields.",
        "Field names are those of a .runconfig file.",
    )


def _find_field(section: Section, name: str, path: str) -> str:
    if name in section.fields:
        return name
    kind: object = type(section)
    keys = camel_case.names_by_key(kind)
    if name in keys:
        return keys[name]
    raise UserErrorException(
        f"Invalid --set {path!r}: unknown field {name!r}{did_you_mean(name, section.fields)}",
        "Field names are those of a .runconfig file.",
    )


def _convert(kind: object, field: str, text: str, path: str) -> object:
    """Convert ``text`` to the field's type: strings unchanged, other types from JSON."""
    expected = camel_case._field_types(kind)[field]
    problems: list[str] = []
    if expected is str or "str" in str(expected).replace("dict[str", "").replace("list[str", ""):
        return text
    try:
        value = json_reader.parse(text, number=PlainScalar.from_yaml)
    except LimitExceeded as error:
        raise UserErrorException(f"Invalid --set {path!r}: {error}.") from None
    except ValueError:
        value = text
    converted = camel_case.convert_field(kind, field, value, f"--set {path}", problems)
    refuse(problems)
    return converted
