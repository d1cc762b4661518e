"""Unsupported names of the SDK v1: they can be imported, and raise an explanation when used."""

from __future__ import annotations

from collections.abc import Callable

from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from scriptrun.dropin.azureml import compute
    from scriptrun.registry.workspace_files import WorkspaceFiles
else:
    compute = later("scriptrun.dropin.azureml.compute")


class _Missing(type):
    """The metaclass of unsupported names: calling one, or using its attributes, raises."""

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(cls.__doc__)

    def __getattr__(cls, name: str) -> Callable[..., NoReturn]:
        if name.startswith("_"):  # copy, pickle and IPython probe for these
            raise AttributeError(name)
        if name.isupper() or name[:1].isupper():  # a constant: fail here rather than later
            raise NotImplementedError(cls.__doc__)
        return cls.__call__


class _MissingCompute(_Missing):
    """An Azure compute type: works if the workspace has a compute target of that name."""

    def __call__(
        cls, workspace: WorkspaceFiles | None = None, name: object = None, **kwargs: object
    ) -> Any:
        if workspace is None or not isinstance(name, str):
            raise NotImplementedError(cls.__doc__)
        return compute.ComputeTarget(workspace, name)


class _LeftOutError(ScriptrunError):
    """An error of an unsupported part: it can be caught and created, but is never raised."""


def missing(module: str, name: str, alternative: str) -> type:
    """Return a placeholder for ``module.name``; using it raises NotImplementedError."""
    if name.endswith(("Exception", "Error")):  # it has to work in ``except`` clauses
        return type(name, (_LeftOutError,), {"__module__": module})
    sentence = f"{module}.{name} is not supported by scriptrun. {alternative}"
    kind = _MissingCompute if name.endswith("Compute") else _Missing
    return kind(name, (), {"__doc__": sentence, "__module__": module})
