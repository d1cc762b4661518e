"""Wait for a run and stream its logs."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from scriptrun.preparation import environment_record
from scriptrun.queue import tickets
from scriptrun.registry import compute_targets
from scriptrun.runs import status as run_status
from scriptrun.runtime import files
from scriptrun.spec import states
from scriptrun.spec.errors import ActivityFailedException, UserErrorException
from scriptrun.spec.run_kinds import run_kind
from scriptrun.tracking import run_folder
from scriptrun.tracking.unstarted import end_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from scriptrun.core.run import Run
    from scriptrun.spec.job import JobSpec
    from scriptrun.tracking.run_state import Status

#: seconds between polls of the logs: initially, and at most; and between checks of the status
FAST, SLOW, SETTLE = 0.01, 0.25, 1.0


def script_logs(job: JobSpec, ranks: Sequence[int] | None = None) -> list[str]:
    """The script's logs: its only log, or those of ``ranks`` (default: rank 0).

    Raises UserErrorException for a rank that the job does not have.
    """
    kind = run_kind(job.kind)
    if kind.log:
        return [kind.log]
    count = ranks_of(job)
    if not job.distribution.kind:
        if any(ranks or ()):
            raise UserErrorException(f"Run {job.id} is not distributed, so it has no ranks.")
        return ["user_logs/std_log.txt"]
    for rank in ranks or ():
        if not 0 <= rank < count:
            raise UserErrorException(
                f"Run {job.id} has no rank {rank}.", f"Its ranks are 0 to {count - 1}."
            )
    return [f"user_logs/std_log_process_{rank}.txt" for rank in (ranks or (0,))]


def ranks_of(job: JobSpec) -> int:
    """The total number of ranks of the job."""
    spread = job.distribution
    if spread.kind == "tensorflow":
        settings = spread.settings
        return int(settings.get("workers", spread.nodes)) + int(settings["parameter_servers"])
    return spread.nodes * spread.processes_per_node


class Stream:
    """Follows the run's logs and passes new text to ``write``: the environment's and ``logs``.

    With ``tail``, only ``logs``, from their last ``tail`` lines on.
    """

    def __init__(
        self,
        folder: Path,
        write: Callable[[str, bytes], None],
        tail: int | None = None,
        logs: Sequence[str] = ("user_logs/std_log.txt",),
    ) -> None:
        self._folder = folder
        self._write = write
        self._tail = tail
        self._names = logs if tail is not None else [environment_record.LOG, *logs]
        self._open: dict[str, IO[bytes]] = {}

    def pump(self) -> bool:
        """Pass on new text; return whether there was any."""
        moved = False
        for name in self._names:
            handle = self._handle(name)
            while handle is not None:
                data = handle.read(1 << 16)
                if not data:
                    break
                moved = True
                self._write(name, data)
        return moved

    def _handle(self, name: str) -> IO[bytes] | None:
        if name not in self._open:
            try:
                self._open[name] = open(self._folder / name, "rb")  # noqa: SIM115
            except OSError:
                return None
            if self._tail is not None:
                _seek_lines(self._open[name], self._tail)
        return self._open[name]

    def close(self) -> None:
        """Close the files."""
        for handle in self._open.values():
            handle.close()


def _seek_lines(handle: IO[bytes], count: int) -> None:
    """Seek to the start of the last ``count`` lines, reading backwards."""
    end = place = handle.seek(0, 2)
    seen = 0
    while place > 0 and seen <= count:
        size = min(1 << 16, place)
        place -= size
        handle.seek(place)
        block = handle.read(size)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            if place + at + 1 == end:
                continue  # the newline of the last line
            seen += 1
            if seen == count:
                handle.seek(place + at + 1)
                return
    handle.seek(0 if count else end)


def follow(
    run: Run,
    write: Callable[[str, bytes], None],
    pause: Callable[[float], None] = time.sleep,
    tail: int | None = None,
    ranks: Sequence[int] | None = None,
) -> Status:
    """Stream the run's logs to ``write`` (name, bytes) until it has ended; return its status.

    For several ranks, stream the logs of ``ranks`` (default: rank 0).
    """
    stream = Stream(run.path, write, tail, script_logs(run.job, ranks))
    try:
        wait, next_look = FAST, 0.0
        while True:
            ended = _has_result(run)
            if ended or time.monotonic() >= next_look:
                status = run.standing
                next_look = time.monotonic() + SETTLE
                if status.is_final:
                    stream.pump()
                    return status
            wait = FAST if stream.pump() else min(SLOW, wait * 1.2)
            pause(wait)
    finally:
        stream.close()


def _has_result(run: Run) -> bool:
    return run_folder.read_result(run.path) is not None


def wait(run: Run, show_output: bool) -> Status:
    """Wait for the run for ``Run.wait_for_completion``; ``show_output`` prints its logs."""
    try:
        status = follow(run, _Shown(run) if show_output else _nothing)
    except KeyboardInterrupt:
        print(
            f"\nDetached: run {run.id} keeps running. To follow it, use Run.get(workspace, "
            f"{run.id!r}).wait_for_completion(show_output=True) or `scriptrun logs {run.id} "
            f"--follow`. To cancel it, use `scriptrun cancel {run.id}`.",
            file=sys.stderr,
        )
        raise
    if show_output:
        _summary(run, status)
    return status


def _nothing(name: str, data: bytes) -> None:
    """Discard the text."""


class _Shown:
    """Prints logs with a heading for each file, as SDK v1 does."""

    def __init__(self, run: Run) -> None:
        self._last = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        print(f"RunId: {run.id}")
        print(f"Web View: {run.get_portal_url()}", flush=True)

    def __call__(self, name: str, data: bytes) -> None:
        if name != self._last:
            heading = f"Streaming {name}"
            print(f"\n{heading}\n{'=' * len(heading)}\n")
            self._last = name
        print(self._decoder.decode(data), end="", flush=True)


def _summary(run: Run, status: Status) -> None:
    print("\nExecution Summary\n=================")
    print(f"RunId: {run.id}")
    print(f"Status: {status.state}" + (f" ({status.reason})" if status.reason else ""))
    print(f"Web View: {run.get_portal_url()}", flush=True)


def raise_if_failed(run: Run, raise_on_error: bool) -> None:
    """Raise ActivityFailedException if the run failed and ``raise_on_error`` is set."""
    status = run.standing
    if raise_on_error and status.state == states.FAILED:
        inside = run_kind(run.job.kind).has_children  # its reason includes its child's log
        tail = "" if inside else last_lines(run.path / _log_of_the_end(run))
        shown = f"\nLast lines of its log:\n{tail}" if tail else ""
        reason = status.reason.rstrip(".")
        raise ActivityFailedException(f"Run {run.id} failed: {reason}.{shown}")


def _log_of_the_end(run: Run) -> str:
    """The log of the rank that failed first, else the script's log."""
    result = run_folder.read_result(run.path) or {}
    return str(result.get("log") or script_logs(run.job)[0])


def last_lines(path: Path, count: int = 15) -> str:
    """The last ``count`` lines of a log, read from its end."""
    try:
        with open(path, "rb") as handle:
            handle.seek(0, 2)
            handle.seek(max(0, handle.tell() - 8192))
            text = handle.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])


def end_if_waiting(run: Run) -> None:
    """End a canceled run at once if no launcher has claimed it.

    The cancellation request is already written, so a launcher that claims the run now sees it.
    """
    run_status.refresh(run.path, run.job, at_once=True)
    if any(
        (run.path / "attempts" / str(n) / "node-0.start.json").exists()
        for n in run_folder.attempts(run.path)
    ):
        return
    if not files.read_json(str(run.path / "job.json")):
        return
    ticket = tickets.find(tickets.queue_of(run.workspace.id), run.id)
    shared = compute_targets.engine_of(run.job.target).traits.shared_files
    if ticket is None and not shared:
        return  # it was handed over, and its launcher may have claimed it since
    end_failed(run.path, "canceled before it started", states.CANCELED)
    if ticket is not None:
        tickets.drop(ticket)
