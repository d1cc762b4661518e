"""--time, --partition, --gres and so on: options of the compute target for one run."""

from __future__ import annotations

import argparse
import importlib
import math
from collections.abc import Callable

from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.engines.base import Engine
    from scriptrun.runtime.hints import Json

SIGNED = ("--sbatch",)
_OPTIONS = (
    ("partition", "PARTITION", "Slurm partition for this run"),
    ("account", "ACCOUNT", "Slurm account for this run"),
    ("qos", "QOS", "Slurm quality of service for this run"),
    ("gres", "GRES", "Slurm resources per node, e.g. gpu:a100:2"),
)


class RunOptions(Value):
    """The options of the target, and the time limit in seconds of a target that has none."""

    options: Json
    seconds: int | None = None


def arguments(add: Callable[..., object]) -> None:
    """Add the options."""
    add("--time", metavar="TIME", help="time limit for this run, e.g. 2:00:00, 2h or 90m")
    for name, metavar, line in _OPTIONS:
        add(f"--{name}", metavar=metavar, help=line)
    add(
        "--sbatch",
        metavar="OPTION",
        action="append",
        default=[],
        help="another sbatch option, e.g. '--constraint=ib' (repeatable)",
    )


def is_given(args: argparse.Namespace) -> bool:
    """Whether there are any."""
    names = [name for name, _, _ in _OPTIONS]
    return any(getattr(args, name) is not None for name in ("time", *names)) or bool(args.sbatch)


def parse(args: argparse.Namespace, engine: Engine) -> RunOptions:
    """The options for a run on ``engine``. Raises UserErrorException for an invalid time."""
    options: Json = {
        name: getattr(args, name) for name, _, _ in _OPTIONS if getattr(args, name) is not None
    }
    options |= {"extra": list(args.sbatch)} if args.sbatch else {}
    if args.time is None:
        return RunOptions(options)
    time_limits = importlib.import_module(
        "scriptrun.engines.time_limits"
    )  # only where one is given
    minutes = time_limits.minutes_of(args.time)
    if not minutes or minutes < 0:
        raise UserErrorException(f"Invalid --time {args.time!r}.", time_limits.HINT)
    if "time" in engine.traits.run_options:
        return RunOptions({**options, "time": args.time})
    return RunOptions(options, math.ceil(minutes * 60))
