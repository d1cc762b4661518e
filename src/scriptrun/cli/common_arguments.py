"""Arguments shared by several commands, and the runs that they select."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Mapping

from scriptrun.cli import workspace_here
from scriptrun.cli.terminal import output, spinner
from scriptrun.core.run import Run
from scriptrun.runs import details
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec.errors import ScriptrunError, UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace
    from scriptrun.runtime.hints import Json

    #: a subcommand's JSON document, and its text or what prints it
    VerbResult = tuple[Json, str | Callable[[], None]]


#: on a terminal, while runs are looked up: the first time, all of them are read
INDEXING = "Indexing runs"


def run_argument(parser: argparse.ArgumentParser, subject: str = "run") -> None:
    """Add the optional argument RUN; ``subject`` begins its help text."""
    parser.add_argument(
        "run_name",
        metavar="RUN",
        nargs="?",
        help=f"{subject}: ID, unique ID prefix, name, latest or best:METRIC (default: latest)",
    )


def runs_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments RUN... and --query, which select several runs; see ``find_runs``."""
    parser.add_argument(
        "run_names",
        metavar="RUN",
        nargs="*",
        help="runs: IDs, unique ID prefixes, names, latest or best:METRIC (default: latest)",
    )
    parser.add_argument(
        "-q",
        "--query",
        metavar="QUERY",
        help="select the runs that match a query; see scriptrun list --help",
    )


def json_argument(parser: argparse._ActionsContainer, is_subcommand: bool = False) -> None:
    """Add --json; a subcommand's keeps what was given before the subcommand."""
    default = argparse.SUPPRESS if is_subcommand else False
    parser.add_argument("--json", action="store_true", default=default, help="print JSON")


def find_run(args: argparse.Namespace) -> Run:
    """Return the selected run. Raises UserErrorException if none matches, or several do."""
    workspace = workspace_here.require()
    with spinner.show_status(INDEXING):
        return Run.find(workspace, args.run_name)


def title_of(workspace: Workspace, run_id: str) -> str:
    """The name of the run with this ID, with the ID; only the ID if the run cannot be read."""
    folder = workspace.find_run(run_id) if run_id else None
    try:
        return run_id if folder is None else details.title(Run.at(workspace, folder))
    except ScriptrunError:
        return run_id


def name_of(workspace: Workspace, run_id: str) -> str:
    """The name of the run with this ID; its short name if it cannot be read."""
    folder = workspace.find_run(run_id)
    try:
        return (
            short_name(run_id) if folder is None else details.shown_name(Run.at(workspace, folder))
        )
    except ScriptrunError:
        return short_name(run_id)


def find_runs(args: argparse.Namespace) -> list[Run]:
    """Return the runs that ``runs_arguments`` select, each once; a query may select none.

    Raises UserErrorException for RUN with --query, and if a RUN matches no run, or several.
    """
    workspace = workspace_here.require()
    if args.query is None:
        with spinner.show_status(INDEXING):
            runs = [Run.find(workspace, name) for name in args.run_names or [None]]
        return list({run.id: run for run in runs}.values())
    if args.run_names:
        raise UserErrorException("RUN and --query cannot be combined.", "Give one of them.")
    with spinner.show_status(INDEXING):
        return list(workspace.runs(args.query))


def add_verbs(
    parser: argparse.ArgumentParser,
    verbs: Mapping[str, tuple[str, str]],
    adders: Mapping[str, Callable[[argparse.ArgumentParser], None]],
    without_json: tuple[str, ...] = (),
) -> None:
    """Add a subcommand for each of ``verbs``; ``adders`` add the arguments of each."""
    json_argument(parser)
    subparsers = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for name, (line, _) in verbs.items():
        verb = subparsers.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        adders[name](verb)
        if name not in without_json:
            json_argument(verb, is_subcommand=True)


def run_verb(args: argparse.Namespace, verbs: Mapping[str, tuple[str, str]]) -> Json | None:
    """Run the subcommand ``args.verb``, print its result, and return it as a JSON document.

    ``verbs`` maps each subcommand to the module of this package that implements it. The function
    has the subcommand's name (``list_all`` for ``list``, the default) and returns the JSON document
    with its text, or with a function that prints it; or None if it has printed all itself.
    """
    verb = args.verb or "list"
    module = importlib.import_module(f"scriptrun.cli.{verbs[verb][1]}")
    function = getattr(module, "list_all" if verb == "list" else verb)
    result: VerbResult | None = function(workspace_here.current(), args)
    if result is None:
        return None
    value, text = result
    if args.json:
        output.print_json(value)
    elif callable(text):
        text()
    elif text:
        print(text)
    return value
