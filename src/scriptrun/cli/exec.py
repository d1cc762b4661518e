"""Run code that was written for the Azure ML SDK v1, as it is.

The names of ``azureml`` are found in scriptrun, for this script and no other. Everything after
FILE goes to the script.

examples:
  scriptrun exec submit.py --epochs 5
  scriptrun exec -m project.submit
  scriptrun exec train.ipynb
  scriptrun exec --check submit.py
"""

from __future__ import annotations

import argparse
import importlib

from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.hints import Any


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    parser.usage = "scriptrun exec [--check] FILE [ARGS], or scriptrun exec -m MODULE [ARGS]"
    parser.add_argument("-m", dest="module", metavar="MODULE", help="run a module, as python -m")
    parser.add_argument(
        "--check",
        action="store_true",
        help="run nothing; list what FILE uses of azureml that is not provided",
    )
    parser.add_argument(
        "--install-kernel",
        action="store_true",
        help="run nothing; add a kernel to Jupyter in which old notebooks run cell by cell",
    )
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="FILE",
        help="a script or a notebook, and the arguments for it",
    )


def run(args: argparse.Namespace) -> int:
    """Run it, or look through it; the exit code: that of the script, or 1 for what is missing."""
    importlib.import_module("scriptrun.dropin")
    if args.check:
        return _check(args.words)
    if args.install_kernel:
        print(importlib.import_module("scriptrun.dropin.notebook.kernel").install())
        return 0
    running = importlib.import_module("scriptrun.dropin.exec")
    if args.module:
        return int(running.module(args.module, args.words))
    return int(running.script(_first(args.words), args.words[1:]))


def _check(words: list[str]) -> int:
    checking = importlib.import_module("scriptrun.dropin.scan")
    found = checking.check(_first(words))
    for each in found:
        print(f"{each.place}: {each.name}\n    {each.instead}")
    if not found:
        print(f"{words[0]}: all that it uses of azureml is provided.")
    return 1 if found else 0


def _first(words: list[str]) -> str:
    if not words:
        raise UserErrorException(
            "Nothing to run was named.", "scriptrun exec submit.py, or -m and a module."
        )
    return words[0]
