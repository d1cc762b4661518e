"""Names of the SDK v1 that are not provided: importing them works, using them says what to do."""

from __future__ import annotations

from collections.abc import Callable

from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from scriptrun.dropin.azureml import compute
else:
    compute = later("scriptrun.dropin.azureml.compute")


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


class _MissingCompute(_Missing):
    """A kind of machine that Azure attaches: one that scriptrun was told of by that name is it."""

    def __call__(cls, workspace: Any = None, name: Any = None, **kwargs: Any) -> Any:
        if workspace is None or not isinstance(name, str):
            raise NotImplementedError(cls.__doc__)
        return compute.ComputeTarget(workspace, name)


class _LeftOutError(ScriptrunError):
    """An error of a part that is left out: it is never raised here, and can be caught and made."""

    def __init__(self, exception_message: str = "", *args: Any, **kwargs: Any) -> None:
        super().__init__(exception_message)


def missing(module: str, name: str, alternative: str) -> type:
    """What stands for ``module.name``; its first use raises NotImplementedError."""
    if name.endswith(("Exception", "Error")):  # ``except`` clauses name it
        return type(name, (_LeftOutError,), {"__module__": module})
    sentence = f"{module}.{name} is not supported by scriptrun. {alternative}"
    kind = _MissingCompute if name.endswith("Compute") else _Missing
    return kind(name, (), {"__doc__": sentence, "__module__": module})
