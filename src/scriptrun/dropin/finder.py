"""The import hook that finds ``azureml`` in the API table, whatever packages are installed.

Nothing changes until ``enable`` is called. Modules missing from the table are imported from an
installed azureml: each package's ``__path__`` includes the installed one's.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types

from scriptrun.dropin import api_table
from scriptrun.dropin.azureml import unsupported
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MARK = "__scriptrun__"


def enable() -> None:
    """Make ``azureml`` importable; a second call does nothing.

    Raises UserErrorException if another azureml.core is already imported.
    """
    if any(isinstance(each, Finder) for each in sys.meta_path):
        return
    if "azureml.core" in sys.modules:
        raise UserErrorException(
            "Another azureml package is already imported.",
            "Make `import scriptrun.dropin` the first line of the program.",
        )
    for name in [each for each in sys.modules if each.split(".")[0] == "azureml"]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder())


class Finder:
    """Finds the modules of the API table."""

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of an ``azureml`` module in the API table, else None."""
        if fullname.split(".", maxsplit=1)[0] != "azureml" or not api_table.knows(fullname):
            return None
        if api_table.installed_first(fullname):
            installed = importlib.machinery.PathFinder.find_spec(fullname, path)
            if installed is not None:
                return installed
        spec = importlib.util.spec_from_loader(fullname, Loader(), is_package=True)
        if spec is not None:
            places = sys.path if path is None else path
            spec.submodule_search_locations = _folders(fullname.rpartition(".")[2], places)
        return spec


def _folders(name: str, places: Any) -> list[str]:
    """Return the folders of an installed azureml's package ``name``."""
    found = [os.path.join(each or os.curdir, name) for each in places if isinstance(each, str)]
    return [each for each in found if os.path.isdir(each)]


class Loader(importlib.abc.Loader):
    """Loads modules whose names are resolved on first use."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Create a default module."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill ``module``; it resolves each name on first use."""
        offered = [
            *api_table.provided(module.__name__),
            *api_table.LEFT_OUT.get(module.__name__, {}),
        ]

        def find(name: str) -> object:
            value = _value(module.__name__, name)
            module.__dict__[name] = value
            return value

        about = f"``{module.__name__}`` of the Azure ML SDK v1, by scriptrun."
        module.__dict__.update(
            {
                _MARK: True,
                "__doc__": about,
                "__all__": [each for each in offered if not each.startswith("_")],
                "__getattr__": find,
                "__dir__": lambda: sorted({*module.__dict__, *offered}),
            }
        )


def _value(module: str, name: str) -> object:
    home = api_table.provided(module).get(name)
    if home is not None:
        return getattr(importlib.import_module(home[0]), home[1])
    if f"{module}.{name}" in api_table.PROVIDED:
        return importlib.import_module(f"{module}.{name}")
    instead = None if name.startswith("__") else api_table.alternative(module, name)
    if instead is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return unsupported.missing(module, name, instead)
