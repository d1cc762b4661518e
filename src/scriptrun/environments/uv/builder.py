"""Environments of packages, built by uv.

``uv pip compile`` makes the lockfile (lock.py); ``uv venv`` and ``uv pip sync`` build from it.
Environments share uv's own cache (``UV_CACHE_DIR``, else uv's default), from which packages are
linked, not copied.
"""

from __future__ import annotations

import importlib
import os

from scriptrun.environments import health, site_packages
from scriptrun.environments.builder import Builder, Lockfile, Log, Stop
from scriptrun.environments.locks import content_key
from scriptrun.environments.uv import local_sources
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.runtime.files import write_atomic
from scriptrun.spec.environment import PACKAGES, EnvironmentSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


class Uv(Builder):
    """PyPI packages in a virtual environment in the cache."""

    kind = PACKAGES

    @classmethod
    def check(cls, spec: EnvironmentSpec) -> list[str]:
        """Report conda packages not on PyPI, an unavailable Python, and invalid lines."""
        return uv_requirements.problems(spec)

    @classmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lockfile:
        """All packages with versions and hashes, for one Python and this platform."""
        lockfile: Lockfile = _load("uv.lock").resolve(spec, log, stop)
        return lockfile

    def key(self) -> str:
        """The digest of Python, platform and locked packages."""
        return content_key(self.lockfile)

    def build(self, folder: str, log: Log, stop: Stop) -> None:
        """Create the virtual environment and install the locked packages."""
        python, remark = _load("interpreter.download").obtain(self.lockfile["python"], log, stop)
        if remark:
            log(remark)
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        local_sources.refuse_changed(self.lockfile.get("local") or {})
        tool = _load("uv.tool")
        with tool.own_folder("build") as cwd:
            tool.run(["venv", "--python", python.path, "--no-project", folder], cwd, log, stop)
        if self.lockfile["requirements"].strip():
            self._sync(folder, log, stop)
        if self.lockfile.get("relaxed"):
            _load("uv.compat_names").put(self.sites(folder)[0])
        health.record(folder, self.python(folder), self.sites(folder))

    def why_unhealthy(self, folder: str) -> str:
        """Compare the interpreter and packages with those after the build."""
        return health.why_unhealthy(folder, self.python(folder), self.sites(folder))

    def python(self, folder: str) -> str:
        """``bin/python`` in the environment."""
        return os.path.join(folder, *_BIN_PARTS, "python.exe" if os.name == "nt" else "python")

    def sites(self, folder: str) -> tuple[str, ...]:
        """The environment's site-packages."""
        return site_packages.find_folders(folder)

    def _sync(self, folder: str, log: Log, stop: Stop) -> None:
        options, flags = uv_requirements.from_spec(self.spec).for_sync()
        text = self.lockfile["requirements"]
        path = os.path.join(folder, "requirements.txt")
        content, secrets = _load("uv.index_credentials").filled("\n".join([*options, text]))
        write_atomic(path, content.encode(), 0o600, durable=False)
        arguments = ["pip", "sync", "--python", self.python(folder)]
        arguments += ["--require-hashes"] if uv_requirements.all_hashed(text) else []
        arguments += ["--refresh"] if self.lockfile.get("local") else []
        tool = _load("uv.tool")
        with tool.own_folder("build") as cwd:
            tool.run([*arguments, *flags, path], cwd, log, stop, secrets)
            emptied = site_packages.emptied(self.sites(folder))
            if emptied:
                names = ", ".join(emptied)
                log(f"uv's cache has empty files, from a power cut: fetching {names} again.")
                tool.run(["cache", "clean", *emptied], cwd, log, stop)
                tool.run([*arguments, "--reinstall", *flags, path], cwd, log, stop, secrets)


_BIN_PARTS = ("Scripts",) if os.name == "nt" else ("bin",)


def _load(name: str) -> ModuleType:
    """Import a module that starts uv; a cached environment is found without it."""
    return importlib.import_module(f"scriptrun.environments.{name}")
