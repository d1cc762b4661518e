"""mfusepy over the newest libfuse of this system."""

from __future__ import annotations

import ctypes
import importlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

#: the names of libfuse 3; mfusepy would prefer libfuse 2 if both are installed
_NAMES = ("libfuse3.so.4", "libfuse3.so.3")
_VARIABLE = "FUSE_LIBRARY_PATH"


def load() -> ModuleType:
    """Import mfusepy; FUSE_LIBRARY_PATH and FUSE_LIBRARY_NAME take precedence.

    Raises ImportError if it is not installed, and OSError if libfuse is missing.
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
    """The name of the newest libfuse that can be loaded, or ""."""
    for name in _NAMES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return ""
