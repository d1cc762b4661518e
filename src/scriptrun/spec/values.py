"""Small values with named fields: like dataclasses, at a tenth of their start-up cost.

A dataclass compiles its methods on import: 0.7 ms each, and 8 ms for the module ``dataclasses``
itself, as measured; a warm submission loads twenty of them. Type checkers see a dataclass
(PEP 681), and ``dataclasses.replace``, ``asdict`` and ``fields`` work on values.
"""

from __future__ import annotations

from scriptrun.spec import field_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field
    from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

    from scriptrun.runtime.hints import Json

    T = TypeVar("T")
    V = TypeVar("V", bound="Value")
else:

    def dataclass_transform(**_):
        """Stand-in for ``typing.dataclass_transform``, which only matters to type checkers."""
        return lambda cls: cls


_MISSING = object()


class DefaultFactory:
    """A default that is created separately for each value."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make


def fresh(default_factory: Callable[[], T]) -> T:
    """A field's default that is created separately for each value (lists, dicts and so on)."""
    # what stands for the default until a value is created: the field itself has type T
    return DefaultFactory(default_factory)  # type: ignore[return-value]


class _AsDataclass:
    """``__dataclass_fields__``, generated on first access."""

    def __get__(self, instance: object, owner: type[Value]) -> dict[str, Field[object]]:
        generated = owner.__dict__.get("_dataclass")
        if generated is None:
            generated = _as_dataclass(owner)
            type.__setattr__(owner, "_dataclass", generated)
        fields: dict[str, Field[object]] = generated.__dataclass_fields__
        return fields


@dataclass_transform(frozen_default=True, field_specifiers=(fresh,))
class Value:
    """Base of values: annotated class attributes are the fields, in order, with their defaults.

    Frozen unless the class sets ``frozen=False``; equal if type and fields are equal.
    """

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[object]]]
    else:
        __dataclass_fields__ = _AsDataclass()
    _fields: ClassVar[dict[str, object]] = {}
    _frozen: ClassVar[bool] = True

    def __init_subclass__(cls, frozen: bool = True) -> None:
        fields = {
            name: cls.__dict__.get(name, _MISSING)
            for name, kind in _own_annotations(cls).items()
            if not str(kind).startswith("ClassVar")
        }
        cls._fields = {**cls._fields, **fields}
        cls._frozen = frozen
        for name, default in fields.items():
            if isinstance(default, DefaultFactory):
                delattr(cls, name)

    def __init__(self, *values: object, **keywords: object) -> None:
        state = self.__dict__
        fields = self._fields
        state.update(zip(fields, values, strict=False))
        if len(values) == len(fields) and not keywords:
            return
        if len(values) > len(fields):
            raise TypeError(f"{type(self).__name__} takes {len(fields)} values, not {len(values)}")
        for name in keywords:
            if name in state:
                raise TypeError(f"{type(self).__name__} got two values for {name!r}")
            if name not in fields:
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
        for name, default in list(fields.items())[len(values) :]:
            if name in keywords:
                state[name] = keywords[name]
            elif default is _MISSING:
                raise TypeError(f"{type(self).__name__} requires a value for {name!r}")
            else:
                state[name] = default.make() if isinstance(default, DefaultFactory) else default

    def __setattr__(self, name: str, value: object) -> None:
        if self._frozen:
            raise AttributeError(
                f"{type(self).__name__} is immutable; create a new one with replace"
            )
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        if not self._frozen:
            raise TypeError(f"{type(self).__name__} is mutable and cannot be hashed")
        return hash(self._values())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"

    def _values(self) -> tuple[object, ...]:
        return tuple(self.__dict__[name] for name in self._fields)

    def replace(self, **changes: object) -> Self:
        """The same value with some fields changed."""
        return type(self)(**{**{name: self.__dict__[name] for name in self._fields}, **changes})

    def as_dict(self) -> Json:
        """The fields by name; nested values, lists, tuples and dicts are copied."""
        return {name: _plain(self.__dict__[name]) for name in self._fields}

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The value that ``as_dict`` wrote; unknown keys (a newer format) are ignored.

        Raises ValueError, naming the field, if a value is not of its field's type.
        """
        field_types.check(cls._types(), data)
        return cls(**{name: data[name] for name in cls._fields if name in data})

    @classmethod
    def _types(cls) -> dict[str, str]:
        """The annotations of the fields, gathered once for each class."""
        types: dict[str, str] | None = cls.__dict__.get("_field_types")
        if types is None:
            types = types_of(cls)
            type.__setattr__(cls, "_field_types", types)
        return types


def names_of(cls: type) -> tuple[str, ...]:
    """The names of the fields of ``cls``, a Value or a dataclass."""
    return tuple(getattr(cls, "_fields", None) or types_of(cls))


def types_of(cls: type) -> dict[str, str]:
    """The fields of ``cls``, a Value or a dataclass, and the types that annotate them."""
    if issubclass(cls, Value):
        annotations = _annotations(cls)
        return {name: str(annotations[name]) for name in cls._fields}
    # only a dataclass that a user made of a Value gets here
    fields: dict[str, Field[object]] = getattr(cls, "__dataclass_fields__", {})
    return {name: str(field.type) for name, field in fields.items()}


def replace(value: T, **changes: object) -> T:
    """``value``, a Value or a dataclass, with some fields changed."""
    cls = type(value)
    return cls(**{**{name: getattr(value, name) for name in names_of(cls)}, **changes})


def nested(cls: type[V], data: Json | None) -> V | None:
    """The ``cls`` that ``as_dict`` wrote as ``data``; None for None."""
    return None if data is None else cls.from_dict(as_object(data))


def as_object(data: object, name: str = "") -> Json:
    """``data``, read from a file, as the object that it has to be; empty for null.

    Raises ValueError if it is something else; ``name`` is that of its field.
    """
    if data is None:
        return {}
    if not isinstance(data, dict):
        place = f" in the field {name!r}" if name else ""
        raise ValueError(f"expected an object{place}, not {data!r:.40}")
    return data


def as_list(data: object, name: str = "") -> list[object]:
    """As ``as_object``, of a list."""
    if data is None:
        return []
    if not isinstance(data, list | tuple):
        place = f" in the field {name!r}" if name else ""
        raise ValueError(f"expected a list{place}, not {data!r:.40}")
    return list(data)


def as_number(data: object) -> float:
    """``data``, read from a file, as the number that it has to be. Raises ValueError."""
    if not isinstance(data, int | float):
        raise ValueError(f"expected a number, not {data!r:.40}")
    return data


def _plain(value: object) -> Any:
    if isinstance(value, Value):
        return value.as_dict()
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value


def _as_dataclass(cls: type[Value]) -> Any:
    import dataclasses

    fields = []
    for name, default in cls._fields.items():
        if default is _MISSING:
            fields.append((name, object, dataclasses.field()))
        elif isinstance(default, DefaultFactory):
            fields.append((name, object, dataclasses.field(default_factory=default.make)))
        else:
            fields.append((name, object, dataclasses.field(default=default)))
    annotations = _annotations(cls)
    generated = dataclasses.make_dataclass(cls.__name__, fields)
    for field in dataclasses.fields(generated):
        field.type = annotations.get(field.name, field.type)
    return generated


def _annotations(cls: type[Value]) -> dict[str, object]:
    annotations: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        annotations.update(_own_annotations(base))
    return annotations


def _own_annotations(cls: type) -> dict[str, object]:
    """The class's own annotations as strings, without loading the module ``inspect``."""
    annotations: dict[str, object] = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
    return annotations
