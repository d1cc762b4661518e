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
from scriptrun.spec.later import later
from scriptrun.spec.values import Value
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import glob
else:
    glob = later("glob")

_ASK = """
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


class Facts(Value):
    """One interpreter; ``python`` is its absolute path, links unresolved, as venvs are links."""

    python: str
    version: str
    prefix: str
    sites: tuple[str, ...]


def stamp(path: str) -> list[int]:
    """Numbers that change if ``path`` is replaced. Raises OSError if it is missing."""
    found = os.stat(path)
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]


def look(python: str) -> Facts | None:
    """The facts of ``python`` from files alone, or None if they do not suffice."""
    return _of_venv(python) or _of_conda(python) or _of_pyenv(python) or _remembered(python)


def ask(python: str) -> Facts:
    """The facts of ``python``; starts it if necessary. Raises EnvironmentException."""
    found = look(python)
    if found is not None:
        return found
    facts = _started(python)
    _remember(facts)
    return facts


def _of_venv(python: str) -> Facts | None:
    prefix = os.path.dirname(os.path.dirname(python))
    settings = _pyvenv(os.path.join(prefix, "pyvenv.cfg"))
    version = re.match(
        r"\d+\.\d+\.\d+", settings.get("version_info") or settings.get("version") or ""
    )
    if version is None:
        return None
    own = site_packages.of_prefix(prefix)
    if settings.get("include-system-site-packages", "false").lower() == "true":
        base = _base(settings, version[0])
        if base is None:  # e.g. Debian's Python, with packages elsewhere: start it
            return None
        own += base.sites
    return Facts(python, version[0], prefix, own)


def _pyvenv(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            pairs = [line.partition("=") for line in handle if "=" in line]
    except OSError:
        return {}
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _base(settings: dict[str, str], version: str) -> Facts | None:
    """The facts of a virtual environment's base interpreter, from files alone."""
    home, minor = settings.get("home", ""), version.rpartition(".")[0]
    return look(os.path.join(home, f"python{minor}")) if home else None


def _of_conda(python: str) -> Facts | None:
    prefix = os.path.dirname(os.path.dirname(python))
    records = glob.glob(os.path.join(glob.escape(prefix), "conda-meta", "python-[23]*.json"))
    if len(records) != 1:
        return None
    version = os.path.basename(records[0]).split("-")[1]
    return Facts(python, version, prefix, site_packages.of_prefix(prefix))


def _of_pyenv(python: str) -> Facts | None:
    """A Python managed by pyenv or uv: the name of its folder is its version."""
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(python)))
    name = os.path.basename(prefix)
    found = re.fullmatch(r"(?:cpython-)?(\d+\.\d+\.\d+)(?:-[\w.-]+)?", name)
    if found is None or os.path.basename(os.path.dirname(prefix)) not in ("versions", "python"):
        return None
    own = site_packages.of_prefix(prefix)
    return Facts(python, found[1], prefix, own + _user_site(found[1])) if own else None


def _user_site(version: str) -> tuple[str, ...]:
    minor = version.rpartition(".")[0]
    base = os.environ.get("PYTHONUSERBASE") or os.path.join(os.path.expanduser("~"), ".local")
    path = os.path.join(base, "lib", f"python{minor}", "site-packages")
    return (path,) if os.path.isdir(path) and not os.environ.get("PYTHONNOUSERSITE") else ()


def _memory(python: str) -> str:
    return os.path.join(paths.cache_root(), "interpreters", digest_of(python)[:32] + ".json")


def _remembered(python: str) -> Facts | None:
    kept = read_json(_memory(python))
    try:
        if not isinstance(kept, dict) or kept.pop("stamp") != stamp(python):
            return None
        return Facts(**{**kept, "sites": tuple(kept["sites"])})
    except (OSError, KeyError, TypeError):
        return None


def _remember(facts: Facts) -> None:
    path = _memory(facts.python)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomic(path, to_json({**facts.as_dict(), "stamp": stamp(facts.python)}))
    except OSError:
        pass  # without a cache, the interpreter is started every time


def _started(python: str) -> Facts:
    import subprocess

    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            [python, "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=60,
            env=variables,
            check=False,
        )
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise EnvironmentException(
            f"{python!r} does not behave like a Python interpreter.",
            "Give the path of a Python interpreter.",
        ) from error
    return Facts(python, answer["version"], answer["prefix"], tuple(answer["sites"]))


def running() -> Facts:
    """The base interpreter that runs scriptrun, without its virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    version = "{}.{}.{}".format(*sys.version_info[:3])
    minor_named = os.path.join(
        os.path.dirname(base), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    )
    python = minor_named if os.path.exists(minor_named) else base
    return Facts(python, version, sys.base_prefix, ())
