"""What the file MLmodel says, read without MLflow: the flavors, and the file of each."""

import os

from scriptrun.runtime.serving.errors import ServiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

#: the file that makes a folder an MLflow model
MLMODEL = "MLmodel"
#: flavors that are served without MLflow: the framework, and the keys that name the model's file
_FLAVORS = {
    "sklearn": ("scikitlearn", ["pickled_model"]),
    "onnx": ("onnx", ["data"]),
    "xgboost": ("xgboost", ["data"]),
    "lightgbm": ("lightgbm", ["data"]),
}


def native(path: str) -> "Tuple[str, str]":
    """The framework of the MLflow model in the folder ``path``, and its own file.

    Raises ServiceError if only MLflow can load it, or if the file is outside the folder.
    """
    flavors = read_flavors(os.path.join(path, MLMODEL))
    for flavor, (framework, keys) in _FLAVORS.items():
        fields = flavors.get(flavor, {})
        name = next((fields[key] for key in keys if key in fields), None)
        if name is None or fields.get("serialization_format") == "skops":
            continue
        file = _inside(path, name)
        if file is not None:
            return framework, file
    names = ", ".join(sorted(flavors)) or "no flavors"
    text = (
        "The MLflow model {!r} has {}, and the environment has no MLflow: add mlflow-skinny (or "
        "mlflow) to its packages."
    )
    raise ServiceError(text.format(os.path.basename(path), names))


def _inside(path: str, name: str) -> "Optional[str]":
    file = os.path.normpath(os.path.join(path, name))
    return (
        file if file.startswith(os.path.normpath(path) + os.sep) and os.path.isfile(file) else None
    )


def read_flavors(file: str) -> "dict[str, dict[str, str]]":
    """The fields of each flavor: only plain values, as MLflow writes them, one per line."""
    flavors: "dict[str, dict[str, str]]" = {}
    within, flavor = False, ""
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            text = line.strip()
            depth = len(line) - len(line.lstrip(" "))
            if depth == 0:
                within = text == "flavors:"
            elif within and depth == 2 and text.endswith(":"):
                flavor = text[:-1]
                flavors[flavor] = {}
            elif within and depth == 4 and flavor and ": " in text:
                key, _, value = text.partition(": ")
                flavors[flavor][key] = value.strip("'\"")
    return flavors
