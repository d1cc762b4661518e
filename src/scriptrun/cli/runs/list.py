"""List runs, newest first."""

from __future__ import annotations

import argparse
import calendar
import time

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output
from scriptrun.runs import find as find_runs
from scriptrun.spec import states, suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking.index import RunRow


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("-e", "--experiment", metavar="E", help="list only runs of this experiment")
    add(
        "-s",
        "--status",
        metavar="S",
        help=f"list only runs in this state: {', '.join(states.ORDER)}",
    )
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
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the runs and return the exit code."""
    if args.limit < 1:
        raise UserErrorException(f"--limit must be at least 1, not {args.limit}.")
    limit, state = None if args.all else args.limit, _parse_state(args.status)
    fetch_limit = limit and limit + 1
    fetched = find_runs.rows(
        workspace_here.require(), args.experiment, state, fetch_limit, args.children
    )
    rows = fetched[:limit]
    if args.json:
        output.print_json([row.as_dict() for row in rows])
        return 0
    if not rows:
        print("No matching runs." if args.experiment or args.status else "No runs.")
        return 0
    heads = ("RUN", "NAME", "STATE", "SUBMITTED", "TOOK", "SCRIPT", "REASON")
    output.print_table(
        *_drop_empty_columns(heads, [_cells(row) for row in rows]), ("NAME", "SCRIPT", "REASON")
    )
    if len(fetched) > len(rows):
        cli_errors.say(f"Showing the latest {limit} runs. Use --all to show all.")
    return 0


def _parse_state(word: str | None) -> str | None:
    if word is None:
        return None
    names = {state.lower(): state for state in states.ORDER}
    if word.lower() not in names:
        raise UserErrorException(
            f"Unknown state {word!r}.",
            suggestion.hint(word, states.ORDER, "Valid states"),
        )
    return names[word.lower()]


def _cells(row: RunRow) -> tuple[str, ...]:
    ended = row.ended if states.is_terminal(row.state) else time.time()
    seconds = ended - row.began if row.began is not None and ended is not None else None
    return (
        row.id,
        "" if row.display_name == row.id else row.display_name,
        row.state,
        output.ago(epoch_seconds(row.created)),
        output.duration(seconds),
        row.script or "(no script)",
        row.reason.removeprefix(f"{row.script} ").partition("\n")[0],
    )


def epoch_seconds(created: str) -> float:
    """Convert an ISO 8601 time in UTC to seconds since 1970."""
    try:
        return float(calendar.timegm(time.strptime(created[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0.0


def _drop_empty_columns(
    heads: tuple[str, ...], rows: list[tuple[str, ...]]
) -> tuple[list[str], list[list[str]]]:
    """Return the header and rows without the empty columns."""
    columns = [n for n in range(len(heads)) if any(row[n] for row in rows)]
    return [heads[n] for n in columns], [[row[n] for n in columns] for row in rows]
