"""Names that went from packages, for scripts that were written before (Python 3.6+, stdlib only).

This file is copied into environments whose pins were relaxed. It changes a module after its own
import: it adds names that have gone, and never replaces one that is there.

numpy      bool, int, float, complex, object, str, long, unicode (gone since 1.24): the builtins
sklearn    sklearn.externals.joblib and .six: the packages joblib and six
collections  Mapping, Iterable, ... (gone since Python 3.10): those of collections.abc
time       clock (gone since 3.8): perf_counter
inspect    getargspec (gone since 3.11): the first four fields of getfullargspec
"""

import collections
import collections.abc
import importlib
import importlib.abc
import importlib.util
import sys
import time

_NUMPY = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
    "long": int,
    "unicode": str,
}
_ABSTRACT = [  # fmt: skip
    "Awaitable",
    "Coroutine",
    "AsyncIterable",
    "AsyncIterator",
    "AsyncGenerator",
    "Hashable",
    "Iterable",
    "Iterator",
    "Generator",
    "Reversible",
    "Sized",
    "Container",
    "Callable",
    "Collection",
    "Set",
    "MutableSet",
    "Mapping",
    "MutableMapping",
    "MappingView",
    "KeysView",
    "ItemsView",
    "ValuesView",
    "Sequence",
    "MutableSequence",
    "ByteString",
]
#: modules that have moved: old name to the name of today
MOVED = {"sklearn.externals.joblib": "joblib", "sklearn.externals.six": "six"}


def _numpy(module):
    for name, value in _NUMPY.items():
        if name not in module.__dict__:
            module.__dict__[name] = value


#: modules that get names after their own import
MENDED = {"numpy": _numpy}


class Finder(importlib.abc.MetaPathFinder):
    """Finds what has moved, and mends what lacks names."""

    def __init__(self):
        self._busy = set()

    def find_spec(self, fullname, path=None, target=None):
        """The spec of a module of the tables, else None."""
        if fullname in MOVED:
            return importlib.util.spec_from_loader(fullname, Moved(MOVED[fullname]))
        if fullname not in MENDED or fullname in self._busy:
            return None
        self._busy.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy.discard(fullname)
        if spec is not None and spec.loader is not None:
            _mend_after(spec.loader, MENDED[fullname])
        return spec


class Moved(importlib.abc.Loader):
    """Gives the module that is called otherwise today."""

    def __init__(self, name):
        self._name = name

    def create_module(self, spec):
        """The module of today."""
        return importlib.import_module(self._name)

    def exec_module(self, module):
        """It was executed under its own name."""


def _mend_after(loader, mend):
    execute = loader.exec_module

    def exec_module(module):
        execute(module)
        mend(module)

    loader.exec_module = exec_module


def install():
    """Let the old names be found, and put those of the standard library where they were."""
    for name in _ABSTRACT:
        if hasattr(collections.abc, name) and name not in collections.__dict__:
            setattr(collections, name, getattr(collections.abc, name))
    if not hasattr(time, "clock"):
        time.clock = time.perf_counter
    MENDED["inspect"] = _inspect
    if "inspect" in sys.modules:
        _inspect(sys.modules["inspect"])
    if not any(
        type(each).__name__ == "Finder" and hasattr(each, "_busy") for each in sys.meta_path
    ):
        sys.meta_path.insert(0, Finder())


def _inspect(module):
    if not hasattr(module, "getargspec"):
        module.getargspec = lambda call: module.getfullargspec(call)[:4]
