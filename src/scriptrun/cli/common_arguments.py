"""Arguments that several commands have, and the workspace and runs that they mean."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Mapping

from scriptrun.cli import workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run_argument(parser: Any, what: str = "run") -> None:
    """Add RUN, which may be left out."""
    parser.add_argument(
        "run_name",
        metavar="RUN",
        nargs="?",
        help=f"{what}: ID, unique ID prefix or display name (default: latest)",
    )


def json_argument(parser: Any) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run_of(args: argparse.Namespace) -> Run:
    """The run that the user means. Raises UserErrorException when there is none, or several."""
    return Run.find(workspace_here.existing(), args.run_name)


def add_verbs(
    parser: Any,
    verbs: Mapping[str, tuple[str, str]],
    adders: Mapping[str, Callable[[Any], None]],
    without_json: tuple[str, ...] = (),
) -> None:
    """Add a parser for each of ``verbs``, by its line; ``adders`` add its arguments."""
    added = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for name, (line, _) in verbs.items():
        verb = added.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        adders[name](verb)
        if name not in without_json:
            json_argument(verb)


def do_verb(args: argparse.Namespace, verbs: Mapping[str, tuple[str, str]]) -> Any:
    """Do what the verb of ``args`` says, print its answer, and return that as a JSON value.

    ``verbs`` names for each the module of this package that does it; its function is named like
    the verb (``list_all`` for ``list``, which is meant where none is given), and gives the value
    and its text, or what prints that.
    """
    verb = args.verb or "list"
    module = importlib.import_module(f"scriptrun.cli.{verbs[verb][1]}")
    value, text = getattr(module, "list_all" if verb == "list" else verb)(
        workspace_here.here(), args
    )
    if getattr(args, "json", False):
        output.as_json(value)
    elif callable(text):
        text()
    elif text:
        print(text)
    return value
