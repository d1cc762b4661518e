"""Show the runs with the best values of a metric.

The best value that each run logged counts, and child runs of sweeps are included. Whether low or
high values are good follows from a sweep's goal for the metric, else from the metric's name.

  scriptrun best accuracy
  scriptrun best val/loss "submitted>-7d and params.model=resnet" --limit 10
  scriptrun best score --min

For the language of QUERY, see: scriptrun list --help
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
from pathlib import Path

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.runs import columns, question, record
from scriptrun.cli.runs import list as listing
from scriptrun.cli.terminal import output
from scriptrun.query import fields, tree
from scriptrun.query.fields import Field
from scriptrun.runs import metric_goals
from scriptrun.runs.search import FoundRun, Search
from scriptrun.spec import run_kinds, suggestion
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.tracking.index_search import SortKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.cli.parsers import Parser
    from scriptrun.runtime.hints import Json
    from scriptrun.sweeps.record import Sweep

#: how many of the latest sweeps are asked for their goal
_MAX_SWEEPS = 20


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
    with Search(workspace_here.require()) as index:
        name = _metric(index, args.metric)
        asked = question.parse(index, args)
        goal, why = _goal(index, name, args)
        space = fields.HIGHEST if goal == metric_goals.MAXIMIZE else fields.LOWEST
        field = Field(space, name)
        node = tree.And((asked.node, tree.Has(field)))
        sort = [SortKey(field, goal == metric_goals.MAXIMIZE)]
        found = index.runs(node, sort, args.limit, children=True)
        handles = question.handles(index, found) if output.is_terminal() else columns.Handles()
    if args.json:
        records = [_record(each, field) for each in found]
        output.print_json({"metric": name, "goal": goal, "runs": records})
    elif args.csv:
        print(listing.as_csv(found, first=[field]), end="")
    elif not found:
        print(f"No matching runs logged a number named {name!r}.")
    else:
        adjective = "highest" if goal == metric_goals.MAXIMIZE else "lowest"
        cli_errors.say(f"Best {name}: {adjective} ({why}).")
        columns.ranked(found, field, asked.mentioned, handles).print()
    return 0 if found else 1


def _metric(index: Search, text: str) -> str:
    """The metric that is meant: ``loss`` or ``metrics.loss``. Raises UserErrorException."""
    parsed = fields.parse(text)
    names = [text, *([parsed.name] if parsed is not None and parsed.space else [])]
    for name in names:
        if index.index.has_name(Field(fields.METRICS, name)):
            return name
    known = index.index.names(fields.METRICS)
    if not known:
        return names[-1]
    raise UserErrorException(
        f"No run has a metric named {text!r}.", suggestion.hint(names[-1], known, "Metrics")
    )


def _goal(index: Search, name: str, args: argparse.Namespace) -> tuple[str, str]:
    """Whether low or high values are good, and why."""
    if args.min or args.max:
        return (metric_goals.MINIMIZE, "--min") if args.min else (metric_goals.MAXIMIZE, "--max")
    for sweep in _sweeps(index):
        if sweep.metric == name:
            other = "--min" if sweep.maximizes else "--max"
            return sweep.goal, f"the goal of a sweep; for the opposite, use {other}"
    guessed = metric_goals.guess(name)
    if guessed is None:
        return metric_goals.MAXIMIZE, "assumed; for the lowest, use --min"
    other = "--min" if guessed == metric_goals.MAXIMIZE else "--max"
    return guessed, f"guessed from the name; for the opposite, use {other}"


def _sweeps(index: Search) -> Iterator[Sweep]:
    """The records of the latest sweeps."""
    is_sweep = tree.Comparison(
        fields.known("kind"), tree.EQUAL, run_kinds.RUN_KINDS[run_kinds.SWEEP].title
    )
    for found in index.runs(is_sweep, limit=_MAX_SWEEPS, children=True):
        record = importlib.import_module("scriptrun.sweeps.record")  # only where there are any
        with contextlib.suppress(ScriptrunError):
            yield record.read(Path(found.row.folder))


def _record(found: FoundRun, field: Field) -> Json:
    return {**record.of_found(found), "best": found.value(field, 0.0)}
