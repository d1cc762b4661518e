"""``scriptrun sweep show``: the ranked runs, the best one and the best-so-far curve."""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scriptrun.cli.terminal import output
from scriptrun.config.sweeps import search_space
from scriptrun.spec import states
from scriptrun.spec.errors import UserErrorException
from scriptrun.sweeps import plot as sweep_plot
from scriptrun.sweeps import ranking
from scriptrun.sweeps.hyperdrive_run import HyperDriveRun
from scriptrun.sweeps.journal import ChildRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: maximum number of runs to list (--json and --csv list all), and the curve's size
SHOWN, WIDE, HIGH = 20, 60, 8


def run(args: argparse.Namespace, found: HyperDriveRun) -> int:
    """Show the sweep or write it to files, and return the exit code."""
    if args.html:
        _write(args.html, sweep_plot.page(found))
    if args.csv:
        _write(args.csv, _as_csv(found))
    if args.json:
        rows = [ranking.as_row(found.sweep, each) for each in ranking.children(found)]
        output.as_json({**found.get_details(), "runs": rows})
    elif not (args.html or args.csv):
        _follow(found) if args.follow else show(found)
    return 0


def _follow(run: HyperDriveRun) -> None:
    while True:
        over = run.standing.is_final
        if sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        show(run)
        if over:
            return
        sys.stdout.flush()
        time.sleep(1.0)


def show(run: HyperDriveRun) -> None:
    """Print the sweep's current state."""
    sweep, limits, status = run.sweep, run.limits, run.standing
    found = ranking.children(run)
    ordered = ranking.ordered(sweep, found)
    output.facts(
        [
            ("sweep", run.id),
            ("state", output.state(status.state)),
            ("reason", status.reason),
            ("runs", _counts(found, limits.max_total_runs)),
            ("sampling", f"{sweep.sampling['name']}, seed {sweep.seed}"),
            ("policy", repr(sweep.create_policy())),
            ("best", _best(sweep.metric, ordered)),
            ("warnings", "\n".join(run.get_details()["warnings"])),
        ]
    )
    if not found:
        return
    print()
    _table(sweep.metric, list(sweep.space), ordered)
    curve = ranking.best_so_far([each.best for each in found], sweep.maximizes)
    if len(curve) > 1:
        print(f"\nbest {sweep.metric} so far, by run (1 to {len(found)})")
        print("\n".join(drawn(curve)))


def _counts(found: Sequence[ChildRun], most: int) -> str:
    counts: dict[str, int] = {}
    for each in found:
        counts[each.state] = counts.get(each.state, 0) + 1
    shown = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"{len(found)}/{most}" + (f": {shown}" if shown else "")


def _best(metric: str, ordered: Sequence[ChildRun]) -> str:
    if not ordered or ordered[0].best is None:
        return ""
    best = ordered[0]
    said = " ".join(
        f"{search_space.flag(name)} {search_space.text(value)}"
        for name, value in best.parameters.items()
    )
    return f"{best.id} ({metric} {output.number(best.best)})\n{said}"


def _table(metric: str, names: Sequence[str], ordered: Sequence[ChildRun]) -> None:
    heads = ["#", metric, *(name.lstrip("-") for name in names), "STATE", "TOOK", "REASON"]
    rows = [_row(each, names) for each in ordered[:SHOWN]]
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    output.table(heads, rows)
    if len(ordered) > SHOWN:
        print(f"and {len(ordered) - SHOWN} more (use --json or --csv to list all)")


def _row(child: ChildRun, names: Sequence[str]) -> list[str]:
    took = ""
    if child.began is not None:
        end = child.ended if states.is_terminal(child.state) and child.ended else time.time()
        took = output.duration(end - child.began)
    return [
        str(child.number),
        sweep_plot.best_text(child),
        *(_short(child.parameters.get(name)) for name in names),
        child.state,
        took,
        child.reason.split("\n")[0],
    ]


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else search_space.text(value)


def drawn(curve: Sequence[float], wide: int = WIDE, high: int = HIGH) -> list[str]:
    """Draw the curve as lines of text with its bounds on the left; a single line if it is flat."""
    columns = list(curve)
    if len(curve) > wide:
        columns = [curve[place * len(curve) // wide] for place in range(wide)]
    low, top = min(curve), max(curve)
    if top == low:
        return [f"{top:.6g} |{'*' * len(columns)}"]
    levels = [round((value - low) / (top - low) * (high - 1)) for value in columns]
    names = [f"{top:.6g}", *[""] * (high - 2), f"{low:.6g}"]
    margin = max(map(len, names))
    return [
        f"{names[row]:>{margin}} |"
        + "".join("*" if level == high - 1 - row else " " for level in levels).rstrip()
        for row in range(high)
    ]


def _as_csv(run: HyperDriveRun) -> str:
    rows = [ranking.as_row(run.sweep, each) for each in ranking.children(run)]
    names = list(rows[0]) if rows else ["run_id", "status", run.sweep.metric]
    made = io.StringIO()
    writer = csv.DictWriter(made, names, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        lists = {name: each for name, each in row.items() if isinstance(each, list | dict)}
        writer.writerow({**row, **{name: search_space.text(each) for name, each in lists.items()}})
    return made.getvalue()


def _write(path: str, text: str) -> None:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8", newline="")
    except OSError as error:
        raise UserErrorException(f"Cannot write {path!r}: {error.strerror}.") from None
    print(path)
