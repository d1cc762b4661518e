"""The ``scriptrun`` command: one file a command; talks to the hall only.

Starting it is fast because nothing is imported here that the command in use does not need.
"""

from __future__ import annotations

import sys

from scriptrun.cli import front


def main(argv: list[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's own) and return the exit code.

    0 done, 1 the job failed, 2 wrong usage, 3 refused by the engine, 70 our own bug, 130 Ctrl-C.
    """
    return front.run(sys.argv[1:] if argv is None else argv)
