"""Open a shell in a fresh copy of a run's snapshot, with its environment, variables and data.

Starts $SHELL in a copy of the snapshot, with the run's variables and data, and removes the copy
afterwards. Calls that log metrics print to the terminal, because no run is active. Use -- COMMAND
to execute a command instead of a shell.

examples:
  scriptrun shell RUN
  scriptrun shell RUN -- python train.py --alpha 0.5
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scriptrun.cli import common_arguments
from scriptrun.cli import errors as cli_errors
from scriptrun.history import reopen
from scriptrun.runs import details, service_facts
from scriptrun.store import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.parsers import Parser
    from scriptrun.core.run import Run


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.takes_rest = True
    parser.rest_purpose, parser.subject = "execute a command", "RUN"
    parser.usage = "scriptrun shell [RUN] [-- COMMAND]"
    common_arguments.run_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Open the shell and return its exit code."""
    import subprocess

    selected = common_arguments.find_run(args)
    with scratch.Scratch("shell") as folder:
        copied_run = reopen.copy_run(selected, Path(folder, "source"), cli_errors.say)
        if not args.rest:
            cli_errors.say(_greeting(selected, copied_run.folder))
        command = args.rest or [os.environ.get("SHELL") or "/bin/sh"]
        try:
            result = subprocess.run(command, cwd=copied_run.folder, env=copied_run.environ)
        except OSError as error:
            return cli_errors.report_error(f"Cannot start {command[0]!r}: {error.strerror}.")
        finally:
            copied_run.release_data()
    return result.returncode if result.returncode >= 0 else 128 - result.returncode


def _greeting(run: Run, folder: Path) -> str:
    job = run.job
    line = job.command or " ".join(["python", job.script or "", *map(_quote, job.arguments)])
    title = details.title(run)
    service = service_facts.of_run(run)
    what = f"Command: {line}"
    if service is not None:
        what = f"Entry script: {service.entry_script or 'none'}"
    return f"Copied the snapshot of {title} to {folder} (removed on exit).\n  {what}"


def _quote(text: str) -> str:
    import shlex

    return shlex.quote(text)
