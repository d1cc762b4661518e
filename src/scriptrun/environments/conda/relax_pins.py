"""Relax the unavailable pins of conda packages as little as the solver allows.

The rules are those of pip packages (uv/relax_pins.py): exact first; what the channels lack becomes
the lowest version at or above the requested one, and all other pins stay. Only if that has no
solution do all pins become lower bounds, and finally bare names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from scriptrun.environments.conda import pypi_names
from scriptrun.environments.conda.errors import Unsolvable
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: solves specifications, for the lowest versions if true; returns the records
Solve = Callable[[Sequence[str], bool], list[dict[str, "Any"]]]
#: by name: the requested version (and build), and the installed one
Changes = dict[str, tuple[str, str]]

_PINNED = re.compile(
    r"\S+?\s*={1,2}\s*(\d[\w.+!]*?)(?:\.?\*)?(?:(?:=|\s+)([\w.*]+))?|\S+\s+(\d\S*?)\.\*"
)
_BOUNDED = re.compile(r"[<~]=?\s*\d")
_LOWER = re.compile(r"(?:>=|~=)\s*(\d[\w.+!]*)")


class Pin(Value):
    """A specification that bounds its package from above: its lowest version, and its build."""

    name: str
    version: str
    build: str = ""

    @property
    def asked(self) -> str:
        """The requested version and build, as people write them."""
        return f"{self.version}={self.build}" if self.build else self.version

    def at_least(self) -> str:
        """The specification without its upper bound."""
        return f"{self.name} >={self.version}" if self.version else self.name

    def kept_by(self, record: dict[str, Any]) -> bool:
        """Whether ``record`` matches the pin; true if the pin names no version."""
        version, build = str(record["version"]), str(record["build"])
        if not (version + ".").startswith(self.version + ".") and self.version:
            return False
        return not self.build or re.fullmatch(self.build.replace("*", ".*"), build) is not None


def relaxed(specs: Sequence[str], solve: Solve) -> tuple[list[str], Changes]:
    """A solvable version of ``specs`` with as few changed pins as possible, and the changes.

    Raises Unsolvable if not even the bare names have a solution.
    """
    pins = {spec: pin for spec in specs if (pin := pin_of(spec)) is not None}
    failure: Unsolvable | None = None
    for way in _ways(specs, pins, solve):
        try:
            records = {each["name"]: each for each in solve(way, False)}
        except Unsolvable as error:
            failure = error
            continue
        return way, {
            pin.name: (pin.asked, _given(pin, records[pin.name]))
            for pin in pins.values()
            if pin.name in records and not pin.kept_by(records[pin.name])
        }
    assert failure is not None
    raise failure


def pin_of(spec: str) -> Pin | None:
    """Parse a conda specification; None if it has no upper bound."""
    name = pypi_names.name_of(spec)
    found = _PINNED.fullmatch(spec.strip())
    if name and found:
        return Pin(name, found[1] or found[3], found[2] or "")
    if not name or not _BOUNDED.search(spec):
        return None
    lower = _LOWER.search(spec)
    return Pin(name, lower[1] if lower else "")


def _ways(specs: Sequence[str], pins: dict[str, Pin], solve: Solve) -> Iterator[list[str]]:
    """Increasingly loose versions of ``specs``."""
    gone = {spec: pin for spec, pin in pins.items() if not _can([spec], solve)}
    for loose in [gone, pins] if 0 < len(gone) < len(pins) else [pins]:
        yield from _nearest(specs, loose, solve)
        yield [loose[each].at_least() if each in loose else each for each in specs]
    yield [pins[each].name if each in pins else each for each in specs]


def _nearest(specs: Sequence[str], loose: dict[str, Pin], solve: Solve) -> Iterator[list[str]]:
    """``specs`` with the ``loose`` pins at the lowest versions compatible with the rest."""
    wanted = [loose[each].at_least() if each in loose else each for each in specs]
    try:
        found = {each["name"]: str(each["version"]) for each in solve(wanted, True)}
    except Unsolvable:
        return
    yield [
        f"{loose[each].name} =={found[loose[each].name]}" if each in loose else each
        for each in specs
    ]


def _can(specs: Sequence[str], solve: Solve) -> bool:
    try:
        solve(specs, False)
    except Unsolvable:
        return False
    return True


def _given(pin: Pin, record: dict[str, Any]) -> str:
    version = str(record["version"])
    return f"{version}={record['build']}" if pin.build else version
