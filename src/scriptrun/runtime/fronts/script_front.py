"""The package ``scriptrun`` in a job (Python 3.6+): this file is copied next to ``runtime/``.

It gives way to a scriptrun installed in the job's environment. Otherwise it provides what the run's
folder alone supports: ``Run`` and ``exceptions``. scriptrun's other public names can be imported
too; without a helper, their first use says what to do.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from scriptrun.runtime.injob.proxy import Remote


#: marks copies of this file, as jobs may start jobs: scriptrun-front-of-a-job
_MARK = b"scriptrun-front-of-a-job"

_LOCATIONS = {
    "Run": ("scriptrun.runtime.injob.run", "Run"),
    "_OfflineRun": ("scriptrun.runtime.injob.offline", "_OfflineRun"),
    "exceptions": ("scriptrun.exceptions", None),
}
_HELPER_NAMES = (
    "Workspace",
    "Experiment",
    "ScriptRunConfig",
    "RunConfiguration",
    "Environment",
    "CondaDependencies",
    "DockerConfiguration",
    "MpiConfiguration",
    "PyTorchConfiguration",
    "TensorflowConfiguration",
    "Local",
    "DataPath",
    "DataReference",
    "Dataset",
    "Datastore",
    "Model",
    "OutputFileDatasetConfig",
    "ComputeTarget",
)


def _unavailable_message(name: str) -> str:
    return (
        "scriptrun.{} is unavailable in this job: scriptrun is not installed on this node. "
        "Add scriptrun to the environment's packages.".format(name)
    )


class _HelperType(type):
    """Metaclass of names that the helper provides, if there is one."""

    def __call__(cls, *args: object, **kwargs: object) -> object:
        return _helper_class(cls.__name__)(*args, **kwargs)

    def __getattr__(cls, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_helper_class(cls.__name__, "." + name), name)


def _helper_class(name: str, attribute: str = "") -> "Remote":
    """The class in the helper. Raises AttributeError without a helper."""
    helper = importlib.import_module("scriptrun.runtime.injob.proxy_process")
    helper.helper("scriptrun." + name + attribute)
    remote = importlib.import_module("scriptrun.runtime.injob.proxy")
    named: "Remote" = remote.named(name)
    return named


def _get_model_path(
    model_name: str, version: "int | None" = None, _workspace: object = None
) -> object:
    """``Model.get_model_path``: a service has its models itself, a job asks the helper."""
    served = importlib.import_module("scriptrun.runtime.injob.served_models")
    return served.find(model_name, version, lambda: _helper_class("Model", ".get_model_path"))


class _Front(types.ModuleType):
    """A module that resolves names at their first use (Python 3.6 has no module __getattr__)."""

    def __getattr__(self, name: str) -> object:
        if name in _HELPER_NAMES:
            namespace: "dict[str, object]" = {"__doc__": _unavailable_message(name)}
            if name == "Model":
                namespace["get_model_path"] = staticmethod(_get_model_path)
            value: object = _HelperType(name, (), namespace)
        elif name in _LOCATIONS:
            module_name, attribute = _LOCATIONS[name]
            value = importlib.import_module(module_name)
            value = getattr(value, attribute) if attribute else value
        elif name.startswith("__"):
            raise AttributeError("module 'scriptrun' has no attribute {!r}".format(name))
        else:
            raise AttributeError(_unavailable_message(name))
        setattr(self, name, value)
        return value

    def __dir__(self) -> "list[str]":
        return sorted(set(list(self.__dict__) + ["Run", "exceptions"]))


class _Errors(types.ModuleType):
    """``scriptrun.exceptions``: classes for ``except`` clauses."""

    def __getattr__(self, name: str) -> object:
        if not name.endswith(("Exception", "Error")):
            raise AttributeError("module 'scriptrun.exceptions' has no {!r}".format(name))
        return importlib.import_module("scriptrun.runtime.injob.proxy_process").error_named(name)


def _find_installed() -> "ModuleSpec | None":
    """The spec of the scriptrun installed in this environment, or None."""
    own_folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for entry in sys.path:
        if os.path.abspath(entry or os.curdir) != own_folder:
            spec = importlib.machinery.PathFinder.find_spec("scriptrun", [entry])
            if _is_real(spec):
                return spec
    return _find_by_finder()


def _find_by_finder() -> "ModuleSpec | None":
    """The spec from another finder, which some editable installs add."""
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        if find_spec is None or finder is importlib.machinery.PathFinder:
            continue
        try:
            spec: "ModuleSpec | None" = find_spec("scriptrun", None)
        except Exception:
            continue  # another package's finder
        if _is_real(spec):
            return spec
    return None


def _is_real(spec: "ModuleSpec | None") -> bool:
    """Whether ``spec`` is a real package, not a bare folder or a copy of this file."""
    if spec is None or spec.loader is None or not spec.origin:
        return False
    try:
        with open(spec.origin, "rb") as handle:
            return _MARK not in handle.read(4096)
    except OSError:
        return os.path.isabs(spec.origin)  # e.g. in a zip


def _load(spec: "ModuleSpec") -> None:
    """Replace this module with the installed package."""
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[__name__] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(__name__, None)
        raise


def _install() -> None:
    """Load the installed package, or else act as the front."""
    spec = _find_installed()
    if spec is not None:
        _load(spec)
    else:
        sys.modules[__name__].__class__ = _Front
        sys.modules[__name__ + ".exceptions"] = _Errors(__name__ + ".exceptions")


if __name__ == "scriptrun":
    _install()
