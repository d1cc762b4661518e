"""Transfer progress on stderr: a bar on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output, streams
from scriptrun.spec.control_characters import one_line

#: seconds between lines if stderr is not a terminal
REPORT_INTERVAL = 10.0


class Counter:
    """Counts transferred files and bytes; thread-safe."""

    def __init__(self, files: int, size: int) -> None:
        self.total_files, self.total_bytes = files, size
        self.files = self.bytes = 0
        self._lock = threading.Lock()

    def add(self, files: int, size: int) -> None:
        """Add files and bytes to the count."""
        with self._lock:
            self.files += files
            self.bytes += size
        self.report()

    def report(self) -> None:
        """Show the progress if an update is due; the base class shows nothing."""

    @property
    def text(self) -> str:
        """The progress in words: ``3 of 10 files, 1.5 MB of 6.0 MB``."""
        total = f" of {output.size(self.total_bytes)}" if self.total_bytes else ""
        return f"{self.files:,} of {self.total_files:,} files, {output.size(self.bytes)}{total}"


class _LineProgress(Counter):
    def __init__(self, title: str, files: int, size: int) -> None:
        super().__init__(files, size)
        self._title = title
        self._next_report = time.monotonic() + REPORT_INTERVAL

    def report(self) -> None:
        with self._lock:
            if time.monotonic() < self._next_report:
                return
            self._next_report = time.monotonic() + REPORT_INTERVAL
        cli_errors.say(f"{self._title}: {self.text}")


class _BarProgress(Counter):
    """A rich progress bar of the bytes, followed by the number of files."""

    def __init__(self, title: str, files: int, size: int) -> None:
        super().__init__(files, size)
        rich_progress = importlib.import_module("rich.progress")
        console = importlib.import_module("rich.console").Console(file=streams.raw(sys.stderr))
        self.progress = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(),
            rich_progress.TextColumn("{task.fields[files]} of {task.fields[of]} files"),
            rich_progress.DownloadColumn(),
            rich_progress.TransferSpeedColumn(),
            rich_progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,  # what is printed is cleaned by the stream
            redirect_stderr=False,
        )
        self._task = self.progress.add_task(one_line(title), total=size or None, files=0, of=files)

    def report(self) -> None:
        self.progress.update(self._task, completed=self.bytes, files=self.files)


@contextmanager
def show_progress(title: str, files: int, size: int, quiet: bool = False) -> Iterator[Counter]:
    """Yield a counter whose progress is shown under the title ``title`` within the block."""
    if quiet:
        yield Counter(files, size)
    elif not sys.stderr.isatty():
        yield _LineProgress(title, files, size)
    else:
        bar_progress = _BarProgress(title, files, size)
        with bar_progress.progress:
            yield bar_progress
