"""Follow a run in the terminal: its log, Ctrl-C handling and final summary."""

from __future__ import annotations

import gc
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output, streams
from scriptrun.core.run import Run
from scriptrun.runs import details, follow
from scriptrun.spec import states
from scriptrun.spec.control_characters import LogCleaner
from scriptrun.spec.run_kinds import run_kind
from scriptrun.tracking import events
from scriptrun.tracking.run_state import RunState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

#: seconds within which a second Ctrl-C cancels the run
GRACE = 3.0
#: seconds without output before a terminal shows the run's state
QUIET_SECONDS = 1.0
#: number of lines of a failed rank's log in the summary
TAIL_LINES = 8


def announce(run: Run) -> None:
    """Print the run's name and ID to a terminal, before its log."""
    if sys.stderr.isatty():
        cli_errors.say(f"Run {details.title(run)}")


def stream(
    run: Run, quiet: bool = False, log_start: int = 0, writer: LogWriter | None = None
) -> int:
    """Stream the run's log until it finishes; return the exit code.

    ``quiet`` hides the log; what is before the byte ``log_start`` was printed earlier. ``writer``
    writes it (default: a LogWriter).
    """
    gc.enable()  # following a run can take days
    writer = writer or LogWriter(run, quiet)
    interrupts = _InterruptCounter()
    with interrupts.installed():
        try:
            status = follow.follow(run, writer.write, writer.pause, log_start=log_start)
        except KeyboardInterrupt:
            writer.clear()
            return _handle_interrupt(run, writer, interrupts)
    writer.end_line()
    print_summary(run, status, with_log=quiet)
    return 0 if status.state == states.COMPLETED else 1


def follow_log(
    run: Run, writer: LogWriter, tail: int | None, ranks: list[int] | None = None
) -> int:
    """Write the run's log until it finishes, from its last ``tail`` lines on; return the exit code.

    Ctrl-C only ends this.
    """
    try:
        status = follow.follow(run, writer.write, writer.pause, tail, ranks)
    except KeyboardInterrupt:
        writer.end_line()
        return cli_errors.INTERRUPTED
    writer.end_line()
    print_summary(run, status)
    return 0 if status.state == states.COMPLETED else 1


class _InterruptCounter:
    """Counts Ctrl-C: the first interrupts; later ones do only once the run is ``canceled``."""

    def __init__(self) -> None:
        self.count = 0
        self.canceled = False

    def __call__(self, *signal_and_frame: object) -> None:
        self.count += 1
        if self.count == 1 or self.canceled:
            raise KeyboardInterrupt

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle SIGINT within the block, unless the process ignores it (``nohup``, ``&``)."""
        previous_handler = signal.getsignal(signal.SIGINT)
        if previous_handler is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous_handler)


def warn(message: str) -> None:
    """Print a warning to stderr."""
    cli_errors.say(f"{output.paint('warning', '33', sys.stderr)}: {message}")


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print what Python warns of inside the block as ``warn`` does, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for message in dict.fromkeys(str(each.message) for each in caught):
                warn(message)


class LogWriter:
    """Writes the script's output to stdout and system logs to stderr, as bytes.

    What goes to a terminal is cleaned of control characters, unless ``raw`` is set.
    """

    #: what a second Ctrl-C does
    end_words = "cancel the run"

    def __init__(self, run: Run, quiet: bool = False, raw: bool = False) -> None:
        self._run, self._quiet, self._raw = run, quiet, raw
        self._cleaners: dict[str, LogCleaner] = {}
        self._status = ""
        self._last_output = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._line_open = False

    def next_steps(self) -> str:
        """What to do with the run that is left running."""
        run = self._run
        return (
            f"Run {details.title(run)} keeps running.\n"
            f"  To follow its log:  scriptrun logs {run.short_name} -f\n"
            f"  To cancel it:       scriptrun cancel {run.short_name}"
        )

    def write(self, name: str, data: bytes) -> None:
        """Write ``data``, new in the log ``name``."""
        self._last_output = time.monotonic()
        self.clear()
        is_system_log = name.startswith("system_logs/")
        if self._quiet and not is_system_log:
            return
        stream = streams.raw(sys.stderr if is_system_log else sys.stdout)
        if stream.isatty() and not self._raw:
            data = self._cleaners.setdefault(name, LogCleaner()).clean(data)
        self._line_open = stream.isatty() and not data.endswith(b"\n")
        _write_bytes(stream, data)

    def pause(self, seconds: float) -> None:
        """Sleep; show the run's state if there has been no output for a while."""
        if time.monotonic() - self._last_output > QUIET_SECONDS:
            self._show_status()
        time.sleep(seconds)

    def _show_status(self) -> None:
        status = self._run.standing
        if status.state == states.RUNNING or status.is_final:
            self.clear()
            self._last_output = time.monotonic() + 10.0
            return
        if not self._is_terminal:
            self._report_queued(status)
            return
        waited = output.duration(time.monotonic() - self._last_output)
        reason = f": {status.reason}" if status.reason else ""
        self._status = output.fit_line(f"{status.state} for {waited}{reason} ...")
        streams.show_status(self._status)

    def _report_queued(self, status: RunState) -> None:
        """Report once that the run is queued, and why, if stderr is not a terminal."""
        if status.state == states.QUEUED:
            reason = f": {status.reason}" if status.reason else "."
            cli_errors.say(f"{details.title(self._run)} is queued{reason}")
        self._last_output = time.monotonic() + 3600.0

    def end_line(self) -> None:
        """Clear the status line, and end an unfinished line and colours on a terminal."""
        self.clear()
        if any(cleaner.is_coloured for cleaner in self._cleaners.values()):
            _write_bytes(streams.raw(sys.stdout), b"\x1b[0m")
        self._cleaners.clear()
        if self._line_open:
            sys.stdout.write("\n")
            self._line_open = False

    def clear(self) -> None:
        """Clear the status line."""
        if self._status:
            streams.show_status("")
            self._status = ""


def _write_bytes(stream: TextIO, data: bytes) -> None:
    if hasattr(stream, "buffer"):
        stream.buffer.write(data)
    else:
        stream.write(data.decode("utf-8", "replace"))
    stream.flush()


class RankLogWriter(LogWriter):
    """Writes the logs of several ranks, whole lines only, each prefixed with its rank.

    On a terminal a line that was redrawn shows only its last text, so that it keeps its prefix.
    """

    def __init__(self, run: Run, raw: bool = False) -> None:
        super().__init__(run, raw=raw)
        self._redraws = raw or not sys.stdout.isatty()
        self._partial_lines: dict[str, bytes] = {}

    def write(self, name: str, data: bytes) -> None:
        """Write the complete lines of the log ``name``; keep an unfinished one for later."""
        if name.startswith("system_logs/"):
            super().write(name, data)
            return
        *lines, self._partial_lines[name] = (self._partial_lines.get(name, b"") + data).split(b"\n")
        prefix = f"[{name.rpartition('_')[2].removesuffix('.txt')}] ".encode()
        if not self._redraws:
            lines = [line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines]
        if lines:
            super().write(name, b"".join(prefix + line + b"\n" for line in lines))

    def end_line(self) -> None:
        """Write the unfinished lines."""
        for name, rest in self._partial_lines.items():
            if rest:
                self.write(name, b"\n")
        super().end_line()


def _handle_interrupt(run: Run, writer: LogWriter, interrupts: _InterruptCounter) -> int:
    """Cancel the run if Ctrl-C is pressed again in time; otherwise leave it running."""
    if not sys.stdin.isatty():
        cli_errors.say(writer.next_steps())
        return cli_errors.INTERRUPTED
    cli_errors.say(
        f"\nPress Ctrl-C again within {GRACE:.0f} s to {writer.end_words}; otherwise it keeps "
        "running."
    )
    deadline = time.monotonic() + GRACE
    while interrupts.count < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    if interrupts.count < 2:
        cli_errors.say(writer.next_steps())
    else:
        run.cancel()
        _cancel_and_follow(run, writer, interrupts)
    return cli_errors.INTERRUPTED


def _cancel_and_follow(run: Run, writer: LogWriter, interrupts: _InterruptCounter) -> None:
    try:
        interrupts.canceled = True
        cli_errors.say(f"\nCanceling {details.title(run)} ...")
        status = follow.follow(run, lambda name, data: None, writer.pause)
    except KeyboardInterrupt:
        cli_errors.say(
            f"Cancellation of run {details.title(run)} is requested; it has not finished yet.\n"
            f"  To follow its log:  scriptrun logs {run.short_name} -f"
        )
        return
    print_summary(run, status)


def print_summary(run: Run, status: RunState, with_log: bool = False) -> None:
    """Print how the run ended to stderr; ``with_log``: its log was not printed before."""
    duration = ""
    if status.began is not None and status.ended is not None:
        duration = f" after {output.duration(status.ended - status.began)}"
    lines = [f"{output.state(status.state, sys.stderr)}{duration}: {details.title(run)}"]
    if status.state == states.FAILED:
        lines += _failure_lines(run, status, with_log)
    elif status.reason:
        lines.append(f"  {status.reason}")
    lines += _best_run_lines(run) if run_kind(run.type).has_children else []
    metrics = {} if run_kind(run.type).has_children else run.get_metrics()
    if metrics:
        metric_texts = [
            f"{name} {output.number(value)}" for name, value in list(metrics.items())[:6]
        ]
        rest = f" and {len(metrics) - 6} more" if len(metrics) > 6 else ""
        lines.append(f"  metrics: {', '.join(metric_texts)}{rest}")
    lines += _warning_lines(run, status)
    lines.append(f"  run folder: {run.path}")
    cli_errors.say("\n".join(lines))


def _warning_lines(run: Run, status: RunState) -> list[str]:
    """The warnings since the run began; those of its submission were printed then."""
    if status.began is None or run_kind(run.type).has_children:
        return []
    return [
        f"  {output.paint('warning', '33', sys.stderr)}: {event.get('message', '')}"
        for event in events.read(run.path)
        if event["kind"] == "warning" and event.get("t", 0.0) >= status.began
    ]


def _best_run_lines(run: Run) -> list[str]:
    """Describe the best run of a sweep, and the command that shows all runs."""
    from scriptrun.cli.common_arguments import name_of  # loaded only for sweeps

    rows = run.get_children_sorted_by_primary_metric(1, False, True)
    lines = [
        f"  best run: {name_of(run.workspace, row['run_id'])} ({run.sweep.metric} "
        f"{output.number(row['best_primary_metric'])}; {row['hyperparameters']})"
        for row in rows
    ]
    if not rows and run.standing.state != states.FAILED:
        lines = [f"  {warning}" for warning in run.get_details()["warnings"][-1:]]
    return [*lines, f"  scriptrun sweep show {run.short_name}"]


def _failure_lines(run: Run, status: RunState, with_log: bool) -> list[str]:
    """Return the reason, where the error was raised, and the log's end if it was not printed."""
    from scriptrun.runs import failed_log  # loaded only for runs that failed

    log = failed_log.read(run, TAIL_LINES)
    lines = [f"  {line}" for line in failed_log.reason_of(run, status).split("\n") if line]
    lines += [f"  at {log.location}"] if log.location else []
    if log.lines and (log.rank or with_log):
        whose = f"rank {log.rank}" if log.rank else "its log"
        lines += [f"  last lines of {whose}:", *(f"    {line}" for line in log.lines)]
    return lines
