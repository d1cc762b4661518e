"""Resolve what is not pinned as of the newest pin's release, so that old pins meet their time.

The index tells uv when each file was uploaded (https://peps.python.org/pep-0700/); uv writes these
times to ``pylock.toml``. Where an index tells none, release_dates.py has those of common packages.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from scriptrun.environments import dependency_paths, site_packages
from scriptrun.environments.builder import Log
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.environments.uv import release_dates
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.environments.uv.relax_pins import Compile
from scriptrun.environments.uv.requirements import Request
from scriptrun.runtime import files
from scriptrun.spec.environment import NEWEST_PIN, TOOLS, is_pin
from scriptrun.spec.later import later
from scriptrun.spec.values import Value, fresh
from scriptrun.store import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tomllib

    from scriptrun.runtime.hints import Json
else:
    tomllib = later("tomllib")

_EXACT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*===?\s*[\w.*+!-]+\s*(?:;.*)?$")
_NAMED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~;].*)?$")
_ONLY_WHEELS = ("--only-binary", ":all:")
_LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


#: the days to which the first day with a solution is determined
_PRECISION = 30
#: how long after its first release a package that appeared later is taken
_YOUTH = datetime.timedelta(days=365)
#: packages that need a compiler and more
_COMPILED = frozenset(
    "catboost cffi cryptography cython grpcio h5py lightgbm llvmlite lxml matplotlib numba numpy "
    "opencv-python pandas pillow protobuf pyarrow pyzmq scikit-image scikit-learn scipy "
    "statsmodels tensorflow tensorflow-gpu tokenizers torch torchvision xgboost".split()
)
#: packages that build without a compiler, too, and had no wheels for long
_OPTIONALLY_COMPILED = frozenset(
    "markupsafe msgpack pyyaml ruamel-yaml simplejson sqlalchemy tornado wrapt "
    "zope-interface".split()
)
#: a Python and the text that is locked for it
Answer = tuple[Python, str]


class Release(Value):
    """When a locked version was first there for the chosen Python; None: the index does not tell.

    ``is_compiled`` is whether its wheel for that Python holds compiled code.
    """

    version: str
    date: datetime.date | None
    is_compiled: bool = False


class Dated(Value):
    """The locked text, the Python and the day as of which it was resolved ("" for none)."""

    python: Python
    text: str
    as_of: str = ""
    notes: tuple[str, ...] = ()


class _Attempt(Value):
    """What is compiled again and again, each time as of another day.

    ``exempt`` are the packages without a day; ``compiled`` are never built from source. Others may
    be: in their time, packages without compiled code often had no wheels.
    """

    request: Request
    compile: Compile
    exempt: tuple[str, ...]
    compiled: tuple[str, ...]
    pinned: frozenset[str]
    late: dict[str, datetime.date] = fresh(default_factory=dict)

    def flags(self, day: datetime.date) -> tuple[str, ...]:
        """uv's flags to see the index as it was at the end of ``day``."""
        days: dict[str, str] = {name: _end_of(late) for name, late in self.late.items()}
        days |= dict.fromkeys(self.exempt, "false")
        packages = [f"--exclude-newer-package={name}={value}" for name, value in days.items()]
        return ("--exclude-newer", _end_of(day), *packages)

    def lock(self, pythons: Iterable[Python], day: datetime.date) -> Answer | None:
        """The first of ``pythons`` that can be locked as of ``day``, and the text; None if none."""
        for python in pythons:
            text = self._lock_for(python, day)
            if text is not None:
                return python, text
        return None

    def _lock_for(self, python: Python, day: datetime.date) -> str | None:
        sources = tuple(f"--only-binary={name}" for name in self.compiled)
        for kinds in (sources, _ONLY_WHEELS):
            try:
                return self.compile(self.request, python, (*self.flags(day), *kinds))
            except uv_tool.UvError as failure:
                if not _is_unsolvable(failure):
                    raise
                if not failure.is_build:
                    return None  # fewer files have no solution, either
        return None


def resolve(
    request: Request,
    undated: Answer,
    changes: Mapping[str, tuple[str, str]],
    as_of: str,
    compile: Compile,
    log: Log,
    others: Callable[[], Sequence[Python]] = list,
) -> Dated:
    """Lock ``request`` again as of its newest pin's release; ``undated`` is how it is locked now.

    ``as_of`` may be another pin's day ("DAY NAME==VERSION"), or the day to use where nothing is
    pinned ("DAY NAME VERSION"). ``others`` are the Pythons that may be used instead of the chosen
    one.
    """
    python, text = undated
    locked = {site_packages.normal(name): version for name, version in _LOCKED.findall(text)}
    lines = tuple(uv_relax_pins.with_changes(line, changes) for line in request.lines)
    pinned = {name for line in lines if (name := _pinned_name(line)) in locked}
    if not locked or pinned >= {*locked} or os.environ.get("UV_EXCLUDE_NEWER"):
        return Dated(python, text)
    releases = _releases(request, python, locked, compile)
    day, reason = _day(request, python, lines, pinned, releases, as_of, compile)
    if day is None:
        return _resolve_by_table(request, lines, undated, compile)
    if day >= _today():
        return Dated(python, text)
    log(f"Resolving packages without a pin as of {day}, {reason}.")
    attempt = _Attempt(
        request.replace(lines=lines),
        compile,
        exempt=tuple(sorted({*TOOLS, *(name for name, r in releases.items() if not r.date)})),
        compiled=_never_built(releases),
        pinned=frozenset(pinned),
    )
    return _resolve_as_of(attempt, undated, day, reason, others())


def _resolve_as_of(
    attempt: _Attempt, undated: Answer, day: datetime.date, reason: str, others: Sequence[Python]
) -> Dated:
    """The lock as of ``day``, or as of the first day after it as of which there is one."""
    chosen = undated[0]  # of earlier packages, only older ones have more
    pythons = [chosen, *(other for other in others if other.minor < chosen.minor)]
    needed = tuple(name for name in attempt.exempt if name in attempt.pinned or name in TOOLS)
    for exempt in dict.fromkeys((needed, attempt.exempt)):  # other indexes may tell the day
        candidate = attempt.replace(exempt=exempt)
        answer = candidate.lock(pythons, day)
        if answer is None:
            candidate = candidate.replace(late=_late(candidate, pythons[0], day))
            answer = candidate.lock(pythons, day) if candidate.late else None
        if answer is not None:
            return _dated(answer, undated, day, reason, candidate.late)
        found = _first_day(day, partial(candidate.replace(late={}).lock, pythons[:1]))
        if found is not None:
            first, answer = found
            note = f"packages without a pin are resolved as of {first}: "
            note += f"as of {day}, {reason}, they have no solution."
            return Dated(*answer, str(first), (note,))
    note = f"packages without a pin are the newest: as of {day}, {reason}, they have no solution."
    return Dated(*undated, "", (note,))


def _dated(
    answer: Answer,
    undated: Answer,
    day: datetime.date,
    reason: str,
    late: Mapping[str, datetime.date],
) -> Dated:
    note = f"packages without a pin are resolved as of {day}, {reason}"
    note += _for_python(answer, undated)
    for name, first in late.items():
        note += f"; {name} as of {first}, as it appeared later"
    return Dated(*answer, str(day), (f"{note}.",) if answer != undated else ())


def _for_python(answer: Answer, undated: Answer) -> str:
    return f", for Python {answer[0].version}" if answer[0] != undated[0] else ""


def _late(attempt: _Attempt, python: Python, day: datetime.date) -> dict[str, datetime.date]:
    """The requested packages that appeared only after ``day``, each with a day of its own.

    That is a year after its first usable release: what is new often lacks something.
    """
    late = {}
    for line in attempt.request.lines:
        match = _NAMED.match(line)
        if match is None or _pinned_name(line) or site_packages.normal(match[1]) in attempt.exempt:
            continue
        single = attempt.replace(
            request=attempt.request.replace(lines=(line,)),
            compile=partial(_compile_alone, attempt.compile),
        )
        first = None if single.lock([python], day) else _first_release(single, python)
        if first is not None and first > day:
            late[site_packages.normal(match[1])] = min(first + _YOUTH, _today())
    return late


def _first_release(single: _Attempt, python: Python) -> datetime.date | None:
    """The day of the oldest release that ``python`` can use of the one requested package."""
    flags = ("--resolution", "lowest", "--format", "pylock.toml", *_ONLY_WHEELS)
    text = _compiled(single.compile, single.request, python, flags) or ""
    packages = tomllib.loads(text).get("packages") or [{}]
    return _release(packages[0]).date


def _compile_alone(
    compile: Compile, request: Request, python: Python, flags: tuple[str, ...]
) -> str:
    return compile(request, python, ("--no-deps", *flags))


def _first_day(
    day: datetime.date, lock: Callable[[datetime.date], Answer | None]
) -> tuple[datetime.date, Answer] | None:
    """The first day after ``day`` as of which ``lock`` finds a solution, and the solution."""
    fails, works, step = day, day, datetime.timedelta(days=60)
    answer = None
    while answer is None:
        if works >= _today():
            return None
        fails, works, step = works, min(works + step, _today()), step * 2
        answer = lock(works)
    while (works - fails).days > _PRECISION:
        middle = fails + (works - fails) // 2
        found = lock(middle)
        if found is None:
            fails = middle
        else:
            works, answer = middle, found
    return works, answer


def _day(
    request: Request,
    python: Python,
    lines: Sequence[str],
    pinned: set[str],
    releases: Mapping[str, Release],
    as_of: str,
    compile: Compile,
) -> tuple[datetime.date | None, str]:
    """The day to resolve as of, and where it comes from."""
    found = [
        (day, f"{name} {releases[name].version}")
        for name in pinned
        if (day := releases[name].date) is not None
    ]
    if as_of != NEWEST_PIN and (is_pin(as_of) or not found):
        text, _, release = as_of.partition(" ")
        found.append((datetime.date.fromisoformat(text), release.replace("==", " ")))
    if found:
        day, release = max(found)
        return day, f"the date of {release}"
    held = {
        name: day
        for name in _held_back(request, python, lines, releases, compile)
        if (day := releases[name].date) is not None
    }
    if not held or pinned:
        return None, ""
    oldest = min(held, key=lambda name: (held[name], name))
    return held[oldest], f"the date of {oldest} {releases[oldest].version}"


def _held_back(
    request: Request,
    python: Python,
    lines: Sequence[str],
    releases: Mapping[str, Release],
    compile: Compile,
) -> list[str]:
    """The packages of which an upper bound (``pandas<1``) excludes the newest release."""
    ranges = {
        site_packages.normal(pin.name): pin
        for line in lines
        if not _pinned_name(line) and (pin := uv_relax_pins.parse_pin(line)) is not None
    }
    excluded = {*TOOLS, *map(dependency_paths.requirement_name, request.brought)}
    names = [name for name in ranges if name in releases and name not in excluded]
    if not names:
        return []
    free = request.replace(lines=tuple(names))
    text = _compiled(compile, free, python, ("--no-deps", *_ONLY_WHEELS)) or ""
    newest = {site_packages.normal(name): version for name, version in _LOCKED.findall(text)}
    return [name for name in names if newest.get(name, "") not in ("", releases[name].version)]


def _releases(
    request: Request, python: Python, locked: Mapping[str, str], compile: Compile
) -> dict[str, Release]:
    """The releases of the ``locked`` versions, as far as the index tells."""
    lines = tuple(f"{name}=={version}" for name, version in locked.items())
    exact = request.replace(lines=lines)
    text = _compiled(compile, exact, python, ("--no-deps", "--format", "pylock.toml")) or ""
    packages = tomllib.loads(text).get("packages") or ()
    found = {site_packages.normal(package["name"]): _release(package) for package in packages}
    return {
        name: found.get(name) or Release(version, None) for name, version in locked.items()
    }


def _release(package: Json) -> Release:
    """The release in ``pylock.toml``, which lists the wheels for the chosen Python only."""
    wheels = package.get("wheels") or ()
    uploads = [
        file["upload-time"]
        for file in wheels or [package.get("sdist") or {}]
        if "upload-time" in file
    ]
    day = min(uploads).date() if uploads else None
    names = [str(wheel.get("name") or wheel.get("url", "")) for wheel in wheels]
    is_compiled = bool(names) and not any("-none-any" in name for name in names)
    return Release(str(package.get("version", "")), day, is_compiled)


def _never_built(releases: Mapping[str, Release]) -> tuple[str, ...]:
    """The packages with compiled code, which rarely build on another machine or Python."""
    compiled = {name for name, release in releases.items() if release.is_compiled}
    return tuple(sorted((compiled | _COMPILED) - _OPTIONALLY_COMPILED))


def _resolve_by_table(
    request: Request, lines: tuple[str, ...], undated: Answer, compile: Compile
) -> Dated:
    """Lock with bounds from the shipped table, where the index tells no dates."""
    python, text = undated
    pins = dict(_LOCKED.findall(text))
    pinned = {name for line in lines if (name := _pinned_name(line))}
    known = {
        name: version
        for name, version in pins.items()
        if site_packages.normal(name) in pinned and release_dates.date_of(name, version)
    }
    if not known:
        return Dated(python, text)
    newest = max(known, key=lambda name: (release_dates.date_of(name, known[name]), name))
    day = release_dates.date_of(newest, known[newest])
    bounds = release_dates.bounds(day, exclude={*pinned, *TOOLS})
    with scratch.Scratch("lock") as folder:
        path = os.path.join(folder, "bounds.txt")
        files.write_atomic(path, "".join(f"{line}\n" for line in bounds).encode(), durable=False)
        bounded = request.replace(lines=lines)
        locked = _compiled(compile, bounded, python, ("--constraints", path, *_ONLY_WHEELS))
        locked = locked or _compiled(compile, bounded, python, ("--constraints", path))
    said = f"as of {day}, the date of {newest} {known[newest]}"
    if locked is None:
        note = f"packages without a pin are the newest: {said}, they have no solution."
        return Dated(python, text, "", (note,))
    note = f"packages without a pin are resolved {said} (the index has no dates)."
    return Dated(python, locked, day, (note,) if locked != text else ())


def _pinned_name(line: str) -> str:
    """The package that ``line`` pins to one version; "" for other lines and for tools."""
    match = _EXACT.match(line)
    name = site_packages.normal(match[1]) if match else ""
    return "" if name in TOOLS else name


def _compiled(
    compile: Compile, request: Request, python: Python, flags: tuple[str, ...]
) -> str | None:
    """The locked text; None if there is no solution, or none in the cache while offline."""
    try:
        return compile(request, python, flags)
    except uv_tool.UvError as failure:
        if _is_unsolvable(failure):
            return None
        raise


def _is_unsolvable(failure: uv_tool.UvError) -> bool:
    return failure.other_versions_may_help or bool(os.environ.get("UV_OFFLINE"))


def _end_of(day: datetime.date) -> str:
    return f"{day + datetime.timedelta(days=1)}T00:00:00Z"


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
