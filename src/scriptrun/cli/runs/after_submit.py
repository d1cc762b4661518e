"""The end of ``run`` and ``rerun``, after the run is submitted."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from scriptrun.cli.terminal import attach, output
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace


def notify(workspace: Workspace, folder: Path, command: Sequence[str]) -> None:
    """Execute the setting ``notify`` when the run in ``folder`` ends; nothing if it is empty."""
    if command:
        notifications = importlib.import_module("scriptrun.queue.notifications")
        notifications.request(workspace, folder.name, command)


def finish(
    workspace: Workspace, folder: Path, warnings: list[str], args: argparse.Namespace
) -> int:
    """Print the ID of a detached run, or stream the run's log; return the exit code."""
    for message in warnings:
        attach.warn(message)
    run = Run.at(workspace, folder)
    if args.detach:
        if args.json:
            _print_record(run)
        else:
            print(run.id)
        return 0
    attach.announce(run)
    code = attach.stream(run, quiet=args.json)
    if args.json:
        _print_record(run)
    return code


def _print_record(run: Run) -> None:
    record = importlib.import_module("scriptrun.cli.runs.record")  # the search is slow to load
    output.print_json(record.in_full(run))
