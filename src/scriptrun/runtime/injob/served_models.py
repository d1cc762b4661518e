"""The models that a service was deployed with, found without a workspace (Python 3.6+).

``azureml-models/NAME/VERSION/`` holds a model's file or folder: in the run's folder of a service,
below AZUREML_MODEL_DIR in an image, or in the current directory.
"""

import json
import os

from scriptrun.runtime.injob.errors import ModelNotFoundException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional

    from scriptrun.runtime.injob.proxy import Remote

#: the folder of all models, and the order of a service in the folder of its run
FOLDER, ORDER = "azureml-models", "service.json"
_MODEL_DIR = "AZUREML_MODEL_DIR"


def find(name: str, version: "Optional[object]", helper_class: "Callable[[], Remote]") -> object:
    """``Model.get_model_path``: a service's own model, else what the helper's class answers."""
    path = path_of(name, version)
    return path if path is not None else helper_class().get_model_path(name, version)


def path_of(name: str, version: "Optional[object]" = None) -> "Optional[str]":
    """The path of the file or folder of the model ``name``: of ``version``, else of the latest.

    None if this process does not serve models and there is none below the current directory. Raises
    ModelNotFoundException, naming the models of the service, if it does not have that one.
    """
    models = dict(_below(os.path.join(os.curdir, FOLDER)), **_of_service())
    found = models.get(name, {})
    number = max(found) if found and version is None else _number(version)
    if number in found:
        return os.path.abspath(found[number])
    if _MODEL_DIR not in os.environ:
        return None
    raise _not_found(name, version, models)


def _not_found(
    name: str, version: "Optional[object]", models: "Dict[str, Dict[int, str]]"
) -> Exception:
    shown = repr(name) if version is None else "{!r}, version {},".format(name, version)
    there = sorted(
        "{} (version {})".format(other, ", ".join(map(str, sorted(models[other]))))
        for other in models
    )
    return ModelNotFoundException(
        "Model {} is not among the models of this service.".format(shown),
        "Deploy it with the service, or use one of: {}.".format(", ".join(there))
        if there
        else "The service was deployed without models: give Model.deploy the models that it uses.",
    )


def _of_service() -> "Dict[str, Dict[int, str]]":
    """The paths of this service's models, by name and version."""
    order = _order(os.environ.get("SCRIPTRUN_RUN_FOLDER"))
    if order:
        return order
    folder = os.environ.get(_MODEL_DIR)
    if not folder:
        return {}
    parts = os.path.abspath(folder).split(os.sep)
    if FOLDER in parts:  # AZUREML_MODEL_DIR of one model is its own folder
        index = len(parts) - parts[::-1].index(FOLDER)
        folder = os.sep.join(parts[:index])
    return _below(folder)


def _order(run_folder: "Optional[str]") -> "Dict[str, Dict[int, str]]":
    """The models in the order of the service whose run is in that folder."""
    if not run_folder:
        return {}
    try:
        with open(os.path.join(run_folder, ORDER), encoding="utf-8") as handle:
            models = json.load(handle).get("models") or ()
    except (OSError, ValueError, AttributeError):
        return {}
    found = {}  # type: Dict[str, Dict[int, str]]
    for model in models:
        path = os.path.join(run_folder, model["path"])
        found.setdefault(model["name"], {})[int(model["version"])] = path
    return found


def _below(folder: str) -> "Dict[str, Dict[int, str]]":
    """The models in ``folder``, laid out as NAME/VERSION/."""
    found = {}  # type: Dict[str, Dict[int, str]]
    for name in _names(folder):
        for version in _names(os.path.join(folder, name)):
            number = _number(version)
            if number is not None:
                place = os.path.join(folder, name, version)
                content = _names(place)
                path = os.path.join(place, content[0]) if len(content) == 1 else place
                found.setdefault(name, {})[number] = path
    return found


def _names(folder: str) -> "List[str]":
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _number(version: "Optional[object]") -> "Optional[int]":
    try:
        return int(str(version))
    except ValueError:
        return None
