"""Convert logged values to JSON and back (Python 3.6+).

JSON lacks NaN and infinities. They are written as the strings ``NaN``, ``Infinity`` and
``-Infinity`` on a line with ``"f": 1``; on such a line, a real string of that spelling is escaped
with a backslash.
"""

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scriptrun.runtime.hints import Scalar


SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}

#: longer integers are stored as hexadecimal text: newer Pythons refuse to parse so many digits
MAX_BITS = 2000
#: maximum nesting of lists and dicts
MAX_DEPTH = 50

_SPELLING = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
_BASIC_TYPES = (bool, int, float, str)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def scalar(value: "Any") -> "Scalar":
    """``value`` as a number, string, bool or None; anything else as its ``str``.

    numpy scalars, 0-d arrays, one-element tensors, decimals, fractions and whatever else has
    ``__float__`` become numbers; pandas' NA becomes NaN.
    """
    if value is None or type(value) in _BASIC_TYPES:
        return hex(value) if type(value) is int and value.bit_length() > MAX_BITS else value
    for base in _BASIC_TYPES:
        if isinstance(value, base):
            return scalar(base.__str__(value) if base is str else base(value))
    return _extract_number(value)


def nested(value: object, depth: int = 0) -> object:
    """``value`` with lists, dicts and arrays as such, and every leaf as a ``scalar``.

    Values nested deeper than ``MAX_DEPTH`` become text, so that a cyclic value terminates.
    """
    value = _unwrap_array(value)
    if depth < MAX_DEPTH:
        if isinstance(value, dict):
            return {_key(key): nested(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset, range)):
            return [nested(item, depth + 1) for item in value]
    return scalar(value)


def sequence(value: object) -> "list[object]":
    """Any iterable (list, generator, array, tensor) as a list; a single value as a list of one.

    A dict is a single value, and a data frame the list of its rows.
    """
    inner = _unwrap_array(value)
    try:
        items = None if isinstance(inner, (str, bytes, dict)) else iter(inner)
    except TypeError:
        items = None
    return [nested(inner)] if items is None else [nested(item) for item in items]


def to_json(value: object) -> "tuple[str, bool]":
    """``value`` (from the functions above) as JSON text, and whether it has special numbers."""
    try:
        return _encode(value), False
    except ValueError:
        return _encode(_escape(value)), True


def from_json(value: object) -> object:
    """Decode the value of a line with ``"f": 1``."""
    if isinstance(value, str):
        return _number_or_text(value)
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    return value


def text(value: object) -> str:
    """``str(value)``, or the type's name if that fails: logging never raises."""
    try:
        return str(value)
    except Exception:
        return "<{}>".format(type(value).__name__)


def _extract_number(value: object) -> "Scalar":
    """The number in a numpy scalar, 0-d array or tensor of any library; else its text."""
    for convert in (_missing, _item, _item_of_numpy, _number):
        try:
            inner = convert(value)
        except Exception:
            continue
        if inner is None or isinstance(inner, _BASIC_TYPES):
            return scalar(inner)
    return text(value)


def _missing(value: object) -> object:
    """NaN for what pandas and numpy have in place of a missing number."""
    if type(value).__name__ in ("NAType", "MaskedConstant"):
        return SPECIAL["NaN"]
    raise TypeError("not a missing number")


def _item(value: "Any") -> object:
    inner = value.item()
    if inner is None and str(getattr(value, "dtype", "object")) != "object":
        raise TypeError("numpy has no other value for a missing time")
    if type(inner) is type(value):  # numpy's long double
        return float(value)
    return _item(inner) if hasattr(type(inner), "dtype") else inner


def _item_of_numpy(value: "Any") -> object:
    return value.numpy().item()


def _number(value: object) -> object:
    kind = type(value)
    if hasattr(kind, "dtype"):
        raise TypeError("numpy turns a time or a complex number into a float, and loses the rest")
    convert: "Callable[[object], object]"
    convert = getattr(kind, "__index__" if hasattr(kind, "__index__") else "__float__", text)
    try:
        return convert(value)
    except OverflowError:  # a fraction beyond the floats
        return float("-inf") if str(value).startswith("-") else float("inf")


def tag_text(value: object) -> "str | None":
    """``value`` as a tag or property has it: None, or its text with all digits of a decimal."""
    if value is None or isinstance(value, _BASIC_TYPES) or hasattr(value, "item"):
        value = scalar(value)
    elif isinstance(value, (dict, list, tuple)):
        value = nested(value)
    return None if value is None else text(value)


def _key(key: object) -> str:
    return key if type(key) is str else text(scalar(key))


def _unwrap_array(value: "Any") -> "Any":
    """An array, tensor or series as nested lists; anything else unchanged."""
    if type(value) in _BASIC_TYPES or not _has_shape(value):
        return value
    conversions: "tuple[Callable[[], object], ...]"
    conversions = (
        lambda: value.tolist(),
        lambda: value.to_list(),
        lambda: value.numpy().tolist(),
        lambda: value.to_numpy().tolist(),
    )
    for convert in conversions:
        try:
            inner = convert()
        except Exception:
            continue
        if isinstance(inner, list):
            return inner
    return value


def _has_shape(value: object) -> bool:
    try:
        return bool(getattr(value, "shape", None))
    except Exception:
        return False


def _escape(value: object) -> object:
    if isinstance(value, float) and value - value != 0:
        return _SPELLING.get(value, "NaN")
    if isinstance(value, str):
        return "\\" + value if value.lstrip("\\") in SPECIAL else value
    return _escape_items(value)


def _escape_items(value: object) -> object:
    if isinstance(value, list):
        return [_escape(item) for item in value]
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    return value


def _number_or_text(value: str) -> "Scalar":
    if value in SPECIAL:
        return SPECIAL[value]
    return value[1:] if value[:1] == "\\" and value.lstrip("\\") in SPECIAL else value
