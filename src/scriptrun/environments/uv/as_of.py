"""Resolve what is not pinned as of the newest pin's release, so that old pins meet their time.

The index records when each file was uploaded (https://peps.python.org/pep-0700/); uv writes these
times to ``pylock.toml``. If an index has none, release_dates.py has those of common packages.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from scriptrun.environments import dependency_paths, site_packages
from scriptrun.environments.builder import Log
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv import dated_attempt, release_dates
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.environments.uv.dated_attempt import ONLY_WHEELS, Attempt, Found, Release
from scriptrun.environments.uv.relax_pins import Compile
from scriptrun.environments.uv.requirements import Request
from scriptrun.runtime import files
from scriptrun.spec.environment import NEWEST_PIN, TOOLS, is_pin
from scriptrun.spec.values import Value
from scriptrun.store import scratch

_EXACT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*===?\s*[\w.*+!-]+\s*(?:;.*)?$")
_LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


#: the days to which the first day with a solution is determined
_PRECISION = 30
#: what the SDK's packages brought that scripts import without naming it
_OFTEN_IMPORTED = frozenset(
    [
        *("cloudpickle", "dill", "joblib", "lightgbm", "matplotlib", "mlflow", "mlflow-skinny"),
        *("numpy", "pandas", "pyarrow", "requests", "scikit-learn", "scipy", "statsmodels"),
    ]
)
#: a Python and the text that is locked for it
Answer = tuple[Python, str]


class Dated(Value):
    """The locked text, the Python and the day as of which it was resolved ("" for none)."""

    python: Python
    text: str
    as_of: str = ""
    notes: tuple[str, ...] = ()


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
    attempt = Attempt(
        request.replace(lines=lines),
        compile,
        exempt=tuple(sorted({*TOOLS, *(name for name, r in releases.items() if not r.date)})),
        never_built=dated_attempt.never_built(releases),
    )
    needed = tuple(name for name in attempt.exempt if name in pinned or name in TOOLS)
    for exempt in dict.fromkeys((needed, attempt.exempt)):  # other indexes may tell the day
        dated = _resolve_as_of(
            attempt.replace(exempt=exempt),
            undated,
            day,
            reason,
            others(),
            is_earlier=not is_pin(as_of) and str(day) < as_of,
        )
        if dated is not None:
            return dated
    note = f"packages without a pin are the newest: as of {day}, {reason}, they have no solution."
    return Dated(python, text, "", (note,))


def _resolve_as_of(
    attempt: Attempt,
    undated: Answer,
    day: datetime.date,
    reason: str,
    others: Sequence[Python],
    *,
    is_earlier: bool,
) -> Dated | None:
    """The lock as of ``day``, or as of the first day after it as of which there is one.

    ``is_earlier``: what was brought, and its bounds, are of a later time.
    """
    chosen = undated[0]  # of earlier packages, only older ones have more
    pythons = [chosen, *(other for other in others if other.minor < chosen.minor)]
    less = _without_brought(attempt)
    candidates = [less] if less and is_earlier else [attempt, *filter(None, [less])]
    locks = (candidate.lock(pythons, day) for candidate in candidates)
    found = next((lock for lock in locks if lock is not None), None)
    if found is None:
        found = candidates[0].replace(is_lenient=True).lock(pythons, day)
    if found is None:
        late = attempt.days_of_late(attempt.never_built, chosen, day)
        found = candidates[0].replace(late=late).lock(pythons, day) if late else None
    if found is not None:
        return _dated(attempt, found, undated, day, reason)
    first, found = _first_day(day, partial(candidates[0].lock, [chosen]))
    if found is None:
        return None
    note = f"packages without a pin are resolved as of {first}: "
    note += f"as of {day}, {reason}, they have no solution."
    return Dated(found.python, found.text, str(first), (note,))


def _without_brought(attempt: Attempt) -> Attempt | None:
    """The attempt with the least of what was brought, without its bounds; None if that is all."""
    request = attempt.request
    names = {line: dependency_paths.requirement_name(line) for line in request.lines}
    brought = {*map(dependency_paths.requirement_name, request.brought)} - {*TOOLS}
    lines = tuple(
        dict.fromkeys(
            name if name in brought else line
            for line, name in names.items()
            if name not in brought or name in _OFTEN_IMPORTED
        )
    )
    return attempt.replace(request=request.replace(lines=lines)) if lines != request.lines else None


def _dated(
    attempt: Attempt, found: Found, undated: Answer, day: datetime.date, reason: str
) -> Dated:
    answer = (found.python, found.text)
    note = f"packages without a pin are resolved as of {day}, {reason}"
    note += _for_python(answer, undated)
    for name, first in found.attempt.late.items():
        note += f"; {name} as of {first}, as it had no usable release before"
    left_out = {*attempt.names()} - {*found.attempt.names()}
    if left_out:
        note += f"; left out, as no release of that time fits: {', '.join(sorted(left_out))}"
    return Dated(*answer, str(day), (f"{note}.",) if answer != undated else ())


def _for_python(answer: Answer, undated: Answer) -> str:
    return f", for Python {answer[0].version}" if answer[0] != undated[0] else ""


def _first_day(
    day: datetime.date, lock: Callable[[datetime.date], Found | None]
) -> tuple[datetime.date, Found | None]:
    """The first day after ``day`` as of which ``lock`` finds a solution, and the solution."""
    fails, works, step = day, day, datetime.timedelta(days=60)
    answer = None
    while answer is None:
        if works >= _today():
            return day, None
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
    text = _compiled(compile, free, python, ("--no-deps", *ONLY_WHEELS)) or ""
    newest = {site_packages.normal(name): version for name, version in _LOCKED.findall(text)}
    return [name for name in names if newest.get(name, "") not in ("", releases[name].version)]


def _releases(
    request: Request, python: Python, locked: Mapping[str, str], compile: Compile
) -> dict[str, Release]:
    """The releases of the ``locked`` versions, as far as the index knows them."""
    lines = tuple(f"{name}=={version}" for name, version in locked.items())
    exact = request.replace(lines=lines)
    text = _compiled(compile, exact, python, ("--no-deps", "--format", "pylock.toml")) or ""
    packages = dated_attempt.packages(text)
    found = {
        site_packages.normal(package["name"]): dated_attempt.release(package)
        for package in packages
    }
    return {name: found.get(name) or Release(version, None) for name, version in locked.items()}


def _resolve_by_table(
    request: Request, lines: tuple[str, ...], undated: Answer, compile: Compile
) -> Dated:
    """Lock with bounds from the shipped table, if the index has no dates."""
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
        locked = _compiled(compile, bounded, python, ("--constraints", path, *ONLY_WHEELS))
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
        if dated_attempt.is_unsolvable(failure):
            return None
        raise


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
