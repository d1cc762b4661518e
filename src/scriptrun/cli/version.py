"""Print the version."""

from __future__ import annotations

import argparse
import platform

import scriptrun
from scriptrun.cli import common_arguments
from scriptrun.cli.terminal import output


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the version and return the exit code."""
    if args.json:
        output.print_json({"version": scriptrun.__version__, "python": platform.python_version()})
    else:
        print(f"scriptrun {scriptrun.__version__}")
    return 0
