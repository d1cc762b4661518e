"""The ``scriptrun`` command: one module per command.

Starting it is fast because nothing is imported here that the command in use does not need.
"""

from __future__ import annotations

import gc
import importlib
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's own) and return the exit code.

    0 done, 1 the job failed, 2 wrong usage, 3 refused by the engine, 70 our own bug, 130 Ctrl-C.
    """
    gc.disable()  # everything loaded here stays alive; a collection would cost 2 ms
    try:
        dispatch = importlib.import_module("scriptrun.cli.dispatch")
        code: int = dispatch.run(sys.argv[1:] if argv is None else argv)
        return code
    finally:
        gc.enable()
