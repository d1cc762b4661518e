"""MLflow models (folders with a file MLmodel), of every flavor that MLflow itself can load."""

from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models.inputs import ModelInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def load(path: str) -> "Callable[[ModelInput], Any]":
    """The predictor, by MLflow's flavor ``python_function``. Raises ServiceError."""
    import mlflow.pyfunc

    try:
        model = mlflow.pyfunc.load_model(path)
    except ImportError as problem:
        text = "The MLflow model needs the module {}: add its package to the environment."
        raise ServiceError(text.format(problem.name)) from None
    except mlflow.exceptions.MlflowException as problem:
        raise ServiceError("MLflow cannot load the model: {}".format(problem)) from None
    schema = model.metadata.get_input_schema()
    names = None if schema is None or schema.is_tensor_spec() else schema.input_names()
    return lambda model_input: _predict(model, model_input, names)


def _predict(model: "Any", model_input: ModelInput, names: "Any") -> "Any":
    import mlflow

    try:
        return model.predict(_values(model_input, names))
    except mlflow.exceptions.MlflowException as problem:
        message = str(problem).strip()[:500]
        raise BadRequest("The model rejects the input: {}".format(message)) from problem


def _values(model_input: ModelInput, names: "Any") -> "Any":
    """Tensors by name, or a table with the columns of the model's signature, or an array."""
    import numpy

    if model_input.tensors is not None:
        return {name: numpy.array(values) for name, values in model_input.tensors.items()}
    if names:
        return model_input.table([str(name) for name in names])
    return model_input.array() if model_input.columns is None else model_input.table()
