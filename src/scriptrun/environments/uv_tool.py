"""Running uv: its binary, its variables, its lines as they come, and its errors as sentences."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence

from scriptrun.environments.base import Log, Stop, Stopped
from scriptrun.environments.pip_settings import as_uv_variables
from scriptrun.environments.uv_errors import (
    UNNAMED,
    another_python_may_do,
    explain,
    other_versions_may_do,
    redact,
)
from scriptrun.spec.errors import EnvironmentException

#: lines of uv that would mislead: its place is a relative one, and nobody is to activate it
_UNTOLD = ("Creating virtual environment at", "Activate with:", "Using Python ")


class UvFailure(EnvironmentException):
    """uv ended with an error.

    ``another_python_may_do``: it may lie at the Python's version; ``other_versions_may_do``: at the
    packages' versions.
    """

    another_python_may_do = False
    other_versions_may_do = False

    def name_package(self, direct: Sequence[str]) -> None:
        """Say which package it was where uv did not: one of those given by path or address."""
        if direct:
            names = " or ".join(f"'{line}'" for line in direct)
            self.message = self.message.replace(UNNAMED, redact(names), 1)


def binary() -> str:
    """The path of uv: that of the ``uv`` package, else beside this Python, else on PATH."""
    try:
        import uv

        return os.fspath(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        beside = os.path.join(os.path.dirname(sys.executable), "uv")
        path = beside if os.path.exists(beside) else shutil.which("uv")
    if not path:
        raise EnvironmentException(
            "Environments are built by uv, which is not installed here.",
            "Install it: `pip install uv`.",
        )
    return path


def version() -> str:
    """uv's version as text, from the name of its package's metadata; "" where uv is no package."""
    try:
        import uv
    except ImportError:
        return ""
    site = os.path.dirname(os.path.dirname(os.fspath(uv.__file__)))
    found = glob.glob(os.path.join(glob.escape(site), "uv-*.dist-info"))
    return os.path.basename(found[0]).removesuffix(".dist-info")[3:] if found else ""


def variables(command: Sequence[str]) -> dict[str, str]:
    """What uv sees for ``command``: this process's variables, and what pip is told, in uv's words.

    Python is not downloaded unless the user has set UV_PYTHON_DOWNLOADS. Constraints count when a
    lock is made, not when what was locked is installed.
    """
    made = {"UV_PYTHON_DOWNLOADS": "never", **as_uv_variables(), **os.environ}
    unwanted = {"VIRTUAL_ENV", "CONDA_PREFIX"}
    if "compile" not in command:
        unwanted |= {"UV_CONSTRAINT", "UV_OVERRIDE"}
    return {name: value for name, value in made.items() if name not in unwanted}


def run(arguments: Sequence[str], cwd: str, log: Log, stop: Stop) -> str:
    """Run uv to its end; what it wrote to stdout. Its other lines go to ``log`` as they come.

    Raises EnvironmentException with the package and the reason where uv fails, Stopped where
    ``stop`` said so.
    """
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [binary(), *arguments],
            cwd=cwd,
            env=variables(arguments),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
        )
        lines = _follow(process, log, stop)
        if process.returncode != 0:
            failure = UvFailure(*explain(lines))
            failure.another_python_may_do = another_python_may_do(lines)
            failure.other_versions_may_do = other_versions_may_do(lines)
            raise failure
        out.seek(0)
        return out.read().decode("utf-8", "replace")


def _follow(process: subprocess.Popen[bytes], log: Log, stop: Stop) -> list[str]:
    ended, stopped = threading.Event(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(process, stop, ended, stopped), daemon=True)
    watcher.start()
    lines: list[str] = []
    try:
        assert process.stderr is not None
        for raw in process.stderr:
            line = redact(re.sub(r"\x1b\[[0-9;]*m", "", raw.decode("utf-8", "replace")).rstrip())
            lines.append(line)
            if not line.startswith(_UNTOLD):
                log(line)
        process.wait()
    except BaseException:
        process.kill()
        raise
    finally:
        ended.set()
        if process.stderr is not None:
            process.stderr.close()
        process.wait()
    if stopped.is_set():
        raise Stopped("Building the environment was stopped.")
    return lines


def _watch(
    process: subprocess.Popen[bytes], stop: Stop, ended: threading.Event, stopped: threading.Event
) -> None:
    while not ended.wait(0.1):
        if stop():
            stopped.set()
            process.terminate()
            if not ended.wait(5):
                process.kill()
            return
