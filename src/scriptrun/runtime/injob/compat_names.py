"""Names that packages have removed, restored for old scripts (Python 3.6+, stdlib only).

Used by jobs that old code submits, and copied into environments whose pins were relaxed. It patches
a module after its import: it adds removed names, and never replaces an existing one.

numpy      bool, int, float, complex, object, str, long, unicode (gone since 1.24): the builtins;
           float_, NaN, Inf, product, in1d, asscalar, ... (gone since 2.0): their current names
pandas     DataFrame.append, iteritems, applymap, Series.append, pandas.np (gone since 2.0 and 3.0)
sklearn    sklearn.externals.joblib and .six: the packages joblib and six;
           metrics.plot_confusion_matrix, plot_roc_curve, plot_precision_recall_curve (since 1.2)
collections  Mapping, Iterable, ... (gone since Python 3.10): those of collections.abc
time       clock (gone since 3.8): perf_counter
inspect    getargspec (gone since 3.11): the first four fields of getfullargspec
"""

import collections
import collections.abc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import TypeAlias

    from pandas import DataFrame, Series

    Row: TypeAlias = DataFrame | Series | dict[str, object]

_NUMPY_BUILTINS = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
    "long": int,
    "unicode": str,
}
#: names that numpy 2.0 renamed
_NUMPY_RENAMES = {
    "float_": "float64",
    "complex_": "complex128",
    "string_": "bytes_",
    "unicode_": "str_",
    "NaN": "nan",
    "NAN": "nan",
    "Inf": "inf",
    "Infinity": "inf",
    "infty": "inf",
    "PINF": "inf",
    "product": "prod",
    "cumproduct": "cumprod",
    "sometrue": "any",
    "alltrue": "all",
    "in1d": "isin",
    "trapz": "trapezoid",
    "round_": "round",
    "row_stack": "vstack",
    "mat": "asmatrix",
}
_SKLEARN_PLOTS = {
    "plot_confusion_matrix": "ConfusionMatrixDisplay",
    "plot_roc_curve": "RocCurveDisplay",
    "plot_precision_recall_curve": "PrecisionRecallDisplay",
}
_ABSTRACT_CLASSES = [  # fmt: skip
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
#: modules that have moved: old name to current name
MOVED = {"sklearn.externals.joblib": "joblib", "sklearn.externals.six": "six"}


def _add_numpy_names(module: "ModuleType") -> None:
    aliases = dict(_NUMPY_BUILTINS, asscalar=lambda a: a.item())
    for old, name in _NUMPY_RENAMES.items():
        if name in module.__dict__:
            aliases[old] = module.__dict__[name]
    if "inf" in module.__dict__:
        aliases["NINF"] = -module.__dict__["inf"]
    for name, value in aliases.items():
        module.__dict__.setdefault(name, value)


def _add_pandas_names(module: "ModuleType") -> None:
    def append_rows(
        self: "DataFrame",
        other: "Row | list[Row]",
        ignore_index: bool = False,
        verify_integrity: bool = False,
        sort: bool = False,
    ) -> "DataFrame":
        if isinstance(other, list) and other and not isinstance(other[0], module.DataFrame):
            others = [module.DataFrame(other)]
        else:
            others = list(other) if isinstance(other, (list, tuple)) else [other]
        rows = [module.Series(each) if isinstance(each, dict) else each for each in others]
        frames = [
            row.to_frame().T.infer_objects() if isinstance(row, module.Series) else row
            for row in rows
        ]
        return module.concat(
            [self] + frames,
            ignore_index=ignore_index,
            verify_integrity=verify_integrity,
            sort=sort,
        )

    def append_values(
        self: "Series",
        to_append: "Series | list[Series]",
        ignore_index: bool = False,
        verify_integrity: bool = False,
    ) -> "Series":
        others = list(to_append) if isinstance(to_append, (list, tuple)) else [to_append]
        return module.concat(
            [self] + others, ignore_index=ignore_index, verify_integrity=verify_integrity
        )

    for kind in (module.__dict__.get("DataFrame"), module.__dict__.get("Series")):
        for old, value in (
            ("append", append_values if kind is module.Series else append_rows),
            ("iteritems", getattr(kind, "items", None)),
            ("applymap", getattr(kind, "map", None) if kind is not module.Series else None),
        ):
            if value is not None and not hasattr(kind, old):
                setattr(kind, old, value)
    if "numpy" in sys.modules:
        module.__dict__.setdefault("np", sys.modules["numpy"])


def _add_sklearn_names(module: "ModuleType") -> None:
    for old, name in _SKLEARN_PLOTS.items():
        plot = getattr(module.__dict__.get(name), "from_estimator", None)
        if plot is not None:  # before scikit-learn 1.0 the old name is still there
            module.__dict__.setdefault(old, plot)


def _add_inspect_names(module: "ModuleType") -> None:
    if not hasattr(module, "getargspec"):
        module.__dict__["getargspec"] = lambda call: module.getfullargspec(call)[:4]


#: modules to patch after their import
PATCHES = {
    "numpy": _add_numpy_names,
    "pandas": _add_pandas_names,
    "sklearn.metrics": _add_sklearn_names,
    "inspect": _add_inspect_names,
}


class Finder(importlib.abc.MetaPathFinder):
    """Finds moved modules, and patches modules that have lost names."""

    def __init__(self) -> None:
        self._busy: "set[str]" = set()

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The spec of a module in ``MOVED`` or ``PATCHES``, else None."""
        if fullname in MOVED:
            if importlib.machinery.PathFinder.find_spec(fullname, path) is not None:
                return None  # this release still has it
            return importlib.util.spec_from_loader(fullname, MovedModuleLoader(MOVED[fullname]))
        if fullname not in PATCHES or fullname in self._busy:
            return None
        self._busy.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy.discard(fullname)
        if spec is not None and spec.loader is not None:
            _patch_after(spec.loader, PATCHES[fullname])
        return spec


class MovedModuleLoader(importlib.abc.Loader):
    """Loads a module under its former name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: "ModuleSpec") -> "ModuleType":
        """Import the module under its current name."""
        return importlib.import_module(self._name)

    def exec_module(self, module: "ModuleType") -> None:
        """Nothing to do: it was executed under its current name."""


def _patch_after(loader: "Loader", patch: "Callable[[ModuleType], None]") -> None:
    execute = loader.exec_module

    def exec_module(module: "ModuleType") -> None:
        execute(module)
        patch(module)

    setattr(loader, "exec_module", exec_module)  # noqa: B010


def install() -> None:
    """Install the finder, and restore the removed names of the standard library."""
    for name in _ABSTRACT_CLASSES:
        if hasattr(collections.abc, name) and name not in collections.__dict__:
            setattr(collections, name, getattr(collections.abc, name))
    if not hasattr(time, "clock"):
        time.__dict__["clock"] = time.perf_counter
    for name, patch in PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])
    if not any(
        type(finder).__name__ == "Finder" and hasattr(finder, "_busy") for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, Finder())
