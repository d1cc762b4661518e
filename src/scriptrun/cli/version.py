"""Print the version."""

from __future__ import annotations

import argparse

import scriptrun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def arguments(parser: Any) -> None:
    """Add no arguments."""


def run(args: argparse.Namespace) -> int:
    """Print the version and return the exit code."""
    print(f"scriptrun {scriptrun.__version__}")
    return 0
