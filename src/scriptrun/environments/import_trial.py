"""Import each requested package once after a build, and name the pair of those that fail.

A failure is a note of the environment, not an error: some packages need a GPU or a display. What is
imported here has its bytecode, so that the first job starts faster. The Python gets no input, no
variables of a job, and none of its processes stay.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from scriptrun.environments import build_process, health, site_packages
from scriptrun.environments.builder import BuildCanceled, Builder, Log, Stop
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.dependency_paths import requirement_name
from scriptrun.environments.import_check import distributions_for
from scriptrun.runtime import conda_prefix, injob
from scriptrun.spec.environment import AUTO, CONDA, PACKAGES, TOOLS
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value
from scriptrun.store import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: seconds for all imports of an environment together
LIMIT = 120.0
#: top-level modules that are not part of a distribution's purpose
_SIDE_MODULES = {"test", "tests", "doc", "docs", "examples", "benchmarks", "setup", "conftest"}
#: what jobs use of packages that import little by themselves
_SUBMODULES = {
    "sklearn": ("sklearn.ensemble", "sklearn.linear_model"),
    "scipy": ("scipy.stats",),
    "matplotlib": ("matplotlib.path",),
}
#: how packages say that there is no screen
_NO_DISPLAY = re.compile(r"\bDISPLAY\b|(?i:no display|display name|connect to (?:the )?display)")
#: runs in the environment's Python, 3.6 or newer: one line of JSON before and after each import
_SCRIPT = """
import importlib, json, os, sys, traceback
path, old_names = sys.argv[1:3]
def write(**facts):
    with open(path, "a") as lines:
        lines.write(json.dumps(facts) + "\\n")
if old_names:
    with open(old_names) as file:
        names = {"__name__": "scriptrun_old_names"}
        exec(compile(file.read(), old_names, "exec"), names)
        names["install"]()
for name in sys.argv[3:]:
    write(module=name)
    try:
        importlib.import_module(name)
        write(module=name, error="")
    except BaseException as error:
        text = (str(error).strip().splitlines() or [""])[0][:300]
        frames = [each[0] for each in traceback.extract_tb(error.__traceback__)]
        missing = getattr(error, "name", "") if isinstance(error, ModuleNotFoundError) else ""
        write(module=name, error=type(error).__name__ + ": " + text, frames=frames, missing=missing)
os._exit(0)
"""


class Distribution(Value):
    """An installed distribution, and its metadata folder."""

    name: str
    version: str
    metadata: str

    @property
    def site(self) -> str:
        """The folder that its files are in."""
        return os.path.dirname(self.metadata)


def record(builder: Builder, folder: str, log: Log, stop: Stop) -> None:
    """Try the imports of the build in ``folder`` and record those that fail.

    Raises BuildCanceled.
    """
    health.record_failed_imports(folder, try_imports(builder, folder, log, stop))


def try_imports(builder: Builder, folder: str, log: Log, stop: Stop) -> list[str]:
    """The notes about packages requested of ``builder`` that fail to import in ``folder``.

    Raises BuildCanceled.
    """
    if builder.kind not in (PACKAGES, CONDA):
        return []
    installed, requested = _installed(builder.sites(folder)), _requested_names(builder)
    modules = {
        module: each
        for name, each in installed.items()
        if name in requested
        for top_level in _main_modules(each)
        for module in (top_level, *_SUBMODULES.get(top_level, ()))
    }
    trial = Trial(
        python=builder.python(folder),
        old_names=_old_names() if builder.spec.pins == AUTO else "",
        until=time.monotonic() + LIMIT,
    )
    results = _import_all(trial, list(modules), log, stop) if modules else []
    notes: dict[str, str] = {}
    for result in results:
        tried = modules[str(result["module"])]
        if tried.name not in notes and not _wants_display(result):
            notes[tried.name] = _describe(tried, result, installed)
            log(notes[tried.name])
    return list(notes.values())


class Trial(Value):
    """A Python to import with, and until when.

    ``old_names`` is the file of the names that packages have removed and that the jobs find.
    """

    python: str
    old_names: str
    until: float


def _requested_names(builder: Builder) -> set[str]:
    """The normalized names of the packages that somebody asked for, without pip and its kin."""
    names = {requirement_name(line) for line in builder.lockfile.get("requested", ())}
    names |= {site_packages.normal(pypi_names.pypi_name(name)) for name in names}
    return names - set(TOOLS)


def _old_names() -> str:
    return str(Path(injob.__file__).with_name("compat_names.py"))


def _wants_display(result: Json) -> bool:
    """Whether it failed because there is no screen, which another machine may have."""
    return _NO_DISPLAY.search(str(result["error"])) is not None


def _installed(sites: Iterable[str]) -> dict[str, Distribution]:
    """The installed distributions by normalized name; the first folder wins."""
    found: dict[str, Distribution] = {}
    for site in sites:
        for entry in site_packages.names([site]):
            parsed = site_packages.distribution(entry)
            if parsed is not None:
                found.setdefault(parsed[0], Distribution(*parsed, os.path.join(site, entry)))
    return found


def _main_modules(each: Distribution) -> list[str]:
    """The modules that it is for: those with its name, or all if there are none."""
    modules = _importable_modules(each)
    return [module for module in modules if each.name in _distributions(module)] or modules


def _distributions(module: str) -> set[str]:
    """The normalized names of the distributions that a module is known by."""
    return set(map(site_packages.normal, (module, *distributions_for(module))))


def _importable_modules(each: Distribution) -> list[str]:
    """Its top-level modules and regular packages: no stubs, namespaces, tests or private names."""
    names = _lines(os.path.join(each.metadata, "top_level.txt")) or [
        PurePosixPath(path).parts[0].partition(".")[0] for path in _files(each)
    ]
    return [
        name
        for name in dict.fromkeys(names)
        if name.isidentifier() and not name.startswith("_") and name not in _SIDE_MODULES
        if _is_module(each.site, name)
    ]


def _is_module(site: str, name: str) -> bool:
    stem = os.path.join(glob.escape(site), name)
    patterns = (os.path.join(stem, "__init__.*"), f"{stem}.py", f"{stem}.*.so", f"{stem}.*.pyd")
    return any(glob.glob(pattern) for pattern in patterns)


def _files(each: Distribution) -> Iterator[str]:
    """The paths in its RECORD, relative to site-packages and not above it."""
    for line in _lines(os.path.join(each.metadata, "RECORD")):
        path = line.rsplit(",", 2)[0].strip('"')
        if path and not path.startswith(("..", "/")):
            yield path


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return [line.strip() for line in handle if line.strip()]
    except OSError:
        return []


def _import_all(trial: Trial, modules: Sequence[str], log: Log, stop: Stop) -> list[Json]:
    """The results of the imports that fail by themselves: some depend on what came before."""
    failed: dict[str, Json] = {}
    with scratch.Scratch("imports") as folder:
        while modules:
            results = _import_some(trial, modules, folder, stop)
            if not results:
                log(f"The imports of {', '.join(modules)} were not tried: no time was left.")
                break
            for result in results:
                package = result["module"].partition(".")[0]
                if result["error"] and package not in failed:
                    failed[package] = result
            modules = modules[modules.index(results[-1]["module"]) + 1 :]
        return [each for each in failed.values() if _fails_alone(trial, each, folder, stop)]


def _fails_alone(trial: Trial, result: Json, folder: str, stop: Stop) -> bool:
    if result["alone"]:
        return True
    results = _import_some(trial, [result["module"]], folder, stop)
    return not results or bool(results[0]["error"])


def _import_some(trial: Trial, modules: Sequence[str], folder: str, stop: Stop) -> list[Json]:
    """The result of each import until one ends the process; [] if there was no time left."""
    path = os.path.join(folder, f"results-{len(os.listdir(folder))}")
    ending = _run(trial, path, modules, folder, stop)
    lines = [json.loads(line) for line in _lines(path)]
    results = [line for line in lines if "error" in line]
    if lines and "error" not in lines[-1]:
        results.append({**lines[-1], "error": ending})
    return [{**result, "alone": result["module"] == modules[0]} for result in results]


def _run(trial: Trial, path: str, modules: Sequence[str], folder: str, stop: Stop) -> str:
    """Run Python, which writes to ``path``; how it ended."""
    seconds = trial.until - time.monotonic()
    if seconds <= 0:
        return f"it took more than {LIMIT:g} s"
    process = subprocess.Popen(
        [trial.python, "-I", "-c", _SCRIPT, path, trial.old_names, *modules],
        cwd=folder,
        env=_variables(trial.python),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    watchdog = build_process.Watchdog(process, stop, seconds)
    try:
        code = process.wait()
    finally:
        watchdog.close()
        _end_group(process.pid)
    try:
        watchdog.raise_if_ended()
    except BuildCanceled:
        raise
    except EnvironmentException:
        return f"it took more than {LIMIT:g} s"
    return f"Python ended with status {code}"


def _variables(python: str) -> dict[str, str]:
    """This process's variables, as ``conda activate`` changes them; nothing is drawn."""
    environ = {**os.environ, "MPLBACKEND": "Agg"}
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        environ.pop(name, None)
    prefix = conda_prefix.find_prefix(os.path.dirname(python))
    if prefix is None:
        return environ
    try:
        return conda_prefix.activate(prefix, environ)
    except OSError:  # the job will say so
        return environ


def _end_group(pid: int) -> None:
    """End what the imports have started and left behind."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _describe(tried: Distribution, result: Json, installed: dict[str, Distribution]) -> str:
    """The note about a failed import: the pair, the error, and what to do."""
    error, missing = (
        str(result["error"]).rstrip("."),
        str(result.get("missing") or "").partition(".")[0],
    )
    owners = _owners(installed)
    label = f"{tried.name} {tried.version} fails to import"
    if missing and missing not in owners:
        return f"{label}: {error}; add {distributions_for(missing)[0]}."
    other = _named(error, tried, owners) or _of_frames(result.get("frames") or (), tried, installed)
    if other is None:
        return f"{label} on the machine that built the environment: {error}."
    return f"{label} with {other.name} {other.version}: {error}; pin {_older(other)}."


def _owners(installed: dict[str, Distribution]) -> dict[str, Distribution]:
    """The distribution of each importable top-level module."""
    return {module: each for each in installed.values() for module in _importable_modules(each)}


def _named(error: str, tried: Distribution, owners: dict[str, Distribution]) -> Distribution | None:
    """The first other distribution with a module that the error's message names."""
    message = error.partition(":")[2]
    for word in re.findall(r"(?<![\w./])[A-Za-z_]\w*", message):
        owner = owners.get(word)
        if owner is not None and owner.name != tried.name and _looks_meant(word, message):
            return owner
    return None


def _looks_meant(word: str, message: str) -> bool:
    """Whether ``word`` stands for a module: in quotes, or before a dot (six is a number, too)."""
    return re.search(rf"""['"`]{word}['"`.]|\b{word}\.\w|from {word}\b""", message) is not None


def _of_frames(
    frames: Sequence[str], tried: Distribution, installed: dict[str, Distribution]
) -> Distribution | None:
    """The other distribution that the last such frame of the traceback is in."""
    files = {
        os.path.realpath(os.path.join(each.site, path)): each
        for each in installed.values()
        if each.name != tried.name
        for path in _files(each)
        if path.endswith(".py")
    }
    owners = (files.get(os.path.realpath(path)) for path in reversed(frames))
    return next((owner for owner in owners if owner is not None), None)


def _older(other: Distribution) -> str:
    """A requirement for the release line before the installed one."""
    major, minor = [*map(int, re.findall(r"\d+", other.version)[:2]), 0, 0][:2]
    return f"{other.name}<{major}" if major > 1 or not minor else f"{other.name}<{major}.{minor}"
