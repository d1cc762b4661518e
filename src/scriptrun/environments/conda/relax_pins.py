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
    from scriptrun.runtime.hints import Json

#: solves specifications, for the lowest versions if true; returns the records
Solve = Callable[[Sequence[str], bool], list["Json"]]
#: by name: the requested version (and build), and the installed one
Changes = dict[str, tuple[str, str]]

_PINNED = re.compile(
    r"[^\s=<>!~]+\s*={1,2}\s*(\d[\w.+!]*?)(?:\.?\*)?(?:(?:=|\s+)([\w.*]+))?|\S+\s+(\d\S*?)\.\*"
)
_BOUNDED = re.compile(r"[<~]=?\s*\d")
_LOWER = re.compile(r"(?:>=|~=)\s*(\d[\w.+!]*)")


class CondaPin(Value):
    """A specification that bounds its package from above: its lowest version, and its build."""

    name: str
    version: str
    build: str = ""

    @property
    def requested(self) -> str:
        """The requested version and build, as people write them."""
        return f"{self.version}={self.build}" if self.build else self.version

    def at_least(self) -> str:
        """The specification without its upper bound."""
        return f"{self.name} >={self.version}" if self.version else self.name

    def matches(self, record: Json) -> bool:
        """Whether ``record`` matches the pin; true if the pin names no version."""
        version, build = str(record["version"]), str(record["build"])
        if not (version + ".").startswith(self.version + ".") and self.version:
            return False
        return not self.build or re.fullmatch(self.build.replace("*", ".*"), build) is not None


def relax(specs: Sequence[str], solve: Solve) -> tuple[list[str], Changes]:
    """A solvable version of ``specs`` with as few changed pins as possible, and the changes.

    Raises Unsolvable if not even the bare names have a solution.
    """
    pins = {spec: pin for spec in specs if (pin := parse_pin(spec)) is not None}
    failure: Unsolvable | None = None
    for attempt in _attempts(specs, pins, solve):
        try:
            records = {record["name"]: record for record in solve(attempt, False)}
        except Unsolvable as error:
            failure = error
            continue
        return attempt, {
            pin.name: (pin.requested, _installed_version(pin, records[pin.name]))
            for pin in pins.values()
            if pin.name in records and not pin.matches(records[pin.name])
        }
    assert failure is not None
    raise failure


def parse_pin(spec: str) -> CondaPin | None:
    """Parse a conda specification; None if it has no upper bound."""
    name = pypi_names.name_of(spec)
    match = _PINNED.fullmatch(spec.strip())
    if name and match:
        return CondaPin(name, match[1] or match[3], match[2] or "")
    if not name or not _BOUNDED.search(spec):
        return None
    lower = _LOWER.search(spec)
    return CondaPin(name, lower[1] if lower else "")


def _attempts(specs: Sequence[str], pins: dict[str, CondaPin], solve: Solve) -> Iterator[list[str]]:
    """Increasingly loose versions of ``specs``."""
    unavailable = {spec: pin for spec, pin in pins.items() if not _is_solvable([spec], solve)}
    for relaxing in [unavailable, pins] if 0 < len(unavailable) < len(pins) else [pins]:
        yield from _lowest_versions(specs, relaxing, solve)
        yield [
            relaxing[requirement].at_least() if requirement in relaxing else requirement
            for requirement in specs
        ]
    yield [pins[spec_text].name if spec_text in pins else spec_text for spec_text in specs]


def _lowest_versions(
    specs: Sequence[str], relaxing: dict[str, CondaPin], solve: Solve
) -> Iterator[list[str]]:
    """``specs`` with the ``relaxing`` pins at the lowest versions compatible with the rest."""
    lower_bounds = [relaxing[spec].at_least() if spec in relaxing else spec for spec in specs]
    try:
        versions = {record["name"]: str(record["version"]) for record in solve(lower_bounds, True)}
    except Unsolvable:
        return
    yield [
        f"{relaxing[requirement].name} =={versions[relaxing[requirement].name]}"
        if requirement in relaxing
        else requirement
        for requirement in specs
    ]


def _is_solvable(specs: Sequence[str], solve: Solve) -> bool:
    try:
        solve(specs, False)
    except Unsolvable:
        return False
    return True


def _installed_version(pin: CondaPin, record: Json) -> str:
    version = str(record["version"])
    return f"{version}={record['build']}" if pin.build else version
