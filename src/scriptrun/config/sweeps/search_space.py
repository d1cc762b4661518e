"""The parameters that a sweep tries: ``choice``, ``uniform`` and the others of the SDK v1.

Each returns a JSON value, ``[name, [arguments]]``, as in the SDK v1, so a search space is a plain
dict of these values by parameter name. The SDK's documentation defines them:
https://learn.microsoft.com/azure/machine-learning/how-to-tune-hyperparameters
"""

from __future__ import annotations

import decimal
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence

from scriptrun.config import process_limits
from scriptrun.runtime.injob import values as job_values
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.spec.library_values import plain_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard


Expression = list["Any"]
#: the expressions by parameter name
Space = Mapping[str, Expression]


def choice(*options: object) -> Expression:
    """One of ``options``; a single list, range, array, series or generator is expanded.

    An option that is a list or a dict reaches the script as JSON.
    """
    if len(options) == 1:
        options = _expand(options[0])
    return ["choice", [[plain(option) for option in options]]]


def randint(upper: int) -> Expression:
    """An integer from 0 to ``upper``, exclusive."""
    return ["randint", [_bound(upper)]]


def uniform(min_value: float, max_value: float) -> Expression:
    """A number from ``min_value`` to ``max_value``, uniformly distributed."""
    return ["uniform", [_bound(min_value), _bound(max_value)]]


def quniform(min_value: float, max_value: float, q: float) -> Expression:
    """``round(uniform(min_value, max_value) / q) * q``."""
    return ["quniform", [_bound(min_value), _bound(max_value), _bound(q)]]


def loguniform(min_value: float, max_value: float) -> Expression:
    """``exp(uniform(min_value, max_value))``: the bounds are natural logarithms."""
    return ["loguniform", [_bound(min_value), _bound(max_value)]]


def qloguniform(min_value: float, max_value: float, q: float) -> Expression:
    """``round(exp(uniform(min_value, max_value)) / q) * q``."""
    return ["qloguniform", [_bound(min_value), _bound(max_value), _bound(q)]]


def normal(mu: float, sigma: float) -> Expression:
    """A number from a normal distribution with mean ``mu`` and standard deviation ``sigma``."""
    return ["normal", [_bound(mu), _bound(sigma)]]


def qnormal(mu: float, sigma: float, q: float) -> Expression:
    """``round(normal(mu, sigma) / q) * q``."""
    return ["qnormal", [_bound(mu), _bound(sigma), _bound(q)]]


def lognormal(mu: float, sigma: float) -> Expression:
    """``exp(normal(mu, sigma))``."""
    return ["lognormal", [_bound(mu), _bound(sigma)]]


def qlognormal(mu: float, sigma: float, q: float) -> Expression:
    """``round(exp(normal(mu, sigma)) / q) * q``."""
    return ["qlognormal", [_bound(mu), _bound(sigma), _bound(q)]]


#: the number of arguments of each expression
ARGUMENTS = {
    "choice": 1,
    "randint": 1,
    "uniform": 2,
    "quniform": 3,
    "loguniform": 2,
    "qloguniform": 3,
    "normal": 2,
    "qnormal": 3,
    "lognormal": 2,
    "qlognormal": 3,
}


#: values that are taken of a generator; one that is longer may have no end
_MOST_GENERATED = 100_000


def _expand(options: object) -> tuple[object, ...]:
    """The options in one collection of them; another value is the only option."""
    plain_options = plain_value(options)
    if isinstance(plain_options, list | tuple | range | set | frozenset):
        return tuple(plain_options)
    is_single = isinstance(plain_options, str | bytes | Mapping) or plain_options is not options
    if is_single or not isinstance(options, Iterable):
        return (plain_options,)
    generated = tuple(itertools.islice(iter(options), _MOST_GENERATED + 1))
    if len(generated) > _MOST_GENERATED:
        raise RunConfigurationException(
            f"choice takes at most {_MOST_GENERATED:,} values from {_short_text(options)}.",
            "Give a list for more.",
        )
    return generated


def plain(value: object) -> object:
    """``value`` as a JSON value: NumPy's values as Python's, tuples as lists, keys as strings."""
    return job_values.nested(dict(value) if isinstance(value, Mapping) else value)


def _bound(value: object) -> object:
    """A number of an expression; an array or tensor of one number counts as the number."""
    number = plain(value)
    return number[0] if isinstance(number, list) and len(number) == 1 else number


def flag(name: str) -> str:
    """The flag of the parameter ``name``: ``--lr`` for both ``lr`` and ``--lr``."""
    return name if name.startswith("-") else f"--{name}"


def text(value: object) -> str:
    """A parameter's value as the script gets it.

    Negative numbers are written out, because argparse reads ``-1e-05`` as an option. Lists and
    dicts are JSON.
    """
    if isinstance(value, float) and value < 0 and math.isfinite(value):
        return format(decimal.Decimal(repr(value)), "f")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def problems(space: object) -> list[str]:
    """All problems with the search space ``space``."""
    if not isinstance(space, Mapping) or not space:
        return [f"a parameter space must be a dict, not {_short_text(space)}"]
    messages = [
        f"invalid parameter name {name!r}: it must be a string without spaces"
        for name in space
        if not isinstance(name, str) or not name.strip("-") or len(name.split()) != 1
    ]
    names = [name for name in space if isinstance(name, str)]
    duplicates = {flag(name) for name in names if [flag(n) for n in names].count(flag(name)) > 1}
    messages += [f"duplicate parameter {name!r}, with and without dashes" for name in duplicates]
    for name in names:
        messages += process_limits.argument_problems(f"parameter {name[:50]!r}", flag(name))
    for name, expression in space.items():
        messages += [
            f"parameter {name!r}: {problem}" for problem in _expression_problems(expression)
        ]
    return messages


def _expression_problems(expression: object) -> list[str]:
    if not _is_expression(expression):
        names = ", ".join(ARGUMENTS)
        return [
            f"{_short_text(expression)} is not a search space expression; use one of {names}, such "
            "as uniform(0.1, 0.9) or choice(1, 2, 3)"
        ]
    name, values = expression
    if len(values) != ARGUMENTS[name]:
        return [f"{name} takes {ARGUMENTS[name]} values, not {len(values)}"]
    if name == "choice":
        return _choice_problems(values[0])
    invalid = [value for value in values if not _is_finite(value)]
    if invalid:
        return [f"{name} requires numbers, not {_short_text(invalid[0])}"]
    return _range_problems(name, values)


def _is_expression(expression: object) -> TypeGuard[Expression]:
    return (
        isinstance(expression, Sequence)
        and not isinstance(expression, str)
        and len(expression) == 2
        and isinstance(expression[0], str)
        and expression[0] in ARGUMENTS
        and isinstance(expression[1], list | tuple)
    )


def _choice_problems(options: object) -> list[str]:
    if not isinstance(options, list | tuple) or not options:
        return ["choice requires at least one value"]
    return [
        problem
        for index, option in enumerate(options)
        for problem in process_limits.argument_problems(f"choice[{index}]", text(option))
    ]


def _range_problems(name: str, values: Sequence[float]) -> list[str]:
    problems = []
    if name == "randint" and (values[0] < 1 or values[0] != int(values[0])):
        problems.append(f"randint requires an integer greater than 0, not {values[0]}")
    if name.endswith("uniform") and values[0] >= values[1]:
        problems.append(
            f"{name} requires a lower and an upper bound, not {values[0]} and {values[1]}"
        )
    if name.endswith("normal") and values[1] <= 0:
        problems.append(f"{name} requires a standard deviation greater than 0, not {values[1]}")
    if name.startswith("q") and values[2] <= 0:
        problems.append(f"{name} requires a step greater than 0, not {values[2]}")
    if name.endswith("loguniform") and values[1] > 700:
        problems.append(
            f"{name} takes the natural logarithms of the bounds, but exp({values[1]}) overflows"
        )
    return problems


def _is_finite(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # no float is as large
        return False


def _short_text(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) < 60 else f"{shown[:57]}..."


def space_size(space: Space) -> int | None:
    """The number of points in the space; None if it is infinite."""
    count = 1
    for name, values in space.values():
        if name == "choice":
            count *= len(values[0])
        elif name == "randint":
            count *= int(values[0])
        else:
            return None
    return count
