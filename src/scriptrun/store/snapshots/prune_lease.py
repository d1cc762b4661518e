"""Keeps garbage collection and submissions apart, without a lock.

A collector takes a lease and then replaces the file ``prune.count``, before it reads what the runs
refer to. Whoever relies on content that is stored already reads the count before it marks the
content as used, and again afterwards. If the count is unchanged, any collector that starts later
sees the marks, and keeps what was used within a day; if not, the caller waits for the collector to
end and looks again. The collector compares a file's age right before it removes it.

A collector that was killed deletes nothing more, so nobody waits for it: its process is gone, or,
on another host, its lease has been silent for five minutes. One that was only suspended meanwhile
stops afterwards: it asks ``Collector.may_delete`` before each deletion. On a file system that
other machines can write to, also as NFS clients of this one, a collector waits for a minute after
it has replaced the count, until no machine's cache of file attributes has the old one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec.errors import WorkspaceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.store.locks.leases import Lease

    T = TypeVar("T")

LEASE, COUNT = "prune.lease", "prune.count"
#: seconds for which another machine may still see the old count (NFS: acregmax, acdirmax)
CACHE_SECONDS = 60.0
#: seconds between two looks, and how many looks pass before a message
_EVERY, _PATIENCE = 0.05, 40


class Collector:
    """The only garbage collector of a store, which holds ``lease``."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._is_ours, self._looked = True, float("-inf")

    def may_delete(self) -> bool:
        """Whether all others still wait for this collector: to be asked before each deletion.

        Once it is False, it stays so.
        """
        if self._is_ours and time.monotonic() - self._looked >= 1.0:
            self._is_ours, self._looked = self._lease.is_ours(), time.monotonic()
        return self._is_ours and not self._lease.has_paused()


@contextmanager
def hold(store: Path) -> Iterator[Collector]:
    """Be the only garbage collector of ``store`` for the block.

    Raises WorkspaceException while another one is at work.
    """
    from scriptrun.store import filesystem_kind
    from scriptrun.store.locks import leases

    lease = leases.inherit(store / LEASE, durable=True)
    if lease is None:
        raise WorkspaceException(
            "Another prune is cleaning up this workspace.", "Wait for it to finish."
        )
    try:
        files.write_atomic(store / COUNT, files.unique(32).encode())
        if filesystem_kind.is_shared(store / COUNT) or filesystem_kind.has_exports():
            time.sleep(CACHE_SECONDS)
        yield Collector(lease)
    finally:
        lease.release()


def outside(store: Path, use: Callable[[], T]) -> T:
    """What ``use`` returns when no garbage collector was at work in ``store`` meanwhile.

    It is called again if one was. It must mark the content that it relies on as used.
    """
    while True:
        before = _count(store)
        waited = 0
        while is_held(store):
            time.sleep(_EVERY)
            before = _count(store)
            waited += 1
            if waited == _PATIENCE:
                print("scriptrun: waiting for a prune of this workspace to finish", file=sys.stderr)
        result = use()
        if _count(store) == before:
            return result


def is_held(store: Path) -> bool:
    """Whether a garbage collector is at work in ``store``, as far as this host can tell."""
    path = os.path.join(store, LEASE)
    if not os.path.lexists(path):
        return False
    from scriptrun.store.locks import leases

    holder = leases.holder(path)
    return holder is not None and holder[1] < leases.STALE_SECONDS


def _count(store: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(os.path.join(store, COUNT))
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
