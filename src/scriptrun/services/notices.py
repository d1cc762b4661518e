"""Warnings of services, with the line of the user's code that they are about."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable

from scriptrun.spec.control_characters import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def warn(messages: Iterable[str]) -> None:
    """Warn of each, as at the line that called scriptrun."""
    for message in messages:
        warnings.warn(escape(message), stacklevel=_callers_level())


def _callers_level() -> int:
    """The ``stacklevel`` of the code that called scriptrun, for a warning by the caller."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and _is_own(frame):
        frame, level = frame.f_back, level + 1
    return level


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "scriptrun"
