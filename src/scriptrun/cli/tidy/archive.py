"""Hide runs from lists.

Archived runs, with their child runs, appear neither in `scriptrun list` nor in `scriptrun best`,
and are never the latest run. They keep their files, and commands still find them by ID or name.

examples:
  scriptrun archive RUN
  scriptrun archive --query "experiment=digits and submitted<-30d"
  scriptrun list --archived
  scriptrun archive --undo RUN
"""

from __future__ import annotations

import argparse

from scriptrun.cli.tidy import selection
from scriptrun.tracking import run_marks

_WORDS = selection.Words("archive", "archived", "unarchived")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    selection.arguments(parser, _WORDS, "show the runs in lists again")


def run(args: argparse.Namespace) -> int:
    """Archive the runs and return the exit code."""
    return selection.run(args, run_marks.ARCHIVED, _WORDS)
