"""Turning what scripts log into JSON and back (Python 3.6+).

JSON lacks NaN and the infinities. They are written as the texts ``NaN``, ``Infinity`` and
``-Infinity`` on a line that carries ``"f": 1``; on such a line a real text of that spelling has a
backslash before it, so that nothing is mistaken for a number.
"""

import json

SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}

_SPELLING = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
_BASIC = (bool, int, float, str)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def scalar(value):
    """``value`` as a number, text, bool or None; anything else as its text.

    numpy scalars, 0-d arrays and one-element tensors give their number.
    """
    if value is None or type(value) in _BASIC:
        return value
    for base in _BASIC:
        if isinstance(value, base):
            return base.__str__(value) if base is str else base(value)
    return _number_within(value)


def nested(value):
    """``value`` with lists, dicts and arrays kept as such and every leaf made a ``scalar``."""
    try:
        return _nested(value)
    except RecursionError:
        return text(value)


def sequence(value):
    """Any iterable (list, generator, array, tensor) as a list; a single value as a list of one."""
    value = _without_array(value)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return [nested(value)]
    return [nested(item) for item in value]


def to_json(value):
    """``value`` (of the functions above) as JSON text, and whether it holds special numbers."""
    try:
        return _encode(value), False
    except ValueError:
        special = []
        return _encode(_spelled(value, special)), bool(special)


def from_json(value):
    """The value of a line that carries ``"f": 1``."""
    if isinstance(value, str):
        return _number_or_text(value)
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    return value


def text(value):
    """``str(value)``, or the type's name where that fails: logging never raises."""
    try:
        return str(value)
    except Exception:
        return "<{}>".format(type(value).__name__)


def _number_within(value):
    """The number in a numpy scalar, 0-d array or tensor of any library; else the text."""
    for method in ("item", "numpy"):
        try:
            inner = getattr(value, method)()
        except Exception:
            continue
        if inner is None or isinstance(inner, _BASIC):
            return scalar(inner)
        if method == "item" and type(inner) is type(value):  # numpy's long double gives itself
            return _as_float(value)
        if method == "numpy" and type(inner) is not type(value):
            return scalar(inner)
    return text(value)


def _as_float(value):
    try:
        return float(value)
    except Exception:
        return text(value)


def _nested(value):
    value = _without_array(value)
    if isinstance(value, dict):
        return {_key(key): _nested(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [_nested(item) for item in value]
    return scalar(value)


def _key(key):
    return key if type(key) is str else text(scalar(key))


def _without_array(value):
    """An array, tensor or series as nested lists; everything else as it is."""
    if type(value) in _BASIC or not getattr(value, "shape", None):
        return value
    for method in ("tolist", "numpy"):
        try:
            inner = getattr(value, method)()
        except Exception:
            continue
        return inner if method == "tolist" else _without_array(inner)
    return value


def _spelled(value, special):
    """``value`` with special numbers spelled out; each is noted in ``special``."""
    _note(value, special)
    return _spell(value) if special else _small(value)


def _note(value, special):
    if isinstance(value, float):
        if value - value != 0:
            special.append(value)
    elif isinstance(value, list):
        for item in value:
            _note(item, special)
    elif isinstance(value, dict):
        for item in value.values():
            _note(item, special)


def _spell(value):
    if isinstance(value, float) and value - value != 0:
        return _SPELLING.get(value, "NaN")
    if isinstance(value, str):
        return "\\" + value if value.lstrip("\\") in SPECIAL else value
    return _inside(value, _spell)


def _small(value):
    return _inside(value, _small)


def _inside(value, change):
    if isinstance(value, list):
        return [change(item) for item in value]
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    return _printable(value) if type(value) is int else value


def _printable(number):
    """``number``, or its hexadecimal text where it has more digits than Python will print."""
    try:
        repr(number)
        return number
    except ValueError:
        return hex(number)


def _number_or_text(value):
    if value in SPECIAL:
        return SPECIAL[value]
    return value[1:] if value[:1] == "\\" and value.lstrip("\\") in SPECIAL else value
