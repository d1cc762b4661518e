"""Parts of JSON Schema documents, in the few words that commands' output needs."""

from __future__ import annotations

from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: the dialect of all schemas
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Document(Value):
    """What a command prints with --json: its summary, its properties, and its schema's number.

    Properties may be added without a new number. If one is removed, or changes its type or meaning,
    add 1 to ``number``, here and in ``output.print_json(..., schema=NUMBER)``.
    """

    summary: str
    properties: Json
    number: int = 1
    #: properties that are not always there
    optional: tuple[str, ...] = ()
    #: whether the command prints one such document per line
    is_stream: bool = False

    def schema(self, title: str) -> Json:
        """The JSON Schema of the document."""
        number = {"const": self.number, "description": "number of this schema"}
        properties = {"schema": number, **self.properties}
        return {
            "$schema": DIALECT,
            "title": title,
            "description": self.summary,
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name not in self.optional],
        }


def document(summary: str, optional: tuple[str, ...] = (), /, **properties: Json) -> Document:
    """The document with ``properties``; all but those named in ``optional`` are always there."""
    return Document(summary, properties, optional=optional)


def text(description: str = "", *choices: str) -> Json:
    """A string, one of ``choices`` if any are given."""
    return _described(
        {"type": "string"} | ({"enum": list(choices)} if choices else {}), description
    )


def time(description: str = "") -> Json:
    """A time: ISO 8601 in UTC."""
    return _described({"type": "string", "format": "date-time"}, description)


def integer(description: str = "") -> Json:
    """A whole number."""
    return _described({"type": "integer"}, description)


def number(description: str = "") -> Json:
    """A number; infinities and NaN are strings."""
    special: Json = {"enum": ["Infinity", "-Infinity", "NaN"]}
    return _described({"anyOf": [{"type": "number"}, special]}, description)


def boolean(description: str = "") -> Json:
    """True or false."""
    return _described({"type": "boolean"}, description)


def anything(description: str = "") -> Json:
    """Any JSON value."""
    return _described({}, description)


def nullable(shape: Json) -> Json:
    """``shape`` or null."""
    kind = shape.get("type")
    if isinstance(kind, str) and "enum" not in shape:
        return {**shape, "type": [kind, "null"]}
    description = shape.get("description", "")
    plain = {key: value for key, value in shape.items() if key != "description"}
    return _described({"anyOf": [plain, {"type": "null"}]}, description)


def array(items: Json, description: str = "") -> Json:
    """A list of ``items``."""
    return _described({"type": "array", "items": items}, description)


def pair(of: Json, description: str = "") -> Json:
    """A list of two: the first one's value and the second's."""
    return _described({"type": "array", "items": of, "minItems": 2, "maxItems": 2}, description)


def mapping(values: Json, description: str = "") -> Json:
    """An object with any names, and ``values``."""
    return _described({"type": "object", "additionalProperties": values}, description)


def record(description: str = "", optional: tuple[str, ...] = (), /, **properties: Json) -> Json:
    """An object with ``properties``; all but those named in ``optional`` are always there."""
    required = [name for name in properties if name not in optional]
    return _described(
        {"type": "object", "properties": properties, "required": required}, description
    )


def named(
    title: str, description: str, optional: tuple[str, ...] = (), /, **properties: Json
) -> Json:
    """As ``record``, with a name under which the documentation describes it once."""
    return {"title": title, **record(description, optional, **properties)}


def _described(shape: Json, description: str) -> Json:
    return {**shape, "description": description} if description else shape
