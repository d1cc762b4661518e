"""The exception that ends a process, recorded in the runs that it has begun and not ended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from scriptrun.tracking import events, masking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]

#: the longest message that is recorded
_LONGEST = 300


#: the folders of the runs that this process has begun
_begun: list[Path] = []


def watch(folder: Path) -> None:
    """Record the exception that ends this process in the run at ``folder``."""
    if not _begun:
        sys.excepthook = _recording(sys.excepthook)
    _begun.append(folder)


def _recording(previous: Hook) -> Hook:
    """A ``sys.excepthook`` that records the exception before it calls ``previous``."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        record(error)
        previous(kind, error, trace)

    return hook


def record(error: BaseException) -> None:
    """Write down the exception that ends this process; it counts for runs that nothing else ends.

    Called, too, where somebody has caught it to print it.
    """
    for folder in _begun:
        try:
            events.later_writer(folder).write("uncaught", message=_in_one_line(error))
        except OSError:
            continue  # removed, or a full disk


def _in_one_line(error: BaseException) -> str:
    import traceback

    lines = traceback.format_exception_only(error)[-1].strip().splitlines()
    return masking.masked(lines[0] if lines else type(error).__name__)[:_LONGEST]
