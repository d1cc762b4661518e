"""Create a workspace in the current directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from scriptrun.cli import common_arguments
from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="workspace name (default: directory name)"
    )
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Create the workspace unless it already exists, and return the exit code."""
    name = args.name or Path.cwd().name or "workspace"
    workspace = Workspace.create(name, exist_ok=True)
    if args.json:
        output.print_json({"name": workspace.name, "id": workspace.id, "path": str(workspace.root)})
    else:
        print(f"Workspace {workspace.name!r}: {workspace.directory}")
    return 0
