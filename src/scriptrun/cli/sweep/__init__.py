"""Search hyperparameters: run a script many times with different parameters and find the best run.

Each --param is a name and its search space: 32,64,128 (a choice), 0.1..0.9 (uniform), 1..10
(integer), log:1e-6..1e-1 (log-uniform), 0..1/0.05 (quantized) or normal:0,1. The script receives
--NAME VALUE after its own arguments, and must log the metric.

examples:
  scriptrun sweep train.py --param lr=log:1e-6..1e-1 --param batch_size=32,64 --metric accuracy
  scriptrun sweep train.py --param lr=0.1..0.9 --metric loss --max-runs 40 -j 4
  scriptrun sweep train.py --param lr=0.1,0.2 --metric q --minimize --sampling grid -- --epochs 3
  scriptrun sweep show
  scriptrun sweep show RUN --html sweep.html --csv runs.csv
  scriptrun sweep resume RUN --max-runs 80
"""

from __future__ import annotations

import argparse
import importlib
import json
import os

from scriptrun.cli import run as run_command
from scriptrun.cli import workspace_here
from scriptrun.cli.options import run as run_options
from scriptrun.cli.options import sweep as sweep_options
from scriptrun.cli.runs import after_submit
from scriptrun.cli.terminal import attach, output
from scriptrun.config.sweeps import search_space
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig, PrimaryMetricGoal
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.runs import details, follow, metric_goals
from scriptrun.runs import find as find_runs
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.submission import submit as job_submit
from scriptrun.sweeps import record
from scriptrun.sweeps import submit as sweep_submit
from scriptrun.sweeps.hyperdrive_run import HyperDriveRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.parsers import Parser
    from scriptrun.config.script_run_config import ScriptRunConfig
    from scriptrun.core.experiment import Experiment


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    run_command.arguments(parser)
    parser.usage = (
        "scriptrun sweep [options] train.py --param NAME=... --metric NAME [-- ARGS]\n"
        "       scriptrun sweep show|resume [RUN] [options]"
    )
    add = parser.add_argument
    add("run_name", metavar="RUN", nargs="?", help="sweep to show or resume (default: latest)")
    add("--param", metavar="NAME=...", action="append", default=[], dest="params",
        help="parameter and its search space (repeatable)")  # fmt: skip
    add("--metric", metavar="NAME", help="metric to optimize, as logged by the script")
    goal = parser.add_mutually_exclusive_group()
    for name in ("minimize", "maximize"):
        goal.add_argument(f"--{name}", dest="goal", action="store_const", const=name,
                          help=f"{name} the metric (default: guessed from its name)")  # fmt: skip
    add(
        "--sampling",
        choices=list(sweep_options.SAMPLINGS),
        help="sampling method (default: random)",
    )
    add("--seed", metavar="N", type=int, help="seed for reproducible sampling")
    add(
        "--policy",
        metavar="POLICY",
        help="early termination policy, e.g. bandit:slack_factor=0.1, median, truncation:20, asha",
    )
    _limit_arguments(parser)
    add("--resume-from", metavar="SWEEP", action="append", default=[],
        help="warm-start from this sweep's runs (repeatable)")  # fmt: skip
    add(
        "-f",
        "--follow",
        action="store_true",
        help="show: refresh every second until the sweep finishes",
    )
    add("--html", metavar="FILE", help="show: write an HTML page with plots")
    add("--csv", metavar="FILE", help="show: write the runs as CSV")


def _limit_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--max-runs",
        metavar="N",
        type=int,
        help="maximum number of runs (default: 20, or the full grid)",
    )
    add(
        "-j",
        "--jobs",
        metavar="N",
        type=int,
        help="maximum concurrent runs (default: as many as fit)",
    )
    add(
        "--max-minutes",
        metavar="M",
        type=float,
        help="cancel remaining runs after this many minutes",
    )


def run(args: argparse.Namespace) -> int:
    """Submit, show or resume a sweep, and return the exit code."""
    if args.script == "show":
        return int(importlib.import_module("scriptrun.cli.sweep.show").run(args, find_sweep(args)))
    if args.script == "resume":
        return _resume(args, find_sweep(args))
    if args.run_name:
        raise UserErrorException(
            f"Unexpected argument {args.run_name!r} for `scriptrun sweep`.",
            f"To pass arguments to the script, use --: {args.script} ... -- {args.run_name}",
        )
    return _submit(args)


def find_sweep(args: argparse.Namespace) -> HyperDriveRun:
    """Return the selected sweep (default: the latest). Raises UserErrorException if none exists."""
    workspace = workspace_here.require()
    if args.run_name:
        selected = Run.find(workspace, args.run_name)
        if isinstance(selected, HyperDriveRun):
            return selected
        parent = selected.parent
        if isinstance(parent, HyperDriveRun):
            return parent
        raise UserErrorException(
            f"Run {details.title(selected)} is not a sweep.", "To list sweeps, run: scriptrun list"
        )
    for row in find_runs.rows(workspace, children=False):
        if row.kind == record.KIND:
            return HyperDriveRun(_experiment(workspace, row.experiment), row.id)
    hidden = find_runs.rows(workspace, children=False, hidden=True)
    visible = (
        " that are neither archived nor removed"
        if any(row.kind == record.KIND for row in hidden)
        else ""
    )
    raise UserErrorException(
        f"Workspace {workspace.name!r} has no sweeps{visible}.",
        "To start one, run: scriptrun sweep train.py --param lr=0.1,0.2 --metric accuracy",
    )


def _experiment(workspace: Workspace, name: str) -> Experiment:
    return workspace.experiments[name]


def _submit(args: argparse.Namespace) -> int:
    _check_required(args)
    workspace = workspace_here.current()
    request = run_options.parse_request(args, workspace)
    config = _config(args, request.config, workspace)
    submission = sweep_submit.check(
        config, workspace, request.experiment, request.tags, request.origin
    )
    submission.warnings += [*request.warnings, *_warnings(args)]
    if args.plan:
        plan_view = importlib.import_module("scriptrun.cli.terminal.plan_view")
        return int(plan_view.show(submission, workspace, args.json, {"sweep": _plan_lines(config)}))
    workspace = workspace_here.create_if_missing(workspace)
    job_submit.begin(workspace, request.experiment)
    folder = sweep_submit.submit(submission, workspace)
    after_submit.notify(workspace, folder, request.notify)
    for message in submission.warnings:
        attach.warn(message)
    return _finish(args, HyperDriveRun.at(workspace, folder))


def _check_required(args: argparse.Namespace) -> None:
    """Refuse a sweep without a script, --param or --metric, or an unknown subcommand."""
    if args.script and not (args.params or args.metric or os.path.exists(args.script)):
        raise UserErrorException(
            f"{args.script!r} is neither a `scriptrun sweep` command nor an existing script.",
            "Commands: show, resume. `scriptrun list`, `logs` and `cancel` also accept sweeps.",
        )
    required = {
        "nothing to run: give a script, e.g. train.py": args.script or args.command or args.config,
        "--param is required, e.g. --param lr=log:1e-6..1e-1 --param size=32,64": args.params,
        "--metric is required, e.g. --metric accuracy": args.metric,
    }
    refuse(
        [problem for problem, value in required.items() if not value], "Cannot submit this sweep"
    )


def _plan_lines(config: HyperDriveConfig) -> list[str]:
    """Describe the sweep for --plan."""
    sampling = config.hyperparameter_sampling
    values = sampling.as_dict()
    parallel = config.max_concurrent_runs or "as many as fit"
    count = search_space.space_size(values["space"])
    points = "" if count is None else f" over {count} points"
    return [
        f"{values['name']}{points}, at most {config.total_runs} runs, concurrently {parallel}",
        *(
            f"{search_space.flag(name)} from {json.dumps(expression)}"
            for name, expression in values["space"].items()
        ),
        f"{config.goal} {config.primary_metric_name}, {config.policy!r}",
    ]


def _config(
    args: argparse.Namespace, job: ScriptRunConfig, workspace: Workspace
) -> HyperDriveConfig:
    sampling = sweep_options.build_sampling(args.sampling, args.params, args.seed)
    return HyperDriveConfig(
        sampling,
        args.metric,
        _goal(args),
        args.max_runs if args.max_runs is not None or args.sampling == "grid" else 20,
        args.jobs,
        args.max_minutes,
        sweep_options.build_policy(args.policy),
        run_config=job,
        resume_from=[Run.find(workspace, name) for name in args.resume_from],
    )


def _goal(args: argparse.Namespace) -> PrimaryMetricGoal:
    """The goal: the given one, else what the metric's name suggests, else to maximize."""
    goal = args.goal or metric_goals.guess(args.metric)
    is_minimized = goal == metric_goals.MINIMIZE
    return PrimaryMetricGoal.MINIMIZE if is_minimized else PrimaryMetricGoal.MAXIMIZE


def _warnings(args: argparse.Namespace) -> list[str]:
    """Name the goal that was not given, unless the metric's name leaves no doubt."""
    guessed = metric_goals.guess(args.metric)
    if args.goal or guessed == metric_goals.MAXIMIZE:
        return []
    if guessed == metric_goals.MINIMIZE:
        return [f"minimizing {args.metric!r}, as its name suggests; use --maximize to maximize it"]
    return [f"assuming {args.metric!r} is maximized; use --minimize to minimize it"]


def _finish(args: argparse.Namespace, run: Run, log_start: int = 0) -> int:
    if args.detach:
        if args.json:
            output.print_json(importlib.import_module("scriptrun.cli.sweep.show").record(run))
        else:
            print(run.id)
        return 0
    attach.announce(run)
    code = attach.stream(run, quiet=args.json, log_start=log_start)
    if args.json:
        output.print_json(importlib.import_module("scriptrun.cli.sweep.show").record(run))
    return code


def _resume(args: argparse.Namespace, run: HyperDriveRun) -> int:
    changes = {
        "max_total_runs": args.max_runs,
        "max_concurrent_runs": args.jobs,
        "max_duration_minutes": args.max_minutes,
    }
    limits = {name: value for name, value in changes.items() if value is not None}
    log_start = follow.log_size(run)
    if limits:
        run.extend(**limits)
    else:
        run.resume()
    return _finish(args, run, log_start)
