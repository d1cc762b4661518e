"""ONNX models, run by ONNX Runtime."""

from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models import faults
from scriptrun.runtime.serving.models.inputs import ModelInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import List

    from scriptrun.runtime.serving.models.library_types import NamedInput, OnnxSession

#: NumPy's names of ONNX Runtime's types
_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint64)": "uint64",
    "tensor(uint32)": "uint32",
    "tensor(uint16)": "uint16",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}
#: classes of ONNX Runtime's errors about an input; the others are about the machine
_REJECTIONS = ("InvalidArgument", "Fail", "RuntimeException")


def load(path: str) -> "Callable[[ModelInput], object]":
    """The predictor: one output is its values, several are values by name."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(
            path, providers=onnxruntime.get_available_providers()
        )
    except Exception as problem:  # its errors have no common class
        text = "ONNX Runtime cannot load the model: {}"
        raise ServiceError(text.format(str(problem).strip()[:300])) from None
    return lambda model_input: _predict(session, model_input)


def _predict(session: "OnnxSession", model_input: ModelInput) -> object:
    model_input.refuse_methods()
    names = [output.name for output in session.get_outputs()]
    feed = _feed(session.get_inputs(), model_input)
    try:
        values = session.run(names, feed)
    except Exception as problem:  # its errors have no common class
        if type(problem).__name__ not in _REJECTIONS or faults.is_own(problem):
            raise
        message = str(problem).strip()[:300]
        raise BadRequest("The model rejects the input: {}".format(message)) from problem
    return values[0] if len(names) == 1 else {name: value for name, value in zip(names, values)}  # noqa: B905, C416 (3.6)


def _feed(inputs: "List[NamedInput]", model_input: ModelInput) -> "dict[str, object]":
    """An array for each input: from tensors by name, from the columns, or from the rows."""
    import numpy

    names = [each.name for each in inputs]
    if model_input.tensors is not None:
        given = model_input.tensors
        _check_names(names, list(given))
        return {each.name: numpy.array(given[each.name], dtype=_type(each)) for each in inputs}
    if len(inputs) == 1:
        _check_shape(inputs[0], model_input)
        return {names[0]: model_input.array(_type(inputs[0]))}
    columns = model_input.columns
    if columns is None:
        model_input.check_width(len(inputs))
        columns = names
    _check_names(names, columns)
    return {
        each.name: numpy.array(model_input.column(columns.index(each.name)), dtype=_type(each))
        for each in inputs
    }


def _check_names(names: "list[str]", given: "list[str]") -> None:
    missing = [name for name in names if name not in given]
    if missing:
        text = "The input lacks {}; the model needs {}."
        raise BadRequest(text.format(", ".join(missing), ", ".join(names)))


def _check_shape(wanted: "NamedInput", model_input: ModelInput) -> None:
    shape = list(wanted.shape)
    if len(shape) == 2 and isinstance(shape[1], int):
        model_input.check_width(shape[1])


def _type(wanted: "NamedInput") -> str:
    found = _TYPES.get(wanted.type)
    if found is None:
        raise BadRequest("The model's input {} is a {}.".format(wanted.name, wanted.type))
    return found
