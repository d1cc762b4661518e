"""Facts about interpreters: version, prefix, site-packages folders; from files where possible.

If an interpreter must be started to get its facts, they are cached locally for as long as its file
stays the same (path, inode, size, time).
"""

from __future__ import annotations

import json
import os
import re
import sys

from scriptrun.environments import site_packages
from scriptrun.runtime.files import read_json, to_json, write_atomic
from scriptrun.spec.digests import digest_of
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value
from scriptrun.store import paths

_PROBE = """
import json, sys
try:
    import site
    dirs = list(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        dirs.append(site.getusersitepackages())
except Exception:
    dirs = [p for p in sys.path if p.endswith("-packages")]
version = "%d.%d.%d" % sys.version_info[:3]
print(json.dumps({"version": version, "prefix": sys.prefix, "sites": dirs}))
"""


class InterpreterFacts(Value):
    """One interpreter; ``python`` is its absolute path, links unresolved, as venvs are links."""

    python: str
    version: str
    prefix: str
    sites: tuple[str, ...]


def stamp(path: str) -> list[int]:
    """Numbers that change if ``path`` is replaced. Raises OSError if it is missing."""
    status = os.stat(path)
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]


def from_files(python: str) -> InterpreterFacts | None:
    """The facts of ``python`` from files alone, or None if they do not suffice."""
    return _from_venv(python) or _from_conda(python) or _from_pyenv(python) or _from_cache(python)


def get(python: str) -> InterpreterFacts:
    """The facts of ``python``; starts it if necessary. Raises EnvironmentException."""
    from_disk = from_files(python)
    if from_disk is not None:
        return from_disk
    facts = _from_interpreter(python)
    _write_cache(facts)
    return facts


def _from_venv(python: str) -> InterpreterFacts | None:
    prefix = os.path.dirname(os.path.dirname(python))
    settings = _pyvenv(os.path.join(prefix, "pyvenv.cfg"))
    version = re.match(
        r"\d+\.\d+\.\d+", settings.get("version_info") or settings.get("version") or ""
    )
    if version is None:
        return None
    sites = site_packages.find_folders(prefix)
    if settings.get("include-system-site-packages", "false").lower() == "true":
        base = _base_facts(settings, version[0])
        if base is None:  # e.g. Debian's Python, with packages elsewhere: start it
            return None
        sites += base.sites
    return InterpreterFacts(python, version[0], prefix, sites)


def _pyvenv(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            pairs = [line.partition("=") for line in handle if "=" in line]
    except OSError:
        return {}
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _base_facts(settings: dict[str, str], version: str) -> InterpreterFacts | None:
    """The facts of a virtual environment's base interpreter, from files alone."""
    home, minor = settings.get("home", ""), version.rpartition(".")[0]
    return from_files(os.path.join(home, f"python{minor}")) if home else None


def _from_conda(python: str) -> InterpreterFacts | None:
    prefix = os.path.dirname(os.path.dirname(python))
    try:
        names = os.listdir(os.path.join(prefix, "conda-meta"))
    except OSError:
        return None
    records = [name for name in names if re.fullmatch(r"python-[23].*\.json", name)]
    if len(records) != 1:
        return None
    version = records[0].split("-")[1]
    return InterpreterFacts(python, version, prefix, site_packages.find_folders(prefix))


def _from_pyenv(python: str) -> InterpreterFacts | None:
    """A Python managed by pyenv or uv: the name of its folder is its version."""
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(python)))
    name = os.path.basename(prefix)
    match = re.fullmatch(r"(?:cpython-)?(\d+\.\d+\.\d+)(?:-[\w.-]+)?", name)
    if match is None or os.path.basename(os.path.dirname(prefix)) not in ("versions", "python"):
        return None
    sites = site_packages.find_folders(prefix)
    return (
        InterpreterFacts(python, match[1], prefix, sites + _user_site(match[1])) if sites else None
    )


def _user_site(version: str) -> tuple[str, ...]:
    minor = version.rpartition(".")[0]
    base = os.environ.get("PYTHONUSERBASE") or os.path.join(os.path.expanduser("~"), ".local")
    path = os.path.join(base, "lib", f"python{minor}", "site-packages")
    return (path,) if os.path.isdir(path) and not os.environ.get("PYTHONNOUSERSITE") else ()


def _cache_path(python: str) -> str:
    return os.path.join(paths.cache_root(), "interpreters", digest_of(python)[:32] + ".json")


def _from_cache(python: str) -> InterpreterFacts | None:
    cached = read_json(_cache_path(python))
    try:
        if not isinstance(cached, dict) or cached.pop("stamp") != stamp(python):
            return None
        facts = InterpreterFacts.from_dict(cached)
        return facts.replace(sites=tuple(facts.sites))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _write_cache(facts: InterpreterFacts) -> None:
    path = _cache_path(facts.python)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        note = to_json({**facts.as_dict(), "stamp": stamp(facts.python)})
        write_atomic(path, note, durable=False)
    except OSError:
        pass  # without a cache, the interpreter is started every time


def _from_interpreter(python: str) -> InterpreterFacts:
    import subprocess

    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        result = subprocess.run(
            [python, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=60,
            env=variables,
            check=False,
        )
        answer = json.loads(result.stdout.strip().rpartition("\n")[2])
        facts = InterpreterFacts.from_dict({**answer, "python": python})
        return facts.replace(sites=tuple(facts.sites))
    except (OSError, subprocess.TimeoutExpired, ValueError, TypeError) as error:
        raise EnvironmentException(
            f"{python!r} does not behave like a Python interpreter.",
            "Give the path of a Python interpreter.",
        ) from error


def running() -> InterpreterFacts:
    """The base interpreter that runs scriptrun, without its virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    version = "{}.{}.{}".format(*sys.version_info[:3])
    minor_named = os.path.join(
        os.path.dirname(base), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    )
    python = minor_named if os.path.exists(minor_named) else base
    return InterpreterFacts(python, version, sys.base_prefix, ())
