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
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType

_MARK = "__scriptrun__"


def enable() -> None:
    """Make ``azureml`` importable; a second call does nothing.

    Raises UserErrorException if another azureml.core is already imported.
    """
    if any(isinstance(finder, AzuremlFinder) for finder in sys.meta_path):
        return
    if "azureml.core" in sys.modules:
        raise UserErrorException(
            "Another azureml package is already imported.",
            "Make `import scriptrun.dropin` the first line of the program.",
        )
    for name in [
        module_name for module_name in sys.modules if module_name.split(".")[0] == "azureml"
    ]:
        del sys.modules[name]
    sys.meta_path.insert(0, AzuremlFinder())


class AzuremlFinder:
    """Finds the modules of the API table."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of an ``azureml`` module in the API table, else None."""
        if fullname.split(".", maxsplit=1)[0] != "azureml" or not api_table.knows(fullname):
            return None
        if _is_class(fullname):
            return None
        if api_table.installed_first(fullname):
            installed = importlib.machinery.PathFinder.find_spec(fullname, path)
            if installed is not None:
                return installed
        spec = importlib.util.spec_from_loader(fullname, AzuremlLoader(), is_package=True)
        if spec is not None:
            search_path = sys.path if path is None else path
            spec.submodule_search_locations = _folders(fullname.rpartition(".")[2], search_path)
        return spec


def _is_class(fullname: str) -> bool:
    """Whether it is a class or the like in a module: ``unittest.mock.patch`` tries to import it."""
    module, _, name = fullname.rpartition(".")
    return fullname not in api_table.PROVIDED and api_table.source_of(module, name) is not None


def _folders(name: str, search_path: Iterable[str]) -> list[str]:
    """Return the folders of an installed azureml's package ``name``."""
    folders = [
        os.path.join(entry or os.curdir, name) for entry in search_path if isinstance(entry, str)
    ]
    return [folder for folder in folders if os.path.isdir(folder)]


class AzuremlLoader(importlib.abc.Loader):
    """Loads modules whose names are resolved on first use."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Create a default module."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill ``module``; it resolves each name on first use."""
        names = [
            *api_table.provided(module.__name__),
            *api_table.LEFT_OUT.get(module.__name__, {}),
        ]

        def resolve(name: str) -> object:
            value = _resolve(module.__name__, name)
            module.__dict__[name] = value
            return value

        doc = f"``{module.__name__}`` of the Azure ML SDK v1, by scriptrun."
        module.__dict__.update(
            {
                _MARK: True,
                "__doc__": doc,
                "__all__": [
                    public_name for public_name in names if not public_name.startswith("_")
                ],
                "__getattr__": resolve,
                "__dir__": lambda: sorted({*module.__dict__, *names}),
            }
        )


def _resolve(module: str, name: str) -> object:
    source = api_table.source_of(module, name)
    if source is not None:
        return getattr(importlib.import_module(source[0]), source[1])
    if f"{module}.{name}" in api_table.PROVIDED:
        return importlib.import_module(f"{module}.{name}")
    advice = None if name.startswith("__") else api_table.alternative(module, name)
    if advice is None:
        near = (
            ""
            if name.startswith("__")
            else suggestion.question(name, api_table.known_names(module))
        )
        raise AttributeError(
            f"module {module!r} has no attribute {name!r}. {near}".rstrip(". ") + "."
        )
    return unsupported.missing(module, name, advice)
