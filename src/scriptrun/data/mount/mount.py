"""Mounts: the files of a dataset as a folder, read from their stores on access."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from scriptrun.data.datasets.content import Content
from scriptrun.data.errors import DatastoreException
from scriptrun.data.mount import fuse_library, system_table
from scriptrun.data.mount import operations as mount_operations
from scriptrun.data.mount import plan as mount_plan
from scriptrun.data.mount.plan import MountPlan
from scriptrun.spec import tool_python
from scriptrun.store import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: called with a sentence that names the store, once for each problem
OnProblem = Callable[[str], None]


def available() -> str:
    """Why this machine cannot mount, as a sentence; "" if it can."""
    if sys.platform != "linux":
        return "Mounting requires Linux."
    try:
        major = fuse_library.load().fuse_version_major
    except ImportError:
        return "The package mfusepy is not installed (pip install 'scriptrun[mount]')."
    except OSError:
        return "The system's library libfuse3 is not installed (Debian: apt install fuse3)."
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is missing, or you do not have permission to use it."
    tool = "fusermount3" if major == 3 else "fusermount"
    if os.geteuid() != 0 and not shutil.which(tool):
        return f"The command {tool} is not installed (Debian: apt install fuse3)."
    return ""


def mount(
    content: Content,
    mountpoint: str | os.PathLike[str],
    cache: str | os.PathLike[str] | None = None,
    time_limit: float = 60.0,
    on_problem: OnProblem | None = None,
) -> ActiveMount:
    """Mount the files of ``content`` at ``mountpoint``, an empty or missing folder.

    A separate process serves them until ``close``, or until this process ends. ``cache`` is the
    local cache folder (default: no cache). A read for which the store sends nothing within
    ``time_limit`` seconds is an I/O error in the script, and ``on_problem`` is called with a
    message, in another thread. Raises DatasetValidationError if there are no files, and
    DatastoreException if mounting fails.
    """
    scratch_folder = scratch.Scratch("mount")
    try:
        manifest, roots = mount_plan.manifest_for(content, Path(scratch_folder))
        path = _prepare_mountpoint(mountpoint)
        cache_folder = os.fspath(cache) if cache is not None else ""
        plan = MountPlan(path, roots, str(manifest.path), cache_folder, time_limit)
        return ActiveMount(plan, scratch_folder, on_problem)
    except BaseException:
        scratch_folder.close()
        raise


def clear_stale() -> list[str]:
    """Unmount folders whose serving process is gone; return their mount points."""
    stale = [entry.mountpoint for entry in system_table.our_mounts() if not entry.is_served]
    return [path for path in stale if system_table.unmount(path)]


def _prepare_mountpoint(mountpoint: str | os.PathLike[str]) -> str:
    path = Path(mountpoint)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise DatastoreException(
                f"Mount point {str(path)!r} is not empty.", "Use an empty or new directory."
            )
    except OSError as error:
        raise DatastoreException(
            f"Cannot use {str(path)!r} as a mount point: {error.strerror}."
        ) from None
    return os.path.realpath(path)


def _set_read_ahead(path: str) -> None:
    """Raise the kernel's read-ahead to a whole request, if this user has permission.

    The default is 128 KiB (Linux, Documentation/ABI/testing/sysfs-class-bdi).
    """
    with contextlib.suppress(OSError):
        device = os.stat(path).st_dev
        setting = f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb"
        Path(setting).write_text(str(mount_operations.REQUEST >> 10))


class ActiveMount:
    """A mounted folder. ``problems`` lists what has gone wrong so far, as sentences."""

    def __init__(
        self, plan: MountPlan, scratch_folder: scratch.Scratch, on_problem: OnProblem | None
    ) -> None:
        self.mountpoint = plan.mountpoint
        self.problems: list[str] = []
        self._on_problem, self._scratch = on_problem, scratch_folder
        self._closing = False
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        command = [tool_python.path(), "-P", "-m", "scriptrun.data.mount.server"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
        )
        self._send_plan(plan)
        self._listener = threading.Thread(target=self._listen, name="scriptrun-mount", daemon=True)
        self._wait_until_ready()
        _set_read_ahead(self.mountpoint)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process that serves the mount."""
        return self._process.pid

    def problem(self) -> str:
        """Why the mount ended, as a sentence; "" while it is served, and after ``close``."""
        exit_code = None if self._closing else self._process.poll()
        if exit_code is None:
            return ""
        reason = (
            f"was killed by signal {-exit_code}"
            if exit_code < 0
            else f"exited with code {exit_code}"
        )
        return f"The process serving the mount {self.mountpoint} (pid {self.pid}) {reason}."

    def close(self) -> None:
        """Unmount, lazily if files are open, and end the process. Idempotent."""
        if self._closing:
            return
        self._closing = True
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if any(entry.mountpoint == self.mountpoint for entry in system_table.our_mounts()):
            system_table.unmount(self.mountpoint)
        if self._listener.is_alive():
            self._listener.join(5)
        self._process.stdout.close()
        self._stderr.close()
        self._scratch.close()

    def __enter__(self) -> ActiveMount:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _send_plan(self, plan: MountPlan) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plan.value()).encode() + b"\n")
        self._process.stdin.flush()

    def _wait_until_ready(self) -> None:
        message = self._read_message() or {}
        if not message.get("ready"):
            reason = self._failure_reason(message.get("error", ""))
            self.close()
            raise DatastoreException(
                f"Cannot mount {str(self.mountpoint)!r}: {reason}.",
                "To download the data instead of using FUSE, use as_download().",
            )

    def _failure_reason(self, error: str) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return (lines[-1] if lines else error or "its process exited").rstrip(".")

    def _read_message(self) -> Json | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def _listen(self) -> None:
        while (message := self._read_message()) is not None:
            problem = message.get("trouble")
            if problem and problem not in self.problems and len(self.problems) < 100:
                self.problems.append(problem)
                if self._on_problem is not None:
                    self._on_problem(problem)
