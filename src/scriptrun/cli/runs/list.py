"""List runs, newest first.

A QUERY selects runs by their state, parameters, metrics, tags and more. Quote it, because < and >
are special in a shell. Archived and removed runs are hidden, unless the query is about them.

Operators: = != < <= > >= ~ (contains) !~ and or not in (A, B). A time is -2d, -3h, today, yesterday
or 2024-05-01. Fields: id, name, short_name, experiment, state, reason, exit_code, submitted,
started, ended, duration, waited, script, arguments, target, user, kind, parent, note, archived,
pinned, removed (true or false), params.NAME, metrics.NAME (the last value), min.NAME, max.NAME,
tags.NAME, properties.NAME.

examples:
  scriptrun list failed
  scriptrun list "queued or preparing"
  scriptrun list alpha=0.3
  scriptrun list "state=failed and params.alpha>0.1 and submitted>-2d"
  scriptrun list "metrics.loss<0.5 and tags.team~vis" --sort -metrics.accuracy --limit 5
  scriptrun list --columns id,params.alpha,metrics.loss
  scriptrun list --group-by params.model
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.runs import columns, groups, question
from scriptrun.cli.terminal import csv_text, output, streams
from scriptrun.query import fields, tree
from scriptrun.query.fields import Field
from scriptrun.runs.search import FoundRun, Search
from scriptrun.spec import ids, states
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from scriptrun.cli.parsers import Parser
    from scriptrun.cli.runs.question import Question
    from scriptrun.core.workspace import Workspace

_ACTIVE = tree.Not(
    tree.Or(
        tuple(
            tree.Comparison(fields.known("state"), tree.EQUAL, state)
            for state in sorted(states.TERMINAL)
        )
    )
)
#: seconds between two refreshes with --watch
_WATCH_SECONDS = 2.0


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.signed_options = ("--sort",)
    question.arguments(parser)
    add = parser.add_argument
    add("--sort", metavar="FIELDS", help="sort by fields; for descending order: -FIELD")
    add("--columns", metavar="FIELDS", help="show these fields, separated by commas")
    add("--group-by", metavar="FIELD", help="count runs and summarize metrics by a field")
    add(
        "-l",
        "--limit",
        metavar="N",
        type=int,
        default=50,
        help="number of runs to show (default: 50)",
    )
    add("-a", "--all", action="store_true", help="show all runs")
    add("--children", action="store_true", help="include child runs")
    hidden = parser.add_mutually_exclusive_group()
    hidden.add_argument("--archived", action="store_true", help="list the archived runs")
    hidden.add_argument("--removed", action="store_true", help="list the removed runs")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--watch", action="store_true", help="refresh until all runs have ended")
    common_arguments.json_argument(formats)
    formats.add_argument("--csv", action="store_true", help="print CSV")


def run(args: argparse.Namespace) -> int:
    """Print the runs and return the exit code."""
    question.check_limit(args.limit)
    _check_conflicts(args)
    workspace = workspace_here.require()
    if args.watch:
        return _watch(workspace, args)
    with question.open_search(workspace) as index:
        _show(index, args)
    return 0


def _check_conflicts(args: argparse.Namespace) -> None:
    if args.columns and args.group_by:
        raise UserErrorException("--columns cannot be combined with --group-by.")
    if args.watch and not output.is_terminal():
        raise UserErrorException(
            "--watch requires a terminal.", "To wait for runs, use: scriptrun wait --query QUERY"
        )


def _watch(workspace: Workspace, args: argparse.Namespace) -> int:
    """Refresh the list until all runs have ended or Ctrl-C is pressed."""
    args.limit, args.all = max(1, min(args.limit, output.lines() - 3)), False
    try:
        while True:
            with question.open_search(workspace) as index:
                found = _show(index, args, "\x1b[H\x1b[2J")
            if all(states.is_terminal(each.row.state) for each in found):
                return 0
            sys.stdout.flush()
            time.sleep(_WATCH_SECONDS)
    except KeyboardInterrupt:
        return 0


def _show(index: Search, args: argparse.Namespace, clear: str = "") -> list[FoundRun]:
    """Print what is asked for, after the control sequence ``clear``.

    Return the runs that are shown; of groups, one that is still active, if any.
    """
    asked = question.parse(index, args)
    if asked.group_by is not None:
        streams.raw(sys.stdout).write(clear)
        by = asked.group_by
        groups.show(groups.group(index, asked.node, by, asked.mentioned, args.children), args)
        return index.runs(tree.And((asked.node, _ACTIVE)), limit=1, children=args.children)
    limit = None if args.all else args.limit
    fetched = index.runs(asked.node, asked.sort, limit and limit + 1, args.children)
    found = fetched[:limit]
    streams.raw(sys.stdout).write(clear)
    if args.json:
        record = importlib.import_module("scriptrun.cli.runs.record")
        output.print_json({"runs": [record.of_found(each) for each in found]})
    elif args.csv:
        print(as_csv(found, asked.columns), end="")
    elif not found:
        print(question.no_match(index, asked, args.children))
    else:
        _print_table(index, found, asked)
        if len(fetched) > len(found):
            which = "first" if asked.sort else "latest"
            count = f"{limit} runs" if len(found) > 1 else "run"
            cli_errors.say(f"Showing the {which} {count}. Use --all to show all.")
    return found


def _print_table(index: Search, found: list[FoundRun], asked: Question) -> None:
    handles = question.handles(index, found) if output.is_terminal() else columns.Handles()
    if asked.columns:
        columns.chosen(found, asked.columns, handles).print()
    else:
        columns.table(found, asked.mentioned, handles).print()


def as_csv(found: list[FoundRun], chosen: Sequence[Field] = (), first: Sequence[Field] = ()) -> str:
    """The runs as CSV: the columns ``chosen``, else all after those in ``first``.

    Times are ISO 8601 in UTC.
    """
    now = time.time()
    wanted = list(chosen) or [*first, *map(fields.known, fields.FIELDS)]
    if not chosen:
        spaces = {
            fields.PARAMS: [name for run in found for name in run.named.params],
            fields.METRICS: [name for run in found for name in run.named.metrics],
            fields.TAGS: [name for run in found for name in run.row.tags],
        }
        named = [Field(space, name) for space, names in spaces.items() for name in names]
        wanted += dict.fromkeys(named)
    rows = [{each.text: _csv_value(run, each, now) for each in wanted} for run in found]
    return csv_text.as_csv([each.text for each in wanted], rows)


def _csv_value(run: FoundRun, field: Field, now: float) -> object:
    value = run.value(field, now)
    if isinstance(value, float) and field.kind == fields.TIME:
        return ids.utc(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
