"""Change a run's display name.

Commands then find the run by its new name.

examples:
  scriptrun rename RUN baseline
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.options import run_name
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.runs import details, find, marks
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("run_name", metavar="RUN", help="run: ID, unique ID prefix, name, latest or best:METRIC")
    add("name", metavar="NAME", help="new display name")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Rename the run and return the exit code."""
    workspace = workspace_here.require()
    selected = Run.find(workspace, args.run_name)
    if args.name != selected.id:
        run_name.check(workspace, args.name)
    before = details.title(selected)
    marks.refuse_removed(selected, "renamed")
    _check_free(workspace, args.name, selected)
    selected.display_name = args.name
    if args.json:
        output.print_json({"id": selected.id, "name": args.name})
    else:
        print(one_line(f"{before}: renamed to {args.name}"))
    return 0


def _check_free(workspace: Workspace, name: str, selected: Run) -> None:
    """Warn if another run has the name; refuse another's short name, which it would hide."""
    index = find.open_index(workspace)
    try:
        others = [each for each in index.ids_named(name) if each != selected.id]
        short = [each for each in index.ids_short_named(name) if each != selected.id]
    finally:
        index.close()
    if short:
        raise UserErrorException(
            f"Invalid display name {name!r}: it is the short name of run {short[0]}.",
            "Use another name.",
        )
    if others:
        cli_errors.say(
            f"warning: run {others[0]} is named {name!r}, too. The name means the later run."
        )
