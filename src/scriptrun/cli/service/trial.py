"""``scriptrun serve --test``: answer one request, print the response, and end."""

from __future__ import annotations

import sys

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import attach, output, streams
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.runs import follow
from scriptrun.runtime import files
from scriptrun.services import deploy
from scriptrun.services.request import ServiceRequest
from scriptrun.spec import states

#: the run's file with the response
_RESPONSE = "outputs/response.json"


class TrialLogWriter(attach.LogWriter):
    """Writes the log to stderr, without its last line if that is the response."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._last_line = b""

    def write(self, name: str, data: bytes) -> None:
        """Write ``data``, new in the log ``name``, but for the last line."""
        if name.startswith("system_logs/"):
            return
        self.clear()
        text = self._last_line + data
        end = text.rstrip(b"\n").rfind(b"\n") + 1
        self._last_line = text[end:]
        _write(text[:end])

    def finish(self, response: bytes | None) -> None:
        """Write the last line unless it is the response."""
        self.clear()
        if response is None or self._last_line.strip() != response.strip():
            _write(self._last_line)


def _write(data: bytes) -> None:
    stream = streams.raw(sys.stderr)
    stream.write(data.decode("utf-8", "replace"))
    stream.flush()


def run(workspace: Workspace, request: ServiceRequest, as_json: bool) -> int:
    """Answer ``request.test`` in a run, and return the exit code: 1 if the script failed."""
    with attach.warnings_as_lines():
        trial = deploy.run_test(workspace, request)
    writer = TrialLogWriter(trial)
    try:
        status = follow.follow(trial, writer.write, writer.pause)
    except KeyboardInterrupt:
        trial.cancel()
        writer.finish(None)
        return cli_errors.INTERRUPTED
    response = files.read_bytes(trial.path / _RESPONSE)
    writer.finish(response)
    text = None if response is None else response.decode("utf-8", "replace")
    is_completed = status.state == states.COMPLETED
    if not is_completed and text is None:
        attach.print_summary(trial, status)
    if as_json:
        output.print_json({"run": trial.id, "answered": is_completed, "response": text})
    elif text is not None:
        print(text.rstrip("\n"))
    return 0 if is_completed else 1
