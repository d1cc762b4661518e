"""Run Azure ML SDK v1 code unchanged.

scriptrun provides the ``azureml`` modules, for this script only. Everything after FILE
or MODULE is passed to it.

examples:
  scriptrun exec submit.py --epochs 5
  scriptrun exec -m project.submit
  scriptrun exec train.ipynb
  scriptrun exec --check submit.py
"""

from __future__ import annotations

import argparse
import importlib

from scriptrun.cli.terminal import streams
from scriptrun.spec.errors import UserErrorException


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.usage = "scriptrun exec [--check] FILE [ARGS], or scriptrun exec -m MODULE [ARGS]"
    parser.add_argument(
        "-m",
        dest="module",
        nargs=argparse.REMAINDER,
        metavar="MODULE",
        help="run a module, followed by its arguments, like python -m",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="list unsupported azureml names that FILE uses, and run nothing",
    )
    parser.add_argument(
        "--install-kernel",
        action="store_true",
        help="install a Jupyter kernel that runs azureml notebooks",
    )
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="FILE",
        help="script or notebook, followed by its arguments",
    )


def run(args: argparse.Namespace) -> int:
    """Run or check the code; return the script's exit code, or 1 for unsupported names."""
    importlib.import_module("scriptrun.dropin")
    if args.check:
        return _check(args.words)
    if args.install_kernel:
        print(importlib.import_module("scriptrun.dropin.notebook.kernel").install())
        return 0
    runner = importlib.import_module("scriptrun.dropin.exec")
    with streams.raw_output():
        if args.module:
            return int(runner.module(args.module[0], args.module[1:]))
        return int(runner.script(_first(args.words), args.words[1:]))


def _check(words: list[str]) -> int:
    scan = importlib.import_module("scriptrun.dropin.scan")
    unsupported = scan.check(_first(words))
    for usage in unsupported:
        print(f"{usage.place}: {usage.name}\n    {usage.instead}")
    if not unsupported:
        print(f"{words[0]}: all azureml names are supported.")
    return 1 if unsupported else 0


def _first(words: list[str]) -> str:
    if not words:
        raise UserErrorException("Nothing to run.", "Give a script, a notebook, or -m MODULE.")
    return words[0]
