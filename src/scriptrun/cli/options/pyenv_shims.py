"""The interpreter behind a pyenv shim, a script that selects a version on every call.

Runs record and start the interpreter itself, which is found without starting a process. The order
is pyenv's own: PYENV_VERSION, `.python-version` in the folder or above, then the global version.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec import accounts

#: bytes of a file of versions that are read
_LONGEST = 64 << 10


def resolve(path: str, source: Path) -> str | None:
    """Return the interpreter that the shim ``path`` starts in ``source``; None if unknown.

    A ``path`` that is not a shim is returned unchanged.
    """
    folder, name = os.path.split(path)
    root = os.path.dirname(folder)
    versions = os.path.join(root, "versions")
    if os.path.basename(folder) != "shims" or not os.path.isdir(versions):
        return path
    for version in _selected_versions(root, source):
        python = os.path.join(versions, version.removeprefix("python-"), "bin", name)
        if os.path.isfile(python) and os.access(python, os.X_OK):
            return python
    return None


def _selected_versions(root: str, source: Path) -> list[str]:
    """Return the selected versions, in order of precedence."""
    for text in _version_texts(root, source):
        words = [line.strip() for line in text.replace(":", "\n").splitlines()]
        words = [word for word in words if _is_version(word)]
        if words:
            return words
    return []


def _version_texts(root: str, source: Path) -> Iterator[str]:
    yield os.environ.get("PYENV_VERSION", "")
    for path in (*(folder / ".python-version" for folder in (source, *source.parents)),
                  Path(root, "version")):  # fmt: skip
        if accounts.is_of_another(path):
            continue
        try:
            with files.open_record(path) as handle:
                yield handle.read(_LONGEST).decode("utf-8", "replace")
        except OSError:
            continue


def _is_version(word: str) -> bool:
    """Whether ``word`` names a version: a folder of pyenv's own, and no comment."""
    return bool(word) and not word.startswith(("#", ".")) and os.path.basename(word) == word
