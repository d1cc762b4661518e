"""Processes that end when the process that started them does, also if that one is killed.

Our own helpers call ``end_with``. For another program, ``tied`` starts one watcher per process
(``python dependents.py``), which ends the program and all that it has started. It reads lines on
its standard input: ``+PID START`` and ``-PID``.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

if __name__ == "__main__":  # started by its path: nothing but the standard library is on sys.path
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from scriptrun.runtime import identity, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import CompletedProcess, Popen

    from scriptrun.runtime.hints import Json

WATCHER = "scriptrun-ties"
#: seconds between looks at a process, where the system does not report its end
_POLL_SECONDS = 0.5


def end_with(owner: Json | None = None, first: Callable[[], object] | None = None) -> None:
    """End this process, and all it has started, once ``owner`` (default: its parent) has ended.

    ``owner`` is the ``identity.identify()`` of a process on this machine. ``first`` is called
    before that.
    """
    owner = identity.identify(os.getppid()) if owner is None else owner

    def watch() -> None:
        _wait_for_end(owner)
        if first is not None:
            first()
        _kill(processes.descendants())
        os._exit(1)

    threading.Thread(target=watch, name="scriptrun-end", daemon=True).start()


def _wait_for_end(owner: Json) -> None:
    descriptor = None
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):
            descriptor = os.pidfd_open(owner["pid"])
    if not identity.is_alive(owner):
        return
    if descriptor is not None:
        import select

        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        return
    while identity.is_alive(owner):
        time.sleep(_POLL_SECONDS)


def run(
    argv: Sequence[str],
    *,
    input: bytes | None = None,
    timeout: float | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> CompletedProcess[bytes]:
    """Run ``argv`` like ``subprocess.run(..., capture_output=True)``, tied to this process."""
    import subprocess

    _watcher()  # first: a process that is killed before ``tie`` leaves the other alone
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        cwd=cwd,
    )
    with process, tied(process):
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


@contextmanager
def tied(process: Popen[bytes]) -> Iterator[None]:
    """End ``process`` with this one for as long as the block runs."""
    tie(process)
    try:
        yield
    finally:
        untie(process)


def tie(process: Popen[bytes]) -> None:
    """From now on end ``process`` when this one ends, until ``untie``."""
    start = identity.start_time(process.pid)
    if start is not None:
        _watcher().send(f"+{process.pid} {start}\n")


def untie(process: Popen[bytes]) -> None:
    """The process has ended, or may live on."""
    if os.getpid() in _watchers:
        _watcher().send(f"-{process.pid}\n")


class _Watcher:
    def __init__(self) -> None:
        import subprocess

        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/" if os.name == "posix" else None,
            start_new_session=True,  # Ctrl-C is not meant for it
        )
        self._process.returncode = 0  # it ends after this process: Python need not warn of that
        assert self._process.stdin is not None
        atexit.register(self._process.stdin.close)

    def send(self, line: str) -> None:
        assert self._process.stdin is not None
        with self._lock, suppress(OSError, ValueError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


#: the watcher of each process: a forked child starts another
_watchers: dict[int, _Watcher] = {}


def _watcher() -> _Watcher:
    watcher = _watchers.get(os.getpid())
    return watcher or _watchers.setdefault(os.getpid(), _Watcher())


def main() -> None:
    """Watch the process that is the argument; when it has ended, end what it has tied."""
    owner = identity.identify(int(sys.argv[1]))
    identity.set_process_name(WATCHER)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tied_pids: dict[int, str] = {}

    def listen() -> None:
        for line in sys.stdin:
            pid, _, start = line[1:].strip().partition(" ")
            if line.startswith("+"):
                tied_pids[int(pid)] = start
            else:
                tied_pids.pop(int(pid), None)
        owner_closed.set()

    owner_closed = threading.Event()
    threading.Thread(target=listen, daemon=True).start()
    _wait_for_end(owner)
    owner_closed.wait(1.0)  # what it wrote last; a fork of it may keep the pipe open
    for pid, start in list(tied_pids.items()):
        if identity.start_time(pid) == start:
            _kill_tree(pid)
    os._exit(0)


def _kill_tree(pid: int) -> None:
    """Kill a process and its descendants, stopped first, so that they start no more."""
    known: set[int] = set()
    while True:
        found = {pid, *processes.descendants(pid)} - known
        if not found:
            break
        for each in found:
            processes.send(each, signal.SIGSTOP)
        known |= found
    _kill(list(known))


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        processes.send(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
