"""Which kind of model a file or folder is: by its framework, its content and its name."""

import os

from scriptrun.runtime.serving.errors import ServiceError
from scriptrun.runtime.serving.models.mlflow_files import MLMODEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

_MODULES = "scriptrun.runtime.serving.models."
#: what to install for a module, where the names differ
PACKAGES = {"sklearn": "scikit-learn"}


class ModelKind:
    """A kind of model: its name for people, its module here, the libraries that it needs.

    ``frameworks`` are the names under which models are registered, ``suffixes`` those of files.
    """

    def __init__(
        self,
        title: str,
        module: str,
        libraries: "List[str]",
        frameworks: "List[str]",
        suffixes: "List[str]",
    ) -> None:
        self.title, self.module = title, _MODULES + module
        self.libraries, self.frameworks, self.suffixes = libraries, frameworks, suffixes


PICKLE = ModelKind(
    "a pickled model",
    "pickled",
    [],
    ["scikitlearn", "sklearn", "scikit-learn"],
    [".pkl", ".pickle", ".joblib"],
)
ONNX = ModelKind("an ONNX model", "onnx", ["onnxruntime"], ["onnx"], [".onnx"])
XGBOOST = ModelKind(
    "an XGBoost model", "xgboost", ["xgboost"], ["xgboost"], [".ubj", ".bst", ".xgb", ".json"]
)
LIGHTGBM = ModelKind(
    "a LightGBM model", "lightgbm", ["lightgbm"], ["lightgbm"], [".txt", ".lgb", ".lgbm"]
)
TORCHSCRIPT = ModelKind(
    "a TorchScript model", "torchscript", ["torch"], ["pytorch", "torch"], [".pt", ".pth", ".ts"]
)
MLFLOW = ModelKind("an MLflow model", "mlflow_model", ["mlflow"], ["mlflow"], [])
KINDS = (PICKLE, ONNX, XGBOOST, LIGHTGBM, TORCHSCRIPT, MLFLOW)
#: frameworks of registered models that say nothing about the file
_SILENT = ("", "custom", "multi")
_WRITE_ONE = (
    "Serve it with an entry script: scriptrun serve MODEL --entry score.py, with init() and "
    "run(data)."
)


def detect(path: str, framework: "Optional[str]" = None) -> "Tuple[ModelKind, str]":
    """The kind of the model at ``path``, and the file or folder to load.

    Raises ServiceError, saying what was found, if it is none of KINDS.
    """
    if os.path.isdir(path) and os.path.isfile(os.path.join(path, MLMODEL)):
        return MLFLOW, path
    candidates = _files(path)
    word = (framework or "").lower()
    if word not in _SILENT:
        return _of_framework(word, framework or "", path, candidates)
    known = [(kind, each) for each in candidates for kind in [_by_content(each)] if kind]
    if len(known) == 1:
        return known[0]
    names = ", ".join(sorted(os.path.relpath(each, path) for each in candidates)[:10])
    what = "{!r}".format(os.path.basename(path))
    if os.path.isdir(path):
        what += " (with {})".format(names) if names else " (an empty folder)"
    many = "holds several models" if known else "is not a kind of model that scriptrun knows"
    text = "The model {} {}. Name its framework (--framework), if it has one. {}"
    raise ServiceError(text.format(what, many, _WRITE_ONE))


def _of_framework(
    word: str, framework: str, path: str, candidates: "List[str]"
) -> "Tuple[ModelKind, str]":
    kind = next((each for each in KINDS if word in each.frameworks), None)
    if kind is None:
        known = "ScikitLearn, Onnx, XGBoost, LightGBM, PyTorch, MLflow"
        text = "Models of the framework {!r} are not served by themselves, only those of {}. {}"
        raise ServiceError(text.format(framework, known, _WRITE_ONE))
    if len(candidates) == 1:
        own = _by_content(candidates[0])
        return (own if own is PICKLE else kind), candidates[0]
    matching = [each for each in candidates if _suffix(each) in kind.suffixes]
    if len(matching) == 1:
        return kind, matching[0]
    text = "The model {!r} holds {} files of {}, so it is not clear which one to serve. {}"
    raise ServiceError(text.format(os.path.basename(path), len(matching), kind.title, _WRITE_ONE))


def _files(path: str) -> "List[str]":
    """The file itself, or all files in the folder."""
    if not os.path.isdir(path):
        return [path]
    return [
        os.path.join(folder, name)
        for folder, _, names in os.walk(path)
        for name in sorted(names)
        if not name.startswith(".")
    ]


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _by_content(path: str) -> "Optional[ModelKind]":
    """The kind of a file, by its name and its first bytes; None if it is none of them."""
    suffix = _suffix(path)
    with open(path, "rb") as file:
        head = file.read(4096)
    if suffix == ".json":  # many files are JSON
        return XGBOOST if b'"learner"' in head else None
    if suffix == ".txt":
        return LIGHTGBM if head.startswith(b"tree\n") else None
    if head.startswith(b"tree\nversion="):
        return LIGHTGBM
    if suffix == ".model":
        return XGBOOST if b"learner" in head or head.startswith(b"binf") else None
    return next((kind for kind in KINDS if suffix in kind.suffixes), None)
