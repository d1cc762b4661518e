"""Show the runs with the best values of a metric.

Compares the best value that each run logged, child runs of sweeps included. Without --min or --max,
the goal of a sweep decides whether low or high values are good, else the metric's name does. For
the syntax of QUERY, see scriptrun list --help.

examples:
  scriptrun best accuracy
  scriptrun best val/loss "submitted>-7d and params.model=resnet" --limit 10
  scriptrun best score --min
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.runs import columns, question, record
from scriptrun.cli.runs import list as listing
from scriptrun.cli.terminal import output
from scriptrun.runs import best, metric_goals
from scriptrun.runs.search import FoundRun, Search

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.parsers import Parser
    from scriptrun.query.fields import Field
    from scriptrun.runtime.hints import Json


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("metric", metavar="METRIC", help="metric to compare runs by")
    question.arguments(parser)
    direction = parser.add_mutually_exclusive_group()
    direction.add_argument("--min", action="store_true", help="low values are good")
    direction.add_argument("--max", action="store_true", help="high values are good")
    add(
        "-l",
        "--limit",
        metavar="N",
        type=int,
        default=5,
        help="number of runs to show (default: 5)",
    )
    formats = parser.add_mutually_exclusive_group()
    common_arguments.json_argument(formats)
    formats.add_argument("--csv", action="store_true", help="print CSV")
    parser.set_defaults(sort=None, columns=None, group_by=None)


def run(args: argparse.Namespace) -> int:
    """Print the best runs and return the exit code: 1 if no run logged the metric."""
    question.check_limit(args.limit)
    with question.open_search(workspace_here.require()) as index:
        name = best.metric(index, args.metric)
        asked = question.parse(index, args)
        goal = _goal(index, name, args)
        found = best.runs(index, name, goal, args.limit, asked.node)
        handles = question.handles(index, found) if output.is_terminal() else columns.Handles()
    field = goal.field(name)
    if args.json:
        records = [_record(each, field) for each in found]
        output.print_json({"metric": name, "goal": goal.goal, "runs": records})
    elif args.csv:
        print(listing.as_csv(found, first=[field]), end="")
    elif not found:
        print(f"No matching runs logged a number named {name!r}.")
    else:
        cli_errors.say(f"{'Highest' if goal.maximizes else 'Lowest'} {name} first ({goal.why}).")
        columns.ranked(found, field, asked.mentioned, handles).print()
    return 0 if found else 1


def _goal(index: Search, name: str, args: argparse.Namespace) -> best.Goal:
    """Whether low or high values are good, and why."""
    if args.min or args.max:
        goal = metric_goals.MINIMIZE if args.min else metric_goals.MAXIMIZE
        return best.Goal(goal, "--min" if args.min else "--max")
    known = best.goal_of(index, name)
    if known is None:
        return best.Goal(metric_goals.MAXIMIZE, "assumed; use --min for the lowest")
    other = "--min for the lowest" if known.maximizes else "--max for the highest"
    return known.replace(why=f"{known.why}; use {other}")


def _record(found: FoundRun, field: Field) -> Json:
    return {**record.of_found(found), "best": found.value(field, 0.0)}
