"""The lockfiles of a workspace: one JSON file per request, so that nothing is resolved twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from scriptrun.environments.builder import Lock, platform_tag
from scriptrun.runtime.files import publish, read_json, to_json, write_atomic
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1

#: keys that are for people only and do not change the content key
_REMARKS = ("format", "created", "requested", "notes", "tool")


def content_key(lock: Mapping[str, Any]) -> str:
    """The digest of everything in ``lock`` that affects the build: 32 hexadecimal digits."""
    return digest_of({name: value for name, value in lock.items() if name not in _REMARKS})[:32]


def read(locks: Path, spec: EnvironmentSpec) -> Lock | None:
    """The lockfile of ``spec`` for this platform, or None."""
    for path in _paths(locks, spec):
        lock = read_json(path)
        if isinstance(lock, dict) and lock.get("platform") == platform_tag():
            return lock
    return None


def keep(locks: Path, spec: EnvironmentSpec, lock: Lock, *, upgrade: bool = False) -> Lock:
    """Store ``lock`` for ``spec`` unless it has a lockfile already; return the stored one.

    ``upgrade`` replaces an existing lockfile.
    """
    first, own = _paths(locks, spec)
    os.makedirs(locks, exist_ok=True)
    for path in (first, own):
        there = read_json(path)
        mine = isinstance(there, dict) and there.get("platform") == platform_tag()
        if there is None or (mine and upgrade):
            if upgrade or os.path.exists(path):
                write_atomic(path, to_json(lock))
                return lock
            if publish(path, to_json(lock)):
                return lock
        standing = read(locks, spec)
        if standing is not None:
            return standing
    return lock


def _paths(locks: Path, spec: EnvironmentSpec) -> tuple[str, str]:
    """The request's file, and the platform's own file for a workspace shared by platforms."""
    stem = os.path.join(os.fspath(locks), spec.digest())
    return f"{stem}.json", f"{stem}.{platform_tag()}.json"
