"""The lockfiles of a workspace: one JSON file per request, so that nothing is resolved twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from scriptrun.environments.builder import Lockfile, platform_tag
from scriptrun.runtime.files import publish, read_object, to_json, write_atomic
from scriptrun.spec import field_types
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

FORMAT = 1

#: the types of what readers rely on, in a lockfile and in its conda records
_TYPES = {
    "platform": "str",
    "kind": "str",
    "python": "str | None",
    "version": "str",
    "requirements": "str | list[str]",
    "distributions": "list[str]",
    "conda": "list[Json]",
    "requested": "list[str]",
    "notes": "list[str]",
    "base": "str",
    "request": "str",
    "as_of": "str",
}
_RECORD_TYPES = {"name": "str", "version": "str", "build": "str"}
#: keys that are for people only and do not change the content key
_INFORMATIONAL = ("format", "created", "requested", "notes", "tool", "checksum", "request", "as_of")


def content_key(lockfile: Mapping[str, object]) -> str:
    """The digest of everything in ``lockfile`` that affects the build: 32 hexadecimal digits."""
    return digest_of(
        {name: value for name, value in lockfile.items() if name not in _INFORMATIONAL}
    )[:32]


def seal(lockfile: Mapping[str, object]) -> Lockfile:
    """``lockfile`` with a checksum of all the rest, to notice when its file was damaged."""
    return {**lockfile, "checksum": _checksum(lockfile)}


def is_whole(lockfile: Mapping[str, object]) -> bool:
    """Whether ``lockfile`` matches its checksum; older ones have none."""
    return "checksum" not in lockfile or lockfile["checksum"] == _checksum(lockfile)


def _checksum(lockfile: Mapping[str, object]) -> str:
    return digest_of({name: value for name, value in lockfile.items() if name != "checksum"})


def read(locks_folder: Path, spec: EnvironmentSpec) -> Lockfile | None:
    """The lockfile of ``spec`` for this platform, or None; a damaged one counts as missing."""
    for path in _paths(locks_folder, spec):
        lockfile = _read(path)
        if lockfile is not None and lockfile.get("platform") == platform_tag():
            return lockfile
    return None


def checked(lockfile: Json) -> Lockfile:
    """``lockfile``, read from a file. Raises ValueError, naming the field, if it is damaged."""
    if not is_whole(lockfile):
        raise ValueError("its content does not match its checksum")
    field_types.check(_TYPES, lockfile)
    for record in lockfile.get("conda") or ():
        if not isinstance(record, dict):
            raise ValueError("expected objects in the field 'conda'")
        field_types.check(_RECORD_TYPES, {"name": None, "version": None, "build": None, **record})
    return lockfile


def _read(path: str) -> Lockfile | None:
    """The lockfile in ``path``; None if it is missing, damaged or that of another request."""
    value = read_object(path)
    if value is None or "kind" not in value or not is_named_rightly(path, value):
        return None
    try:
        return checked(value)
    except ValueError:
        return None


def is_named_rightly(path: str, lockfile: Mapping[str, object]) -> bool:
    """Whether ``lockfile`` answers the request that its file is named by; older ones name none."""
    name = os.path.basename(path).partition(".")[0]
    return lockfile.get("request", name) == name


def store(
    locks_folder: Path, spec: EnvironmentSpec, lockfile: Lockfile, *, upgrade: bool = False
) -> Lockfile:
    """Store ``lockfile`` for ``spec`` unless it has a lockfile already; return the stored one.

    ``upgrade`` replaces an existing lockfile.
    """
    shared_path, platform_path = _paths(locks_folder, spec)
    os.makedirs(locks_folder, exist_ok=True)
    lockfile = seal({**lockfile, "request": spec.digest()})
    for path in (shared_path, platform_path):
        stored = _read(path)
        same_platform = stored is not None and stored.get("platform") == platform_tag()
        if stored is None or (same_platform and upgrade):
            if upgrade or os.path.exists(path):
                write_atomic(path, to_json(lockfile))
                return lockfile
            if publish(path, to_json(lockfile)):
                return lockfile
        current = None if upgrade else read(locks_folder, spec)
        if current is not None:
            return current
    return lockfile


def _paths(locks_folder: Path, spec: EnvironmentSpec) -> tuple[str, str]:
    """The request's file, and the platform's own file for a workspace shared by platforms."""
    stem = os.path.join(os.fspath(locks_folder), spec.digest())
    return f"{stem}.json", f"{stem}.{platform_tag()}.json"
