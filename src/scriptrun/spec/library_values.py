"""Values of numpy, pandas, tensor libraries and enums as Python's own; none is imported for it.

``require`` imports a library that scriptrun itself does without.
"""

from __future__ import annotations

import importlib

from scriptrun.runtime.injob import values
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


def plain_value(value: object) -> Any:
    """A scalar, or an array without dimensions, as Python's own; an array or series as a list.

    Anything else is returned unchanged.
    """
    if not hasattr(type(value), "dtype"):
        return value
    if getattr(value, "shape", None) == ():
        return values.scalar(value)
    inner = values.nested(value)
    return inner if isinstance(inner, list) else value


def text_of(value: object) -> str:
    """``value`` as text; a member of an enum that is a text or a number is that."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    return float.__repr__(value) if isinstance(value, float) else str(value)


def require(library: str, feature: str, otherwise: str = "") -> ModuleType:
    """Import ``library`` for ``feature``; ``otherwise`` says what works without it.

    Raises UserErrorException if it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        raise UserErrorException(
            f"{feature} requires {library}, which is not installed.",
            f"Install it: pip install {library}. {otherwise}".rstrip(),
        ) from None
