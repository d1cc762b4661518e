"""Run a script.

The source directory is snapshotted, the environment is made ready, the log is streamed, and all of
it is recorded in the workspace, which is made at the first use. Everything after -- goes to the
script as it is.

examples:
  scriptrun run train.py -- --alpha 0.5
  scriptrun run --requirements requirements.txt train.py
  scriptrun run --uv-project . train.py
  scriptrun run -e digits --detach train.py
  scriptrun run --input digits=mnist train.py -- --data '{digits}'
  scriptrun run --plan train.py
"""

from __future__ import annotations

import argparse
import importlib

from scriptrun.cli import workspace_here
from scriptrun.cli.options import environment as environment_options
from scriptrun.cli.options import run as run_options
from scriptrun.cli.terminal import spinner
from scriptrun.engines.local import engine as local_engine
from scriptrun.registry import experiments as experiment_registry
from scriptrun.spec.hints import Any
from scriptrun.submission import check, submit


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    parser.takes_rest = True
    parser.usage = "scriptrun run [options] train.py [-- ARGS]"
    parser.add_argument("script", nargs="?", help="the script, or give --command")
    add = parser.add_argument
    add("-e", "--experiment", metavar="E", help="default: the source directory's name")
    add("-n", "--name", metavar="NAME", help="a name of yours for the run, to find it by")
    add("-c", "--config", metavar="FILE", help="a .runconfig file, or its name in .azureml/")
    add("--compute", "--target", metavar="T", help="the compute target (default: the workspace's)")
    add("--environment", metavar="ENV", help="a registered or curated environment: NAME[:VERSION]")
    environment_options.arguments(add)
    _pins_argument(add)
    add(
        "--env",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="set a variable of the job, or pass one on",
    )
    add(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="set any field of the run configuration, as max_run_duration_seconds=600",
    )
    add(
        "--tag",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        dest="tags",
        help="tag the run",
    )
    _data_arguments(add)
    _rank_arguments(parser)
    _retry_arguments(add)
    add("--source", metavar="DIR", help="the directory that goes along (default: here)")
    add("--command", metavar="LINE", help="a shell line to run instead of a script")
    add("-d", "--detach", action="store_true", help="print the run's id and return at once")
    add("--plan", action="store_true", help="show exactly what would happen, and do nothing")
    add("--json", action="store_true", help="print the run's record (or the plan) as JSON")


def _pins_argument(add: Any) -> None:
    add(
        "--pins",
        choices=("exact", "relax"),
        default="exact",
        help="what becomes of pins that cannot be had (default: exact, they are refused)",
    )


def _rank_arguments(parser: Any) -> None:
    add = parser.add_argument
    add("--nodes", metavar="N", type=int, default=1, help="on this machine they are simulated")
    add("--processes", metavar="N", type=int, help="ranks in all (default: one a node)")
    kinds = (
        ("--mpi", "the ranks are started by mpirun, or by srun"),
        ("--pytorch", "the ranks get what torch.distributed reads"),
        ("--tensorflow", "one worker a node, told by TF_CONFIG"),
    )
    one = parser.add_mutually_exclusive_group().add_argument
    for name, line in kinds:
        one(name, action="store_const", const=name[2:], dest="distributed", help=line)
    for name, value in (("cpus", "N"), ("gpus", "N"), ("memory", "SIZE")):
        kind = int if value == "N" else str
        what = "as 16G, for each node" if kind is str else "for each node"
        add(f"--{name}", metavar=value, type=kind, help=what)
        add(f"--{name}-per-process", metavar=value, type=kind, help="the same for each rank")
    sees = "which GPUs of its node a rank sees: all (default), or its own share"
    add("--gpu-binding", choices=("node", "process"), help=sees)


def _retry_arguments(add: Any) -> None:
    add("--retries", metavar="N", type=int, default=0, help="start a failed run again, N times")
    add(
        "--retry-on",
        metavar="CAUSES",
        help="for which causes, as preempted,node-lost,time-limit,exit:75,signal:SIGBUS "
        "(default: preempted,node-lost)",
    )
    add(
        "--warn-before",
        metavar="SECONDS",
        type=float,
        help="send SIGTERM so long before the time limit, to save; retries go on from there",
    )


def _data_arguments(add: Any) -> None:
    add(
        "--input",
        metavar="NAME=DATA",
        action="append",
        default=[],
        dest="inputs",
        help="data that the script gets: a dataset, DATASTORE:PATH, an address or a path",
    )
    add(
        "--output",
        metavar="NAME=DATASTORE:PATH",
        action="append",
        default=[],
        dest="outputs",
        help="a folder that the script writes, and where its files go",
    )


def run(args: argparse.Namespace) -> int:
    """Submit, and unless detached stream the log; the exit code."""
    workspace = workspace_here.here()
    described = run_options.describe(args, workspace)
    submission = check.check(
        described.config, workspace, described.experiment, described.tags, described.origin
    )
    submission.warnings += described.warnings
    if args.plan:
        return int(_loaded("terminal.plan_view").show(submission, workspace, args.json))
    local_engine.allow_fork()  # one thread, and nothing else of ours runs here
    workspace = workspace_here.made(workspace)
    experiment_registry.make(workspace, described.experiment)
    with spinner.telling("Taking a snapshot"):
        folder = submit.submit(submission, workspace)
    return int(_loaded("runs.after_submit").finish(workspace, folder, submission.warnings, args))


def _loaded(name: str) -> Any:
    """What is not needed before the run has been started; it starts the sooner for that."""
    return importlib.import_module(f"scriptrun.cli.{name}")
