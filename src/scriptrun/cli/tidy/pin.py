"""Protect runs from prune and remove.

`scriptrun prune` keeps pinned runs, with their child runs and everything that they need to run
again. `scriptrun remove` refuses them without --force.

examples:
  scriptrun pin RUN
  scriptrun list pinned
  scriptrun pin --undo RUN
"""

from __future__ import annotations

import argparse

from scriptrun.cli.tidy import selection
from scriptrun.tracking import run_marks

_WORDS = selection.Words("pin", "pinned", "unpinned")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    selection.arguments(parser, _WORDS, "no longer protect the runs")


def run(args: argparse.Namespace) -> int:
    """Pin the runs and return the exit code."""
    return selection.run(args, run_marks.PINNED, _WORDS)
