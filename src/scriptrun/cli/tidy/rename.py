"""Change a run's display name.

Commands then find the run by its new name.

  scriptrun rename RUN baseline
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.runs import find, marks
from scriptrun.spec.control_characters import escape, one_line
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("run_name", metavar="RUN", help="ID, unique ID prefix or display name")
    add("name", metavar="NAME", help="new display name")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Rename the run and return the exit code."""
    workspace = workspace_here.require()
    _check(args.name)
    selected = Run.find(workspace, args.run_name)
    marks.refuse_removed(selected.path, "renamed")
    _check_free(workspace, args.name, selected)
    selected.display_name = args.name
    if args.json:
        output.print_json({"id": selected.id, "name": args.name})
    else:
        print(one_line(f"{selected.id}: renamed to {args.name}"))
    return 0


def _check(name: str) -> None:
    """Raise UserErrorException for a name that nobody could type or read."""
    if not name.strip() or name != name.strip():
        problem = "it is empty" if not name.strip() else "it begins or ends with a space"
        raise UserErrorException(f"Invalid display name {name!r}: {problem}.")
    if escape(name) != name or "\n" in name:
        raise UserErrorException(
            f"Invalid display name {name!r}: it contains control characters.",
            "Use letters, digits, spaces and punctuation.",
        )


def _check_free(workspace: Workspace, name: str, selected: Run) -> None:
    """Warn if another run has the name; refuse the ID of another run, which would hide the name."""
    if workspace.find_run(name) not in (None, selected.path):
        raise UserErrorException(
            f"Invalid display name {name!r}: it is the ID of another run.", "Use another name."
        )
    index = find.open_index(workspace)
    try:
        others = [each for each in index.ids_named(name) if each != selected.id]
    finally:
        index.close()
    if others:
        cli_errors.say(
            f"warning: run {others[0]} is named {name!r}, too. The name means the later run."
        )
