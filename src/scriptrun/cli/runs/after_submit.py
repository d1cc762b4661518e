"""What ``run`` and ``rerun`` do once the run has been started."""

from __future__ import annotations

import argparse
from pathlib import Path

from scriptrun.cli.terminal import attach, output
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace


def finish(
    workspace: Workspace, folder: Path, warnings: list[str], args: argparse.Namespace
) -> int:
    """Print the id of a run that goes on alone, or stream it to its end; the exit code."""
    for message in warnings:
        attach.warn(message)
    run = Run.at(workspace, folder)
    if args.detach:
        if args.json:
            output.as_json(run.get_details())
        else:
            print(run.id)
        return 0
    code = attach.stream(run, quiet=args.json)
    if args.json:
        output.as_json({**run.get_details(), "metrics": run.get_metrics()})
    return code
