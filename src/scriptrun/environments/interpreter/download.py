"""Download Pythons that are missing on this machine with uv.

uv's own settings apply (https://docs.astral.sh/uv/concepts/python-versions/):
``UV_PYTHON_DOWNLOADS`` (default ``automatic``; other values disable downloads), ``UV_OFFLINE``, and
the source and target of downloads (``UV_PYTHON_INSTALL_MIRROR``, ``UV_PYTHON_DOWNLOADS_JSON_URL``,
``UV_PYTHON_INSTALL_DIR``).
"""

from __future__ import annotations

import functools
import json
import os
import subprocess

from scriptrun.environments.builder import BuildCanceled, Log, Stop
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.spec.errors import EnvironmentException

_DISABLED = ("never", "manual", "false")


def obtain(requested: str | None, log: Log, stop: Stop) -> tuple[Python, str]:
    """The interpreter for ``requested``, downloaded with uv if it is missing, and a note or "".

    Raises EnvironmentException, which names the installed versions, if it is unavailable.
    """
    problem = interpreter_discovery.missing(requested)
    version = offered(requested or "") if problem else ""
    if version:
        log(f"Python {requested} is not installed; downloading {version} with uv.")
        try:
            with uv_tool.own_folder("python") as folder:
                uv_tool.run(["python", "install", version], folder, log, stop, _settings())
        except BuildCanceled:
            raise
        except EnvironmentException as failure:
            raise _download_error(problem, version, failure) from None
    return interpreter_discovery.choose(requested)


def unobtainable_problem(requested: str | None) -> str:
    """Why ``requested`` is neither installed nor downloadable, and what to do, or ""."""
    missing = interpreter_discovery.missing(requested)
    if not missing or offered(requested or ""):
        return ""
    return f"{missing.rstrip('.')}. {_why_disabled()}{interpreter_discovery.hint(requested)}"


def offered(requested: str) -> str:
    """The newest version that uv can download for ``requested``; "" for none."""
    if not downloads_allowed() or not interpreter_discovery.is_version(requested):
        return ""
    versions = [
        version for version in _known_versions() if interpreter_discovery.fits(requested, version)
    ]
    return ".".join(map(str, max(versions))) if versions else ""


def downloads_allowed() -> bool:
    """Whether the user's settings allow Python downloads."""
    offline = os.environ.get("UV_OFFLINE", "").lower() in ("1", "true", "yes")
    return not offline and os.environ.get("UV_PYTHON_DOWNLOADS", "").lower() not in _DISABLED


def _why_disabled() -> str:
    if os.environ.get("UV_PYTHON_DOWNLOADS", "").lower() in _DISABLED:
        return f"UV_PYTHON_DOWNLOADS={os.environ['UV_PYTHON_DOWNLOADS']} disables downloads. "
    return "" if downloads_allowed() else "UV_OFFLINE disables downloads. "


def _known_versions() -> list[tuple[int, ...]]:
    """The CPython releases that uv can download for this machine."""
    return _list_downloads(os.environ.get("UV_PYTHON_DOWNLOADS_JSON_URL", ""))


@functools.cache
def _list_downloads(source: str) -> list[tuple[int, ...]]:
    command = [uv_tool.binary(), "python", "list", "--only-downloads", "--all-versions"]
    command += ["--no-config", "--output-format", "json"]
    environ = {**uv_tool.variables(command), **_settings()}
    try:
        result = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60)
        downloads = json.loads(result.stdout or "[]")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    return [
        tuple(map(int, download["version"].split(".")))
        for download in downloads
        if download["implementation"] == "cpython"
        and download.get("variant", "default") == "default"
        and download["version"].replace(".", "").isdigit()
    ]


def _settings() -> dict[str, str]:
    """uv's settings for an explicit download: no links in the user's PATH."""
    return {"UV_PYTHON_DOWNLOADS": "manual", "UV_PYTHON_INSTALL_BIN": "0"}


def _download_error(
    reason: str, version: str, failure: EnvironmentException
) -> EnvironmentException:
    return EnvironmentException(
        f"{reason} uv failed to download {version}: {failure.message}",
        "Request an installed version, install it by other means (pyenv, system package), or "
        "set a mirror with UV_PYTHON_INSTALL_MIRROR.",
    )
