"""Sample points of a search space by number: random or grid, determined by the seed."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Collection, Mapping

from scriptrun.config.sweeps.search_space import space_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.sweeps.search_space import Expression, Space


Point = dict[str, "Any"]
#: how often to draw again for an unseen point before enumerating the space
MAX_DRAWS = 200


def point_key(point: Mapping[str, object]) -> str:
    """A string that identifies a point."""
    return json.dumps(point, sort_keys=True, default=str)


def grid_point(space: Space, number: int) -> Point | None:
    """The point ``number`` of a finite space, the last parameter changing fastest, or None."""
    point: Point = {}
    for name, (kind, values) in reversed(list(space.items())):
        options = values[0] if kind == "choice" else range(int(values[0]))
        number, index = divmod(number, len(options))
        point[name] = options[index]
    return {name: point[name] for name in space} if number == 0 else None


def next_grid_point(space: Space, seen: Collection[str]) -> Point | None:
    """The first point of the grid that is not in ``seen``; None if there is none left."""
    for number in range(len(seen), space_size(space) or 0):
        point = grid_point(space, number)
        if point is not None and point_key(point) not in seen:
            return point
    return _first_unseen(space, seen)


def _first_unseen(space: Space, seen: Collection[str]) -> Point | None:
    for number in range(space_size(space) or 0):
        point = grid_point(space, number)
        if point is not None and point_key(point) not in seen:
            return point
    return None


def random_point(space: Space, seed: int, number: int, seen: Collection[str]) -> Point | None:
    """The point ``number``, not in ``seen`` if the space is finite; None if there is none left."""
    count = space_size(space)
    for draw in range(MAX_DRAWS if count is not None else 1):
        generator = random.Random(f"{seed}/{number}/{draw}")
        point = {name: draw_value(expression, generator) for name, expression in space.items()}
        if count is None or point_key(point) not in seen:
            return point
    return _first_unseen(space, seen)


def draw_value(expression: Expression, generator: random.Random) -> Any:
    """A random value of an expression of ``config.sweeps.search_space``."""
    name, values = expression
    if name == "choice":
        return values[0][generator.randrange(len(values[0]))]
    if name == "randint":
        return generator.randrange(int(values[0]))
    if "normal" in name:
        raw = generator.gauss(values[0], values[1])
    else:
        raw = generator.uniform(values[0], values[1])
    return transform(name, values, raw)


def transform(name: str, values: list[Any], raw: float) -> Any:
    """Transform a number of the base distribution: exponentiate it, and round it to the step."""
    if "log" in name:
        raw = math.exp(min(raw, 700.0))
    return round_to_step(raw, values[-1]) if name.startswith("q") else raw


def inverse_transform(name: str, value: float) -> float:
    """The number of the base distribution for ``value``, ignoring rounding."""
    if "log" not in name:
        return value
    return math.log(value) if value > 0 else -700.0


def round_to_step(value: float, step: float) -> float:
    """``round(value / step) * step``, without floating-point noise; an integer for integer steps.

    (``round(0.7 / 0.1) * 0.1`` is 0.7000000000000001.)
    """
    times = round(value / step)
    if isinstance(step, int) or float(step).is_integer():
        return times * int(step)
    return float(f"{times * step:.12g}")


def sampler(name: str, space: Space, seed: int) -> Callable[..., Point | None]:
    """A function that returns the next point, given its number and the points already seen."""
    if name == "GRID":
        return lambda number, seen: next_grid_point(space, seen)
    return lambda number, seen: random_point(space, seed, number, seen)
