"""Relax unavailable pins as little as the resolver allows.

For each installed Python, the lowest releases at or above the pinned ones are looked up; the Python
that needs the fewest changes is used. The changes are read from the lockfile itself.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from scriptrun.environments.builder import Log
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv.requirements import Request
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value

#: locks a request for a Python with flags for uv; returns the locked text
Compile = Callable[[Request, Python, tuple[str, ...]], str]

_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<clauses>[=<>!~][^;@]*)(?P<rest>;.*)?$"
)
_LOWER = re.compile(r"(?:===?|~=|>=)\s*([\w.!+-]+?)(?:\.\*)?\s*$")
#: the version of a pre-release (PEP 440)
_UNFINISHED = re.compile(r"\d(?:a|b|rc|\.dev)\d")
#: packages that were merged into others; their last releases are empty
_MERGED = {"tensorflow-gpu": "tensorflow"}
_LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


class Pin(Value):
    """A requirement with an upper bound on its package."""

    name: str
    extras: str
    version: str
    rest: str

    def at_least(self, version: str | None = None) -> str:
        """The requirement without its upper bound."""
        lower = version or self.version
        return f"{self.name}{self.extras}{'>=' + lower if lower else ''}{self.rest}"

    def just(self, version: str) -> str:
        """The requirement for exactly ``version``."""
        return f"{self.name}{self.extras}=={version}{self.rest}"


class Relaxed(Value):
    """The locked text with relaxed pins, its Python, and the changes: (requested, locked)."""

    python: Python
    text: str
    changes: dict[str, tuple[str, str]]


def relaxed(
    request: Request, compile: Compile, log: Log, candidates: Sequence[Python] = ()
) -> Relaxed:
    """Lock ``request`` with as few changed pins as possible, for one of the ``candidates``.

    Without candidates, it is locked for the requested Python or for any installed one. Raises
    EnvironmentException if the packages are incompatible even without pins.
    """
    pins = {line: pin for line in request.lines if (pin := pin_of(line)) is not None}
    candidates = candidates or _candidates(request.python)
    python, lowest = _best(request, list(pins.values()), compile, candidates)
    gone = {pin.name: _MERGED[_plain(pin.name)] for pin in pins.values() if _is_gone(pin, lowest)}
    if gone:
        lines = _merged(request.lines, gone)
        found = relaxed(request.replace(lines=lines), compile, log, candidates)
        changes = {old: (old, new) for old, new in gone.items()}
        return found.replace(changes={**changes, **found.changes})
    log(f"Some pins are unavailable; relaxing them for Python {python.version}.")
    nearest, *looser = _ways(request.lines, pins, lowest)
    ways = itertools.chain(
        [nearest], _closest(request, python, pins, lowest, compile), iter(looser)
    )
    text = _first_that_goes(request, python, ways, compile)
    changes = changed(pins.values(), text)
    wanted = interpreter_discovery.parse(request.python or "") or ()
    if python.minor != wanted[:2] and wanted:
        changes["python"] = (str(request.python), python.version)
    return Relaxed(python, text, changes)


def _is_gone(pin: Pin, lowest: dict[str, str]) -> bool:
    return _plain(pin.name) in _MERGED and pin.name not in lowest


def _merged(lines: tuple[str, ...], gone: dict[str, str]) -> tuple[str, ...]:
    """``lines`` with the packages in ``gone`` replaced by those that they were merged into."""

    def said(line: str) -> str:
        pin = pin_of(line)
        if pin is None or pin.name not in gone:
            return line
        return f"{gone[pin.name]}{line.strip().removeprefix(pin.name)}"

    return tuple(dict.fromkeys(map(said, lines)))


def pin_of(line: str) -> Pin | None:
    """Parse a requirement line; None if it has no upper bound."""
    found = _LINE.match(line.strip())
    if found is None or not re.search(r"={2}|~=|<", found["clauses"]):
        return None
    lower = [_LOWER.match(clause.strip()) for clause in found["clauses"].split(",")]
    version = next((each[1] for each in lower if each), "")
    return Pin(found["name"], found["extras"] or "", version, found["rest"] or "")


def pins_of(lines: Iterable[str]) -> list[Pin]:
    """The pins among requirement lines."""
    return [pin for line in lines if (pin := pin_of(line)) is not None]


def changed(pins: Iterable[Pin], text: str) -> dict[str, tuple[str, str]]:
    """The pins that the locked ``text`` changes: (requested, locked) by name."""
    locked = {_plain(name): version for name, version in _LOCKED.findall(text)}
    found = {}
    for pin in pins:
        given = locked.get(_plain(pin.name))
        if given and pin.version and not (given + ".").startswith(pin.version + "."):
            found[pin.name] = (pin.version, given)
    return found


def sentence(changes: dict[str, tuple[str, str]]) -> str:
    """The changes in one line."""
    return ", ".join(f"{name} {asked} -> {given}" for name, (asked, given) in changes.items())


def _best(
    request: Request, pins: list[Pin], compile: Compile, candidates: Sequence[Python]
) -> tuple[Python, dict[str, str]]:
    """The Python that needs the fewest changed pins, and its lowest available versions."""
    found = []
    for number, python in enumerate(candidates):
        lowest = _lowest(request, python, pins, compile)
        changes = sum(1 for pin in pins if lowest.get(pin.name) != pin.version)
        if not changes:
            return python, lowest
        found.append((changes, number, python, lowest))
    _, _, python, lowest = min(found, key=lambda each: each[:2])
    return python, lowest


def _candidates(wanted: str | None) -> list[Python]:
    """The requested Python if installed; else one of each minor version, from it upwards first."""
    if wanted and not interpreter_discovery.missing(wanted):
        return [interpreter_discovery.choose(wanted)[0]]
    own, _ = interpreter_discovery.choose(None)
    here = sorted([own, *interpreter_discovery.others()], key=lambda each: each.minor)
    numbers = interpreter_discovery.parse(wanted or "") or ()
    after = [each for each in here if each.minor >= numbers[:2]]
    before = [each for each in reversed(here) if each not in after]
    return [*after, *before] if wanted else here


def _lowest(request: Request, python: Python, pins: list[Pin], compile: Compile) -> dict[str, str]:
    """By name: the lowest release at or above each pin that has a wheel for ``python``."""
    together = _lowest_of(request, python, pins, compile)
    if together is not None:
        return together
    found: dict[str, str] = {}
    for pin in pins:
        found.update(_lowest_of(request, python, [pin], compile) or {})
    return found


def _lowest_of(
    request: Request, python: Python, pins: list[Pin], compile: Compile
) -> dict[str, str] | None:
    lines = tuple(pin.at_least() for pin in pins)
    alone = request.replace(lines=lines)
    flags = ("--no-deps", "--resolution", "lowest-direct", "--only-binary", ":all:")
    try:
        text = compile(alone, python, flags)
    except EnvironmentException:
        return None
    locked = {_plain(name): version for name, version in _LOCKED.findall(text)}
    return {pin.name: locked[_plain(pin.name)] for pin in pins if _plain(pin.name) in locked}


def _closest(
    request: Request,
    python: Python,
    pins: dict[str, Pin],
    lowest: dict[str, str],
    compile: Compile,
) -> Iterator[tuple[str, ...]]:
    """The lowest compatible releases: first with the available pins unchanged, then without."""
    flags = ("--resolution", "lowest-direct", "--only-binary", ":all:")
    for kept in (True, False):
        wanted = tuple(
            line if kept and lowest.get(pin.name) == pin.version else pin.at_least(lowest[pin.name])
            for line, pin in pins.items()
            if pin.name in lowest
        )
        try:
            text = compile(request.replace(lines=wanted), python, flags)
        except EnvironmentException:
            continue
        found = {_plain(name): version for name, version in _LOCKED.findall(text)}
        if any(map(_UNFINISHED.search, found.values())):
            continue
        yield tuple(
            pins[line].just(found[_plain(pins[line].name)])
            if line in pins and _plain(pins[line].name) in found
            else line
            for line in request.lines
        )


def _ways(
    lines: tuple[str, ...], pins: dict[str, Pin], lowest: dict[str, str]
) -> list[tuple[str, ...]]:
    """Increasingly loose versions of ``lines``."""

    def each(say: Callable[[str, Pin], str]) -> tuple[str, ...]:
        return tuple(say(line, pins[line]) if line in pins else line for line in lines)

    def nearest(line: str, pin: Pin) -> str:
        return pin.just(lowest[pin.name]) if pin.name in lowest else line

    def from_nearest(line: str, pin: Pin) -> str:
        low = lowest.get(pin.name)
        return line if low == pin.version else pin.at_least(low)

    kept = all(lowest.get(pin.name) == pin.version for pin in pins.values())
    alone = [{line: pin.at_least()} for line, pin in pins.items()] if kept else []
    return [
        each(nearest),
        each(from_nearest),
        *(tuple(one.get(line, line) for line in lines) for one in alone),
        each(lambda line, pin: pin.at_least(lowest.get(pin.name))),
        each(lambda line, pin: pin.replace(version="").at_least()),
    ]


def _first_that_goes(
    request: Request, python: Python, ways: Iterable[tuple[str, ...]], compile: Compile
) -> str:
    seen: list[tuple[str, ...]] = []
    for way in ways:
        seen.append(way)
        try:
            return compile(request.replace(lines=way), python, ("--only-binary", ":all:"))
        except EnvironmentException:
            continue
    *tries, last = seen
    for way in tries:
        try:
            return compile(request.replace(lines=way), python, ())
        except EnvironmentException:
            continue
    return compile(request.replace(lines=last), python, ())


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
