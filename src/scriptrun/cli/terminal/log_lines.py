"""The lines of a run's logs as a stream of JSON documents."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.runs import follow
from scriptrun.spec import states

_RANK = re.compile(r"_process_(\d+)\.txt$")


def print_as_json(
    run: Run,
    follows: bool,
    tail: int | None,
    logs: Sequence[str],
    ranks: Sequence[int] | None,
) -> int:
    """Print each line as a document, and at the end the run's state; return the exit code.

    The code is 1 if ``follows`` and the run did not complete.
    """
    lines = Lines()
    if follows:
        try:
            status = follow.follow(run, lines.write, _pause, tail, ranks)
        except KeyboardInterrupt:
            return cli_errors.INTERRUPTED
    else:
        stream = follow.LogStream(run.path, lines.write, tail, logs)
        stream.pump()
        stream.close()
        status = run.standing
    lines.end()
    end = {"id": run.id, "state": status.state, "reason": status.reason or None}
    output.print_json({"run": {**end, "exit_code": status.exit_code}}, indent=None)
    return 1 if follows and status.state != states.COMPLETED else 0


def _pause(seconds: float) -> None:
    sys.stdout.flush()
    time.sleep(seconds)


class Lines:
    """Prints what is written as lines, each when it is complete."""

    def __init__(self) -> None:
        self._begun: dict[str, bytes] = {}

    def write(self, name: str, data: bytes) -> None:
        """Print the lines that ``data``, new in the log ``name``, completes."""
        *lines, rest = (self._begun.get(name, b"") + data).split(b"\n")
        self._begun[name] = rest
        for line in lines:
            self._print(name, line)

    def end(self) -> None:
        """Print the lines that have no end."""
        for name, line in self._begun.items():
            if line:
                self._print(name, line)

    def _print(self, name: str, line: bytes) -> None:
        rank = _RANK.search(name)
        text = line.decode("utf-8", "replace")
        document = {"log": name, "rank": int(rank[1]) if rank else None, "text": text}
        output.print_json(document, indent=None)
