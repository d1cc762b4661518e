"""mfusepy over the newest libfuse of this system."""

from __future__ import annotations

import ctypes
import importlib
import os
from typing import Any

#: libfuse 3 by the names of its library; mfusepy by itself takes libfuse 2 where both are there
_NAMES = ("libfuse3.so.4", "libfuse3.so.3")
_VARIABLE = "FUSE_LIBRARY_PATH"


def load() -> Any:
    """The module mfusepy; what FUSE_LIBRARY_PATH or FUSE_LIBRARY_NAME say is heeded.

    Raises ImportError where it is not installed, OSError where there is no libfuse.
    """
    name = "" if _VARIABLE in os.environ or "FUSE_LIBRARY_NAME" in os.environ else _newest()
    if name:
        os.environ[_VARIABLE] = name
    try:
        return importlib.import_module("mfusepy")
    finally:
        if name:
            del os.environ[_VARIABLE]


def _newest() -> str:
    """The first of the names that can be loaded, or ""."""
    for name in _NAMES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return ""
