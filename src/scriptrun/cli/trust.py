"""Trust a workspace that somebody else owns, or that others can write.

A workspace contains code that runs as the user who opens it, so scriptrun refuses one that others
can change until you trust it. Trust is yours only: it is stored in your settings folder, for this
directory and its present owner. It also lets the settings of a project there run programs.

examples:
  scriptrun trust                      trust the workspace here or above
  scriptrun trust /projects/vision     trust that one
  scriptrun trust --list               show what you trust
  scriptrun trust --remove /projects/vision
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scriptrun.cli import common_arguments
from scriptrun.cli.terminal import output
from scriptrun.registry import trust
from scriptrun.spec import accounts
from scriptrun.spec.errors import UserErrorException


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "directory", metavar="DIR", nargs="?", help="workspace to trust (default: here or above)"
    )
    parser.add_argument("--list", action="store_true", help="list the trusted directories")
    parser.add_argument("--remove", action="store_true", help="no longer trust the directory")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Trust the directory, or list what is trusted, and return the exit code."""
    if args.list:
        _print_trusted(args.json)
        return 0
    root = _root(args.directory, args.remove)
    if args.remove:
        removed = trust.distrust(root)
        message = f"No longer trusting {root}" if removed else f"{root} was not trusted."
    else:
        owner = trust.owner_of(root)
        name = accounts.user_name(owner) if owner is not None else "nobody"
        trust.trust(root)
        message = f"Trusting {root}, which belongs to {name}"
    if args.json:
        output.print_json({"path": str(root), "trusted": trust.is_trusted(root)})
    else:
        print(message)
    return 0


def _print_trusted(as_json: bool) -> None:
    directories = trust.trusted()
    if as_json:
        output.print_json({"directories": directories})
        return
    print("\n".join(directories) if directories else "No trusted directories.")


def _root(directory: str | None, may_be_gone: bool) -> Path:
    """The directory to trust: as given, else the nearest one here or above with a workspace."""
    if directory:
        root = Path(directory).absolute()
        if root.name == trust.DIRECTORY:
            root = root.parent
        if not may_be_gone and not root.is_dir():
            raise UserErrorException(
                f"{directory!r} is not a directory.", "Give the directory of a workspace."
            )
        return root
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / trust.DIRECTORY / "workspace.json").exists():
            return folder
    raise UserErrorException(
        f"No workspace found in {str(here)!r} or its parents.", "Give its directory."
    )
