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

from scriptrun.environments.builder import Log, Stop, Stopped
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.spec.errors import EnvironmentException

_NO = ("never", "manual", "false")


def obtain(wanted: str | None, log: Log, stop: Stop) -> tuple[Python, str]:
    """The interpreter for ``wanted``, downloaded with uv if it is missing, and a note or "".

    Raises EnvironmentException, which names the installed versions, if it is unavailable.
    """
    lacking = interpreter_discovery.missing(wanted)
    version = offered(wanted or "") if lacking else ""
    if version:
        log(f"Python {wanted} is not installed; downloading {version} with uv.")
        try:
            uv_tool.run(["python", "install", version], os.getcwd(), log, stop, _settings())
        except Stopped:
            raise
        except EnvironmentException as failure:
            raise _not_brought(lacking, version, failure) from None
    return interpreter_discovery.choose(wanted)


def trouble(wanted: str | None) -> str:
    """Why ``wanted`` is neither installed nor downloadable, and what to do, or ""."""
    lacking = interpreter_discovery.missing(wanted)
    if not lacking or offered(wanted or ""):
        return ""
    return f"{lacking} {_why_not()}{interpreter_discovery.hint(wanted)}"


def offered(wanted: str) -> str:
    """The newest version that uv can download for ``wanted``; "" for none."""
    if not allowed() or not interpreter_discovery.is_version(wanted):
        return ""
    fitting = [each for each in _downloads() if interpreter_discovery.fits(wanted, each)]
    return ".".join(map(str, max(fitting))) if fitting else ""


def allowed() -> bool:
    """Whether the user's settings allow Python downloads."""
    offline = os.environ.get("UV_OFFLINE", "").lower() in ("1", "true", "yes")
    return not offline and os.environ.get("UV_PYTHON_DOWNLOADS", "").lower() not in _NO


def _why_not() -> str:
    if os.environ.get("UV_PYTHON_DOWNLOADS", "").lower() in _NO:
        return f"UV_PYTHON_DOWNLOADS={os.environ['UV_PYTHON_DOWNLOADS']} disables downloads. "
    return "" if allowed() else "UV_OFFLINE disables downloads. "


def _downloads() -> list[tuple[int, ...]]:
    """The CPython releases that uv can download for this machine."""
    return _listed(os.environ.get("UV_PYTHON_DOWNLOADS_JSON_URL", ""))


@functools.cache
def _listed(source: str) -> list[tuple[int, ...]]:
    words = [uv_tool.binary(), "python", "list", "--only-downloads", "--all-versions"]
    words += ["--no-config", "--output-format", "json"]
    environ = {**uv_tool.variables(words), **_settings()}
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=environ, timeout=60)
        found = json.loads(done.stdout or "[]")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    return [
        tuple(map(int, each["version"].split(".")))
        for each in found
        if each["implementation"] == "cpython"
        and each.get("variant", "default") == "default"
        and each["version"].replace(".", "").isdigit()
    ]


def _settings() -> dict[str, str]:
    """uv's settings for an explicit download: no links in the user's PATH."""
    return {"UV_PYTHON_DOWNLOADS": "manual", "UV_PYTHON_INSTALL_BIN": "0"}


def _not_brought(lacking: str, version: str, failure: EnvironmentException) -> EnvironmentException:
    return EnvironmentException(
        f"{lacking} uv failed to download {version}: {failure.message}",
        "Request an installed version, install it by other means (pyenv, system package), or "
        "set a mirror with UV_PYTHON_INSTALL_MIRROR.",
    )
