"""``scriptrun sweep show``: the ranked runs, the best one and the best-so-far curve."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scriptrun.cli import common_arguments
from scriptrun.cli.runs import record as run_record
from scriptrun.cli.terminal import csv_text, output, streams
from scriptrun.config.sweeps import early_stopping, search_space
from scriptrun.core.run import Run
from scriptrun.runs import details, failed_log
from scriptrun.runtime import disks
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec import ids, states
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException
from scriptrun.sweeps import plot as sweep_plot
from scriptrun.sweeps import ranking
from scriptrun.sweeps.hyperdrive_run import HyperDriveRun
from scriptrun.sweeps.journal import ChildRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: maximum number of runs to list (--json and --csv list all), and the curve's size
MAX_ROWS, CURVE_WIDTH, CURVE_HEIGHT = 20, 60, 8


def run(args: argparse.Namespace, sweep_run: HyperDriveRun) -> int:
    """Show the sweep or write it to files, and return the exit code."""
    if args.html:
        _write(args.html, sweep_plot.page(sweep_run), args.json)
    if args.csv:
        _write(args.csv, _as_csv(sweep_run), args.json)
    if args.json:
        output.print_json(record(sweep_run))
    elif not (args.html or args.csv):
        _follow(sweep_run) if args.follow else show(sweep_run)
    return 0


def record(run: HyperDriveRun) -> Json:
    """The sweep as a JSON document: as any run, with its goal and its runs, best first."""
    sweep, children = run.sweep, ranking.ordered(run.sweep, ranking.children(run))
    goal = {"metric": sweep.metric, "goal": sweep.goal, "seed": sweep.seed}
    return {
        **run_record.in_full(run),
        "sweep": {**goal, "sampling": sweep.sampling["name"], "space": sweep.space},
        "runs": [_child_record(child) for child in children],
    }


def _child_record(child: ChildRun) -> Json:
    times = ids.with_iso_times({"started": child.began, "ended": child.ended}, "started", "ended")
    return {
        "id": child.id,
        "short_name": short_name(child.id),
        "number": child.number,
        "state": child.state,
        "reason": child.reason or None,
        **times,
        "params": child.parameters,
        "best": child.best,
    }


def _follow(run: HyperDriveRun) -> None:
    while True:
        finished = run.standing.is_final
        if sys.stdout.isatty():
            streams.raw(sys.stdout).write("\x1b[H\x1b[2J")
        show(run)
        if finished:
            return
        sys.stdout.flush()
        time.sleep(1.0)


def show(run: HyperDriveRun) -> None:
    """Print the sweep's current state."""
    sweep, limits, status = run.sweep, run.limits, run.standing
    children = ranking.children(run)
    ranked = ranking.ordered(sweep, children)
    output.print_facts(
        [
            ("sweep", details.title(run)),
            ("state", output.state(status.state)),
            ("reason", failed_log.reason_of(run, status)),
            ("runs", _counts(children, limits.max_total_runs)),
            ("sampling", f"{str(sweep.sampling['name']).lower()}, seed {sweep.seed}"),
            ("policy", _policy(sweep.create_policy())),
            ("best", _best(run, ranked)),
            ("metrics", _own_metrics(run)),
            ("warnings", "\n".join(run.get_details()["warnings"])),
        ]
    )
    if not children:
        return
    print()
    _table(run, list(sweep.space), ranked)
    curve = ranking.best_so_far([child.best for child in children], sweep.maximizes)
    if len(curve) > 1:
        print(f"\nbest {sweep.metric} so far, by run (1 to {len(children)})")
        print("\n".join(draw_curve(curve)))


def _own_metrics(run: HyperDriveRun) -> str:
    """What was logged to the sweep itself, not to its runs."""
    return "\n".join(
        one_line(f"{name} {output.number(value)}") for name, value in Run.get_metrics(run).items()
    )


def _counts(children: Sequence[ChildRun], maximum: int) -> str:
    counts: dict[str, int] = {}
    for child in children:
        counts[child.state] = counts.get(child.state, 0) + 1
    text = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"{len(children)}/{maximum}" + (f": {text}" if text else "")


def _policy(policy: early_stopping.EarlyTerminationPolicy) -> str:
    is_none = isinstance(policy, early_stopping.NoTerminationPolicy)
    return "none" if is_none else repr(policy)


def _best(run: HyperDriveRun, ranked: Sequence[ChildRun]) -> str:
    if not ranked or ranked[0].best is None:
        return ""
    best = ranked[0]
    flags = " ".join(
        f"{search_space.flag(name)} {search_space.text(value)}"
        for name, value in best.parameters.items()
    )
    name = common_arguments.name_of(run.workspace, best.id)
    return f"{name} ({run.sweep.metric} {output.number(best.best)})\n{flags}"


def _table(run: HyperDriveRun, names: Sequence[str], ranked: Sequence[ChildRun]) -> None:
    metric = run.sweep.metric
    heads = ["#", "NAME", metric, *(name.lstrip("-") for name in names), "STATE", "TOOK", "REASON"]
    shown = ranked[:MAX_ROWS]
    called = [common_arguments.name_of(run.workspace, child.id) for child in shown]
    rows = [_row(*pair, names) for pair in zip(shown, called, strict=True)]
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    output.print_table(heads, rows, droppable=("TOOK", "NAME"))
    if len(ranked) > MAX_ROWS:
        print(f"and {len(ranked) - MAX_ROWS} more (use --json or --csv to list all)")


def _row(child: ChildRun, name: str, names: Sequence[str]) -> list[str]:
    duration = ""
    if child.began is not None:
        end = child.ended if states.is_terminal(child.state) and child.ended else time.time()
        duration = output.duration(end - child.began)
    return [
        str(child.number),
        name,
        sweep_plot.best_text(child),
        *(_short(child.parameters.get(name)) for name in names),
        child.state,
        duration,
        child.reason.split("\n")[0],
    ]


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else search_space.text(value)


def draw_curve(
    curve: Sequence[float], width: int = CURVE_WIDTH, height: int = CURVE_HEIGHT
) -> list[str]:
    """Draw the curve as lines of text with its bounds on the left; a single line if it is flat."""
    columns = list(curve)
    if len(curve) > width:
        columns = [curve[index * len(curve) // width] for index in range(width)]
    low, top = min(curve), max(curve)
    if top == low:
        return [f"{top:.6g} |{'*' * len(columns)}"]
    scale = 0.5 if math.isinf(top - low) else 1.0  # the largest numbers' difference
    span = top * scale - low * scale
    levels = [round((value * scale - low * scale) / span * (height - 1)) for value in columns]
    labels = [f"{top:.6g}", *[""] * (height - 2), f"{low:.6g}"]
    margin = max(map(len, labels))
    return [
        f"{labels[row]:>{margin}} |"
        + "".join("*" if level == height - 1 - row else " " for level in levels).rstrip()
        for row in range(height)
    ]


def _rows(run: HyperDriveRun) -> list[Json]:
    """One row for each run, with times in ISO 8601."""
    rows = [ranking.as_row(run.sweep, child) for child in ranking.children(run)]
    return [ids.with_iso_times(row, "began", "ended") for row in rows]


def _as_csv(run: HyperDriveRun) -> str:
    rows = _rows(run)
    names = list(rows[0]) if rows else ["run_id", "short_name", "status", run.sweep.metric]
    return csv_text.as_csv(names, rows, search_space.text, "\r\n")


def _write(path: str, text: str, as_json: bool) -> None:
    """Write a file and print its path, to stderr if stdout gets a JSON document."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8", newline="")
    except OSError as error:
        raise UserErrorException(f"Cannot write {path!r}: {disks.describe(error, path)}.") from None
    print(path, file=sys.stderr if as_json else sys.stdout)
