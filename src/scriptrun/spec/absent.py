"""Methods of the SDK v1 that scriptrun does not support: calling one explains the alternative."""

from __future__ import annotations

from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, TypeVar

    T = TypeVar("T")


#: how the docstring of such a method begins
MARK = "Not supported. "


def absent(names: str, instead: str) -> Callable[[type[T]], type[T]]:
    """Add the methods ``names`` (space-separated) to a class; each raises NotImplementedError.

    ``instead`` is a sentence with the alternative. Methods that the class defines are unchanged.
    """

    def add(cls: type[T]) -> type[T]:
        for name in names.split():
            if name not in cls.__dict__:
                setattr(cls, name, staticmethod(_refusal(f"{cls.__name__}.{name}", instead)))
        return cls

    return add


def absent_properties(names: str, instead: str) -> Callable[[type[T]], type[T]]:
    """As ``absent``, for properties: reading one raises NotImplementedError."""

    def add(cls: type[T]) -> type[T]:
        for name in names.split():
            if name not in cls.__dict__:
                setattr(cls, name, property(_refusal(f"{cls.__name__}.{name}", instead)))
        return cls

    return add


def _refusal(name: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(f"{name} is not supported by scriptrun. {instead}")

    refuse.__name__ = refuse.__qualname__ = name.rpartition(".")[2]
    refuse.__doc__ = f"{MARK}{instead}"
    return refuse
