"""Methods that a class of the SDK v1 has and ours cannot: calling one says what to do instead."""

from __future__ import annotations

from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, TypeVar

    T = TypeVar("T")


def absent(names: str, instead: str) -> Callable[[type[T]], type[T]]:
    """Give a class the methods ``names`` (separated by blanks): each raises NotImplementedError.

    ``instead`` is a sentence that says what to do. A name that the class has itself is left alone.
    """

    def add(cls: type[T]) -> type[T]:
        for name in names.split():
            if name not in cls.__dict__:
                setattr(cls, name, staticmethod(_refusal(f"{cls.__name__}.{name}", instead)))
        return cls

    return add


def _refusal(name: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"{name} is not supported by scriptrun. {instead}")

    refuse.__name__ = refuse.__qualname__ = name.rpartition(".")[2]
    refuse.__doc__ = f"Not supported. {instead}"
    return refuse
