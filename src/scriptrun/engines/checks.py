"""Checks of a compute target: a verdict each, and how to fix what fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

#: bytes free below which a build or a run is likely to fail
MIN_FREE_BYTES = 1_000_000_000


class Unanswered(str):
    """A problem of a job that is only that its cluster does not respond, so that it may be fine."""


class Check(Value):
    """The result of one check. ``verdict``: "ok", "warning" (runs still work) or "bad"."""

    name: str
    verdict: str
    message: str
    hint: str = ""


class Site(Protocol):
    """What an engine's checks need to know about the place where a target's runs live."""

    def root(self) -> str:
        """The folder for runs and environments, as the nodes see it."""
        ...

    def tool(self) -> Iterable[Check]:
        """Check the remote interpreter with scriptrun; nothing if scriptrun runs here."""
        ...

    def python(self) -> str:
        """The Python that starts launchers if the target does not set one."""
        ...

    def index(self) -> tuple[str, str]:
        """Host and port of the package index that nodes may need; "" if none is configured."""
        ...


def guarded(name: str, make_checks: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The checks from ``make_checks``; an error becomes a failed check called ``name``."""
    try:
        yield from make_checks()
    except ScriptrunError as error:
        yield Check(name, "bad", error.message, error.hint)
