"""Rerun with the same snapshot, lockfile, arguments and variables.

--verify waits for the new run and compares its metrics and outputs/ with the original's. The
verdict is "same" (exit code 0), "drifted" (1) or "cannot" (2: it could not be verified).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scriptrun.cli import common_arguments
from scriptrun.cli.runs import after_submit
from scriptrun.cli.terminal import attach, output
from scriptrun.engines.local import engine as local_engine
from scriptrun.history import rerun as rerun_runs
from scriptrun.registry.settings import reader
from scriptrun.spec.control_characters import one_line

_EXIT_CODES = {"same": 0, "drifted": 1, "cannot": 2}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser)
    add = parser.add_argument
    add("-n", "--name", metavar="NAME", default="", help="display name for the new run")
    add("-d", "--detach", action="store_true", help="print the new run's ID and return immediately")
    add("--verify", action="store_true", help="compare metrics and outputs with the original run")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Rerun the run and return the exit code."""
    local_engine.allow_fork()
    original = common_arguments.find_run(args)
    settings = reader.read(Path.cwd(), original.workspace)
    rerun = rerun_runs.start(original, args.name)
    after_submit.notify(original.workspace, rerun.run.path, settings.notify)
    if not args.verify:
        return after_submit.finish(original.workspace, rerun.run.path, rerun.warnings, args)
    for message in rerun.warnings:
        attach.warn(message)
    attach.stream(rerun.run, quiet=args.json)
    verdict = rerun_runs.verify(original, rerun.run)
    if args.json:
        output.print_json({"run": rerun.run.id, "rerun_of": original.id, **verdict.as_dict()})
    else:
        print(verdict.answer)
        for line in verdict.what:
            print(one_line(f"  {line}"))
    return _EXIT_CODES[verdict.answer]
