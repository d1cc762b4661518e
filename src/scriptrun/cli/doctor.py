"""Check this machine for problems.

With --fsck, check instead that every file of the workspace and of this machine's cache is readable
and whole: runs, snapshots, models, datasets, lockfiles, registries and secrets. It may run while
jobs do, changes nothing, and names each damaged file with what to do about it.

Exits with code 1 if a requirement is missing or a file is damaged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.options import default_python
from scriptrun.cli.terminal import output
from scriptrun.diagnostics import fsck, machine


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--fsck", action="store_true", help="check the workspace's files for damage instead"
    )
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the checks and return the exit code."""
    workspace = workspace_here.current()
    if args.fsck:
        checks = fsck.checks(workspace)
    else:
        python, _ = default_python.choose(Path.cwd(), workspace.root)
        checks = machine.checks(workspace, python)
    made = []
    for check in checks:
        made.append(check)
        if not args.json:
            output.print_check(check)
    if args.json:
        output.print_json({"checks": [check.as_dict() for check in made]})
    return 1 if any(check.verdict == "bad" for check in made) else 0
