"""The ``scriptrun`` command: one file a command; talks to the hall only."""

from __future__ import annotations


def main(argv: list[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's own) and return the exit code."""
    raise NotImplementedError
