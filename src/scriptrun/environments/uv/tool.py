"""Run uv: find its binary, set its variables, log its output, turn its errors into messages."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from scriptrun.environments import build_process
from scriptrun.environments.builder import Log, Stop
from scriptrun.environments.uv import index_credentials, metadata_overrides
from scriptrun.environments.uv.errors import (
    UNNAMED,
    another_python_may_help,
    explain,
    other_versions_may_help,
    redact,
    unbuilt,
)
from scriptrun.environments.uv.index_settings import as_uv_variables
from scriptrun.runtime import files
from scriptrun.spec import tool_python
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import scratch

#: lines of uv that would mislead: relative paths, and hints to activate the environment
_HIDDEN_LINES = ("Creating virtual environment at", "Activate with:", "Using Python ")


class UvError(EnvironmentException):
    """uv failed.

    ``another_python_may_help`` and ``other_versions_may_help``: whether the Python version or the
    package versions may be the cause. ``unbuilt`` is the package that failed to build.
    """

    another_python_may_help = False
    other_versions_may_help = False
    unbuilt = ""

    def name_package(self, direct: Sequence[str]) -> None:
        """Name the package if uv did not: one of those given by path or URL."""
        if direct:
            names = " or ".join(f"'{line}'" for line in direct)
            self.message = self.message.replace(UNNAMED, redact(names), 1)


def binary() -> str:
    """The path of uv: from the ``uv`` package, else next to this Python, else on PATH."""
    try:
        import uv

        return os.fspath(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        sibling = os.path.join(os.path.dirname(tool_python.path()), "uv")
        path = sibling if os.path.exists(sibling) else shutil.which("uv")
    if not path:
        raise EnvironmentException(
            "Building environments requires uv, which is not installed.",
            "Run: pip install uv",
        )
    return path


def version() -> str:
    """uv's version from its package's metadata; "" if uv is not installed as a package."""
    try:
        import uv
    except ImportError:
        return ""
    site = os.path.dirname(os.path.dirname(os.fspath(uv.__file__)))
    metadata = glob.glob(os.path.join(glob.escape(site), "uv-*.dist-info"))
    return os.path.basename(metadata[0]).removesuffix(".dist-info")[3:] if metadata else ""


def variables(command: Sequence[str]) -> dict[str, str]:
    """uv's variables for ``command``: this process's own, and pip's settings translated for uv.

    Python is not downloaded unless the user has set UV_PYTHON_DOWNLOADS. Constraints apply when
    locking, not when installing a lockfile. Index URLs have their secrets filled in.
    """
    environ = {"UV_PYTHON_DOWNLOADS": "never", **as_uv_variables(), **os.environ}
    environ = index_credentials.with_index_secrets(environ)
    excluded = {"VIRTUAL_ENV", "CONDA_PREFIX"}
    if "compile" not in command:
        excluded |= {"UV_CONSTRAINT", "UV_OVERRIDE"}
    return {name: value for name, value in environ.items() if name not in excluded}


@contextlib.contextmanager
def own_folder(kind: str) -> Iterator[str]:
    """A temporary folder to run uv in, where it finds nobody's settings but the user's own."""
    with scratch.Scratch(kind) as folder:
        end_search(folder)
        yield folder


def end_search(folder: str) -> None:
    """Have uv look for a project's settings in ``folder`` and no longer above it.

    Above a temporary folder, in /tmp, every user can put some. The settings in it only tell uv
    what it cannot read.
    """
    settings = metadata_overrides.settings().encode()
    files.write_atomic(os.path.join(folder, "uv.toml"), settings, durable=False)


def run(
    arguments: Sequence[str],
    cwd: str,
    log: Log,
    stop: Stop,
    secrets: Mapping[str, str] | None = None,
) -> str:
    """Run uv and return its stdout; the lines of its stderr go to ``log`` as they appear.

    ``secrets`` are extra variables, whose values are masked in the output. Raises
    EnvironmentException with the package and the reason if uv fails or exceeds the time limit, and
    BuildCanceled if ``stop`` returns true.
    """
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [binary(), *arguments],
            cwd=cwd,
            env={**variables(arguments), **(secrets or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
        )
        lines = _read_lines(process, log, stop, index_credentials.values_to_mask(secrets or {}))
        if process.returncode != 0:
            failure = UvError(*explain(lines))
            failure.another_python_may_help = another_python_may_help(lines)
            failure.other_versions_may_help = other_versions_may_help(lines)
            failure.unbuilt = unbuilt(lines)
            raise failure
        out.seek(0)
        return out.read().decode("utf-8", "replace")


def _read_lines(
    process: subprocess.Popen[bytes], log: Log, stop: Stop, masked: Sequence[str]
) -> list[str]:
    watchdog = build_process.Watchdog(process, stop)
    lines: list[str] = []
    try:
        assert process.stderr is not None
        for raw_line in process.stderr:
            line = redact(
                re.sub(r"\x1b\[[0-9;]*m", "", raw_line.decode("utf-8", "replace")).rstrip()
            )
            for value in masked:
                line = line.replace(value, "***")
            lines.append(line)
            if not line.startswith(_HIDDEN_LINES):
                log(line)
        process.wait()
    except BaseException:
        build_process.end(process)
        raise
    finally:
        watchdog.close()
        if process.stderr is not None:
            process.stderr.close()
        process.wait()
    watchdog.raise_if_ended(f"Building {_unfinished_build(lines) or 'the environment'}")
    return lines


def _unfinished_build(lines: Sequence[str]) -> str:
    """The package whose build uv started but did not finish; "" for none."""
    started = re.findall(r"^\s*Building (\S+)", "\n".join(lines), re.MULTILINE)
    finished = re.findall(r"^\s*Built (\S+)", "\n".join(lines), re.MULTILINE)
    return next((name for name in started if name not in finished), "")
