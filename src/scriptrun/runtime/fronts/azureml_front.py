"""The package ``azureml`` in a job (Python 3.6+): this file is copied next to ``scriptrun/``.

If scriptrun is installed in the job's environment, its drop-in takes over. Otherwise ``Run``, and
what entry scripts of services use, work from the run's folder alone, and the helper provides the
other classes; without a helper, they can be imported, and their first use says what to do. Other
modules come from an installed azureml.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from scriptrun.runtime.injob.proxy import Remote


#: modules that old scripts import, and the full names of classes found in several of them
_MODULES: "dict[str, dict[str, str]]" = {
    "azureml": {},
    "azureml.core": {
        name: "azureml.core." + name
        for name in (
            "Run",
            "Workspace",
            "Experiment",
            "Dataset",
            "Datastore",
            "Environment",
            "Model",
            "ScriptRunConfig",
            "RunConfiguration",
            "ComputeTarget",
        )
    },
    "azureml.core.run": {"Run": "azureml.core.Run", "_OfflineRun": "azureml.core.run._OfflineRun"},
    "azureml.core.workspace": {"Workspace": "azureml.core.Workspace"},
    "azureml.core.experiment": {"Experiment": "azureml.core.Experiment"},
    "azureml.core.dataset": {"Dataset": "azureml.core.Dataset"},
    "azureml.core.datastore": {"Datastore": "azureml.core.Datastore"},
    "azureml.core.environment": {
        "Environment": "azureml.core.Environment",
        "CondaDependencies": "azureml.core.conda_dependencies.CondaDependencies",
    },
    "azureml.core.model": {"Model": "azureml.core.Model"},
    "azureml.core.conda_dependencies": {},
    "azureml.core.script_run_config": {"ScriptRunConfig": "azureml.core.ScriptRunConfig"},
    "azureml.core.runconfig": {
        "RunConfiguration": "azureml.core.RunConfiguration",
        "CondaDependencies": "azureml.core.conda_dependencies.CondaDependencies",
    },
    "azureml.core.compute": {"ComputeTarget": "azureml.core.ComputeTarget"},
    "azureml.exceptions": {},
    "azureml.exceptions._azureml_exception": {},
    "azureml._common": {},
    "azureml._common.exceptions": {},
    "azureml.telemetry": {},
    "azureml.contrib": {},
    "azureml.contrib.services": {},
    "azureml.contrib.services.aml_request": {},
    "azureml.contrib.services.aml_response": {},
    "azureml.monitoring": {},
}
_AML_REQUEST = "scriptrun.runtime.serving.aml_request"
_MODEL_DATA = "scriptrun.runtime.injob.model_data"
#: names that a job has without a helper, and the modules that define them
_LOCAL_NAMES = {
    "azureml.core.Run": "scriptrun",
    "azureml.core.run._OfflineRun": "scriptrun",
    "azureml.contrib.services.aml_request.AMLRequest": _AML_REQUEST,
    "azureml.contrib.services.aml_request.rawhttp": _AML_REQUEST,
    "azureml.contrib.services.aml_response.AMLResponse": _AML_REQUEST,
    "azureml.monitoring.ModelDataCollector": _MODEL_DATA,
}
#: modules that have an installed one's other names
_SHARED_MODULES = ("azureml.monitoring",)
_PLAIN_VALUES: "dict[str, dict[str, object]]" = {
    "azureml.core": {"VERSION": "1.61.0", "__version__": "1.61.0"},
    "azureml.telemetry": {"set_diagnostics_collection": lambda *args, **kwargs: None},
}


#: modules that contain only errors
_ERRORS = (
    "azureml.exceptions",
    "azureml.exceptions._azureml_exception",
    "azureml._common.exceptions",
)
#: what ``from azureml.exceptions import *`` brings
_ERROR_NAMES = (
    "ActivityFailedException AuthenticationException AzureMLException ComputeTargetException "
    "ExperimentExecutionException ModelNotFoundException ProjectSystemException "
    "RunConfigurationException RunEnvironmentException ServiceException SnapshotException "
    "TrainingException UserErrorException WebserviceException WorkspaceException"
).split()
_UNAVAILABLE = (
    "{}.{} is unavailable in this job: it requires scriptrun in the job's environment. "
    "Add scriptrun to the environment's packages."
)


class _StandIn(type):
    """Metaclass of names that the helper provides.

    They can always be imported; using one without a helper says what to do.
    """

    def __call__(cls, *args: object, **kwargs: object) -> object:
        return _helper_class(cls)(*args, **kwargs)

    def __getattr__(cls, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(_helper_class(cls), name)

    def __instancecheck__(cls, value: object) -> bool:
        return type.__instancecheck__(cls, value) or getattr(value, "_kind", "") == cls.__name__


_stand_ins: "dict[str, _StandIn]" = {}


def _stand_in(full_name: str) -> "_StandIn":
    """The stand-in for a class such as ``azureml.core.Model``, one per full name."""
    if full_name not in _stand_ins:
        module, _, name = full_name.rpartition(".")
        doc = _UNAVAILABLE.format(module, name)
        namespace: "dict[str, object]" = {"__doc__": doc, "__module__": module}
        if full_name == "azureml.core.Model":
            namespace["get_model_path"] = staticmethod(_get_model_path)
        _stand_ins[full_name] = _StandIn(str(name), (), namespace)
    return _stand_ins[full_name]


def _get_model_path(
    model_name: str, version: "int | None" = None, _workspace: object = None
) -> object:
    """``Model.get_model_path``: a service has its models itself, a job asks the helper."""
    served = importlib.import_module("scriptrun.runtime.injob.served_models")
    return served.find(model_name, version, lambda: _helper_class(_stand_in("azureml.core.Model")))


def _helper_class(cls: type) -> "Remote":
    """The class in the helper. Raises NotImplementedError without a helper."""
    if not importlib.import_module("scriptrun.runtime.injob.proxy_process").is_there():
        raise NotImplementedError(cls.__doc__)
    remote = importlib.import_module("scriptrun.runtime.injob.proxy")
    named: "Remote" = remote.named(cls.__module__ + "." + cls.__name__)
    return named


class _AzuremlModule(types.ModuleType):
    """A module that resolves names at their first use (Python 3.6 has no module __getattr__)."""

    def __getattr__(self, name: str) -> object:
        full_name = _MODULES.get(self.__name__, {}).get(name, self.__name__ + "." + name)
        is_ours = full_name in _LOCAL_NAMES or name.startswith("__")
        installed = None if is_ours else _installed(self)
        if full_name in _LOCAL_NAMES:
            home = importlib.import_module(_LOCAL_NAMES[full_name])
            value: object = getattr(home, full_name.rpartition(".")[2])
        elif installed is not None and hasattr(installed, name):
            value = getattr(installed, name)
        elif name in _PLAIN_VALUES.get(self.__name__, {}):
            value = _PLAIN_VALUES[self.__name__][name]
        elif self.__name__ in _ERRORS or name.endswith(("Exception", "Error")):
            value = _error_class(name)
        elif full_name in _MODULES:
            value = importlib.import_module(full_name)
        elif name[:1].isupper():
            value = _stand_in(full_name)
        else:
            raise AttributeError("module {!r} has no attribute {!r}".format(self.__name__, name))
        setattr(self, name, value)
        return value


def _installed(module: "ModuleType") -> "ModuleType | None":
    """The installed package with the name of ``module``, or None."""
    if module.__name__ not in _SHARED_MODULES or not module.__path__:
        return None
    name, folder = module.__name__ + "._installed", module.__path__[0]
    path = os.path.join(folder, "__init__.py")
    if name not in sys.modules and os.path.isfile(path):
        spec = importlib.util.spec_from_file_location(
            name, path, submodule_search_locations=[folder]
        )
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules.get(name)


def _error_class(name: str) -> "type[Exception]":
    """The error class of that name, or the base class, so that ``except`` clauses work."""
    errors = importlib.import_module("scriptrun.runtime.injob.errors")
    if name.startswith("__"):
        raise AttributeError(name)
    error_class: "type[Exception]" = getattr(errors, name, errors.ScriptrunError)
    return error_class


class _AzuremlFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules in ``_MODULES``."""

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if fullname not in _MODULES or fullname == "azureml":
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        spec.submodule_search_locations = _package_folders(fullname.rpartition(".")[2], path or [])
        return spec

    def create_module(self, spec: "ModuleSpec") -> "ModuleType":
        return _AzuremlModule(spec.name)

    def exec_module(self, module: "ModuleType") -> None:
        names = list(_MODULES.get(module.__name__, {}))
        names += _ERROR_NAMES if module.__name__ in _ERRORS else []
        module.__dict__["__all__"] = [name for name in names if not name.startswith("_")]


#: packages of the SDK that a job only has if they are installed
_OTHER_PACKAGES = (
    "automl _base_sdk_common contrib core data dataprep datadrift explain fsspec interpret mlflow "
    "opendatasets pipeline _restclient studio tensorboard train widgets"
).split()


class _MissingModuleFinder(_AzuremlFinder):
    """Creates missing modules, whose names can be imported and say what to do."""

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        parts = fullname.split(".")
        if parts[0] != "azureml" or parts[1] not in _OTHER_PACKAGES:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)


def _package_folders(name: str, search_path: "Iterable[str]") -> "list[str]":
    """The folders of the package ``name`` in an installed azureml."""
    folders = [os.path.join(os.path.abspath(entry or os.curdir), name) for entry in search_path]
    return [folder for folder in folders if os.path.isdir(folder)]


def _import_dropin() -> None:
    """Import the installed scriptrun's drop-in, a package. Raises ImportError without one."""
    spec = importlib.util.find_spec("scriptrun.dropin")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("scriptrun is not installed here")
    importlib.import_module("scriptrun.dropin")


def _install() -> None:
    """Load the installed scriptrun's drop-in, or else act as the front."""
    own_folder = os.path.dirname(os.path.abspath(__file__))
    front = sys.modules.pop(__name__)
    try:
        _import_dropin()
        importlib.import_module(__name__)  # the drop-in's own, found before this one
    except ImportError:
        sys.modules[__name__] = front
        front.__class__ = _AzuremlModule
        front.__path__ = [
            folder for folder in _package_folders("azureml", sys.path) if folder != own_folder
        ]
        sys.meta_path.insert(0, _AzuremlFinder())
        sys.meta_path.append(_MissingModuleFinder())


if __name__ == "azureml":
    _install()
