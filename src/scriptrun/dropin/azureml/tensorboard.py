"""``azureml.tensorboard.Tensorboard``: TensorBoard over the event files of runs."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path

from scriptrun.core.run import Run
from scriptrun.spec import states
from scriptrun.spec.errors import UserErrorException

#: seconds between two looks at the runs' files, and until TensorBoard must answer
REFRESH_SECONDS, START_SECONDS = 1.0, 120.0
_HOST = "127.0.0.1"
#: how many ports behind the given one are tried
_PORTS = 100
_FOLDERS = ("logs", "outputs")


class Tensorboard:
    """TensorBoard for ``runs`` and their child runs.

    ``local_root`` is the folder that it reads: event files that the runs write to ``logs/`` and
    ``outputs/`` are copied there, and the copies grow while the runs are active (default: a
    temporary folder, which ``stop`` deletes). ``port`` is the first port to try, on this machine
    only. With ``use_display_name``, folders are named after the runs' display names.
    """

    def __init__(
        self,
        runs: Sequence[Run] | Run,
        local_root: str | os.PathLike[str] | None = None,
        port: int = 6006,
        use_display_name: bool = False,
    ) -> None:
        self._runs = as_runs(runs, "Tensorboard")
        self._given_root = None if local_root is None else Path(local_root).absolute()
        self._port = int(port)
        self._use_display_name = use_display_name
        self._root: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        self._copier: threading.Thread | None = None
        self._url = ""

    def start(self, start_browser: bool = False) -> str:
        """Start TensorBoard, and return its URL once it answers.

        The copies are kept up to date until the runs have ended. TensorBoard runs until ``stop``,
        or until this process ends. Raises UserErrorException if TensorBoard is not installed, or
        does not start.
        """
        if self._process is None or self._process.poll() is not None:
            require()
            self.stop()
            self._root = self._given_root or Path(tempfile.mkdtemp(prefix="scriptrun-tensorboard-"))
            self._root.mkdir(parents=True, exist_ok=True)
            self._copy_all(self._root)
            atexit.register(self.stop)
            self._process, self._url = self._launch(self._root)
            self._stopped = threading.Event()
            self._copier = threading.Thread(target=self._follow, args=(self._root,), daemon=True)
            self._copier.start()
        if start_browser:
            webbrowser.open(self._url)
        return self._url

    def stop(self) -> None:
        """End TensorBoard and the copying; does nothing if it is not running."""
        atexit.unregister(self.stop)
        self._stopped.set()
        if self._copier is not None:
            self._copier.join()
            self._copier = None
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._root is not None and self._given_root is None:
            shutil.rmtree(self._root, ignore_errors=True)
        self._root = None

    def _launch(self, root: Path) -> tuple[subprocess.Popen[bytes], str]:
        """Start TensorBoard on the first free port."""
        output = ""
        for port in _free_ports(self._port):
            with tempfile.TemporaryFile() as log:
                process = _run_tensorboard(root, port, log.fileno())
                if _answers(process, port):
                    return process, f"http://localhost:{port}/"
                _end(process)
                log.seek(0)
                output = log.read().decode("utf-8", "replace")
            if "already in use" not in output and "could not bind" not in output:
                break  # another process has not taken the port meanwhile
        last = (output.strip().splitlines() or ["it printed nothing"])[-1]
        raise UserErrorException(
            f"TensorBoard did not start: {last}",
            f"Try: {sys.executable} -m tensorboard.main --help",
        )

    def _follow(self, root: Path) -> None:
        """Keep the copies up to date until the runs have ended, or ``stop`` is called."""
        is_last = False
        while not is_last and not self._stopped.wait(REFRESH_SECONDS):
            is_last = all(states.is_terminal(run.get_status()) for run in self._runs)
            self._copy_all(root)

    def _copy_all(self, root: Path) -> None:
        for run in with_children(self._runs):
            name = (run.display_name if self._use_display_name else None) or run.id
            for source, relative in _event_files(run.path):
                _append(source, root / str(name).replace("/", "_") / relative)


def require() -> None:
    """Raise UserErrorException if TensorBoard is not installed in this Python."""
    if importlib.util.find_spec("tensorboard") is None:
        raise UserErrorException(
            f"azureml.tensorboard requires tensorboard, which {sys.executable} does not have.",
            "Run: pip install tensorboard",
        )


def as_runs(runs: object, caller: str) -> list[Run]:
    """A run or several of them, as a list; raises UserErrorException for anything else."""
    given = [runs] if isinstance(runs, Run) else runs
    listed = [] if isinstance(given, str) or not hasattr(given, "__iter__") else list(given)
    if (not listed and given != []) or not all(isinstance(run, Run) for run in listed):
        raise UserErrorException(
            f"{caller} expects a list of runs, not {runs!r}.", "For example: Tensorboard([run])."
        )
    return listed


def with_children(runs: Sequence[Run]) -> Iterator[Run]:
    """The runs, each followed by all runs below it."""
    for run in runs:
        yield run
        yield from run.get_children(recursive=True)


def _event_files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A run's event files and their paths in it, also those in the working directories."""
    for base in (folder, *sorted(folder.glob("work*"))):
        for name in _FOLDERS:
            for parent, _, names in os.walk(base / name):
                for file in sorted(names):
                    if "tfevents" in file:
                        path = Path(parent, file)
                        yield path, path.relative_to(base)


def _append(source: Path, target: Path) -> None:
    """Copy what has been appended to an event file since the last time."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(source, "rb") as reader, open(target, "ab") as writer:
            reader.seek(writer.tell())
            shutil.copyfileobj(reader, writer)
    except FileNotFoundError:
        return  # the run has ended meanwhile, and its files have moved


def _free_ports(first: int) -> Iterator[int]:
    for port in range(first, min(first + _PORTS, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            yield probe.getsockname()[1]


def _run_tensorboard(root: Path, port: int, log: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(root), "--host", _HOST]
    command += ["--port", str(port), "--reload_interval", "1"]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether TensorBoard accepts connections before it ends."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection((_HOST, port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End TensorBoard and the processes that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    process.wait()
