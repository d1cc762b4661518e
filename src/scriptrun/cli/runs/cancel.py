"""Cancel active runs.

Sends SIGTERM, waits for the script to save its state, then sends SIGKILL. A canceled
service answers the requests that it has accepted, and no more.

examples:
  scriptrun cancel RUN
  scriptrun cancel -q "queued and experiment=digits"
  scriptrun cancel --all
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.runs import details
from scriptrun.spec import states


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.runs_arguments(parser)
    parser.add_argument("-a", "--all", action="store_true", help="cancel all active runs")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Cancel the runs and return the exit code."""
    if args.all:
        runs = list(Run.unfinished(workspace_here.require()))
    else:
        runs = common_arguments.find_runs(args)
    outcomes = {details.title(selected): _cancel(selected) for selected in runs}
    if args.json:
        output.print_json({"runs": list(outcomes.values())})
    elif not outcomes:
        print("No active runs.")
    for title, outcome in outcomes.items() if not args.json else ():
        print(f"{title}: {outcome['result']}")
    return 0


def _cancel(run: Run) -> dict[str, str]:
    status = run.standing
    if status.is_final:
        state, result = status.state, f"already finished: {status.state}"
    else:
        run.cancel()
        state = run.get_status()
        result = "canceled" if state == states.CANCELED else "cancellation requested"
    return {"id": run.id, "name": details.shown_name(run), "state": state, "result": result}
