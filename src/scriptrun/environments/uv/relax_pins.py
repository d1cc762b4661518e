"""Relax unavailable pins as little as the resolver allows.

For each installed Python, the lowest releases at or above the pinned ones are looked up; the Python
that needs the fewest changes is used. The changes are read from the lockfile itself.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from scriptrun.environments.builder import Log
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv.requirements import Request
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value

#: locks a request for a Python with flags for uv; returns the locked text
Compile = Callable[[Request, Python, tuple[str, ...]], str]

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<clauses>[=<>!~][^;@]*)(?P<rest>;.*)?$"
)
_LOWER = re.compile(r"(?:===?|~=|>=)\s*([\w.!+-]+?)(?:\.\*)?\s*$")
#: the version of a pre-release (PEP 440)
_PRERELEASE = re.compile(r"\d(?:a|b|rc|\.dev)\d")
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


class RelaxedLockfile(Value):
    """The locked text with relaxed pins, its Python, and the changes: (requested, locked)."""

    python: Python
    text: str
    changes: dict[str, tuple[str, str]]


def relax(
    request: Request, compile: Compile, log: Log, candidates: Sequence[Python] = ()
) -> RelaxedLockfile:
    """Lock ``request`` with as few changed pins as possible, for one of the ``candidates``.

    Without candidates, it is locked for the requested Python or for any installed one. Raises
    EnvironmentException if the packages are incompatible even without pins.
    """
    pins = {line: pin for line in request.lines if (pin := parse_pin(line)) is not None}
    candidates = candidates or _candidates(request.python)
    python, lowest = _best(request, list(pins.values()), compile, candidates)
    merged = {
        pin.name: _MERGED[_normalize(pin.name)] for pin in pins.values() if _is_merged(pin, lowest)
    }
    if merged:
        lines = _replace_merged(request.lines, merged)
        result = relax(request.replace(lines=lines), compile, log, candidates)
        changes = {old: (old, new) for old, new in merged.items()}
        return result.replace(changes={**changes, **result.changes})
    log(f"Some pins are unavailable; relaxing them for Python {python.version}.")
    nearest, *looser = _attempts(request.lines, pins, lowest)
    attempts = itertools.chain(
        [nearest], _lowest_compatible(request, python, pins, lowest, compile), iter(looser)
    )
    text = _first_compilable(request, python, attempts, compile)
    changes = changed_pins(pins.values(), text)
    requested = interpreter_discovery.parse(request.python or "") or ()
    if python.minor != requested[:2] and requested:
        changes["python"] = (str(request.python), python.version)
    return RelaxedLockfile(python, text, changes)


def _is_merged(pin: Pin, lowest: dict[str, str]) -> bool:
    return _normalize(pin.name) in _MERGED and pin.name not in lowest


def _replace_merged(lines: tuple[str, ...], merged: dict[str, str]) -> tuple[str, ...]:
    """``lines`` with the packages in ``merged`` replaced by those that they were merged into."""

    def replace_name(line: str) -> str:
        pin = parse_pin(line)
        if pin is None or pin.name not in merged:
            return line
        return f"{merged[pin.name]}{line.strip().removeprefix(pin.name)}"

    return tuple(dict.fromkeys(map(replace_name, lines)))


def parse_pin(line: str) -> Pin | None:
    """Parse a requirement line; None if it has no upper bound."""
    match = _REQUIREMENT.match(line.strip())
    if match is None or not re.search(r"={2}|~=|<", match["clauses"]):
        return None
    lower = [_LOWER.match(clause.strip()) for clause in match["clauses"].split(",")]
    version = next((bound[1] for bound in lower if bound), "")
    return Pin(match["name"], match["extras"] or "", version, match["rest"] or "")


def parse_pins(lines: Iterable[str]) -> list[Pin]:
    """The pins among requirement lines."""
    return [pin for line in lines if (pin := parse_pin(line)) is not None]


def changed_pins(pins: Iterable[Pin], text: str) -> dict[str, tuple[str, str]]:
    """The pins that the locked ``text`` changes: (requested, locked) by name."""
    locked = {_normalize(name): version for name, version in _LOCKED.findall(text)}
    changes = {}
    for pin in pins:
        actual = locked.get(_normalize(pin.name))
        if actual and pin.version and not (actual + ".").startswith(pin.version + "."):
            changes[pin.name] = (pin.version, actual)
    return changes


def with_changes(line: str, changes: Mapping[str, tuple[str, str]]) -> str:
    """``line`` with the version that its pin was relaxed to."""
    pin = parse_pin(line)
    return pin.just(changes[pin.name][1]) if pin is not None and pin.name in changes else line


def describe_changes(changes: dict[str, tuple[str, str]]) -> str:
    """The changes in one line."""
    return ", ".join(
        f"{name} {requested} -> {actual}" for name, (requested, actual) in changes.items()
    )


def _best(
    request: Request, pins: list[Pin], compile: Compile, candidates: Sequence[Python]
) -> tuple[Python, dict[str, str]]:
    """The Python that needs the fewest changed pins, and its lowest available versions."""
    scores = []
    for number, python in enumerate(candidates):
        lowest = _lowest(request, python, pins, compile)
        changes = sum(1 for pin in pins if lowest.get(pin.name) != pin.version)
        if not changes:
            return python, lowest
        scores.append((changes, number, python, lowest))
    _, _, python, lowest = min(scores, key=lambda score: score[:2])
    return python, lowest


def _candidates(requested: str | None) -> list[Python]:
    """The requested Python if installed; else one of each minor version, from it upwards first."""
    if requested and not interpreter_discovery.missing(requested):
        return [interpreter_discovery.choose(requested)[0]]
    running_python, _ = interpreter_discovery.choose(None)
    pythons = sorted(
        [running_python, *interpreter_discovery.others()], key=lambda python: python.minor
    )
    numbers = interpreter_discovery.parse(requested or "") or ()
    after = [candidate for candidate in pythons if candidate.minor >= numbers[:2]]
    before = [earlier for earlier in reversed(pythons) if earlier not in after]
    return [*after, *before] if requested else pythons


def _lowest(request: Request, python: Python, pins: list[Pin], compile: Compile) -> dict[str, str]:
    """By name: the lowest release at or above each pin that has a wheel for ``python``."""
    together = _lowest_of(request, python, pins, compile)
    if together is not None:
        return together
    versions: dict[str, str] = {}
    for pin in pins:
        versions.update(_lowest_of(request, python, [pin], compile) or {})
    return versions


def _lowest_of(
    request: Request, python: Python, pins: list[Pin], compile: Compile
) -> dict[str, str] | None:
    lines = tuple(pin.at_least() for pin in pins)
    pins_request = request.replace(lines=lines)
    flags = ("--no-deps", "--resolution", "lowest-direct", "--only-binary", ":all:")
    try:
        text = compile(pins_request, python, flags)
    except EnvironmentException:
        return None
    locked = {_normalize(name): version for name, version in _LOCKED.findall(text)}
    return {
        pin.name: locked[_normalize(pin.name)] for pin in pins if _normalize(pin.name) in locked
    }


def _lowest_compatible(
    request: Request,
    python: Python,
    pins: dict[str, Pin],
    lowest: dict[str, str],
    compile: Compile,
) -> Iterator[tuple[str, ...]]:
    """The lowest compatible releases: first with the available pins unchanged, then without."""
    flags = ("--resolution", "lowest-direct", "--only-binary", ":all:")
    for keep_exact in (True, False):
        lower_bounds = tuple(
            line
            if keep_exact and lowest.get(pin.name) == pin.version
            else pin.at_least(lowest[pin.name])
            for line, pin in pins.items()
            if pin.name in lowest
        )
        try:
            text = compile(request.replace(lines=lower_bounds), python, flags)
        except EnvironmentException:
            continue
        versions = {_normalize(name): version for name, version in _LOCKED.findall(text)}
        if any(map(_PRERELEASE.search, versions.values())):
            continue
        yield tuple(
            pins[line].just(versions[_normalize(pins[line].name)])
            if line in pins and _normalize(pins[line].name) in versions
            else line
            for line in request.lines
        )


def _attempts(
    lines: tuple[str, ...], pins: dict[str, Pin], lowest: dict[str, str]
) -> list[tuple[str, ...]]:
    """Increasingly loose versions of ``lines``."""

    def rewrite_all(rewrite: Callable[[str, Pin], str]) -> tuple[str, ...]:
        return tuple(rewrite(line, pins[line]) if line in pins else line for line in lines)

    def nearest(line: str, pin: Pin) -> str:
        return pin.just(lowest[pin.name]) if pin.name in lowest else line

    def from_nearest(line: str, pin: Pin) -> str:
        low = lowest.get(pin.name)
        return line if low == pin.version else pin.at_least(low)

    all_available = all(lowest.get(pin.name) == pin.version for pin in pins.values())
    single_relaxations = (
        [{line: pin.at_least()} for line, pin in pins.items()] if all_available else []
    )
    return [
        rewrite_all(nearest),
        rewrite_all(from_nearest),
        *(
            tuple(replacements.get(line, line) for line in lines)
            for replacements in single_relaxations
        ),
        rewrite_all(lambda line, pin: pin.at_least(lowest.get(pin.name))),
        rewrite_all(lambda line, pin: pin.replace(version="").at_least()),
    ]


def _first_compilable(
    request: Request, python: Python, attempts: Iterable[tuple[str, ...]], compile: Compile
) -> str:
    tried: list[tuple[str, ...]] = []
    for attempt in attempts:
        tried.append(attempt)
        try:
            return compile(request.replace(lines=attempt), python, ("--only-binary", ":all:"))
        except EnvironmentException:
            continue
    *stricter, loosest = tried
    for attempt in stricter:
        try:
            return compile(request.replace(lines=attempt), python, ())
        except EnvironmentException:
            continue
    return compile(request.replace(lines=loosest), python, ())


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
