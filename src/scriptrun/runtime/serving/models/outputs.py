"""Predictions as JSON values: arrays, tables and tensors become lists; NaN becomes null."""

import math


def as_json(value: object) -> object:
    """``value`` as JSON. A table is a list of objects by column. Raises TypeError if impossible."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [as_json(item) for item in value]
    return _of_library(value)


def _of_library(value: object) -> object:
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return as_json(value.to_dict("records"))
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    array = _as_array(value)
    plain = array.tolist() if hasattr(array, "tolist") else None
    if plain is None:
        raise TypeError("the model returned a {}".format(type(value).__name__))
    return as_json(plain) if type(plain) is not type(value) else str(plain)


def _as_array(value: object) -> object:
    """What has the method tolist: of a tensor of torch (perhaps on a GPU), or a sparse matrix."""
    if hasattr(value, "detach"):
        return value.detach().cpu()
    if hasattr(value, "toarray"):
        return value.toarray()
    return value
