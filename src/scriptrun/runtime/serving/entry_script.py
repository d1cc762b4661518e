"""Load an entry script, a file with ``init()`` and ``run(data)``, as v1's server does."""

import importlib
import importlib.util
import os
import sys
import types

from scriptrun.runtime.serving import aml_request
from scriptrun.runtime.serving.errors import ServiceError
from scriptrun.runtime.serving.order import MODELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Dict, Optional

    from scriptrun.runtime.serving.order import ServiceOrder

#: the package that v1's scripts take AMLRequest and AMLResponse from; it is not needed
_API = "azureml_inference_server_http"


class EntryScript:
    """What is served: ``init()`` runs once, ``run`` once for each request."""

    def __init__(self, init: "Callable[[], object]", run: "Callable[..., object]") -> None:
        self.init, self.run = init, run
        #: whether run takes the request itself
        self.is_raw = bool(getattr(run, aml_request.RAW, False))


def set_variables(order: "ServiceOrder", folder: str, root: str) -> None:
    """Set the variables that entry scripts read; ``root`` is the folder of the source."""
    variables = {
        "AZUREML_MODEL_DIR": os.path.join(folder, order.model_dir or MODELS),
        "AZUREML_APP_ROOT": root,
        "AML_APP_ROOT": root,
        "WORKER_COUNT": str(order.workers),
    }
    if order.entry_script:
        variables["AZUREML_ENTRY_SCRIPT"] = order.entry_script
    if order.timeout_seconds is not None:
        variables["SCORING_TIMEOUT_MS"] = str(int(order.timeout_seconds * 1000))
    os.environ.update(variables)


def load(order: "ServiceOrder", folder: str) -> EntryScript:
    """What ``order`` serves, from the source in the current directory. ``init`` is not called yet.

    Raises ServiceError if the script is missing or has no init and run, and whatever it raises.
    """
    if not order.entry_script:
        return _model_itself(order, folder)
    root, path = os.getcwd(), os.path.abspath(order.entry_script)
    if not os.path.isfile(path):
        text = "The entry script {!r} is missing: give its path relative to the source directory."
        raise ServiceError(text.format(order.entry_script))
    _enter(path)
    _link_source(order.source_name, root)
    _provide_names()
    module = _execute(path, order.entry_script)
    missing = [name for name in ("init", "run") if not callable(getattr(module, name, None))]
    if missing:
        text = "The entry script {} has no function {}: define init() and run(data)."
        raise ServiceError(text.format(order.entry_script, " and no function ".join(missing)))
    return EntryScript(module.init, module.run)


def _model_itself(order: "ServiceOrder", folder: str) -> EntryScript:
    """The model without a script: what it is says how it is served."""
    predict: "Dict[str, Callable[[str], object]]" = {}

    def init() -> None:
        loader = importlib.import_module("scriptrun.runtime.serving.model_loader")
        predict["model"] = loader.load(order, folder)

    return EntryScript(init, lambda text: predict["model"](text))


def _enter(path: str) -> None:
    """Make the script's folder the working directory, and the first to import from."""
    root, folder = os.getcwd(), os.path.dirname(path)
    os.chdir(folder)
    sys.path[0] = folder
    if folder != root and root not in sys.path:
        sys.path.insert(1, root)


def _link_source(name: "Optional[str]", root: str) -> None:
    """Let ``source_directory/file`` name a file of the source, as in the SDK v1's services.

    There, the source directory was copied with its name into the working directory.
    """
    if name and not os.path.lexists(name):
        try:
            os.symlink(os.path.relpath(root), name, target_is_directory=True)
        except OSError:  # another worker was first, or the folder is read-only
            pass


def _execute(path: str, title: str) -> types.ModuleType:
    """Execute the script as the module that an ``import`` of it gives, and as ``__main__``.

    Objects that were pickled by the script's own training code name their classes either way.
    """
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ServiceError("The entry script {!r} is not a Python file (.py).".format(title))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = sys.modules["__main__"] = module
    spec.loader.exec_module(module)
    return module


def _provide_names() -> None:
    """Answer imports of the old server's modules with ours."""
    package, api = types.ModuleType(_API), types.ModuleType(_API + ".api")
    request = types.ModuleType(_API + ".api.aml_request")
    response = types.ModuleType(_API + ".api.aml_response")
    for owner in (package, api):
        vars(owner)["__path__"] = []
    for owner, name in ((request, "AMLRequest"), (request, "rawhttp"), (response, "AMLResponse")):
        setattr(owner, name, getattr(aml_request, name))
    for owner, name, module in (
        (package, "api", api), (api, "aml_request", request), (api, "aml_response", response),
    ):  # fmt: skip
        setattr(owner, name, module)
    for module in (package, api, request, response):
        sys.modules[module.__name__] = module
