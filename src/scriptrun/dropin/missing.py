"""Names of the SDK v1 that are not provided: importing them works, using them says what to do."""

from __future__ import annotations

from collections.abc import Callable

from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.hints import Any, NoReturn


class _Missing(type):
    """The class of what is not provided: calling it, or looking at an attribute, raises."""

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(cls.__doc__)

    def __getattr__(cls, name: str) -> Callable[..., NoReturn]:
        if name.startswith("_"):  # what copy, pickle, IPython, ... try on every object
            raise AttributeError(name)
        if name.isupper() or name[:1].isupper():  # a constant, where an exception would say more
            raise NotImplementedError(cls.__doc__)
        return cls.__call__


class _LeftOutError(ScriptrunError):
    """An error of a part that is left out: it is never raised here, and can be caught and made."""

    def __init__(self, exception_message: str = "", *args: Any, **kwargs: Any) -> None:
        super().__init__(exception_message)


def missing(module: str, name: str, alternative: str) -> type:
    """What stands for ``module.name``; its first use raises NotImplementedError."""
    if name.endswith(("Exception", "Error")):  # ``except`` clauses name it
        return type(name, (_LeftOutError,), {"__module__": module})
    sentence = f"{module}.{name} is not provided by scriptrun. {alternative}"
    return _Missing(name, (), {"__doc__": sentence, "__module__": module})
