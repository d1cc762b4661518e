"""Show a run's metrics: a table of all, or the values of some with their steps and times.

examples:
  scriptrun metrics RUN                          list the metrics
  scriptrun metrics RUN loss                     print the values of a metric
  scriptrun metrics RUN loss --csv > loss.csv    write all values to a file
  scriptrun metrics RUN loss --plot              plot it in the terminal
  scriptrun metrics RUN loss --plot --with RUN2  compare it with another run
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.runs import metric_table
from scriptrun.cli.terminal import charts, output
from scriptrun.core.run import Run
from scriptrun.runs import details, selectors
from scriptrun.runs import metric_history as histories
from scriptrun.spec import ids, suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.run_kinds import run_kind
from scriptrun.tracking import metric_summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace
    from scriptrun.runtime.hints import Json

    #: a run, and the history of one of its metrics
    Values = tuple[Run, histories.MetricHistory]

#: values to print of each metric; --csv and --json have all
_MAX_VALUES = 40
_PLOT_WIDTH, _PLOT_HEIGHT = 100, 18
#: runs that a plot distinguishes
_MAX_LINES = len(charts.MARKERS)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser)
    add = parser.add_argument
    add("names", metavar="NAME", nargs="*", help="print the values of this metric")
    add(
        "--with",
        metavar="RUN",
        dest="others",
        action="append",
        default=[],
        help="add another run, to compare (repeatable)",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--plot", action="store_true", help="plot the values in the terminal")
    group.add_argument("--csv", action="store_true", help="print CSV; of NAME, all values")
    group.add_argument("--json", action="store_true", help="print JSON; of NAME, all values")


def run(args: argparse.Namespace) -> int:
    """Print the metrics and return the exit code."""
    workspace = workspace_here.require()
    first, names = _find(workspace, args)
    runs = [*_parts(first), *(Run.find(workspace, name) for name in args.others)]
    if names or args.plot:
        _show_values(args, _values_of(runs, names))
    else:
        _show_summaries(args, runs)
    return 0


def _find(workspace: Workspace, args: argparse.Namespace) -> tuple[Run, list[str]]:
    """The run and the metrics' names: a word that names no run may be a metric of the latest."""
    try:
        return Run.find(workspace, args.run_name), args.names
    except UserErrorException as error:
        latest = Run.find(workspace)
        known = metric_summary.summarize(latest.path)
        if args.run_name in known:
            return latest, [args.run_name, *args.names]
        near = suggestion.nearest(args.run_name, known)
        if not near or selectors.is_selector(args.run_name):
            raise
        hint = f"Did you mean {near[0]!r}, a metric of the latest run? {error.hint}"
        raise UserErrorException(error.message, hint) from None


def _parts(run: Run) -> list[Run]:
    """The run; for a sweep that logged nothing itself, its runs."""
    if not run_kind(run.type).has_children or metric_summary.summarize(run.path):
        return [run]
    return [*run.get_children()] or [run]


def _show_summaries(args: argparse.Namespace, runs: Sequence[Run]) -> None:
    summaries = [(each, metric_summary.summarize(each.path)) for each in runs]
    rows = [(run, summary) for run, by_name in summaries for summary in by_name.values()]
    if args.json:
        values = [{"run": run.id, "name": item.name, **item.as_dict()} for run, item in rows]
        output.print_json({"metrics": values})
    elif args.csv:
        metric_table.print_csv(
            metric_table.HEADS, [metric_table.csv_row(run.id, item) for run, item in rows]
        )
    elif not rows:
        print("\n".join(_no_metrics(each) for each in runs))
    elif len(runs) == 1:
        metric_table.print_summaries([summary for _, summary in rows])
    else:
        metric_table.print_comparison(rows)


def _no_metrics(run: Run) -> str:
    return f"{details.title(run)} logged no metrics{'' if run.standing.is_final else ' yet'}."


def _values_of(runs: Sequence[Run], names: Sequence[str]) -> dict[str, list[Values]]:
    """The histories by metric; without ``names``, of every metric that has a curve.

    Raises UserErrorException for a name that none of the runs has logged.
    """
    if not names:
        names = [name for run in runs for name in _plottable(run)]
        if not names:
            raise UserErrorException(f"Nothing to plot: {_no_metrics(runs[0])}")
    result: dict[str, list[Values]] = {}
    for name in dict.fromkeys(names):
        found = [(run, history) for run in runs if (history := _history(run, name))]
        result[name] = found or [(runs[0], histories.read(runs[0], name))]
    return result


def _history(run: Run, name: str) -> histories.MetricHistory:
    return histories.MetricHistory(name, histories.points(run.path, name))


def _plottable(run: Run) -> list[str]:
    summaries = metric_summary.summarize(run.path).values()
    numbers = [item for item in summaries if item.kind == metric_summary.NUMBERS]
    curves = [item.name for item in numbers if item.count > 1]
    return curves or [item.name for item in numbers]


def _show_values(args: argparse.Namespace, values: dict[str, list[Values]]) -> None:
    if args.json:
        records = [
            {"run": run.id, "name": name, "values": [_as_dict(point) for point in history]}
            for name, found in values.items()
            for run, history in found
        ]
        output.print_json({"metrics": records})
    elif args.csv:
        rows = (
            [run.id, name, point.step, _iso(point), point.value]
            for name, found in values.items()
            for run, history in found
            for point in history
        )
        metric_table.print_csv(("run", "name", "step", "time", "value"), rows)
    elif args.plot:
        _plot(values)
    else:
        _print_values(values)


def _as_dict(point: histories.MetricPoint) -> Json:
    return {"step": point.step, "time": _iso(point), "value": point.value}


def _iso(point: histories.MetricPoint) -> str:
    return ids.utc(point.time.timestamp())


def _print_values(values: dict[str, list[Values]]) -> None:
    """Print the values of each metric, evenly chosen where there are too many."""
    several_runs = len({run.id for found in values.values() for run, _ in found}) > 1
    rows, left_out = [], 0
    for name, found in values.items():
        for run, history in found:
            chosen = metric_table.choose(history, _MAX_VALUES)
            left_out += len(history) - len(chosen)
            for point in chosen:
                step = "" if point.step is None else f"{point.step:.15g}"
                time = f"{point.time:%Y-%m-%d %H:%M:%S}"
                value = metric_table.value_text(point.value)
                rows.append((details.shown_name(run), name, step, time, value))
    heads = ("RUN", "METRIC", "STEP", "TIME (UTC)", "VALUE")
    columns = [0] * several_runs + [1] * (len(values) > 1) + [2, 3, 4]
    columns = [n for n in columns if n != 2 or any(row[2] for row in rows)]
    output.print_table(
        [heads[n] for n in columns],
        [[row[n] for n in columns] for row in rows],
        ("VALUE", "RUN", "METRIC"),
        ("TIME (UTC)",),
    )
    if left_out:
        total = left_out + len(rows)
        cli_errors.say(f"Showing {len(rows)} of {total} values. Use --csv or --json for all.")


def _plot(values: dict[str, list[Values]]) -> None:
    size = shutil.get_terminal_size((80, 24))
    width = min(size.columns, _PLOT_WIDTH)
    height = max(6, min(size.lines - 4, _PLOT_HEIGHT) if sys.stdout.isatty() else _PLOT_HEIGHT)
    for number, (name, found) in enumerate(values.items()):
        shown = found[:_MAX_LINES]
        lines = [line for each in shown for line in _lines(*each, len(found) > 1)]
        rows = charts.plot(lines, width, height)
        if number:
            print()
        print(output.paint(name, "1"))
        if not rows:
            print("  no finite numbers to plot")
            continue
        print("\n".join([*rows, *charts.legend(lines)]))
        if len(found) > len(shown):
            cli_errors.say(f"Plotting {len(shown)} of {len(found)} runs.")
        skipped = sum(y - y != 0 for line in lines for y in line.ys)
        if skipped:
            cli_errors.say(f"{skipped} values of {name!r} are NaN or infinite and are not plotted.")


def _lines(run: Run, history: histories.MetricHistory, several: bool) -> list[charts.Line]:
    """The line of a metric, or one for each column of a table; the x axis has its steps, if any."""
    label = details.shown_name(run)
    columns = metric_table.numbers_by_column([point.value for point in history])
    steps = [point.step for point in history if point.step is not None]
    places = steps if len(steps) == len(history) else range(1, len(history) + 1)
    result = []
    for column, numbers in columns.items():
        words = [label] * several + [column] * bool(column)
        result.append(
            charts.Line(" ".join(words), [places[n] for n, _ in numbers], [y for _, y in numbers])
        )
    return result
