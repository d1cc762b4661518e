"""Check this machine for problems.

Exits with code 1 if a requirement is missing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.options import default_python
from scriptrun.cli.terminal import output
from scriptrun.diagnostics import machine


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the checks and return the exit code."""
    workspace = workspace_here.current()
    python, _ = default_python.choose(Path.cwd(), workspace.root)
    checks = list(machine.checks(workspace, python))
    if args.json:
        output.print_json([check.as_dict() for check in checks])
    else:
        for check in checks:
            output.print_check(check)
    return 1 if any(check.verdict == "bad" for check in checks) else 0
