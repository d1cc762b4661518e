"""Import each requested package once after a build, and name the pair of those that fail.

A failure is a note of the environment, not an error: some packages need a GPU or a display.
"""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from scriptrun.environments import build_process, site_packages
from scriptrun.environments.builder import BuildCanceled, Builder, Log, Stop
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.dependency_paths import requirement_name
from scriptrun.environments.import_check import distributions_for
from scriptrun.spec.environment import CONDA, PACKAGES, TOOLS
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value
from scriptrun.store import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: seconds for all imports of an environment together
LIMIT = 300.0
#: top-level modules that are no part of what a distribution is for
_SIDE_MODULES = {"test", "tests", "doc", "docs", "examples", "benchmarks", "setup", "conftest"}
#: runs in the environment's Python, 3.6 or newer: one line of JSON before and after each import
_SCRIPT = """
import importlib, json, os, sys, traceback
def write(**facts):
    with open(sys.argv[1], "a") as lines:
        lines.write(json.dumps(facts) + "\\n")
for name in sys.argv[2:]:
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


def try_imports(builder: Builder, folder: str, log: Log, stop: Stop) -> list[str]:
    """The notes about packages requested of ``builder`` that fail to import in ``folder``.

    Raises BuildCanceled.
    """
    if builder.kind not in (PACKAGES, CONDA):
        return []
    requested = {requirement_name(line) for line in builder.lockfile.get("requested", ())}
    requested |= {site_packages.normal(pypi_names.pypi_name(name)) for name in requested}
    installed = _installed(builder.sites(folder))
    modules = {
        module: each
        for name, each in installed.items()
        if name in requested - set(TOOLS)
        for module in _importable_modules(each)
    }
    results = _import_all(builder.python(folder), list(modules), log, stop) if modules else []
    notes: dict[str, str] = {}
    for result in results:
        tried = modules[str(result["module"])]
        if result.get("error") and tried.name not in notes:
            notes[tried.name] = _describe(tried, result, installed)
            log(notes[tried.name])
    return list(notes.values())


def _installed(sites: Iterable[str]) -> dict[str, Distribution]:
    """The installed distributions by normalized name; the first folder wins."""
    found: dict[str, Distribution] = {}
    for site in sites:
        for entry in site_packages.names([site]):
            parsed = site_packages.distribution(entry)
            if parsed is not None:
                found.setdefault(parsed[0], Distribution(*parsed, os.path.join(site, entry)))
    return found


def _importable_modules(each: Distribution) -> list[str]:
    """Its top-level modules and regular packages: no stubs, namespaces, tests or private names.

    Where one has the distribution's name, others (mlflow's pylint_plugins) are beside the point.
    """
    names = _lines(os.path.join(each.metadata, "top_level.txt")) or [
        PurePosixPath(path).parts[0].partition(".")[0] for path in _files(each)
    ]
    modules = [
        name
        for name in dict.fromkeys(names)
        if name.isidentifier() and not name.startswith("_") and name not in _SIDE_MODULES
        if _is_module(each.site, name)
    ]
    return [name for name in modules if site_packages.normal(name) == each.name] or modules


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


def _import_all(python: str, modules: Sequence[str], log: Log, stop: Stop) -> list[Json]:
    """The result of each import; a module that ends the process is one, and the rest go on."""
    results: list[Json] = []
    with scratch.Scratch("imports") as folder:
        while modules:
            path = os.path.join(folder, f"results-{len(modules)}")
            code = _run(python, path, modules, folder, log, stop)
            lines = [json.loads(line) for line in _lines(path)]
            results += [line for line in lines if "error" in line]
            if code in (0, None) or not lines:
                break
            crashed = lines[-1]["module"]
            if "error" not in lines[-1]:
                results.append({"module": crashed, "error": f"Python ended with status {code}"})
            modules = modules[modules.index(crashed) + 1 :]
    return results


def _run(
    python: str, path: str, modules: Sequence[str], folder: str, log: Log, stop: Stop
) -> int | None:
    """The exit status of Python, which writes to ``path``; None if it took too long."""
    process = subprocess.Popen(
        [python, "-I", "-c", _SCRIPT, path, *modules],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    watchdog = build_process.Watchdog(process, stop, LIMIT)
    try:
        code = process.wait()
    finally:
        watchdog.close()
    try:
        watchdog.raise_if_ended()
    except BuildCanceled:
        raise
    except EnvironmentException:
        log(f"Trying the imports of the requested packages took more than {LIMIT:g} s: ended.")
        return None
    return code


def _describe(tried: Distribution, result: Json, installed: dict[str, Distribution]) -> str:
    """The note about a failed import: the pair, the error, and what to do."""
    error, missing = str(result["error"]), str(result.get("missing") or "").partition(".")[0]
    owners = _owners(installed)
    label = f"{tried.name} {tried.version} fails to import"
    if missing and missing not in owners:
        return f"{label}: {error}; add {distributions_for(missing)[0]}."
    other = _named(error, tried, owners) or _of_frames(result.get("frames") or (), tried, installed)
    if other is None:
        return f"{label} on the machine that built the environment: {error}."
    return f"{label} beside {other.name} {other.version}: {error}; pin {_older(other)}."


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
