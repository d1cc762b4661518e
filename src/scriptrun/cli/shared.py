"""Arguments that several commands have, and the workspace and runs that they mean."""

from __future__ import annotations

import argparse

from scriptrun import browsing, opening
from scriptrun.run import Run
from scriptrun.spec.hints import Any


def run_argument(parser: Any, what: str = "the run") -> None:
    """Add RUN, which may be left out."""
    parser.add_argument(
        "run_name",
        metavar="RUN",
        nargs="?",
        help=f"{what}: an id, a unique beginning of one, or a display name (default: the latest)",
    )


def json_argument(parser: Any) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run_of(args: argparse.Namespace) -> Run:
    """The run that the user means. Raises UserErrorException when there is none, or several."""
    return browsing.find(opening.existing(), args.run_name)
