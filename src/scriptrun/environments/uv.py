"""Environments of packages, built by uv.

``uv pip compile`` makes the lock (uv_lock.py), ``uv venv`` and ``uv pip sync`` the place. uv's own
cache is used (``UV_CACHE_DIR``, else uv's default): packages that one environment has are linked
into the next, not copied.
"""

from __future__ import annotations

import importlib
import os
import re

from scriptrun.environments import (
    index_credentials,
    interpreters,
    local_sources,
    pythons,
    requests,
    sites,
)
from scriptrun.environments.base import Builder, Lock, Log, Stop
from scriptrun.environments.locks import content_key
from scriptrun.runtime.files import read_json, to_json, write_atomic
from scriptrun.spec.environment import PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.hints import Any

#: in the place: what was true when it was built, for ``ill``
BUILT = "built.json"


class Uv(Builder):
    """Packages of the index in a virtual environment of our own."""

    kind = PACKAGES

    @classmethod
    def check(cls, spec: EnvironmentSpec) -> list[str]:
        """Conda packages not on PyPI, a Python that isn't here, lines that can't be used."""
        return requests.troubles(spec)

    @classmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lock:
        """All packages with version and hashes, for one Python and this platform."""
        lock: Lock = _loaded("uv_lock").resolve(spec, log, stop)
        return lock

    def key(self) -> str:
        """The digest of python, platform and locked packages."""
        return content_key(self.lock)

    def build(self, place: str, log: Log, stop: Stop) -> None:
        """Make the virtual environment and put into it what the lock says."""
        python, remark = _loaded("python_downloads").obtain(self.lock["python"], log, stop)
        if remark:
            log(remark)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        self._refuse_changed()
        cwd = os.path.dirname(place)
        _loaded("uv_tool").run(
            ["venv", "--python", python.path, "--no-project", place], cwd, log, stop
        )
        if self.lock["requirements"].strip():
            self._sync(place, log, stop)
        if self.lock.get("relaxed"):
            _loaded("shim").put(self.sites(place)[0])
        self._write_down(place, python)

    def ill(self, place: str) -> str:
        """Interpreter, packages and settings are compared with what was there after the build."""
        built = read_json(os.path.join(place, BUILT))
        if not isinstance(built, dict):
            return "its build was cut short"
        return _ill_python(self.python(place), built) or _ill_sites(self.sites(place), built)

    def python(self, place: str) -> str:
        """``bin/python`` in the place."""
        return os.path.join(place, *_BIN, "python.exe" if os.name == "nt" else "python")

    def sites(self, place: str) -> tuple[str, ...]:
        """The place's site-packages."""
        return sites.of_prefix(place)

    def _refuse_changed(self) -> None:
        """A directory that was locked as it was then must not be installed as it is now."""
        locked: dict[str, str] = self.lock.get("local") or {}
        now = local_sources.digests(locked) if locked else {}
        changed = [path for path, digest in locked.items() if now.get(path) != digest]
        if changed:
            raise EnvironmentException(
                f"{', '.join(changed)} has changed since the environment was locked.",
                "Submit the job anew: it is locked with what is there now.",
            )

    def _sync(self, place: str, log: Log, stop: Stop) -> None:
        options, flags = requests.of(self.spec).for_sync()
        text = self.lock["requirements"]
        path = os.path.join(place, "requirements.txt")
        told, private = index_credentials.filled("\n".join([*options, text]))
        write_atomic(path, told.encode(), 0o600)
        words = ["pip", "sync", "--python", self.python(place)]
        words += ["--require-hashes"] if _all_hashed(text) else []
        words += ["--refresh"] if self.lock.get("local") else []
        _loaded("uv_tool").run([*words, *flags, path], place, log, stop, private)

    def _write_down(self, place: str, python: pythons.Python) -> None:
        built = {
            "python": os.path.realpath(python.path),
            "stamp": interpreters.stamp(self.python(place)),
            "names": sites.names(self.sites(place)),
        }
        write_atomic(os.path.join(place, BUILT), to_json(built))


_BIN = ("Scripts",) if os.name == "nt" else ("bin",)


def _loaded(name: str) -> Any:
    """What starts uv, by its module's name: a cached environment is found without subprocess."""
    return importlib.import_module(f"scriptrun.environments.{name}")


def _all_hashed(text: str) -> bool:
    """Whether every requirement has a hash: repositories and folders have none."""
    lines = text.replace("\\\n", " ").splitlines()
    return all("--hash=" in line for line in lines if line.strip() and not line.startswith("#"))


def _ill_python(python: str, built: dict[str, Any]) -> str:
    try:
        now = interpreters.stamp(python)
    except OSError:
        return f"its interpreter {built.get('python')} is gone"
    return "" if now == built.get("stamp") else f"its interpreter {built.get('python')} has changed"


def _ill_sites(folders: tuple[str, ...], built: dict[str, Any]) -> str:
    """Packages that were taken away, and packages that somebody installed over it."""
    if not folders:
        return "its site-packages is gone"
    now, then = set(sites.names(folders)), set(built.get("names", ()))
    lost = sorted(then - now)
    if lost:
        return f"it lacks {_few(lost)}"
    added = sorted(name for name in now - then if sites.is_metadata(name))
    return f"something was installed into it: {_few(added)}" if added else ""


def _few(names: list[str]) -> str:
    shown = ", ".join(re.sub(r"\.(dist|egg)-info$", "", name) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
