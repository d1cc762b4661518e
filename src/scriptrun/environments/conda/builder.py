"""Environments of conda packages, solved and installed by py-rattler; conda is not needed.

They share rattler's cache (``RATTLER_CACHE_DIR``, else its default), from which files are linked
into each prefix. uv installs the pip packages into the same prefix.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from scriptrun.environments.builder import Builder, Lock, Log, Stop
from scriptrun.environments.locks import content_key
from scriptrun.spec.environment import CONDA, EnvironmentSpec
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from urllib import parse

    from scriptrun.environments import health, site_packages
    from scriptrun.environments.conda import channels as conda_channels
    from scriptrun.environments.conda import request as conda_request
    from scriptrun.environments.uv import local_sources
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
        return conda_request.troubles(spec)

    @classmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lock:
        """All packages with build, URL and digests, for this platform."""
        _loaded("conda.client").prepare()
        lock: Lock = _loaded("conda.lock").resolve(spec, log, stop)
        return lock

    def key(self) -> str:
        """The digest of platform and locked packages."""
        return content_key(self.lock)

    def build(self, place: str, log: Log, stop: Stop) -> None:
        """Install the locked packages: conda packages, then pip packages."""
        _loaded("conda.client").prepare()
        local_sources.refuse_changed(self.lock.get("local") or {})
        install(self.spec, self.lock, place, log, stop)
        if self.lock["requirements"]:
            _loaded("conda.pip").install(self.spec, self.lock, self.python(place), log, stop)
        if self.lock.get("relaxed"):
            _loaded("uv.compat_names").put(self.sites(place)[0])
        health.write_down(place, self.python(place), self._looked_at(place))

    def ill(self, place: str) -> str:
        """Compare the interpreter, packages and their records with those after the build."""
        return health.ill(place, self.python(place), self._looked_at(place))

    def python(self, place: str) -> str:
        """``bin/python`` in the prefix."""
        return os.path.join(place, "bin", "python")

    def sites(self, place: str) -> tuple[str, ...]:
        """The prefix's site-packages."""
        return site_packages.of_prefix(place)

    def _looked_at(self, place: str) -> tuple[str, ...]:
        return (*self.sites(place), os.path.join(place, "conda-meta"))


def install(
    spec: EnvironmentSpec,
    lock: Lock,
    prefix: str,
    log: Log,
    stop: Stop,
    elsewhere: str | None = None,
) -> None:
    """Install the locked conda packages into ``prefix``, which will move to ``elsewhere``."""
    channels = conda_channels.of(spec.channels)
    records = [_whole(each, channels) for each in lock["conda"]]
    told = {"records": records, "files": dict(_here(records)), "elsewhere": elsewhere}
    with _loaded("conda.client").asking(log, stop) as ask:
        ask("install", prefix=prefix, logins=conda_channels.logins(channels), **told)
    if records != lock["conda"]:
        _forget_tokens(prefix)


def _whole(record: dict[str, Any], channels: tuple[str, ...]) -> dict[str, Any]:
    """The record with its channel's token in its URLs."""
    told = {name: conda_channels.filled(record[name], channels) for name in ("url", "channel")}
    return {**record, **told}


def _forget_tokens(prefix: str) -> None:
    """Remove tokens from the URLs that rattler records for each package."""
    for path in Path(prefix, "conda-meta").glob("*.json"):
        text = path.read_text("utf-8")
        if conda_channels.bare(text) != text:
            path.write_text(conda_channels.bare(text), "utf-8")


def _here(records: Iterable[dict[str, Any]]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """The packages on this machine: name, and the values of a PackageFile."""
    for each in records:
        address = parse.urlsplit(each["url"])
        path = parse.unquote(address.path)
        if address.scheme == "file" and each.get("sha256") and os.path.exists(path):
            entry = "-".join(str(each[name]) for name in ("name", "version", "build"))
            yield each["name"], (entry, path, each["sha256"])


def _loaded(name: str) -> Any:
    """Import a module that starts processes; a cached prefix is found without it."""
    return importlib.import_module(f"scriptrun.environments.{name}")
