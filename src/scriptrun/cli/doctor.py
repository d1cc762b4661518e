"""Check that this machine has what runs need; the exit code is 1 where something is missing."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from scriptrun import doctoring, opening
from scriptrun.cli import out, pythons, shared
from scriptrun.spec.hints import Any


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    shared.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the checks; the exit code."""
    workspace = opening.here()
    python, _ = pythons.choose(Path.cwd(), workspace.root)
    found = list(doctoring.checks(workspace, python))
    if args.json:
        out.as_json([asdict(check) for check in found])
    else:
        for check in found:
            out.verdict(check)
    return 1 if any(check.verdict == "bad" for check in found) else 0
