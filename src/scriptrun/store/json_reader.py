"""Read JSON that others may have written: notebooks, configuration files, values of options."""

from __future__ import annotations

import json
import re

from scriptrun.store import document_limits
from scriptrun.store.document_limits import (
    CONFIGURATION,
    LimitExceeded,
    Limits,
    MalformedDocument,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def parse(
    text: str | bytes,
    limits: Limits = CONFIGURATION,
    number: Callable[[str, float], object] | None = None,
) -> object:
    """The value of the JSON ``text``; ``number`` makes each number of its text and its value.

    Raises MalformedDocument for invalid JSON, and LimitExceeded for a value that is too large or
    too deep.
    """
    document_limits.check_size(text, limits)
    try:
        value: object = json.loads(
            text,
            parse_float=number and (lambda digits: number(digits, float(digits))),
            parse_int=number and (lambda digits: number(digits, int(digits))),
            parse_constant=number and (lambda name: number(name, float(name))),
        )
        document_limits.check_value(value, limits)
    except (RecursionError, LimitExceeded) as error:
        if isinstance(error, LimitExceeded) and "deep" not in error.problem:
            raise
        raise document_limits.too_deep(limits, *_position_of_depth(text, limits.depth)) from None
    except json.JSONDecodeError as error:
        raise MalformedDocument(f"invalid JSON ({error.msg})", error.lineno, error.colno) from None
    except UnicodeDecodeError:
        raise MalformedDocument("it is not UTF-8 text") from None
    except ValueError as error:  # a number of more digits than Python converts
        raise MalformedDocument(f"invalid JSON ({error})") from None
    return value


def _position_of_depth(text: str | bytes, depth: int) -> tuple[int, int]:
    """The line and column at which ``text`` is nested more than ``depth`` levels deep."""
    characters = text if isinstance(text, str) else text.decode("utf-8", "replace")
    level = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{}\]]', characters, re.DOTALL):
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if level > depth:
            start = match.start()
            line_start = characters.rfind("\n", 0, start) + 1
            return characters.count("\n", 0, start) + 1, start - line_start + 1
    return 0, 0
