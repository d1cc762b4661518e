"""Points of a space by their number: at random, or of a grid. Chance comes from the seed alone."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Collection, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


Point = dict[str, "Any"]
#: how often a point is drawn again that is there already, before the rest is counted out
DRAWS = 200


def key(point: Mapping[str, Any]) -> str:
    """What tells one point from another."""
    return json.dumps(point, sort_keys=True, default=str)


def size(space: Mapping[str, Any]) -> int | None:
    """How many points the space has; None where it is not finite."""
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
    """The point ``number`` of a finite space, the last parameter changing fastest; None past it."""
    point: Point = {}
    for name, (kind, values) in reversed(list(space.items())):
        options = values[0] if kind == "choice" else range(int(values[0]))
        number, place = divmod(number, len(options))
        point[name] = options[place]
    return {name: point[name] for name in space} if number == 0 else None


def grid(space: Mapping[str, Any], seen: Collection[str]) -> Point | None:
    """The first point of the grid that has not been ``seen``; None when there is none left."""
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
    """The point ``number``; it is none that has been ``seen``. None when there is none left."""
    finite = size(space)
    for draw in range(DRAWS if finite is not None else 1):
        chance = random.Random(f"{seed}/{number}/{draw}")
        point = {name: drawn(expression, chance) for name, expression in space.items()}
        if finite is None or key(point) not in seen:
            return point
    return _first_unseen(space, seen)


def drawn(expression: list[Any], chance: random.Random) -> Any:
    """One value of an expression of ``config.search_space``."""
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
    """What a number of the plain distribution becomes: its power, and rounded to its step."""
    if "log" in name:
        raw = math.exp(min(raw, 700.0))
    return rounded(raw, values[-1]) if name.startswith("q") else raw


def unshaped(name: str, value: float) -> float:
    """The number of the plain distribution that became ``value`` (before it was rounded)."""
    if "log" not in name:
        return value
    return math.log(value) if value > 0 else -700.0


def rounded(value: float, step: float) -> float:
    """``round(value / step) * step``, without the dust of binary fractions; whole for whole steps.

    (``round(0.7 / 0.1) * 0.1`` is 0.7000000000000001.)
    """
    times = round(value / step)
    if isinstance(step, int) or float(step).is_integer():
        return times * int(step)
    return float(f"{times * step:.12g}")


def sampler(way: str, space: Mapping[str, Any], seed: int) -> Callable[..., Point | None]:
    """What gives the next point, told its number and the points seen: of a grid, or at random."""
    if way == "GRID":
        return lambda number, seen: grid(space, seen)
    return lambda number, seen: at_random(space, seed, number, seen)
