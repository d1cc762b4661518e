"""Verify the digests of packages on this machine while rattler unpacks them.

rattler verifies what it downloads, but trusts files on this machine. This module verifies those
files at the same time, and links none into a prefix before that. What rattler unpacked by then is
in its cache under the expected digest: a note in the cache lists these packages until they are
verified. If a digest differs, or the verifying process is killed, ``drop`` removes them before the
cache is used again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import NamedTuple

from scriptrun.runtime.files import read_json, unique
from scriptrun.store.locks import flocks
from scriptrun.store.locks.flocks import Flock

#: the folder of notes in rattler's cache, and that of unpacked packages
NOTES, PACKAGES = "scriptrun-unseen", "pkgs"


class Changed(Exception):
    """Files that do not match the lockfile."""


class PackageFile(NamedTuple):
    """A package on this machine: its entry in rattler's cache, its path, its SHA-256."""

    entry: str
    path: str
    sha256: str


class Digests:
    """Verifies ``files``: the values of a PackageFile by package name."""

    def __init__(self, cache: Path, files: dict[str, Sequence[str]]) -> None:
        self._files, self._cache = (
            {name: PackageFile(*values) for name, values in files.items()},
            cache,
        )
        self._verified = {name: threading.Event() for name in files}

    def wait(self, name: str) -> None:
        """Return when the package may be linked: its digest is verified or needs no check."""
        if name in self._verified:
            self._verified[name].wait()

    async def look_during(self, installation: Awaitable[object]) -> None:
        """Verify the files during ``installation``; before it if no note can be written.

        Raises Changed.
        """
        flock = self._write_note() if self._files else None
        if flock is None:
            await self._verify_all()
            await installation
        else:
            await asyncio.gather(self._verify_all(flock), installation)

    async def _verify_all(self, flock: Flock | None = None) -> None:
        results = await asyncio.gather(
            *(asyncio.to_thread(self._verify, name) for name in self._files)
        )
        changed = [path for path in results if path]
        if changed:
            raise Changed(", ".join(changed))
        if flock is not None:
            flock.path.unlink()
            flock.release()

    def _write_note(self) -> Flock | None:
        """Write the note and hold its file lock; None if it cannot be written."""
        try:
            flock = flocks.share(self._cache / NOTES / f"{unique()}.json")
            os.write(
                flock.fileno(), json.dumps([file.entry for file in self._files.values()]).encode()
            )
        except OSError:
            return None
        return flock

    def _verify(self, name: str) -> str:
        """The file's path if it has changed, else ""."""
        with open(self._files[name].path, "rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if digest != self._files[name].sha256:
            return self._files[name].path
        self._verified[name].set()
        return ""


def drop(cache: Path) -> None:
    """Remove from rattler's cache what processes that are gone unpacked but did not verify."""
    folder = cache / NOTES
    for path in folder.iterdir() if folder.exists() else ():
        flock = flocks.try_flock(path)
        if flock is None:
            continue  # a process is verifying it
        with flock:
            entries = read_json(path)
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, str) and entry:
                    _remove_package(cache / PACKAGES, entry)
            path.unlink(missing_ok=True)


def _remove_package(packages_folder: Path, entry: str) -> None:
    import shutil

    for path in packages_folder.iterdir() if packages_folder.exists() else ():
        if path.name.startswith(entry) and path.is_dir():
            with flocks.flock(packages_folder / f"{path.name}.lock") as flock:  # rattler's own
                os.ftruncate(flock.fileno(), 0)  # rattler then treats the package as absent
                shutil.rmtree(path)
