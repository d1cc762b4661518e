"""Run a script.

Takes a snapshot of the source directory, prepares the environment, streams the log and records the
run in the workspace, which the first run creates. Everything after -- is passed to the script.

examples:
  scriptrun run train.py -- --alpha 0.5
  scriptrun run --requirements requirements.txt train.py
  scriptrun run --uv-project . train.py
  scriptrun run -e digits --detach train.py
  scriptrun run --input digits=mnist train.py -- --data '{digits}'
  scriptrun run --dry-run train.py
"""

from __future__ import annotations

import argparse
import importlib

from scriptrun.cli import workspace_here
from scriptrun.cli.options import environment as environment_options
from scriptrun.cli.options import run as run_options
from scriptrun.cli.options import target_options
from scriptrun.cli.terminal import spinner
from scriptrun.engines.local import engine as local_engine
from scriptrun.submission import check, submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from scriptrun.cli.parsers import Parser


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.takes_rest = True
    parser.signed_options = target_options.SIGNED
    parser.usage = "scriptrun run [options] train.py [-- ARGS]"
    parser.add_argument("script", nargs="?", help="script to run")
    add = parser.add_argument
    add("-e", "--experiment", metavar="E", help="experiment (default: source directory's name)")
    add("-n", "--name", metavar="NAME", help="display name for the run")
    add("-c", "--config", metavar="FILE", help=".runconfig file, or its name in .azureml/")
    add(
        "--compute",
        "--target",
        metavar="T",
        help="compute target (default: see scriptrun config list)",
    )
    add("--environment", metavar="ENV", help="registered or curated environment, NAME[:VERSION]")
    environment_options.arguments(add)
    _pins_argument(add)
    _named_value_arguments(add)
    _data_arguments(add)
    _rank_arguments(parser)
    _retry_arguments(add)
    target_options.arguments(add)
    add("--source", metavar="DIR", help="source directory (default: current directory)")
    add("--command", metavar="LINE", help="shell command to run instead of a script")
    add("-d", "--detach", action="store_true", help="print the run ID and return immediately")
    add(
        "--dry-run",
        "--plan",
        dest="plan",
        action="store_true",
        help="show what would happen; run nothing",
    )
    add("--json", action="store_true", help="print the run's record or plan as JSON")


def _named_value_arguments(add: Callable[..., object]) -> None:
    variable_help = "set an environment variable, or pass one through"
    add("--env", metavar="NAME[=VALUE]", action="append", default=[], help=variable_help)
    add(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="set a run configuration field, e.g. max_run_duration_seconds=600",
    )
    add(
        "--tag",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        dest="tags",
        help="tag the run",
    )


def _pins_argument(add: Callable[..., object]) -> None:
    add(
        "--pins",
        choices=("exact", "relax"),
        help="reject or relax unavailable pins (default: exact, reject)",
    )


def _rank_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--nodes",
        metavar="N",
        type=int,
        default=1,
        help="number of nodes (simulated on local targets; default: 1)",
    )
    add("--processes", metavar="N", type=int, help="total number of ranks (default: one per node)")
    kinds = (
        ("--mpi", "start the ranks with mpirun or srun"),
        ("--pytorch", "set the variables that torch.distributed reads"),
        ("--tensorflow", "start one worker per node, configured via TF_CONFIG"),
    )
    add_exclusive = parser.add_mutually_exclusive_group().add_argument
    for name, line in kinds:
        add_exclusive(name, action="store_const", const=name[2:], dest="distributed", help=line)
    for name, value, label in (
        ("cpus", "N", "CPUs"),
        ("gpus", "N", "GPUs"),
        ("memory", "SIZE", "memory"),
    ):
        kind = int if value == "N" else str
        example = ", e.g. 16G" if kind is str else ""
        add(f"--{name}", metavar=value, type=kind, help=f"{label} per node{example}")
        add(f"--{name}-per-process", metavar=value, type=kind, help=f"{label} per rank")
    binding_help = "expose all of the node's GPUs to a rank, or its share (default: node)"
    add("--gpu-binding", choices=("node", "process"), help=binding_help)


def _retry_arguments(add: Callable[..., object]) -> None:
    add("--retries", metavar="N", type=int, default=0, help="retry a failed run up to N times")
    add(
        "--retry-on",
        metavar="CAUSES",
        help="causes to retry on, e.g. time-limit,exit:75,signal:SIGBUS "
        "(default: preempted,node-lost)",
    )
    add(
        "--warn-before",
        metavar="SECONDS",
        type=float,
        help="send SIGTERM this many seconds before the time limit",
    )


def _data_arguments(add: Callable[..., object]) -> None:
    add(
        "--input",
        metavar="NAME=DATA",
        action="append",
        default=[],
        dest="inputs",
        help="input data: a dataset, DATASTORE:PATH, URL or path",
    )
    add(
        "--output",
        metavar="NAME=DATASTORE:PATH",
        action="append",
        default=[],
        dest="outputs",
        help="output folder, and the datastore path to upload it to",
    )


def run(args: argparse.Namespace) -> int:
    """Submit the run, stream its log unless detached, and return the exit code."""
    workspace = workspace_here.current()
    request = run_options.parse_request(args, workspace)
    submission = check.check(
        request.config, workspace, request.experiment, request.tags, request.origin
    )
    submission.warnings += request.warnings
    if args.plan:
        return int(_load("terminal.plan_view").show(submission, workspace, args.json))
    local_engine.allow_fork()  # this process has a single thread
    workspace = workspace_here.create_if_missing(workspace)
    submit.begin(workspace, request.experiment)
    with spinner.show_status("Taking snapshot"):
        folder = submit.submit(submission, workspace)
    after_submit = _load("runs.after_submit")
    after_submit.notify(workspace, folder, request.notify)
    return int(after_submit.finish(workspace, folder, submission.warnings, args))


def _load(name: str) -> ModuleType:
    """Import a module that is needed only after submission, so that runs start sooner."""
    return importlib.import_module(f"scriptrun.cli.{name}")
