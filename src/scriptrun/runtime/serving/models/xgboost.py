"""XGBoost models in its own formats (JSON, UBJSON and the old binary one)."""

import json

from scriptrun.runtime.serving.errors import ServiceError
from scriptrun.runtime.serving.models import pickled
from scriptrun.runtime.serving.models.inputs import ModelInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Optional

    from scriptrun.runtime.serving.models.library_types import SavedEstimator, XgboostBooster


def load(path: str) -> "Callable[[ModelInput], object]":
    """A model saved by XGBClassifier or XGBRegressor predicts as those do; a Booster as it does."""
    import xgboost

    booster = xgboost.Booster()
    try:
        booster.load_model(path)
    except xgboost.core.XGBoostError as problem:
        text = "XGBoost cannot load the model: {}."
        raise ServiceError(text.format(str(problem).strip().split("\n")[0])) from None
    estimator = _estimator(booster, path)
    if estimator is not None:
        return lambda model_input: pickled.predict(estimator, model_input)
    return lambda model_input: _predict(booster, model_input)


def _estimator(booster: "XgboostBooster", path: str) -> "Optional[SavedEstimator]":
    """The classifier or regressor that saved the model; None for a Booster."""
    import xgboost

    note = booster.attributes().get("scikit_learn")
    kind = json.loads(note).get("_estimator_type") if note else None
    if kind not in ("classifier", "regressor") or not hasattr(xgboost, "XGBClassifier"):
        return None
    try:
        model: "SavedEstimator" = (
            xgboost.XGBClassifier() if kind == "classifier" else xgboost.XGBRegressor()
        )
    except ImportError:  # scikit-learn is missing
        return None
    model.load_model(path)
    return model


def _predict(booster: "XgboostBooster", model_input: ModelInput) -> object:
    import xgboost

    model_input.refuse_methods()
    names = booster.feature_names
    if names and model_input.columns is not None:
        matrix = xgboost.DMatrix(model_input.table(list(names)))
    else:
        model_input.check_width(booster.num_features())
        matrix = xgboost.DMatrix(model_input.array(float), feature_names=names)
    return booster.predict(matrix)
