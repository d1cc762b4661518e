"""MLflow models (folders with a file MLmodel), of every flavor that MLflow itself can load."""

from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models import faults
from scriptrun.runtime.serving.models.inputs import ModelInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.serving.models.library_types import MlflowModel, Table


def load(path: str) -> "Callable[[ModelInput], object]":
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
    types: "dict[str, str]" = {}
    if schema is not None and not schema.is_tensor_spec():
        types = {str(each.name): getattr(each.type, "name", "") for each in schema.inputs}
    return lambda model_input: _predict(model, model_input, types)


#: error codes of an input that does not fit the model's signature
_REJECTIONS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")


def _predict(model: "MlflowModel", model_input: ModelInput, types: "dict[str, str]") -> object:
    import mlflow

    model_input.refuse_methods()
    try:
        return model.predict(_values(model_input, types))
    except mlflow.exceptions.MlflowException as problem:
        if problem.error_code not in _REJECTIONS or faults.is_own(problem):
            raise
        message = " ".join(str(problem).split())[:500]
        raise BadRequest("The model rejects the input: {}".format(message)) from problem


def _values(model_input: ModelInput, types: "dict[str, str]") -> object:
    """Tensors by name, or a table with the columns of the model's signature, or an array."""
    import numpy

    if model_input.tensors is not None:
        return {name: numpy.array(values) for name, values in model_input.tensors.items()}
    if types:
        return _as_floats(model_input.table(list(types)), types)
    return model_input.array() if model_input.columns is None else model_input.table()


def _as_floats(table: "Table", types: "dict[str, str]") -> "Table":
    """``table`` with floats where the model expects some: JSON writes 1.0 as 1, too."""
    wanted = {
        name: "float32" if kind == "float" else "float64"
        for name, kind in types.items()
        if kind in ("float", "double") and table[name].dtype.kind in "iuf"
    }
    return table.astype(wanted)
