"""Checks: one thing looked at each, and what to do where it is wrong."""

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
ROOM = 1_000_000_000


class Check(Value):
    """One thing that was looked at. ``verdict``: "ok", "warning" (runs go on) or "bad"."""

    name: str
    verdict: str
    said: str
    hint: str = ""


class Site(Protocol):
    """Where a target's runs lie, as its engine's checks need to know it."""

    def root(self) -> str:
        """The folder below which runs and environments lie, as the nodes shall see it."""
        ...

    def tool(self) -> Iterable[Check]:
        """The check of the interpreter that runs scriptrun there; none where it runs here."""
        ...

    def python(self) -> str:
        """The Python that starts launchers where the target names none."""
        ...

    def index(self) -> tuple[str, str]:
        """Host and port of the package index that nodes may need; "" where none is named."""
        ...


def guarded(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The checks that ``look`` makes; an error becomes one, called ``name``, that is bad."""
    try:
        yield from look()
    except ScriptrunError as error:
        yield Check(name, "bad", error.message, error.hint)
