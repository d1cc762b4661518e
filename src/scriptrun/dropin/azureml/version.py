"""The SDK version that old code checks."""

from __future__ import annotations

#: the last version of the SDK v1
VERSION = "1.61.0"
__version__ = VERSION
