"""Print the version."""

from __future__ import annotations

import argparse

import scriptrun


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def run(args: argparse.Namespace) -> int:
    """Print the version and return the exit code."""
    print(f"scriptrun {scriptrun.__version__}")
    return 0
