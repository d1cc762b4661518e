"""PyTorch models that were saved as TorchScript (torch.jit.script or torch.jit.trace)."""

import re

from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models import faults
from scriptrun.runtime.serving.models.inputs import ModelInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from scriptrun.runtime.serving.models.library_types import TorchModule


#: what PyTorch writes when a network needs integers and gets floats, or the reverse
_WRONG_TYPE = re.compile(
    r"dtype|scalar types?\b|Input type|not implemented for '|LongTensor|must be long"
)


def load(path: str) -> "Callable[[ModelInput], object]":
    """The predictor: it takes numbers, and the model runs on a GPU if there is one.

    Rows are float32, integers of tensors by name are int64, and the reverse where the network
    needs it, such as an embedding.
    Raises ServiceError if the file is not TorchScript.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = torch.jit.load(path, map_location=device)
    except RuntimeError:
        raise ServiceError(
            "The model is not TorchScript, so the code of its network is missing: save it with "
            "torch.jit.script(model).save(path), or serve it with an entry script (--entry) that "
            "builds the network and loads its weights."
        ) from None
    model.eval()
    return lambda model_input: _predict(model, model_input, device)


def _predict(model: "TorchModule", model_input: ModelInput, device: str) -> object:
    model_input.refuse_methods()
    by_name = model_input.tensors is not None
    try:
        return _call(model, model_input, device, by_name)
    except RuntimeError as problem:
        if not is_wrong_type(problem):
            raise _rejection(problem) from problem
        first = problem
    try:
        return _call(model, model_input, device, not by_name)
    except RuntimeError as problem:
        problem = first if is_wrong_type(problem) else problem
        raise _rejection(problem) from problem


def _call(model: "TorchModule", model_input: ModelInput, device: str, integers: bool) -> object:
    """Run the network; whole numbers stay ``integers``, or become float32."""
    import torch

    given = model_input.tensors
    named = {name: _tensor(values, device, integers) for name, values in (given or {}).items()}
    rows = [] if given is not None else [_tensor(model_input.rows, device, integers)]
    with torch.no_grad():
        return model(*rows, **named)


def _rejection(problem: RuntimeError) -> "BadRequest":
    """The answer to an input that the network rejects. Raises ``problem`` if it is our own."""
    if faults.is_own(problem):
        raise problem
    return BadRequest("The model rejects the input: {}".format(_last_line(problem)[:300]))


def _last_line(problem: BaseException) -> str:
    """The message itself: what precedes it are lines of the network's code."""
    return str(problem).strip().split("\n")[-1]


def is_wrong_type(problem: BaseException) -> bool:
    """Whether the network needs the numbers as another type."""
    return not faults.is_own(problem) and bool(_WRONG_TYPE.search(_last_line(problem)))


def _tensor(values: object, device: str, integers: bool) -> "torch.Tensor":
    import torch

    try:
        found = torch.tensor(values)
    except (ValueError, TypeError, RuntimeError) as problem:  # RuntimeError: null, objects
        raise BadRequest("The values are not an array of numbers: {}.".format(problem)) from None
    is_converted = found.is_floating_point() or (found.dtype == torch.int64 and not integers)
    return (found.float() if is_converted else found).to(device)
