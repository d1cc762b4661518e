"""Recognize ranges written in other notations than that of ``--param``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

_NUMBER = r"[-+]?(?:\d+(?:\.\d*(?!\.))?|\.\d+)(?:[eE][-+]?\d+)?"
_SEPARATOR = r"\s*(?:\.{2,3}|\u2026|:|~|\u2013|\u2192|->|-|\bto\b)\s*"
#: ``0.1:0.9``, ``1-10``, ``[1..5]``, ``1 to 5``; ``0:1:0.1`` has a step
_BOUNDS = re.compile(
    rf"[\[({{]?\s*(?P<log>log\s*:)?\s*(?P<low>{_NUMBER}){_SEPARATOR}(?P<high>{_NUMBER})"
    rf"(?:\s*[:/]\s*(?P<step>{_NUMBER}))?\s*[\])}}]?$"
)
#: ``uniform(0.1, 0.9)``, ``loguniform 1e-4 1e-1``, ``range(1,10)``, ``np.logspace(-4, -1)``
_CALL = re.compile(r"(?:[a-z]+\.)*(?P<name>[a-z]+)\s*[:( \[]\s*(?P<values>.*?)\s*[\])]*$", re.I)
_GAP = r"[\s,;:]+"
#: ``[0.1, 0.9]``, ``(1, 2)``, ``{1, 2}``
_LIST = re.compile(r"[\[({]\s*(?P<values>[^\[\](){}]*?)\s*[\])}]$")


def correction(text: str) -> str:
    """The range or choice that ``text`` seems to mean, as ``--param`` takes it; "" if none."""
    text = text.strip()
    bounds = _BOUNDS.match(text)
    if bounds:
        return _range(**bounds.groupdict())
    listed = _LIST.match(text)
    if listed:
        return ",".join(re.split(r"[\s,;]+", listed["values"]))
    call = _CALL.match(text)
    return "" if call is None else _of_call(call["name"].lower(), call["values"])


def _of_call(name: str, arguments: str) -> str:
    if name == "choice":
        return ",".join(re.split(r"[\s,;]+", arguments.strip("[]()")))
    values = re.split(_GAP, arguments)
    fewest, write = _WRITERS.get(name, (4, _uniform))
    is_numeric = all(re.fullmatch(_NUMBER, value) for value in values)
    return write(*values) if is_numeric and fewest <= len(values) <= _MOST_VALUES else ""


def is_call(text: str) -> bool:
    """Whether ``text`` is written as a call of a distribution, such as ``uniform(a, b)``."""
    call = _CALL.match(text.strip())
    name = call["name"].lower() if call else ""
    if call is None or "(" not in text:
        return False
    is_numeric = all(re.fullmatch(_NUMBER, each) for each in re.split(_GAP, call["values"]))
    return name == "choice" or name in _WRITERS or is_numeric


_MOST_VALUES = 3


def _range(low: str, high: str, step: str | None = None, log: str | None = None) -> str:
    if step and float(low) + float(step) > float(high) > 0 and float(step) > float(low):
        high, step = step, high  # 0:0.1:1, with the step in the middle
    if float(low) > float(high):
        low, high = high, low
    prefix = "log:" if log else ""
    return f"{prefix}{low}..{high}{f'/{step}' if step else ''}"


def _log_range(low: str, high: str, step: str = "") -> str:
    """Bounds that are not positive are logarithms, as those of the SDK v1."""
    if float(low) <= 0 or float(high) <= 0:
        low, high = (f"{math.exp(min(float(each), 700.0)):.4g}" for each in (low, high))
    return _range(low, high, step, "log:")


def _powers(low: str, high: str, _: str = "") -> str:
    return _range(f"1e{low.lstrip('+')}", f"1e{high.lstrip('+')}", None, "log:")


def _uniform(low: str, high: str, step: str = "") -> str:
    return _range(low, high, step)


def _integers(*values: str) -> str:
    """Python's range, whose end is not one of the values."""
    low, high, *step = values if len(values) > 1 else ("0", *values)
    is_whole = all(re.fullmatch(r"[-+]?\d+", value) for value in values)
    end = str(int(high) - 1) if is_whole else high
    return _range(low, end, step[0] if step else None)


def _spaced(low: str, high: str, count: str = "") -> str:
    """``linspace``: the third value is a number of values."""
    if count in ("", "1"):
        return _range(low, high)
    return _range(low, high, f"{(float(high) - float(low)) / (float(count) - 1):.6g}")


def _normal(mu: str, sigma: str, step: str = "") -> str:
    return f"normal:{mu},{sigma}{f'/{step}' if step else ''}"


def _lognormal(mu: str, sigma: str, step: str = "") -> str:
    return f"log{_normal(mu, sigma, step)}"


#: the fewest values of each distribution, and what writes it
_WRITERS: dict[str, tuple[int, Callable[..., str]]] = {
    "uniform": (2, _uniform),
    "quniform": (2, _uniform),
    "loguniform": (2, _log_range),
    "qloguniform": (2, _log_range),
    "log": (2, _log_range),
    "logspace": (2, _powers),
    "linspace": (2, _spaced),
    "range": (1, _integers),
    "arange": (1, _integers),
    "randint": (1, _integers),
    "normal": (2, _normal),
    "qnormal": (2, _normal),
    "lognormal": (2, _lognormal),
    "qlognormal": (2, _lognormal),
}
