"""Leases: mutual exclusion on shared file systems, where flocks are unreliable.

A lease is a directory with ``owner.json`` (a token, and the process's identity: host, boot, pid,
start) and ``beat.json`` (a counter that its holder increments). It is created by one rename, with
its owner in it. On the holder's host, it is stale if the process has ended; on other hosts, if the
counter has not moved for five minutes of the observer's monotonic clock.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scriptrun.runtime import files, identity
from scriptrun.store.locks import silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 300.0
#: a holder whose heartbeats paused for so long may seem dead to others soon
PAUSE_SECONDS = 60.0
_EXISTS_ERRORS = (errno.ENOTEMPTY, errno.EEXIST)


class Lease:
    """A lease held until ``release``; a thread sends its heartbeats.

    Without ``thread``, the holder must call ``heartbeat`` regularly, as processes that fork do.
    """

    def __init__(self, path: Path, token: str, thread: bool = True) -> None:
        self.path = path
        self._token = token
        self._count, self._next_heartbeat = 0, time.monotonic() + HEARTBEAT_SECONDS
        self._last_beat, self._has_paused = (time.time(), time.monotonic()), False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="lease", daemon=True)
        if thread:
            self._thread.start()

    def is_ours(self) -> bool:
        """Whether this process still holds it: another may take it over after an outage."""
        owner = files.read_json(self.path / "owner.json")
        return isinstance(owner, dict) and owner.get("token") == self._token

    def has_paused(self) -> bool:
        """Whether the heartbeats ever paused for a minute, by either clock.

        The process was suspended then, or the disk could not be written.
        """
        wall, monotonic = self._last_beat
        pause = max(abs(time.time() - wall), time.monotonic() - monotonic)
        if pause >= PAUSE_SECONDS:
            self._has_paused = True
        return self._has_paused

    def release(self) -> None:
        """Release the lease, unless another process has taken it over."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self.is_ours():
            _remove(self.path)

    def heartbeat(self) -> bool:
        """Increment the counter if it is time to; returns whether the lease is still ours.

        If the disk cannot be written, the next heartbeat tries again.
        """
        if not self.is_ours():
            return False
        if time.monotonic() >= self._next_heartbeat:
            self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
            self._count += 1
            began = time.time(), time.monotonic()
            with suppress(OSError):
                beat = files.to_json({"count": self._count})
                files.write_atomic(self.path / "beat.json", beat, durable=False)
                self.has_paused()  # notes it, before this heartbeat ends the pause
                self._last_beat = began
        return True

    def _keep_alive(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS):
            self._next_heartbeat = 0.0
            with suppress(OSError):
                self.heartbeat()


class LeaseWatch:
    """Detects that the holder of a lease has died; call it repeatedly."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last_state: tuple[str, object] | None = None
        self._since = time.monotonic()

    def abandoned_token(self) -> str | None:
        """The token of a lease whose holder is gone; None if it may be alive, or there is none."""
        owner = _read_owner(self._path)
        if owner is None:
            return None
        process = _identity_of(owner)
        token = str(owner.get("token", ""))
        if identity.is_local(process):
            return None if identity.is_alive(process) else token
        state = (token, files.read_json(self._path / "beat.json"))
        if state != self._last_state:
            self._last_state, self._since = state, time.monotonic()
        return token if time.monotonic() - self._since >= STALE_SECONDS else None


def holder(path: str | os.PathLike[str]) -> tuple[Json, float] | None:
    """The process that holds the lease ``path``, and for how many seconds it has been silent.

    For a process on this host, 0 if it is alive, else infinity; for one on another host, counted
    from this machine's first look. None if nobody holds the lease. The process is {} where the
    lease cannot be read.
    """
    owner = _read_owner(Path(path))
    if owner is None:
        return None
    process = _identity_of(owner)
    if identity.is_local(process):
        return process, 0.0 if identity.is_alive(process) else float("inf")
    state = [owner.get("token"), files.read_json(os.path.join(path, "beat.json"))]
    return process, silence.seconds(os.path.abspath(path), state)


def _read_owner(path: Path) -> Json | None:
    """What the lease says of its holder: {} if it is damaged; None if there is no lease."""
    owner = files.read_object(path / "owner.json")
    return {} if owner is None and files.names_in(path) else owner


def _identity_of(owner: Json) -> Json:
    process = owner.get("identity")
    return process if isinstance(process, dict) and identity.is_identity(process) else {}


def inherit(
    path: str | os.PathLike[str], thread: bool = True, durable: bool = False
) -> Lease | None:
    """Take the lease ``path``, also from a dead holder; None if the holder may be alive.

    ``durable``: after a power cut, too, it says who held it.
    """
    acquired = try_lease(path, thread, durable)
    if acquired is None:
        owner, current = _read_owner(Path(path)), holder(path)
        if owner is not None and current is not None and current[1] >= STALE_SECONDS:
            _remove_abandoned(Path(path), str(owner.get("token", "")))
        acquired = try_lease(path, thread, durable)
    return acquired


def try_lease(
    path: str | os.PathLike[str], thread: bool = True, durable: bool = False
) -> Lease | None:
    """Take the lease ``path`` without waiting; None if another process holds it."""
    lease_path = Path(path)
    lease_path.parent.mkdir(parents=True, exist_ok=True)
    token = uuid.uuid4().hex
    temporary = lease_path.with_name(f"{lease_path.name}.{token[:12]}.tmp")
    temporary.mkdir()
    try:
        owner = {"token": token, "identity": identity.identify()}
        files.write_atomic(temporary / "owner.json", files.to_json(owner), durable=durable)
        os.rename(temporary, lease_path)  # fails if a lease exists: a directory that is not empty
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if os.path.lexists(lease_path) and not lease_path.is_dir():
            lease_path.unlink(missing_ok=True)  # damage: no lease
            return None
        if error.errno in _EXISTS_ERRORS or lease_path.is_dir():
            return None
        raise
    return Lease(lease_path, token, thread)


@contextmanager
def lease(
    path: str | os.PathLike[str], on_wait: Callable[[], None] | None = None, every: float = 0.2
) -> Iterator[Lease]:
    """Hold the lease ``path`` for the block, waiting for a holder that is alive.

    ``on_wait`` is called once if this call has to wait; it retries after ``every`` seconds.
    """
    lease_watch = LeaseWatch(Path(path))
    notified = False
    acquired = try_lease(path)
    while acquired is None:
        if on_wait is not None and not notified:
            notified = True
            on_wait()
        token = lease_watch.abandoned_token()
        if token is None:
            time.sleep(every)
        else:
            _remove_abandoned(Path(path), token)
        acquired = try_lease(path)
    try:
        yield acquired
    finally:
        acquired.release()


def _remove_abandoned(path: Path, token: str) -> None:
    """Remove the lease with ``token``; if another has replaced it meanwhile, put that back."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        os.rename(path, aside)
        owner = files.read_json(aside / "owner.json")
        if isinstance(owner, dict) and owner.get("token") != token:
            os.rename(aside, path)
            return
    except OSError:
        return
    shutil.rmtree(aside, ignore_errors=True)


def _remove(path: Path) -> None:
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        os.rename(path, aside)
    except OSError:
        return
    shutil.rmtree(aside, ignore_errors=True)
