"""LightGBM models in its own text format."""

from scriptrun.runtime.serving.errors import ServiceError
from scriptrun.runtime.serving.models.inputs import ModelInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def load(path: str) -> "Callable[[ModelInput], object]":
    """Predict as the Booster does: values, or probabilities of classes."""
    import lightgbm

    try:
        booster = lightgbm.Booster(model_file=path)
    except lightgbm.basic.LightGBMError as problem:
        raise ServiceError("LightGBM cannot load the model: {}.".format(problem)) from None
    names = booster.feature_name()

    def predict(model_input: ModelInput) -> object:
        model_input.refuse_methods()
        if model_input.columns is not None:
            return booster.predict(model_input.table(list(names)))
        model_input.check_width(len(names))
        return booster.predict(model_input.array(float))

    return predict
