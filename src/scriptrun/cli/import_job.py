"""Convert another system's job to Python.

Supports Azure ML v2 command and sweep jobs (YAML), .runconfig files and MLproject files. Prints the
Python to stdout and lists whatever cannot be converted on stderr.

examples:
  scriptrun import job.yml > submit.py
  scriptrun import MLproject --param alpha=0.5
"""

from __future__ import annotations

import argparse
import importlib

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output
from scriptrun.spec.errors import UserErrorException


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="job file")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of an MLproject parameter",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of Python")


def run(args: argparse.Namespace) -> int:
    """Print the converted job and return the exit code."""
    read_job = importlib.import_module("scriptrun.migration.formats.read_job")
    as_python = importlib.import_module("scriptrun.migration.formats.as_python")
    job = read_job.read(args.file, dict(map(_parse_parameter, args.param)))
    code = as_python.code(job.config, job.experiment, job.sweep)
    lost = [*job.lost, *code.lost]
    if args.json:
        output.print_json({"code": code.text, "lost": lost})
        return 0
    for line in lost:
        cli_errors.say(f"not converted: {line}")
    output.print_file(code.text)
    return 0


def _parse_parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise UserErrorException(f"Invalid parameter {text!r}.", "Use --param NAME=VALUE.")
    return name, value
