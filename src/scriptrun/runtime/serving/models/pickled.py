"""Models in a pickle or a joblib file: of scikit-learn, and others with a method predict."""

import pickle
import re

from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models.inputs import ModelInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: methods that callers may name
_METHODS = (
    *("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples"),
    *("transform", "apply", "kneighbors"),
)
#: how Python names a module in an error, with a path that means nothing to people
_MODULE = re.compile(r"<(module '[^']*') from '[^']*'>")
_ENTRY = "Serve it with an entry script (--entry) that does what it needs."


def load(path: str) -> "Callable[[ModelInput], object]":
    """Unpickle the model, which may run any code. Raises ServiceError if it cannot be loaded."""
    model = _unpickle(path)
    if not hasattr(model, "predict"):
        text = "The pickled object is a {}, which has no predict(). {}"
        raise ServiceError(text.format(type(model).__name__, _ENTRY))
    return lambda model_input: predict(model, model_input)


def _unpickle(path: str) -> object:
    try:
        try:
            import joblib
        except ImportError:
            with open(path, "rb") as file:
                return pickle.load(file)
        return joblib.load(path)
    except ImportError as problem:
        name = problem.name or ""
        if not all(part.isidentifier() for part in name.split(".")):  # bytes of another format
            raise ServiceError(_damaged("")) from None
        text = "The model needs the module {}: add its package to the environment."
        raise ServiceError(text.format(name)) from None
    except AttributeError as problem:  # a class or function of the training script
        text = "The model cannot be loaded: {}. {}"
        reason = _MODULE.sub(r"\1", str(problem))
        raise ServiceError(text.format(reason, _ENTRY)) from None
    except (pickle.UnpicklingError, EOFError, IndexError, KeyError, UnicodeDecodeError) as problem:
        reason = str(problem).rstrip(".") or "it is empty or cut off"
        reason = "" if isinstance(problem, KeyError) else reason
        raise ServiceError(_damaged(reason)) from None
    except (ValueError, TypeError) as problem:  # the classes have changed since
        text = (
            "The model cannot be unpickled here: {}. Use the versions of Python and of the "
            "libraries that saved it."
        )
        raise ServiceError(text.format(str(problem).split("\n")[0])) from None


def _damaged(reason: str) -> str:
    """A sentence about a file that cannot be unpickled; a KeyError has no reason for people."""
    return "The file is not a pickle, or it is damaged{}.".format(reason and ": " + reason)


def predict(model: object, model_input: ModelInput) -> object:
    """Call the method that the input names. Raises BadRequest if the model lacks it."""
    if model_input.method not in _METHODS or not hasattr(model, model_input.method):
        known = ", ".join(name for name in _METHODS if hasattr(model, name))
        text = "The model has no method {!r:.50}; it has {}."
        raise BadRequest(text.format(model_input.method, known))
    return getattr(model, model_input.method)(_values(model, model_input))


def _values(model: object, model_input: ModelInput) -> object:
    """A table if the model knows the names of its columns, or the caller gives some."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        return model_input.table([str(name) for name in names])
    width = getattr(model, "n_features_in_", 0)  # with it and without names: fitted on an array
    if model_input.columns is not None and not width and _has_pandas():
        return model_input.table()
    model_input.check_width(width if isinstance(width, int) else 0)
    return model_input.array()


def _has_pandas() -> bool:
    try:
        import pandas  # noqa: F401
    except ImportError:
        return False
    return True
