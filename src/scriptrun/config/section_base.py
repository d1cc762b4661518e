"""The base of configuration sections: named fields with defaults, and no other attributes.

A subclass lists its fields as annotated class attributes, in the order in which a ``.runconfig``
file has them. (Dataclasses would do the same at ten times the start-up cost.)
"""

from __future__ import annotations

from scriptrun.spec.library_values import plain_value
from scriptrun.spec.suggestion import did_you_mean
from scriptrun.spec.values import DefaultFactory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar


class Section:
    """A section of a configuration: only its declared fields can be read and set.

    A field accepts any value; an unknown name raises AttributeError and suggests the closest one.
    ``_x`` is an alias of the field ``x``, for old code. Equal by content.
    """

    #: defaults by field name, in the order of the file
    fields: ClassVar[dict[str, object]] = {}
    #: keys in the file of fields whose key is not their name in camelCase
    wire_names: ClassVar[dict[str, str]] = {}
    #: fields that are read from a file but not written
    unwritten: ClassVar[frozenset[str]] = frozenset()
    #: fields whose values end as text: from a file they have the text as it is written
    texts: ClassVar[frozenset[str]] = frozenset()
    #: keys of old files that are ignored
    ignored_keys: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        annotated = [name for name in cls.__annotations__ if name in cls.__dict__]
        cls.fields = {**cls.fields, **{name: cls.__dict__[name] for name in annotated}}

    def __init__(self, **values: object) -> None:
        state = self.__dict__
        for name, default in self.fields.items():
            state[name] = default.make() if isinstance(default, DefaultFactory) else default
        for name, value in values.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.fields:
            self.__dict__[name] = plain_value(value)
        elif name[:1] == "_":
            self.__dict__[name[1:] if name[1:] in self.fields else name] = value
        elif hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            raise self._unknown_attribute(name)

    def __getattr__(self, name: str) -> Any:
        if name[:1] == "_":
            if name[1:] in self.fields:
                return self.__dict__[name[1:]]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise self._unknown_attribute(name)

    def _unknown_attribute(self, name: str) -> AttributeError:
        suggestion = did_you_mean(name, self.fields)
        return AttributeError(f"{type(self).__name__} has no attribute {name!r}{suggestion}")

    def values(self) -> dict[str, Any]:
        """The fields and their values."""
        return {name: self.__dict__[name] for name in self.fields}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Section) or type(self) is not type(other):
            return NotImplemented
        return self.values() == other.values()

    def __hash__(self) -> int:
        raise TypeError(f"unhashable type: {type(self).__name__!r} (it can change)")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.values().items())
        return f"{type(self).__name__}({shown})"
