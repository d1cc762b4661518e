"""Wait until runs have ended, and print how each of them ended.

Without RUN or --query, waits for the latest run. The exit code is 0 if all runs that ended are
Completed, 1 if one is not, and 124 if --timeout passed first. Ctrl-C only stops waiting. A service
ends when it is stopped.

examples:
  scriptrun wait && scriptrun download
  scriptrun wait -q "tags.batch=7 and (queued or running)" --timeout 2h
  scriptrun wait --any RUN1 RUN2
"""

from __future__ import annotations

import argparse
import gc

from scriptrun.cli import common_arguments
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output
from scriptrun.query import moments
from scriptrun.runs import details, failed_log, service_facts, wait
from scriptrun.spec import ids, states
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.runtime.hints import Json
    from scriptrun.tracking.run_state import RunState

#: how many active runs a message names
_MAX_NAMED = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.runs_arguments(parser)
    add = parser.add_argument
    add("--any", action="store_true", help="stop waiting when one of the runs has ended")
    add("--timeout", metavar="DURATION", help="stop waiting after this time, e.g. 90s, 10m or 2h")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Wait for the runs and return the exit code."""
    timeout = _parse_timeout(args.timeout)
    runs = common_arguments.find_runs(args)
    wait.refuse_own(runs)
    if not runs:
        cli_errors.say("No matching runs: nothing to wait for.")
    _note_services(runs)
    gc.enable()  # waiting can take days
    ended: dict[str, RunState] = {}
    try:
        for each, status in wait.until_ended(runs, timeout):
            ended[each.id] = status
            if not args.json:
                print(_line(each, status), flush=True)
            if args.any:
                break
    except KeyboardInterrupt:
        cli_errors.say(f"\nStopped waiting; the runs continue. {_still_active(runs, ended)}")
        return cli_errors.INTERRUPTED
    if args.json:
        output.print_json({"runs": _records(runs, ended)})
    is_complete = bool(ended) if args.any else len(ended) == len(runs)
    if not is_complete and runs:
        cli_errors.say(f"Timed out after {args.timeout}. {_still_active(runs, ended)}")
        return cli_errors.TIMED_OUT
    return 0 if all(status.state == states.COMPLETED for status in ended.values()) else 1


def _parse_timeout(text: str | None) -> float | None:
    if text is None:
        return None
    seconds = moments.parse_duration(text)
    if seconds is None:
        raise UserErrorException(f"Invalid duration {text!r}.", moments.DURATION_HINT)
    return seconds


def _note_services(runs: list[Run]) -> None:
    """Say which of the runs do not end by themselves."""
    for run in runs:
        service = service_facts.of_run(run)
        if service is None or service.is_test or run.standing.is_final:
            continue
        if not (run.path / "cancel.json").exists():
            cli_errors.say(
                f"{one_line(details.title(run))} is a service, which runs until it is stopped. "
                f"To stop it, run: scriptrun service stop {one_line(service.name)}"
            )


def _line(run: Run, status: RunState) -> str:
    """How the run ended, in one line: its state, ID and name, duration and reason."""
    parts = [run.id if status.state == wait.MISSING else one_line(details.title(run))]
    if status.began is not None and status.ended is not None:
        parts.append(f"after {output.duration(status.ended - status.began)}")
    reason = _reason(run, status)
    text = " ".join(parts) + (f": {reason}" if reason else "")
    padding = " " * (len(states.COMPLETED) - len(status.state))
    return f"{output.state(status.state)}{padding}  {text}"


def _reason(run: Run, status: RunState) -> str:
    failed = status.state == states.FAILED
    reason = failed_log.reason_of(run, status) if failed else status.reason
    return one_line(reason.strip().split("\n")[0])


def _still_active(runs: list[Run], ended: dict[str, RunState]) -> str:
    """Which of the runs are still active."""
    active = [details.title(run) for run in runs if run.id not in ended]
    rest = f" and {len(active) - _MAX_NAMED} more" if len(active) > _MAX_NAMED else ""
    named = ", ".join(active[:_MAX_NAMED]) + rest
    return f"Run {named} is still active." if len(active) == 1 else f"Still active: {named}."


def _records(runs: list[Run], ended: dict[str, RunState]) -> list[Json]:
    """A record of each run, for --json; of those that are active, their present state."""
    active = [run for run in runs if run.id not in ended]
    now = zip((run.id for run in active), wait.statuses(active), strict=True)
    known = {**dict(now), **ended}
    return [_record(run, known[run.id]) for run in runs]


def _record(run: Run, status: RunState) -> Json:
    return {
        "id": run.id,
        "name": run.id if status.state == wait.MISSING else details.shown_name(run),
        "state": status.state,
        "reason": status.reason,
        "exit_code": status.exit_code,
        "started": None if status.began is None else ids.utc(status.began),
        "ended": None if status.ended is None else ids.utc(status.ended),
    }
