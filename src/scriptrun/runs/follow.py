"""Wait for a run and stream its logs."""

from __future__ import annotations

import codecs
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from scriptrun.preparation import environment_record
from scriptrun.queue import tickets
from scriptrun.registry import compute_targets
from scriptrun.runs import status as run_status
from scriptrun.runtime import files, identity, log_tail
from scriptrun.spec import states
from scriptrun.spec.control_characters import LogCleaner, escape
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.run_kinds import run_kind
from scriptrun.tracking import run_folder
from scriptrun.tracking.unstarted import end_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from scriptrun.core.run import Run
    from scriptrun.spec.job import JobSpec
    from scriptrun.tracking.run_state import RunState

#: seconds between polls of the logs: initially, and at most; and between checks of the status
FAST_POLL, SLOW_POLL, STATUS_INTERVAL = 0.01, 0.25, 1.0


def script_logs(job: JobSpec, ranks: Sequence[int] | None = None) -> list[str]:
    """The script's logs: its only log, or those of ``ranks`` (default: rank 0).

    Raises UserErrorException for a rank that the job does not have.
    """
    kind = run_kind(job.kind)
    if kind.log:
        return [kind.log]
    count = count_ranks(job)
    if not job.distribution.kind:
        if any(ranks or ()):
            raise UserErrorException(
                f"Run {job.id} is not distributed, so it has no ranks.",
                "Read its log without a rank.",
            )
        return ["user_logs/std_log.txt"]
    for rank in ranks or ():
        if not 0 <= rank < count:
            raise UserErrorException(
                f"Run {job.id} has no rank {rank}.", f"Its ranks are 0 to {count - 1}."
            )
    return [f"user_logs/std_log_process_{rank}.txt" for rank in (ranks or (0,))]


def count_ranks(job: JobSpec) -> int:
    """The total number of ranks of the job."""
    distribution = job.distribution
    if distribution.kind == "tensorflow":
        settings = distribution.settings
        return int(settings.get("workers", distribution.nodes)) + int(settings["parameter_servers"])
    return distribution.nodes * distribution.processes_per_node


class LogStream:
    """Follows the run's logs and passes new text to ``write``: the environment's and ``logs``.

    With ``tail``, only ``logs``, from their last ``tail`` lines on; else ``logs`` from the byte
    ``start`` on.
    """

    def __init__(
        self,
        folder: Path,
        write: Callable[[str, bytes], None],
        tail: int | None = None,
        logs: Sequence[str] = ("user_logs/std_log.txt",),
        start: int = 0,
    ) -> None:
        self._folder, self._logs, self._start = folder, logs, start
        self._write = write
        self._tail = tail
        self._names = logs if tail is not None else [environment_record.LOG, *logs]
        self._open: dict[str, IO[bytes]] = {}

    def pump(self) -> bool:
        """Pass on new text; return whether there was any."""
        has_new = False
        for name in self._names:
            handle = self._handle(name)
            while handle is not None:
                data = handle.read(1 << 16)
                if not data:
                    break
                has_new = True
                self._write(name, data)
        return has_new

    def _handle(self, name: str) -> IO[bytes] | None:
        if name not in self._open:
            try:
                self._open[name] = files.open_record(self._folder / name)
            except OSError:
                return None
            if self._tail is not None:
                _seek_lines(self._open[name], self._tail)
            elif name in self._logs:
                self._open[name].seek(self._start)
        return self._open[name]

    def close(self) -> None:
        """Close the files."""
        for handle in self._open.values():
            handle.close()


def _seek_lines(handle: IO[bytes], count: int) -> None:
    """Seek to the start of the last ``count`` lines, reading backwards."""
    end = position = handle.seek(0, 2)
    newlines = 0
    while position > 0 and newlines <= count:
        size = min(1 << 16, position)
        position -= size
        handle.seek(position)
        block = handle.read(size)
        index = len(block)
        while (index := block.rfind(b"\n", 0, index)) >= 0:
            if position + index + 1 == end:
                continue  # the newline of the last line
            newlines += 1
            if newlines == count:
                handle.seek(position + index + 1)
                return
    handle.seek(0 if count else end)


def follow(
    run: Run,
    write: Callable[[str, bytes], None],
    pause: Callable[[float], None] = time.sleep,
    tail: int | None = None,
    ranks: Sequence[int] | None = None,
    log_start: int = 0,
) -> RunState:
    """Stream the run's logs to ``write`` (name, bytes) until it has ended; return its status.

    For several ranks, stream the logs of ``ranks`` (default: rank 0). ``log_start`` is the byte of
    the script's log to begin with.
    """
    stream = LogStream(run.path, write, tail, script_logs(run.known_job, ranks), log_start)
    try:
        delay, next_check = FAST_POLL, 0.0
        while True:
            ended = _has_result(run)
            if ended or time.monotonic() >= next_check:
                status = run.standing
                next_check = time.monotonic() + STATUS_INTERVAL
                if status.is_final:
                    stream.pump()
                    return status
            delay = FAST_POLL if stream.pump() else min(SLOW_POLL, delay * 1.2)
            pause(delay)
    finally:
        stream.close()


def log_size(run: Run) -> int:
    """The bytes of the script's log so far."""
    try:
        return os.stat(run.path / script_logs(run.known_job)[0]).st_size
    except OSError:
        return 0


def _has_result(run: Run) -> bool:
    return run_folder.read_result(run.path) is not None


def is_own(run: Run) -> bool:
    """Whether this process is the run: it logs to it, or is its job."""
    if os.environ.get("SCRIPTRUN_RUN_FOLDER") == str(run.path):
        return True
    start = files.read_object(str(run.path / "attempts" / "1" / "node-0.start.json"))
    return start is not None and start == identity.identify()


def wait(run: Run, show_output: bool) -> RunState:
    """Wait for the run for ``Run.wait_for_completion``; ``show_output`` prints its logs.

    Raises UserErrorException for an active run of this process, which would wait for itself.
    """
    if is_own(run) and not run.standing.is_final:
        raise UserErrorException(
            f"Run {run.id} is of this process, which cannot wait for itself.",
            "End the run first: run.complete().",
        )
    try:
        status = follow(run, _LogPrinter(run) if show_output else _ignore)
    except KeyboardInterrupt:
        print(
            f"\nDetached: run {run.id} keeps running. To follow it, use Run.get(workspace, "
            f"{run.id!r}).wait_for_completion(show_output=True) or `scriptrun logs {run.id} "
            f"--follow`. To cancel it, use `scriptrun cancel {run.id}`.",
            file=sys.stderr,
        )
        raise
    if show_output:
        _print_summary(run, status)
    return status


def _ignore(name: str, data: bytes) -> None:
    """Discard the text."""


class _LogPrinter:
    """Prints logs with a heading for each file, as SDK v1 does."""

    def __init__(self, run: Run) -> None:
        self._last_name = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cleaner = LogCleaner() if sys.stdout and sys.stdout.isatty() else None
        print(f"RunId: {run.id}")
        print(f"Web View: {run.get_portal_url()}", flush=True)

    def __call__(self, name: str, data: bytes) -> None:
        if name != self._last_name:
            heading = f"Streaming {name}"
            print(f"\n{heading}\n{'=' * len(heading)}\n")
            self._last_name = name
        if self._cleaner is not None:
            data = self._cleaner.clean(data)
        print(self._decoder.decode(data), end="", flush=True)


def _print_summary(run: Run, status: RunState) -> None:
    print("\nExecution Summary\n=================")
    print(f"RunId: {run.id}")
    print(f"Status: {status.state}" + (f" ({escape(status.reason)})" if status.reason else ""))
    print(f"Web View: {run.get_portal_url()}", flush=True)


def last_lines(path: Path, count: int = 15) -> str:
    """The last ``count`` lines of a log, cleaned, read from its end."""
    return "\n".join(log_tail.read_tail(path, count))


def end_if_waiting(run: Run) -> None:
    """End a canceled run at once if no launcher has claimed it.

    The cancellation request is already written, so a launcher that claims the run now sees it.
    """
    job = run.known_job
    run_status.refresh(run.path, job, at_once=True)
    if any(
        os.path.lexists(run.path / "attempts" / str(n) / "node-0.start.json")
        for n in run_folder.attempts(run.path)
    ):
        return
    if not files.read_object(run.path / "job.json"):
        return
    ticket = tickets.find(tickets.queue_of(run.workspace.id), run.id)
    shared = compute_targets.engine_of(job.target).traits.shared_files
    if ticket is None and not shared:
        return  # it was passed on, and its launcher may have claimed it since
    end_failed(run.path, "canceled before it started", states.CANCELED)
    if ticket is not None:
        tickets.drop(ticket)
