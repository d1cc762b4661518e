"""Environments of packages, built by uv.

``uv pip compile`` makes the lockfile (lock.py); ``uv venv`` and ``uv pip sync`` build from it.
Environments share uv's own cache (``UV_CACHE_DIR``, else uv's default), from which packages are
linked, not copied.
"""

from __future__ import annotations

import importlib
import os

from scriptrun.environments import health, site_packages
from scriptrun.environments.builder import Builder, Lock, Log, Stop
from scriptrun.environments.locks import content_key
from scriptrun.environments.uv import local_sources
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.runtime.files import write_atomic
from scriptrun.spec.environment import PACKAGES, EnvironmentSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Uv(Builder):
    """PyPI packages in a virtual environment in the cache."""

    kind = PACKAGES

    @classmethod
    def check(cls, spec: EnvironmentSpec) -> list[str]:
        """Report conda packages not on PyPI, an unavailable Python, and invalid lines."""
        return uv_requirements.troubles(spec)

    @classmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lock:
        """All packages with versions and hashes, for one Python and this platform."""
        lock: Lock = _loaded("uv.lock").resolve(spec, log, stop)
        return lock

    def key(self) -> str:
        """The digest of Python, platform and locked packages."""
        return content_key(self.lock)

    def build(self, place: str, log: Log, stop: Stop) -> None:
        """Create the virtual environment and install the locked packages."""
        python, remark = _loaded("interpreter.download").obtain(self.lock["python"], log, stop)
        if remark:
            log(remark)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        local_sources.refuse_changed(self.lock.get("local") or {})
        cwd = os.path.dirname(place)
        _loaded("uv.tool").run(
            ["venv", "--python", python.path, "--no-project", place], cwd, log, stop
        )
        if self.lock["requirements"].strip():
            self._sync(place, log, stop)
        if self.lock.get("relaxed"):
            _loaded("uv.compat_names").put(self.sites(place)[0])
        health.write_down(place, self.python(place), self.sites(place))

    def ill(self, place: str) -> str:
        """Compare the interpreter and packages with those after the build."""
        return health.ill(place, self.python(place), self.sites(place))

    def python(self, place: str) -> str:
        """``bin/python`` in the environment."""
        return os.path.join(place, *_BIN, "python.exe" if os.name == "nt" else "python")

    def sites(self, place: str) -> tuple[str, ...]:
        """The environment's site-packages."""
        return site_packages.of_prefix(place)

    def _sync(self, place: str, log: Log, stop: Stop) -> None:
        options, flags = uv_requirements.of(self.spec).for_sync()
        text = self.lock["requirements"]
        path = os.path.join(place, "requirements.txt")
        told, private = _loaded("uv.index_credentials").filled("\n".join([*options, text]))
        write_atomic(path, told.encode(), 0o600)
        words = ["pip", "sync", "--python", self.python(place)]
        words += ["--require-hashes"] if uv_requirements.all_hashed(text) else []
        words += ["--refresh"] if self.lock.get("local") else []
        _loaded("uv.tool").run([*words, *flags, path], place, log, stop, private)


_BIN = ("Scripts",) if os.name == "nt" else ("bin",)


def _loaded(name: str) -> Any:
    """Import a module that starts uv; a cached environment is found without it."""
    return importlib.import_module(f"scriptrun.environments.{name}")
