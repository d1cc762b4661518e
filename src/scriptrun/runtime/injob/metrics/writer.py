"""Write metrics: ``metrics/<rank>-<pid>-<8 hex>.jsonl``, one file per process (Python 3.6+).

A call writes its line before it returns, so that ``os._exit`` and SIGKILL lose nothing. Where
writes are slow (a remote disk; other threads that hold the interpreter's lock), lines are
held for the flusher thread instead once a budget is spent.
Nothing here raises into a training: lines that cannot be written are kept and retried, with one
warning on stderr, and lost lines are counted. See docs/explanation/formats.md for the format.
"""

import os
import sys
import threading
import time
from collections import deque

from scriptrun.runtime.files import APPEND_FLAGS, unique
from scriptrun.runtime.injob import values
from scriptrun.runtime.injob.metrics.flusher import FLUSHER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scriptrun.runtime.hints import StrPath


#: held lines after which the logging thread writes them itself
MAX_WAITING_LINES = 50000
#: bytes kept for a retry when they cannot be written
MAX_RETRY_BYTES = 8 << 20
#: seconds after which the logging thread writes itself, in case the flusher is delayed
MAX_DELAY = 0.2
#: seconds of one write that count as fast: the rest of it is taken from the budget
FAST_WRITE = 0.0001
#: seconds of slow writes after which lines are held, and the part of the time that is given back
SLOW_BUDGET = 0.5
SLOW_SHARE = 0.1
#: seconds that lines are held after a write that failed
RETRY_DELAY = 0.1
#: seconds that a flush waits for another thread's
LOCK_TIMEOUT = 2.0

_BIG = 10**300
_INFINITY = float("inf")
_APPEND = APPEND_FLAGS | getattr(os, "O_BINARY", 0)

_time = time.time
_monotonic = time.monotonic
_getpid = os.getpid


class MetricWriter:
    """Appends one process's metrics to the run in ``folder``; create it with ``writer_of``."""

    def __init__(self, folder: "StrPath") -> None:
        self.folder = str(folder)
        self._heads: "dict[object, str]" = {}
        self._reset()

    def _reset(self) -> None:
        """Start with a new file for this process and nothing buffered."""
        self._pid = _getpid()
        self._lines: "deque[str]" = deque()  # popleft is atomic: no line is written twice
        self._lock = threading.RLock()
        self._busy = False
        self._deadline = 0.0
        self._held_until = 0.0  # 0: lines are written at once
        self._spent = 0.0  # seconds of slow writes, less what was given back until _spent_at
        self._spent_at = 0.0
        self._unwritten = b""
        self._lost = 0
        self._warned = False
        self.path = self._new_path()

    def _new_path(self) -> str:
        name = "{}-{}-{}.jsonl".format(_rank(), self._pid, unique(8))
        return os.path.join(self.folder, "metrics", name)

    def scalar(self, name: str, value: "Any", description: str = "", step: object = None) -> None:
        """Log one value: the fast path for plain numbers, else ``write``."""
        now = _time()
        kind = type(value)
        if kind is not float and kind is not int:
            value = values.scalar(value)
            kind = type(value)
        if description or not (
            (kind is float and -_INFINITY < value < _INFINITY)
            or (kind is int and -_BIG < value < _BIG)
        ):
            self.write("scalar", name, values.scalar(value), description, step)
            return
        try:
            head = self._heads[name]
        except (KeyError, TypeError):
            head = self._line_head(name)
        if self._pid != _getpid():
            self._after_fork()
        if step is None:
            self._lines.append('{"t":%r%s%r}\n' % (now, head, value))
        else:
            self._lines.append('{"t":%r%s%r%s}\n' % (now, head, value, _step_field(step)))
        if self._held_until and not FLUSHER.write_directly:
            self._hold()
        else:
            self._write_now()

    def write(
        self, kind: str, name: str, value: object, description: str = "", step: object = None
    ) -> None:
        """Log ``value`` (from the functions in ``values``) as a line of ``kind``."""
        now = _time()
        text, special = values.to_json(value)
        line = [
            '{"t":%r,"k":"%s","m":%s,"v":%s' % (now, kind, _to_json_text(name), text),
            _step_field(step),
        ]
        if description:
            line.append(',"d":' + _to_json_text(description))
        line.append(',"f":1}\n' if special else "}\n")
        if self._pid != _getpid():
            self._after_fork()
        self._lines.append("".join(line))
        if self._held_until and not FLUSHER.write_directly:
            self._hold()
        else:
            self._write_now()

    def _line_head(self, name: str) -> str:
        head = ',"k":"scalar","m":%s,"v":' % _to_json_text(name)
        if len(self._heads) > 10000:
            self._heads.clear()
        if type(name) is str:
            self._heads[name] = head
        return head

    def _hold(self) -> None:
        """Leave the line to the flusher, or write directly if it would be too late."""
        now = _monotonic()
        if now > self._held_until or now > self._deadline or len(self._lines) > MAX_WAITING_LINES:
            self._write_now()
        elif FLUSHER.idle:
            self._deadline = now + MAX_DELAY
            FLUSHER.wake()

    def _write_now(self) -> None:
        """Write from the logging thread; where that takes long, hold the next lines."""
        began = _monotonic()
        self.flush()
        now = _monotonic()
        slow = now - began - FAST_WRITE
        if slow > 0 or self._spent:
            given_back = (now - self._spent_at) * SLOW_SHARE
            self._spent = max(0.0, self._spent - given_back) + max(0.0, slow)
            self._spent_at = now
        over = self._spent - SLOW_BUDGET
        self._held_until = now + over / SLOW_SHARE if over > 0 else 0.0
        if self._unwritten:
            self._held_until = max(self._held_until, now + RETRY_DELAY)
            if FLUSHER.idle:
                FLUSHER.wake()

    def _after_fork(self) -> None:
        """In a forked child: the buffered lines and the file are the parent's."""
        FLUSHER.after_fork()
        self._reset()

    def has_waiting(self) -> bool:
        """Whether lines are buffered."""
        return bool(self._lines)

    def flush(self) -> bool:
        """Write buffered lines. True if there were any; never raises."""
        if self._pid != _getpid():
            self._after_fork()
            return False
        if not (self._lock.acquire(False) or self._lock.acquire(timeout=LOCK_TIMEOUT)):
            return False  # a slow write of another thread: the next flush takes the lines
        try:
            return not self._busy and self._flush()
        finally:
            self._lock.release()

    def _flush(self) -> bool:
        self._busy = True  # a signal handler that logs re-enters here on the same thread
        wrote = False
        try:
            while self._lines:
                wrote = True
                self._write_bytes(self._take())
                if self._unwritten:
                    break
            else:
                if self._unwritten:
                    self._write_bytes(b"")
            self._deadline = _monotonic() + MAX_DELAY
            return wrote
        finally:
            self._busy = False

    def _take(self) -> bytes:
        lines = self._lines
        batch: "list[str]" = []
        try:
            if len(lines) == 1:
                return lines.popleft().encode("utf-8", "surrogatepass")
            for _ in range(len(lines)):
                batch.append(lines.popleft())
        except IndexError:
            pass  # taken by ``flush_at_exit``
        return "".join(batch).encode("utf-8", "surrogatepass")

    def flush_at_exit(self) -> None:
        """Write what is left, also if a thread that died at interpreter exit holds the lock."""
        self.flush()
        if self._lines:
            self.path = self._new_path()  # the other one may still be written to
            data = self._take()
            self._lost += _append(self.path, data, self._warn).count(b"\n")

    def _write_bytes(self, data: bytes) -> None:
        if data and len(self._unwritten) > MAX_RETRY_BYTES:
            data, dropped = b"", data
            self._lost += dropped.count(b"\n")
        self._unwritten = _append(self.path, self._unwritten + data, self._warn)

    def _warn(self, error: OSError) -> None:
        if self._warned:
            return
        self._warned = True
        _print_warning(
            "cannot write this run's metrics ({}: {}); the script continues and the write is "
            "retried".format(error.strerror or error, self.path)
        )

    def report_lost(self) -> None:
        """At exit: warn on stderr how many lines could not be written, if any."""
        lost = self._lost + self._unwritten.count(b"\n")
        if lost:
            _print_warning("failed to write {} metric lines to {}".format(lost, self.path))
            self._lost, self._unwritten = 0, b""

    def close(self) -> None:
        """Flush and leave the flusher."""
        self.flush()
        FLUSHER.writers.pop(self.folder, None)


def writer_of(folder: "StrPath") -> "MetricWriter":
    """This process's one writer for the run in ``folder``."""
    folder = str(folder)
    writer = FLUSHER.writers.get(folder)
    return writer or FLUSHER.writers.setdefault(folder, MetricWriter(folder))


def _append(path: str, data: bytes, warn: "Callable[[OSError], None]") -> bytes:
    """Append ``data``; on an error, call ``warn(error)`` and return the unwritten rest."""
    try:
        try:
            handle = os.open(path, _APPEND, 0o644)
        except FileNotFoundError:
            handle = _open_first(path)
        try:
            while data:
                written = os.write(handle, data)
                data = data[written:] if written < len(data) else b""
        finally:
            os.close(handle)
    except OSError as error:
        warn(error)
    return data


def _open_first(path: str) -> int:
    try:
        os.mkdir(os.path.dirname(path))  # never the run's folder: it may have been deleted
    except FileExistsError:
        pass
    return os.open(path, _APPEND, 0o644)


def _to_json_text(text: object) -> str:
    return values.to_json(text if isinstance(text, str) else values.text(text))[0]


def _step_field(step: object) -> str:
    """The step field of a line; empty if the step is not a number."""
    step = values.scalar(step)
    if isinstance(step, (bool, int, float)) and -_BIG < step < _BIG:
        return ',"s":%r' % (int(step) if isinstance(step, bool) else step)
    return ""


def _rank() -> str:
    rank = os.environ.get("SCRIPTRUN_RANK", "0")
    return rank if rank.isdigit() else "0"


def _print_warning(message: str) -> None:
    try:
        sys.stderr.write("scriptrun: {}\n".format(message))
        sys.stderr.flush()
    except Exception:
        pass
