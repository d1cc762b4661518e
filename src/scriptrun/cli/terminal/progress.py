"""Transfer progress on stderr: a bar on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: seconds between lines if stderr is not a terminal
EVERY = 10.0


class Counter:
    """Counts transferred files and bytes; ``watch`` may be called from several threads."""

    def __init__(self, files: int, size: int) -> None:
        self.of_files, self.of_bytes = files, size
        self.files = self.bytes = 0
        self._lock = threading.Lock()

    def watch(self, files: int, size: int) -> None:
        """Add files and bytes to the count."""
        with self._lock:
            self.files += files
            self.bytes += size
        self.tell()

    def tell(self) -> None:
        """Show the progress if an update is due; the base class shows nothing."""

    @property
    def words(self) -> str:
        """``3 of 10 files, 1.5 MB of 6.0 MB``."""
        whole = f" of {output.size(self.of_bytes)}" if self.of_bytes else ""
        return f"{self.files:,} of {self.of_files:,} files, {output.size(self.bytes)}{whole}"


class _Lines(Counter):
    def __init__(self, what: str, files: int, size: int) -> None:
        super().__init__(files, size)
        self._what = what
        self._next = time.monotonic() + EVERY

    def tell(self) -> None:
        with self._lock:
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + EVERY
        cli_errors.say(f"{self._what}: {self.words}")


class _Bars(Counter):
    """A rich progress bar of the bytes, with the number of files beside it."""

    def __init__(self, what: str, files: int, size: int) -> None:
        super().__init__(files, size)
        shown: Any = importlib.import_module("rich.progress")
        console = importlib.import_module("rich.console").Console(stderr=True)
        self.progress = shown.Progress(
            shown.TextColumn("{task.description}"),
            shown.BarColumn(),
            shown.TextColumn("{task.fields[files]} of {task.fields[of]} files"),
            shown.DownloadColumn(),
            shown.TransferSpeedColumn(),
            shown.TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self.progress.add_task(what, total=size or None, files=0, of=files)

    def tell(self) -> None:
        self.progress.update(self._task, completed=self.bytes, files=self.files)


@contextmanager
def shown(what: str, files: int, size: int, quiet: bool = False) -> Iterator[Counter]:
    """Yield a counter whose progress is shown under the title ``what`` within the block."""
    if quiet:
        yield Counter(files, size)
    elif not sys.stderr.isatty():
        yield _Lines(what, files, size)
    else:
        bars = _Bars(what, files, size)
        with bars.progress:
            yield bars
