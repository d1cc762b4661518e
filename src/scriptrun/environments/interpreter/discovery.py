"""Find the Python interpreters to build environments with, without starting any.

Searched in this order: the one that runs scriptrun, pyenv's, uv's, those on PATH by name
(``python3.8``), and the usual system folders. pyenv's shims are skipped. A requested Python is a
full or partial version, or a condition (``>=3.9``). download.py installs missing ones.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator

from scriptrun.environments.interpreter import facts as interpreter_facts
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.interpreter import version_ranges
else:
    version_ranges = later("scriptrun.environments.interpreter.version_ranges")

_SYSTEM = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
_VERSION = r"(?:python)?\s*={0,3}\s*(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:\.?\*)?"

#: the oldest Python that uv can build for
OLDEST = (3, 6)


class Python(Value):
    """An interpreter: its path and its version, whose patch may be unknown (None)."""

    path: str
    minor: tuple[int, int]
    patch: int | None

    @property
    def version(self) -> str:
        """The version as text, such as "3.8.18"."""
        return ".".join(str(part) for part in (*self.minor, self.patch) if part is not None)


def parse(text: str) -> tuple[int, ...] | None:
    """The numbers of a requested version ("3.8", "==3.8.13", "3.8.*"); None for anything else."""
    match = re.fullmatch(_VERSION, text.strip(), re.IGNORECASE)
    return tuple(int(part) for part in match.groups() if part is not None) if match else None


def is_version(requested: str) -> bool:
    """Whether ``requested`` is a version or a condition on one."""
    return parse(requested) is not None or version_ranges.parse(requested) is not None


def fits(requested: str, version: tuple[int, ...]) -> bool:
    """Whether ``version`` (three numbers) satisfies ``requested``."""
    numbers = parse(requested)
    if numbers is not None:
        return version[: len(numbers)] == numbers
    return version_ranges.fits(version, version_ranges.parse(requested) or ())


def find_all() -> Iterator[Python]:
    """All interpreters on this machine, by preference; a path may occur twice."""
    running = interpreter_facts.running()
    yield _make_python(running.python, running.version)
    for pattern in _managed_patterns():
        for path in sorted(glob.glob(pattern), key=_version_numbers, reverse=True):
            version = re.search(
                r"(\d+\.\d+\.\d+)", os.path.basename(os.path.dirname(os.path.dirname(path)))
            )
            if version and path.endswith("python" + version[1].rpartition(".")[0]):
                yield _make_python(path, version[1])
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), *_SYSTEM):
        if folder and os.path.basename(folder) != "shims":
            yield from _pythons_in(folder)


def choose(requested: str | None) -> tuple[Python, str]:
    """The interpreter for ``requested``, and a note if its patch version differs from it, else "".

    The minor version must match; the patch version is the same, else the newest. Among those that
    satisfy a condition, the interpreter that runs scriptrun comes first, then the newest. None
    requests the minor version that runs scriptrun. Raises EnvironmentException if none matches.
    """
    problem = missing(requested)
    if problem:
        raise EnvironmentException(problem, _install_hint(requested))
    numbers = parse(requested) if requested else None
    if requested and numbers is None:
        return _best(list(_meeting_condition(requested))), ""
    candidates = list(_of_minor(numbers or running_minor()))
    if numbers is None or len(numbers) < 3:
        return with_patch(candidates[0]), ""
    exact_matches = (python for python in map(with_patch, candidates) if python.patch == numbers[2])
    exact_match = next(exact_matches, None)  # the others are not started for their versions
    if exact_match is not None:
        return exact_match, ""
    newest = max(
        (with_patch(python) for python in candidates), key=lambda python: python.patch or 0
    )
    exact = ".".join(map(str, numbers))
    return (
        newest,
        f"Python {exact} requested; using {newest.version}, the installed version of that series.",
    )


def missing(requested: str | None) -> str:
    """Why no interpreter on this machine satisfies ``requested``, or ""."""
    if not requested:
        return ""
    numbers = parse(requested)
    if not is_version(requested):
        return (
            f"invalid Python version {requested!r}; use e.g. 3.10 or "
            "3.8.13, or a specifier, e.g. >=3.9,<3.12"
        )
    if numbers is not None and numbers[:2] < OLDEST[: len(numbers)]:
        return (
            f"the environment requires Python {requested}, but scriptrun supports "
            "Python 3.6 and newer"
        )
    if any(True for _ in (_of_minor(numbers) if numbers else _meeting_condition(requested))):
        return ""
    installed = sorted({python.minor for python in find_all() if python.minor >= OLDEST})
    names = ", ".join(f"{major}.{minor}" for major, minor in installed)
    return (
        f"The environment requires Python {requested}, which is not installed (installed: {names})."
    )


def hint(requested: str | None) -> str:
    """What to do if the interpreter is missing."""
    return _install_hint(requested)


def others() -> list[Python]:
    """A Python of each other minor version: older ones, newest first, then newer ones."""
    current_minor = running_minor()
    minors = {python.minor for python in find_all() if python.minor >= OLDEST} - {current_minor}
    older = sorted((minor for minor in minors if minor < current_minor), reverse=True)
    newer = sorted(minor for minor in minors if minor > current_minor)
    return [choose(f"{minor[0]}.{minor[1]}")[0] for minor in (*older, *newer)]


def running_minor() -> tuple[int, ...]:
    """The minor version of the interpreter that runs scriptrun."""
    return parse(interpreter_facts.running().version.rpartition(".")[0]) or ()


def with_patch(python: Python) -> Python:
    """``python`` with its patch version; starts the interpreter if that is unknown."""
    if python.patch is not None:
        return python
    return _make_python(python.path, interpreter_facts.get(python.path).version)


def _of_minor(numbers: tuple[int, ...]) -> Iterator[Python]:
    visited = set()
    for python in find_all():
        if python.minor[: len(numbers)] != numbers[:2] or python.minor < OLDEST:
            continue
        real = os.path.realpath(python.path)
        if real not in visited and os.access(real, os.X_OK):
            visited.add(real)
            yield python


def _meeting_condition(condition: str) -> Iterator[Python]:
    """The interpreters that satisfy ``condition``; started if their version is unknown."""
    for python in _of_minor(()):
        resolved = with_patch(python)
        if fits(condition, (*resolved.minor, resolved.patch or 0)):
            yield resolved


def _best(candidates: list[Python]) -> Python:
    current_minor = running_minor()
    return max(
        candidates,
        key=lambda python: (python.minor == current_minor, python.minor, python.patch or 0),
    )


def _managed_patterns() -> list[str]:
    home = os.path.expanduser("~")
    pyenv = os.environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv")
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python")
    return [
        os.path.join(glob.escape(pyenv), "versions", "[0-9]*", "bin", "python3.*"),
        os.path.join(glob.escape(uv), "cpython-*", "bin", "python3.*"),
    ]


def _pythons_in(folder: str) -> Iterator[Python]:
    for path in sorted(
        glob.glob(os.path.join(glob.escape(folder), "python3.*")),
        key=_version_numbers,
        reverse=True,
    ):
        minor = re.fullmatch(r"python3\.(\d+)", os.path.basename(path))
        if minor and not os.path.exists(os.path.join(os.path.dirname(folder), "pyvenv.cfg")):
            yield Python(path, (3, int(minor[1])), None)


def _make_python(path: str, version: str) -> Python:
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    return Python(path, (major, minor), patch)


def _version_numbers(path: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", path)]


def _install_hint(requested: str | None) -> str:
    minor = ".".join(map(str, (parse(requested or "") or ())[:2]))
    minor = minor or (f"'{requested}'" if requested and is_version(requested) else "3.11")
    return (
        f"Install it (uv python install {minor}, or pyenv install {minor}), "
        "or request an installed version."
    )
