"""Rewrite Azure ML SDK v1 code: Estimators to ScriptRunConfig, azureml to scriptrun.

PATH is a script, a notebook or a directory of them. Shows the changes as a diff; use --write to
change the files.

examples:
  scriptrun migrate submit.py
  scriptrun migrate --write notebooks/
  scriptrun migrate --to azureml --check .
  scriptrun migrate --prove submit.py

--prove executes the files in copies of their directories, up to the submission.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import shlex
import sys

from scriptrun.cli.terminal import output, streams
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.migration.batch import Report

_COLOURS = {"+": "32", "-": "31", "@": "36"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file or directory")
    parser.add_argument("--write", action="store_true", help="write the changes to the files")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if anything would change; write nothing"
    )
    parser.add_argument(
        "--to",
        choices=("scriptrun", "azureml"),
        default="scriptrun",
        help="azureml: convert only Estimators to ScriptRunConfig (default: scriptrun)",
    )
    parser.add_argument(
        "--report", choices=("text", "json"), default="text", help="report format (default: text)"
    )
    parser.add_argument(
        "--json", action="store_const", dest="report", const="json", help="same as --report json"
    )
    parser.add_argument(
        "--prove",
        action="store_true",
        help="run each file before and after, and compare submitted jobs",
    )
    parser.add_argument(
        "--args", default="", metavar="TEXT", help="arguments that --prove passes to each file"
    )


def run(args: argparse.Namespace) -> int:
    """Convert all files; return 1 if --check finds changes or --prove finds differences."""
    if args.check and args.write:
        raise UserErrorException("--check and --write cannot be used together.", "Use one of them.")
    if importlib.util.find_spec("libcst") is None:
        raise UserErrorException(
            "`scriptrun migrate` requires LibCST, which is not installed.",
            "Run: pip install 'scriptrun[migrate]'",
        )
    migration = importlib.import_module("scriptrun.migration.batch")
    progress = _Progress(args.report == "text" and sys.stderr.isatty())
    report = migration.look(args.paths, args.to, alternative, progress.step, args.write, args.prove)
    progress.end()
    if args.prove:
        report.prove(shlex.split(args.args))
    if args.report == "json":
        output.print_json(report.as_dict())
    else:
        _print_report(report, show_diffs=not args.write)
    differs = any(proof.standing == "differs" for proof in report.proofs)
    return int(differs or (args.check and bool(report.changed)))


def alternative(module: str, name: str) -> str | None:
    """Return what to use instead of azureml's ``module.name``; None if it is supported."""
    api_table = importlib.import_module("scriptrun.dropin.api_table")
    if api_table.source_of(module, name):
        return None
    advice: str | None = api_table.alternative(module, name)
    return advice


def _print_report(report: Report, show_diffs: bool) -> None:
    for file in report.changed if show_diffs else []:
        for line in file.diff:
            print(output.paint(line, _COLOURS.get(line[:1], "")))
    for finding in report.findings:
        print(finding)
    for proof in report.proofs:
        print(proof)
    print(report.summary(written=not show_diffs))


class _Progress:
    """A progress bar on the terminal."""

    def __init__(self, enabled: bool) -> None:
        self.enabled, self.last_percent = enabled, -1

    def step(self, completed: int, total: int) -> None:
        """Show that ``completed`` of ``total`` files have been processed."""
        percent = completed * 100 // max(total, 1)
        if self.enabled and percent != self.last_percent:
            self.last_percent = percent
            bar = "#" * (percent // 4)
            streams.show_status(f"{bar:<25} {completed}/{total} files")

    def end(self) -> None:
        """Clear the progress bar."""
        if self.enabled and self.last_percent >= 0:
            streams.show_status("")
