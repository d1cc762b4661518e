"""The available engines: scriptrun's own, and those of plugins.

A package provides an engine by an entry point in the group ``scriptrun.engines``: its name is the
engine's kind, its value the class (``mine = "my_package.engine:Mine"``).
"""

from __future__ import annotations

import functools
import importlib

from scriptrun.spec import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from typing import Any, TypeGuard

    from scriptrun.engines.base import Engine
    from scriptrun.runtime.hints import Json

#: scriptrun's own engines, imported on first use
ENGINES = {
    "Local": "scriptrun.engines.local.engine:Local",
    "Slurm": "scriptrun.engines.slurm.engine:Slurm",
}
#: the kind of a compute target without one
DEFAULT = "Local"
#: the entry point group of plugin engines
GROUP = "scriptrun.engines"


def kinds() -> list[str]:
    """The names of all engine kinds, sorted."""
    return sorted({*ENGINES, *_plugins()})


def engine_class(kind: str) -> Any:
    """The class of the engine ``kind``, or None if no package provides it."""
    dotted = ENGINES.get(kind)
    if dotted is None:
        try:
            return _plugin_class(kind)
        except LookupError:
            return None
    module, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module), name)


def kind_of(engine: object) -> str | None:
    """The kind of ``engine``; None if it is not an engine."""
    name = type(engine).__name__
    if name in ENGINES:
        return name
    matches = (kind for kind, plugin in _plugins().items() if type(engine) is plugin.load())
    return next(matches, None)


def is_engine(thing: object) -> TypeGuard[Engine]:
    """Whether ``thing`` is an engine object."""
    return kind_of(thing) is not None


def options_of(engine: object) -> Json:
    """The engine's options by name, without ``name`` itself."""
    return {name: getattr(engine, name) for name in values.names_of(type(engine)) if name != "name"}


@functools.cache  # reading all entry points takes milliseconds
def _plugin_class(kind: str) -> type:
    """The class that a package brings for ``kind``. Raises LookupError where none does."""
    found: type = _plugins()[kind].load()
    return found


def _plugins() -> dict[str, EntryPoint]:
    """The plugins' entry points by kind."""
    import importlib.metadata

    return {
        entry_point.name: entry_point
        for entry_point in importlib.metadata.entry_points(group=GROUP)
    }
