"""The names of ``typing`` that this house uses, without loading it.

Loading ``typing`` costs 2 ms and each of its named tuples 0.3 ms, measured, and a warm submission
has a dozen of them. Type checkers see ``typing`` itself.
"""

from __future__ import annotations

from operator import itemgetter

__all__ = [
    "IO",
    "TYPE_CHECKING",
    "Any",
    "BinaryIO",
    "ClassVar",
    "NamedTuple",
    "NoReturn",
    "Protocol",
    "TypeVar",
    "cast",
]

TYPE_CHECKING = False  # type checkers take it for true, by its name
if TYPE_CHECKING:
    from typing import (
        IO,
        Any,
        BinaryIO,
        ClassVar,
        NamedTuple,
        NoReturn,
        Protocol,
        TypeVar,
        cast,
    )
else:
    Any = BinaryIO = NoReturn = Protocol = object

    class IO:
        """A name for what annotations say, which may be given a type in brackets."""

        def __class_getitem__(cls, _):
            return cls

    ClassVar = IO

    def TypeVar(name, **_):
        """A name for any type, as annotations want it."""
        return object

    def cast(_, value):
        """``value`` itself."""
        return value

    class NamedTuple(tuple):
        """Base of tuples whose places have names, given by annotations, and may have defaults."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}

        def __init_subclass__(cls):
            own = cls.__dict__
            names = tuple(own.get("__annotations__", {}))
            if names:
                cls._fields = names
                cls._field_defaults = {
                    name: cls.__dict__[name] for name in names if name in cls.__dict__
                }
                for place, name in enumerate(names):
                    setattr(cls, name, property(itemgetter(place)))

        def __new__(cls, *values, **named):  # noqa: D102
            if named or len(values) != len(cls._fields):
                values += tuple(cls._take(named, name) for name in cls._fields[len(values) :])
                if named or len(values) != len(cls._fields):
                    raise TypeError(f"{cls.__name__} wants {', '.join(cls._fields)}")
            return tuple.__new__(cls, values)

        @classmethod
        def _take(cls, named, name):
            if name in named:
                return named.pop(name)
            if name in cls._field_defaults:
                return cls._field_defaults[name]
            raise TypeError(f"{cls.__name__} wants a value for {name!r}")

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, **changes):
            return type(self)(**{**self._asdict(), **changes})

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            shown = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({shown})"
