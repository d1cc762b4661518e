"""The version that old code asks for."""

from __future__ import annotations

#: the last SDK v1, whose names these are
VERSION = "1.61.0"
__version__ = VERSION
