"""Lock a request as of a day; repair what has nothing to do with its packages' versions.

In their time, packages without compiled code often had no wheels, so they may be built from source.
One that does not build is taken from a wheel, and one without releases gets a separate day.
"""

from __future__ import annotations

import datetime
import os
import re
import tomllib
from collections.abc import Iterable

from scriptrun.environments import dependency_paths, site_packages
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.environments.uv.relax_pins import Compile
from scriptrun.environments.uv.requirements import Request
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: uv's flags for wheels alone
ONLY_WHEELS = ("--only-binary", ":all:")
_NAMED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~;].*)?$")
_ABSENT = re.compile(r"there are no versions of ([\w.-]+)")
_WITHOUT_WHEELS = re.compile(r"all versions of ([\w.-]+)(?:\{[^}]*\})? have no usable wheels")
#: how many repairs one Python is worth, and how many packages that do not build
_MOST_REPAIRS, _MOST_FAILED_BUILDS = 8, 3
#: how long after its first usable release a package is taken
_YOUTH = datetime.timedelta(days=365)
#: packages that need a compiler and more
_COMPILED = frozenset(
    [
        "catboost",
        "cffi",
        "cryptography",
        "cython",
        "grpcio",
        "h5py",
        "lightgbm",
        "llvmlite",
        "lxml",
        "matplotlib",
        "numba",
        "numpy",
        "opencv-python",
        "pandas",
        "pillow",
        "protobuf",
        "psutil",
        "pyarrow",
        "pyzmq",
        "scikit-image",
        "scikit-learn",
        "scipy",
        "statsmodels",
        "tensorflow",
        "tensorflow-gpu",
        "tokenizers",
        "torch",
        "torchvision",
        "xgboost",
    ]
)
#: packages that build without a compiler, too, and had no wheels for long
_OPTIONALLY_COMPILED = frozenset(
    [
        "markupsafe",
        "msgpack",
        "pyyaml",
        "ruamel-yaml",
        "simplejson",
        "sqlalchemy",
        "tornado",
        "wrapt",
        "zope-interface",
    ]
)


class Release(Value):
    """When a locked version was first there for the chosen Python; None: the index does not tell.

    ``is_compiled`` is whether its wheel for that Python holds compiled code.
    """

    version: str
    date: datetime.date | None
    is_compiled: bool = False


class Attempt(Value):
    """What is resolved repeatedly, each time as of another day.

    ``exempt`` are the packages without a day, ``late`` those with a day of their own and
    ``never_built`` those that are never built from source: all of them if ``only_wheels``, after
    too many ``failed_builds``. ``is_lenient``: packages that only newer Pythons or later days have
    wheels of get a separate day, too.
    """

    request: Request
    compile: Compile
    exempt: tuple[str, ...]
    never_built: tuple[str, ...] = ()
    failed_builds: int = 0
    only_wheels: bool = False
    is_lenient: bool = False
    late: dict[str, datetime.date] = fresh(default_factory=dict)

    def names(self) -> list[str]:
        """The normalized names of the requested packages."""
        return [dependency_paths.requirement_name(line) for line in self.request.lines]

    def flags(self, day: datetime.date) -> tuple[str, ...]:
        """uv's flags to see the index as it was at the end of ``day``."""
        days: dict[str, str] = {name: _end_of(late) for name, late in self.late.items()}
        days |= dict.fromkeys(self.exempt, "false")
        packages = [f"--exclude-newer-package={name}={value}" for name, value in days.items()]
        wheels = [f"--only-binary={name}" for name in self.never_built]
        if self.only_wheels:
            wheels = [*ONLY_WHEELS]
        return ("--exclude-newer", _end_of(day), *packages, *wheels)

    def lock(self, pythons: Iterable[Python], day: datetime.date) -> Found | None:
        """Lock it for the first of ``pythons`` that it can be locked for as of ``day``."""
        attempt: Attempt = self
        for python in pythons:
            attempt = attempt.replace(failed_builds=0, only_wheels=False)
            for _ in range(_MOST_REPAIRS):
                try:
                    text = attempt.compile(attempt.request, python, attempt.flags(day))
                    return Found(attempt, python, text)
                except uv_tool.UvError as failure:
                    if not is_unsolvable(failure):
                        raise
                    repaired = attempt.repaired(failure, python, day)
                if repaired is None:
                    break
                attempt = repaired
        return None

    def repaired(
        self, failure: uv_tool.UvError, python: Python, day: datetime.date
    ) -> Attempt | None:
        """The next attempt after this one failed; None if there is nothing else to try."""
        unbuilt = site_packages.normal(failure.unbuilt)
        if unbuilt and self.failed_builds < _MOST_FAILED_BUILDS:
            late = {**self.late, **self.days_of_late([unbuilt], python, day)}
            never_built, failed = (*self.never_built, unbuilt), self.failed_builds + 1
            return self.replace(never_built=never_built, late=late, failed_builds=failed)
        names = _ABSENT.findall(failure.message)
        names += _WITHOUT_WHEELS.findall(failure.message) if self.is_lenient else []
        found = self.days_of_late(map(site_packages.normal, names), python, day)
        if found:
            return self.replace(late={**self.late, **found})
        is_new = self.failed_builds and not self.only_wheels
        return self.replace(only_wheels=True) if is_new else None

    def days_of_late(
        self, names: Iterable[str], python: Python, day: datetime.date
    ) -> dict[str, datetime.date]:
        """The days of those of ``names`` of which ``python`` can use only releases after ``day``.

        That is a year after the first usable release: what is new often lacks something.
        """
        matches = ((_NAMED.match(line), line) for line in self.request.lines)
        lines = {site_packages.normal(match[1]): line for match, line in matches if match}
        today = datetime.datetime.now(datetime.UTC).date()
        found = {}
        for name in {*names} - {*self.exempt} - {*self.late}:
            request = self.request.replace(lines=(lines.get(name, name),))
            first = _first_release(request, python, self.compile)
            if first is not None and first > day:
                found[name] = min(first + _YOUTH, today)
        return found


class Found(Value):
    """The locked text, its Python, and the attempt with its repairs."""

    attempt: Attempt
    python: Python
    text: str


def never_built(releases: dict[str, Release]) -> tuple[str, ...]:
    """The packages with compiled code, which rarely build on another machine or Python."""
    compiled = {name for name, release in releases.items() if release.is_compiled}
    return tuple(sorted((compiled | _COMPILED) - _OPTIONALLY_COMPILED))


def packages(text: str) -> list[Json]:
    """The packages in the text of ``pylock.toml``."""
    found: list[Json] = tomllib.loads(text).get("packages") or []
    return found


def release(package: Json) -> Release:
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


def is_unsolvable(failure: uv_tool.UvError) -> bool:
    """Whether there is no solution, or none in the cache while offline."""
    return failure.other_versions_may_help or bool(os.environ.get("UV_OFFLINE"))


def _first_release(single: Request, python: Python, compile: Compile) -> datetime.date | None:
    """The day of the oldest release that ``python`` can use of the one requested package."""
    flags = ("--no-deps", "--resolution", "lowest", "--format", "pylock.toml", *ONLY_WHEELS)
    try:
        text = compile(single, python, flags)
    except uv_tool.UvError as failure:
        if not is_unsolvable(failure):
            raise
        return None
    return next((release(package).date for package in packages(text)), None)


def _end_of(day: datetime.date) -> str:
    return f"{day + datetime.timedelta(days=1)}T00:00:00Z"
