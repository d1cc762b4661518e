"""PyTorch models that were saved as TorchScript (torch.jit.script or torch.jit.trace)."""

from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models.inputs import ModelInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from scriptrun.runtime.serving.models.library_types import TorchModule


def load(path: str) -> "Callable[[ModelInput], object]":
    """The predictor: it takes numbers as float32, and the model runs on a GPU if there is one.

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
    import torch

    model_input.refuse_methods()
    if model_input.tensors is not None:
        arguments = {name: _tensor(values, device) for name, values in model_input.tensors.items()}
    else:
        arguments = None
        rows = _tensor(model_input.rows, device)
    try:
        with torch.no_grad():
            return model(rows) if arguments is None else model(**arguments)
    except RuntimeError as problem:
        message = str(problem).strip().split("\n")[-1][:300]
        raise BadRequest("The model rejects the input: {}".format(message)) from problem


def _tensor(values: object, device: str) -> "torch.Tensor":
    import torch

    try:
        found = torch.tensor(values, device=device)
    except (ValueError, TypeError, RuntimeError) as problem:  # RuntimeError: null, objects
        raise BadRequest("The values are not an array of numbers: {}.".format(problem)) from None
    return found.float() if found.is_floating_point() or found.dtype == torch.int64 else found
