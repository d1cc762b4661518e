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
from typing import Any

from scriptrun.data.datasets.content import Content
from scriptrun.data.errors import DatastoreException
from scriptrun.data.mount import fuse_library, system_table
from scriptrun.data.mount import operations as mount_operations
from scriptrun.data.mount import plan as mount_plan
from scriptrun.data.mount.plan import Plan

#: called with a sentence that names the store, once for each problem
Tell = Callable[[str], None]


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
    tell: Tell | None = None,
) -> Mounted:
    """Mount the files of ``content`` at ``mountpoint``, an empty or missing folder.

    A separate process serves them until ``close``, or until this process ends. ``cache`` is the
    local cache folder (default: no cache). A read for which the store sends nothing within
    ``time_limit`` seconds is an I/O error in the script, and ``tell`` is called with a message, in
    another thread.
    Raises DatasetValidationError if there are no files, and DatastoreException if mounting fails.
    """
    scratch = tempfile.mkdtemp(prefix="scriptrun-mount-")
    try:
        listed, roots = mount_plan.listed(content, Path(scratch))
        place = _folder(mountpoint)
        kept = os.fspath(cache) if cache is not None else ""
        plan = Plan(place, roots, str(listed.path), kept, time_limit)
        return Mounted(plan, scratch, tell)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def clear_stale() -> list[str]:
    """Unmount folders whose serving process is gone; return their mount points."""
    gone = [each.mountpoint for each in system_table.ours() if not each.is_served]
    return [place for place in gone if system_table.unmount(place)]


def _folder(mountpoint: str | os.PathLike[str]) -> str:
    place = Path(mountpoint)
    try:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise DatastoreException(f"Mount point {str(place)!r} is not empty.")
    except OSError as error:
        raise DatastoreException(
            f"Cannot use {str(place)!r} as a mount point: {error.strerror}."
        ) from None
    return os.path.realpath(place)


def _read_ahead(place: str) -> None:
    """Raise the kernel's read-ahead to a whole request, if this user has permission.

    The default is 128 KiB (Linux, Documentation/ABI/testing/sysfs-class-bdi).
    """
    with contextlib.suppress(OSError):
        device = os.stat(place).st_dev
        knob = f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb"
        Path(knob).write_text(str(mount_operations.REQUEST >> 10))


class Mounted:
    """A mounted folder. ``problems`` lists what has gone wrong so far, as sentences."""

    def __init__(self, plan: Plan, scratch: str, tell: Tell | None) -> None:
        self.mountpoint = plan.mountpoint
        self.troubles: list[str] = []
        self._tell, self._scratch = tell, scratch
        self._closing = False
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-P", "-m", "scriptrun.data.mount.server"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
        )
        self._write(plan)
        self._listener = threading.Thread(target=self._listen, name="scriptrun-mount", daemon=True)
        self._until_ready()
        _read_ahead(self.mountpoint)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process that serves the mount."""
        return self._process.pid

    def problem(self) -> str:
        """Why the mount ended, as a sentence; "" while it is served, and after ``close``."""
        ended = None if self._closing else self._process.poll()
        if ended is None:
            return ""
        how = f"was killed by signal {-ended}" if ended < 0 else f"exited with code {ended}"
        return f"The process serving the mount {self.mountpoint} (pid {self.pid}) {how}."

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
        if any(each.mountpoint == self.mountpoint for each in system_table.ours()):
            system_table.unmount(self.mountpoint)
        if self._listener.is_alive():
            self._listener.join(5)
        self._process.stdout.close()
        self._stderr.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Mounted:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _write(self, plan: Plan) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plan.value()).encode() + b"\n")
        self._process.stdin.flush()

    def _until_ready(self) -> None:
        answer = self._answer() or {}
        if not answer.get("ready"):
            reason = self._reason(answer.get("error", ""))
            self.close()
            raise DatastoreException(
                f"Cannot mount {str(self.mountpoint)!r}: {reason}.",
                "To download the data instead of using FUSE, use as_download().",
            )

    def _reason(self, error: str) -> str:
        self._stderr.seek(0)
        said = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return (said[-1] if said else error or "its process exited").rstrip(".")

    def _answer(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def _listen(self) -> None:
        while (answer := self._answer()) is not None:
            trouble = answer.get("trouble")
            if trouble and trouble not in self.troubles and len(self.troubles) < 100:
                self.troubles.append(trouble)
                if self._tell is not None:
                    self._tell(trouble)
