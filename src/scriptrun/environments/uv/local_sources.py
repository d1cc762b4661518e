"""Requirements that are folders or files on this machine, identified by their contents."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    from urllib import parse
else:
    hashlib = later("hashlib")
    parse = later("urllib.parse")

#: a requirement's path, as ``/here/lib``, ``/here/lib[extra]; marker`` and ``lib @ file:///here/lib``
_LOCAL_NAME = r"(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?(?:file://)?"
_LOCAL_PATH = rf"{_LOCAL_NAME}(/[^\[;]*)"
_EDITABLE = ("--editable", "-e")
#: a wheel in a workspace: ``registry/wheels.py``
_STORED_WHEEL = re.compile(r"/\.scriptrun/wheels/([0-9a-f]{32})/[^/]+$")
#: build output, and files that are not part of a package
_IGNORED = {
    ".git", ".hg", "__pycache__", "build", "dist", ".venv", "node_modules", ".scriptrun", ".tox",
    ".nox", ".ruff_cache", ".mypy_cache", ".pytest_cache", ".ipynb_checkpoints",
}  # fmt: skip


def local_path(requirement: str) -> str | None:
    """The folder or file on this machine that ``requirement`` installs; None for all others.

    Editable installs do not count, since they are used in place.
    """
    path = None if requirement.startswith(_EDITABLE) else path_of(requirement)
    return path if path and os.path.exists(path) else None


def path_of(requirement: str) -> str | None:
    """The absolute path that ``requirement`` names, whether it exists or not."""
    for option in _EDITABLE:
        requirement = requirement.removeprefix(option).lstrip(" =")
    whole = re.match(rf"{_LOCAL_NAME}(/.*)", requirement)
    if whole and os.path.exists(whole[1]):
        return whole[1]
    match = re.match(_LOCAL_PATH, requirement)
    path = match[1].strip() if match else ""
    if "file://" in requirement:
        path = parse.unquote(path.partition("#")[0])
    return path or None


def digests(requirements: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of the contents of each requirement on this machine, by path.

    Raises EnvironmentException for a wheel of the workspace that is damaged.
    """
    paths = sorted({path for path in map(local_path, requirements) if path})
    for path in paths:
        if is_damaged(path):
            raise EnvironmentException(
                f"The wheel {path!r} is damaged: its SHA-256 does not begin with "
                f"{os.path.basename(os.path.dirname(path))}.",
                "Add the wheel again, or restore that file from a backup.",
            )
    return {path: _digest(path) for path in paths}


def is_damaged(path: str) -> bool:
    """Whether ``path`` is a wheel that a workspace keeps under its digest, and has another one."""
    match = _STORED_WHEEL.search(path)
    if match is None or not os.path.isfile(path):
        return False
    with open(path, "rb") as handle:
        return not hashlib.file_digest(handle, "sha256").hexdigest().startswith(match[1])


def refuse_changed(locked_digests: dict[str, str]) -> None:
    """Raise EnvironmentException if any of ``locked_digests`` (path to digest) has changed.

    A locked folder must not be installed with other contents.
    """
    current_digests = digests(locked_digests) if locked_digests else {}
    changed = [
        path for path, digest in locked_digests.items() if current_digests.get(path) != digest
    ]
    if changed:
        raise EnvironmentException(
            f"{', '.join(changed)} has changed since the environment was locked.",
            "Submit the job again to lock the current content.",
        )


def _digest(path: str) -> str:
    hasher = hashlib.sha256()
    for name, file_path in _files(path):
        try:
            with open(file_path, "rb") as handle:
                content = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError:
            continue  # a socket or unreadable file is not part of a package
        hasher.update(f"{name}\0{content}\0".encode("utf-8", "surrogateescape"))
    return str(hasher.hexdigest())


def _files(path: str) -> Iterator[tuple[str, str]]:
    if os.path.isfile(path):
        yield "", path
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not _is_ignored(name))
        for name in sorted(names):
            file_path = os.path.join(folder, name)
            if os.path.isfile(file_path):
                yield os.path.relpath(file_path, path), file_path


def _is_ignored(name: str) -> bool:
    return name in _IGNORED or name.endswith(".egg-info")
