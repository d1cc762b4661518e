"""Environments of conda packages, solved and installed by py-rattler; conda is not needed.

They share rattler's cache (``RATTLER_CACHE_DIR``, else its default), from which files are linked
into each prefix. uv installs the pip packages into the same prefix.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from scriptrun.environments.builder import Builder, Lockfile, Log, Stop
from scriptrun.environments.locks import content_key
from scriptrun.spec.environment import CONDA, EnvironmentSpec
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from urllib import parse

    from scriptrun.environments import health, site_packages
    from scriptrun.environments.conda import channels as conda_channels
    from scriptrun.environments.conda import request as conda_request
    from scriptrun.environments.uv import local_sources
    from scriptrun.runtime.hints import Json
else:  # imported while the worker process imports rattler, which takes longer
    parse = later("urllib.parse")
    health, conda_channels, conda_request, local_sources, site_packages = (
        later(f"scriptrun.environments.{name}")
        for name in (
            "health",
            "conda.channels",
            "conda.request",
            "uv.local_sources",
            "site_packages",
        )
    )


class Conda(Builder):
    """Conda packages, and pip packages on top, in a prefix in the cache."""

    kind = CONDA

    @classmethod
    def check(cls, spec: EnvironmentSpec) -> list[str]:
        """Report a missing py-rattler, channels with passwords, and invalid lines."""
        return conda_request.problems(spec)

    @classmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lockfile:
        """All packages with build, URL and digests, for this platform."""
        _load("conda.client").prepare()
        lockfile: Lockfile = _load("conda.lock").resolve(spec, log, stop)
        return lockfile

    def key(self) -> str:
        """The digest of platform and locked packages."""
        return content_key(self.lockfile)

    def build(self, folder: str, log: Log, stop: Stop) -> None:
        """Install the locked packages: conda packages, then pip packages."""
        _load("conda.client").prepare()
        local_sources.refuse_changed(self.lockfile.get("local") or {})
        install(self.spec, self.lockfile, folder, log, stop)
        if self.lockfile["requirements"]:
            _load("conda.pip").install(self.spec, self.lockfile, self.python(folder), log, stop)
        if self.lockfile.get("relaxed"):
            _load("uv.compat_names").put(self.sites(folder)[0])
        health.record(folder, self.python(folder), self._checked_folders(folder))

    def why_unhealthy(self, folder: str) -> str:
        """Compare the interpreter, packages and their records with those after the build."""
        return health.why_unhealthy(folder, self.python(folder), self._checked_folders(folder))

    def python(self, folder: str) -> str:
        """``bin/python`` in the prefix."""
        return os.path.join(folder, "bin", "python")

    def sites(self, folder: str) -> tuple[str, ...]:
        """The prefix's site-packages."""
        return site_packages.find_folders(folder)

    def _checked_folders(self, folder: str) -> tuple[str, ...]:
        return (*self.sites(folder), os.path.join(folder, "conda-meta"))


def install(
    spec: EnvironmentSpec,
    lockfile: Lockfile,
    prefix: str,
    log: Log,
    stop: Stop,
    final_prefix: str | None = None,
) -> None:
    """Install the locked conda packages into ``prefix``, which will move to ``final_prefix``."""
    channels = conda_channels.normalize(spec.channels)
    records = [_with_token(record, channels) for record in lockfile["conda"]]
    arguments = {
        "records": records,
        "files": dict(_local_packages(records)),
        "elsewhere": final_prefix,
    }
    with _load("conda.client").asking(log, stop) as ask:
        ask("install", prefix=prefix, logins=conda_channels.logins(channels), **arguments)
    if records != lockfile["conda"]:
        _remove_tokens(prefix)


def _with_token(record: Json, channels: tuple[str, ...]) -> Json:
    """The record with its channel's token in its URLs."""
    addresses = {
        name: conda_channels.with_token(record[name], channels) for name in ("url", "channel")
    }
    return {**record, **addresses}


def _remove_tokens(prefix: str) -> None:
    """Remove tokens from the URLs that rattler records for each package."""
    for path in Path(prefix, "conda-meta").glob("*.json"):
        text = path.read_text("utf-8")
        if conda_channels.redact(text) != text:
            path.write_text(conda_channels.redact(text), "utf-8")


def _local_packages(
    records: Iterable[Json],
) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """The packages on this machine: name, and the values of a PackageFile."""
    for record in records:
        address = parse.urlsplit(record["url"])
        path = parse.unquote(address.path)
        if address.scheme == "file" and record.get("sha256") and os.path.exists(path):
            entry = "-".join(str(record[name]) for name in ("name", "version", "build"))
            yield record["name"], (entry, path, record["sha256"])


def _load(name: str) -> ModuleType:
    """Import a module that starts processes; a cached prefix is found without it."""
    return importlib.import_module(f"scriptrun.environments.{name}")
