"""The interpreter behind a pyenv shim: a script that looks for it anew each time it is called.

What stands in the record, and what is started, is the interpreter itself; finding it costs no
process. The order is pyenv's own: PYENV_VERSION, `.python-version` here or above, then pyenv's
global choice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def behind(path: str, source: Path) -> str | None:
    """The interpreter that the shim ``path`` starts in ``source``; None where that can't be told.

    A ``path`` that is no shim is given back as it is.
    """
    folder, name = os.path.split(path)
    root = os.path.dirname(folder)
    versions = os.path.join(root, "versions")
    if os.path.basename(folder) != "shims" or not os.path.isdir(versions):
        return path
    for version in _chosen(root, source):
        found = os.path.join(versions, version.removeprefix("python-"), "bin", name)
        if os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    return None


def _chosen(root: str, source: Path) -> list[str]:
    """The versions that are in force, the first before the others."""
    for text in _texts(root, source):
        words = [line.strip() for line in text.replace(":", "\n").splitlines()]
        words = [word for word in words if word and not word.startswith("#")]
        if words:
            return words
    return []


def _texts(root: str, source: Path) -> Iterator[str]:
    yield os.environ.get("PYENV_VERSION", "")
    for place in (*(folder / ".python-version" for folder in (source, *source.parents)),
                  Path(root, "version")):  # fmt: skip
        try:
            yield place.read_text("utf-8", "replace")
        except OSError:
            continue
