"""Sample points of a search space by number: random or grid, determined by the seed."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Collection, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


Point = dict[str, "Any"]
#: how often to draw again for an unseen point before enumerating the space
DRAWS = 200


def key(point: Mapping[str, Any]) -> str:
    """A string that identifies a point."""
    return json.dumps(point, sort_keys=True, default=str)


def size(space: Mapping[str, Any]) -> int | None:
    """The number of points in the space; None if it is infinite."""
    found = 1
    for name, values in space.values():
        if name == "choice":
            found *= len(values[0])
        elif name == "randint":
            found *= int(values[0])
        else:
            return None
    return found


def at(space: Mapping[str, Any], number: int) -> Point | None:
    """The point ``number`` of a finite space, the last parameter changing fastest, or None."""
    point: Point = {}
    for name, (kind, values) in reversed(list(space.items())):
        options = values[0] if kind == "choice" else range(int(values[0]))
        number, place = divmod(number, len(options))
        point[name] = options[place]
    return {name: point[name] for name in space} if number == 0 else None


def grid(space: Mapping[str, Any], seen: Collection[str]) -> Point | None:
    """The first point of the grid that is not in ``seen``; None if there is none left."""
    for number in range(len(seen), size(space) or 0):
        point = at(space, number)
        if point is not None and key(point) not in seen:
            return point
    return _first_unseen(space, seen)


def _first_unseen(space: Mapping[str, Any], seen: Collection[str]) -> Point | None:
    for number in range(size(space) or 0):
        point = at(space, number)
        if point is not None and key(point) not in seen:
            return point
    return None


def at_random(
    space: Mapping[str, Any], seed: int, number: int, seen: Collection[str]
) -> Point | None:
    """The point ``number``, not in ``seen`` if the space is finite; None if there is none left."""
    finite = size(space)
    for draw in range(DRAWS if finite is not None else 1):
        chance = random.Random(f"{seed}/{number}/{draw}")
        point = {name: drawn(expression, chance) for name, expression in space.items()}
        if finite is None or key(point) not in seen:
            return point
    return _first_unseen(space, seen)


def drawn(expression: list[Any], chance: random.Random) -> Any:
    """A random value of an expression of ``config.sweeps.search_space``."""
    name, values = expression
    if name == "choice":
        return values[0][chance.randrange(len(values[0]))]
    if name == "randint":
        return chance.randrange(int(values[0]))
    if "normal" in name:
        raw = chance.gauss(values[0], values[1])
    else:
        raw = chance.uniform(values[0], values[1])
    return shaped(name, values, raw)


def shaped(name: str, values: list[Any], raw: float) -> Any:
    """Transform a number of the base distribution: exponentiate it, and round it to the step."""
    if "log" in name:
        raw = math.exp(min(raw, 700.0))
    return rounded(raw, values[-1]) if name.startswith("q") else raw


def unshaped(name: str, value: float) -> float:
    """The number of the base distribution for ``value``, ignoring rounding."""
    if "log" not in name:
        return value
    return math.log(value) if value > 0 else -700.0


def rounded(value: float, step: float) -> float:
    """``round(value / step) * step``, without floating-point noise; an integer for integer steps.

    (``round(0.7 / 0.1) * 0.1`` is 0.7000000000000001.)
    """
    times = round(value / step)
    if isinstance(step, int) or float(step).is_integer():
        return times * int(step)
    return float(f"{times * step:.12g}")


def sampler(way: str, space: Mapping[str, Any], seed: int) -> Callable[..., Point | None]:
    """A function that returns the next point, given its number and the points already seen."""
    if way == "GRID":
        return lambda number, seen: grid(space, seen)
    return lambda number, seen: at_random(space, seed, number, seen)
