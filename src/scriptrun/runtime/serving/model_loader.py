"""Load a model without an entry script: what it is says how it is served."""

import importlib
import importlib.util
import json
import os
import sys
import warnings

from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models import faults, kinds, mlflow_files, outputs
from scriptrun.runtime.serving.models.inputs import ModelInput, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.serving.order import ServiceOrder

    Predictor = Callable[[ModelInput], object]

#: how many characters of a library's message an answer repeats
_LONGEST = 500


def load(order: "ServiceOrder", folder: str) -> "Callable[[str], object]":
    """The function that answers requests with the first model of ``order``.

    It takes a request's text and returns ``{"predictions": ...}``. Raises ServiceError if the
    kind of the model is not clear, or if its library is missing.
    """
    if not order.models:
        raise ServiceError("There is no model to serve: give one, or an entry script (--entry).")
    model = order.models[0]
    path = os.path.join(folder, model["path"])
    kind, found = kinds.detect(path, model.get("framework"))
    if kind is kinds.MLFLOW and importlib.util.find_spec("mlflow") is None:
        framework, found = mlflow_files.native(path)
        kind, found = kinds.detect(found, framework)
    predictor = _load_kind(kind, found)
    print("serving {} as {}".format(os.path.basename(path), kind.title))
    return lambda text: answer(predictor, text)


def _load_kind(kind: "kinds.ModelKind", path: str) -> "Predictor":
    """Load the file or folder ``path``; what its library warns of becomes one line each."""
    try:
        for library in kind.libraries:
            importlib.import_module(library)
    except ImportError as problem:
        if problem.name is None or problem.name.split(".")[0] not in kind.libraries:
            raise
        text = "The model {!r} is {}, and the environment has no {}: add {} to its packages."
        name = problem.name.split(".")[0]
        package = kinds.PACKAGES.get(name, name)
        raise ServiceError(text.format(os.path.basename(path), kind.title, name, package)) from None
    module = importlib.import_module(kind.module)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        predictor: "Predictor" = module.load(path)
    for message in sorted({_describe(each.message) for each in caught}):
        sys.stderr.write("warning: {}\n".format(message[:_LONGEST]))
    return predictor


def _describe(warning: object) -> str:
    """One line for a warning; scikit-learn warns once for each estimator of another version."""
    saved = getattr(warning, "original_sklearn_version", None)
    if saved is None:
        return str(warning).split("\n")[0]
    text = (
        "the model was saved with scikit-learn {}, and the environment has {}: results may differ"
    )
    return text.format(saved, getattr(warning, "current_sklearn_version", "another version"))


def answer(predictor: "Predictor", text: str) -> object:
    """The predictions for the request ``text``, as JSON values.

    Raises BadRequest if the request is wrong, or if the model rejects its values; the traceback of
    what the model raised is printed. Other errors are the model's own: they go to the caller.
    """
    try:
        given = json.loads(text)
    except ValueError as problem:
        raise BadRequest("The request is not JSON: {}.".format(problem)) from None
    except RecursionError:
        raise BadRequest("The request is nested too deeply.") from None
    try:
        predictions = _predict(predictor, parse(given))
    except BadRequest as problem:
        if problem.__cause__ is not None:
            faults.print_cause(problem.__cause__)
        raise
    except Exception as problem:
        faults.end_if_lasting(problem)
        raise
    return {"predictions": outputs.as_json(predictions)}


def _predict(predictor: "Predictor", model_input: ModelInput) -> object:
    """Call the model. Libraries raise ValueError for values that they reject.

    A TypeError is the caller's only if not all values are numbers.
    """
    try:
        return predictor(model_input)
    except (ValueError, TypeError) as problem:
        is_models = isinstance(problem, TypeError) and model_input.is_numeric()
        if is_models or faults.is_own(problem) or isinstance(problem, UnicodeError):
            raise
        message = str(problem).strip().split("\n")[0][:_LONGEST]
        raise BadRequest("The model rejects the input: {}".format(message)) from problem
