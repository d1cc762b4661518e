"""Older Python interpreters for tests, and what stands in where a machine has none.

No package registry carries Python 3.6 or 3.8: they are there where pyenv, uv or the system brought
them. Elsewhere the oldest Python of the machine takes their tests, the syntax of their files is
checked by ``ast`` alone (tests/test_house.py), and the end of the test report says so.
"""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

#: what scripts' imports run on, and what the launcher runs on
SCRIPTS, LAUNCHER = "3.6", "3.8"


@functools.cache
def find(version: str) -> str | None:
    """An interpreter of ``version`` ("3.8") on this machine: on PATH, or of pyenv or uv."""
    return next((path for path in _candidates(version) if _answers(path, version)), None)


@functools.cache
def oldest(version: str) -> str:
    """An interpreter of ``version``, else of the next newer version that is on this machine."""
    own = sys.version_info.minor
    minors = range(int(version.rpartition(".")[2]), own)
    found = (find(f"3.{minor}") for minor in minors)
    return next((path for path in found if path), os.path.realpath(sys.executable))


@functools.cache
def newest() -> str:
    """The newest; where none is newer than this one it is the Python behind its environment."""
    found = (find(f"3.{minor}") for minor in range(19, sys.version_info.minor, -1))
    return next((path for path in found if path), os.path.realpath(sys.executable))


def to_try(since: str = SCRIPTS) -> list[str]:
    """The oldest from ``since`` on, the launcher's oldest, the newest: each interpreter once."""
    return list(dict.fromkeys([oldest(since), oldest(LAUNCHER), newest()]))


@functools.cache
def version_of(python: str) -> str:
    """The interpreter's minor version, such as "3.8"."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def stand_ins() -> list[str]:
    """One sentence for each old version that is not on this machine."""
    return [
        f"This machine has no Python {version}: Python {version_of(oldest(version))} took its "
        "place in tests of jobs, what builds environments for it was skipped, and the syntax of "
        "its files was checked by ast alone."
        for version in (SCRIPTS, LAUNCHER)
        if find(version) is None
    ]


def _candidates(version: str) -> Iterator[str]:
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python")
    yield from sorted(glob.glob(f"{glob.escape(pyenv)}/versions/{version}.*/bin/python"))
    yield from sorted(glob.glob(f"{glob.escape(uv)}/cpython-{version}.*/bin/python3"))
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path


def _answers(python: str, version: str) -> bool:
    return version_of(python) == version
