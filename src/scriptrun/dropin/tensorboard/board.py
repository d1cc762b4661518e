"""``azureml.tensorboard``: TensorBoard on the event files of runs, also while they run."""

from __future__ import annotations

import atexit
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from scriptrun.dropin.tensorboard.export import not_installed
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import dependents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from scriptrun.core.run import Run

_EVENTS = "tfevents"
_FINAL = ("Completed", "Failed", "Canceled")
#: seconds between two looks at the runs' files, and within which the server has to answer
_INTERVAL, _STARTS_WITHIN = 2.0, 120.0
#: what a folder's name has none of, and how long the part of it is that users choose
_UNSAFE = re.compile(r"[^\w .,+=@()-]")
_LONGEST = 100
#: how many ports are tried after the requested one
_PORTS = 100


class Tensorboard:
    """A TensorBoard of ``runs``, a run or several.

    Their event files (below ``logs/`` and ``outputs/``) are copied into ``local_root``, a folder
    for each run named after its ID or display name (default: a temporary folder that ``stop``
    removes). If ``port`` is taken, the next free one is used; ``start`` returns the URL.
    TensorBoard ends with this process, however that ends.
    """

    def __init__(
        self,
        runs: Run | Iterable[Run],
        local_root: str | os.PathLike[str] | None = None,
        port: int = 6006,
        use_display_name: bool = False,
    ) -> None:
        self._runs = list(runs) if isinstance(runs, Iterable) else [runs]
        if not self._runs:
            raise UserErrorException("No runs given.", "Pass a list of runs: Tensorboard([run]).")
        self._root = local_root
        self._port = port
        self._use_display_name = use_display_name
        self._process: subprocess.Popen[bytes] | None = None
        self._follower: threading.Thread | None = None
        self._stopped = threading.Event()
        self._folder = Path()

    def start(self, start_browser: bool = False) -> str:
        """Start TensorBoard on this machine, and return its URL.

        While it runs, a second call returns the same; once it has died, one starts another.

        Raises UserErrorException if tensorboard is not installed, or does not start.
        """
        if self._process is not None and self._process.poll() is not None:
            self.stop()  # it has died
        if self._process is None:
            self._begin()
        url = f"http://localhost:{self._port}/"
        print(url)
        if start_browser:
            webbrowser.open(url)
        return url

    def _begin(self) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise not_installed()
        self._folder = Path(self._root or tempfile.mkdtemp(prefix="scriptrun-tensorboard-"))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._copy()
            self._port = _free_port(self._port)
            self._process = self._serve()
        except BaseException:
            self._remove_temporary()
            raise
        atexit.register(self.stop)
        self._stopped.clear()
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()

    def stop(self) -> None:
        """End TensorBoard, and copy no more files; do nothing if it does not run."""
        self._stopped.set()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            dependents.untie(self._process)
            self._process = None
            atexit.unregister(self.stop)
        if self._follower is not None:
            self._follower.join()
            self._follower = None
            self._remove_temporary()

    def _remove_temporary(self) -> None:
        if self._root is None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(self._folder)]
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--reload_interval", "2"]
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is not meant for it
            )
            dependents.tie(process)
            try:
                self._wait_for(process, log)
            except BaseException:
                process.kill()
                process.wait()
                dependents.untie(process)
                raise
        return process

    def _wait_for(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        """Wait until TensorBoard answers. Raises UserErrorException if it does not."""
        deadline = time.monotonic() + _STARTS_WITHIN
        while not _answers(self._port):
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                lines = log.read().decode("utf-8", "replace").strip().splitlines()
                raise UserErrorException(
                    f"TensorBoard did not start: {lines[-1] if lines else 'no output'}.",
                    "See that it works: tensorboard --logdir FOLDER",
                )
            time.sleep(0.1)

    def _follow(self) -> None:
        """Copy what the runs write until all have ended."""
        while not self._stopped.wait(_INTERVAL):
            ended = all(run.get_status() in _FINAL for run in self._runs)
            self._copy()
            if ended:
                return

    def _copy(self) -> None:
        for run, name in zip(self._runs, self._names(), strict=True):
            target = self._folder / name
            for file_name in run.get_file_names():
                if _EVENTS in file_name.rpartition("/")[2]:
                    _append(run, file_name, target / file_name)

    def _names(self) -> list[str]:
        """The names of the runs' folders, all different."""
        if not self._use_display_name:
            return [run.id for run in self._runs]
        shown = [
            _UNSAFE.sub("_", str(run.display_name)).strip(" .")[:_LONGEST] or run.id
            for run in self._runs
        ]
        counts = Counter(map(str.casefold, shown))
        return [
            name if counts[name.casefold()] == 1 else f"{name}-{run.id}"
            for name, run in zip(shown, self._runs, strict=True)
        ]


def _append(run: Run, name: str, target: Path) -> None:
    """Bring ``target`` up to date with the run's file ``name``; event files only grow."""
    source = run.path / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_file():
        run.download_file(name, str(target))
        return
    with open(source, "rb") as reader, open(target, "ab") as writer:
        reader.seek(writer.tell())
        shutil.copyfileobj(reader, writer)


def _free_port(wanted: int) -> int:
    """``wanted``, or the next port that nobody listens on."""
    for port in range(wanted, wanted + _PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise UserErrorException(
        f"Ports {wanted} to {wanted + _PORTS - 1} are taken.", "Choose another one with port=."
    )


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
