"""The process that serves one mount: ``python -m scriptrun.data.mount.server``.

It reads the plan, as JSON, from its first line of input. It writes lines of JSON:
``{"ready": true}`` once mounted, and ``{"trouble": SENTENCE, "store": NAME}`` when a store fails.
When its input closes, it unmounts lazily and exits.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import threading
from pathlib import Path

from scriptrun.data.datasets.manifest import Manifest, ManifestRow
from scriptrun.data.errors import DatastoreException
from scriptrun.data.mount import operations as mount_operations
from scriptrun.data.mount import plan as mount_plan
from scriptrun.data.mount import system_table
from scriptrun.data.mount.block_cache import MountCache
from scriptrun.data.mount.plan import MountPlan
from scriptrun.data.mount.reader import MountReader
from scriptrun.data.mount.tree import ManifestTree, Tree
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import dependents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: of glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8


def main() -> None:
    """Read the plan, mount, and serve until the input closes."""
    plan = mount_plan.from_value(json.loads(sys.stdin.readline()))
    os.environ["SCRIPTRUN_DATA_TIMEOUT"] = str(plan.time_limit)
    _keep_freed_memory()
    name = system_table.name_of_this_process()
    threading.Thread(target=_exit_when_closed, args=(plan.mountpoint,), daemon=True).start()
    dependents.end_with(first=lambda: system_table.unmount(plan.mountpoint))
    try:
        mount_operations.serve(_file_system(plan), plan.mountpoint, name)
    except (DatastoreException, UserErrorException, RuntimeError, OSError) as error:
        _send({"error": str(error)})
        os._exit(1)
    os._exit(0)  # do not wait for threads that are blocked on a store


def _keep_freed_memory() -> None:
    """Make the C library reuse freed memory for the next pieces.

    By default it returns each freed megabyte to the system and requests cleared pages for the
    next: a tenth of a mount's cost (glibc, mallopt(3)). Few arenas leave little memory idle.
    """
    with contextlib.suppress(AttributeError):  # not in other C libraries
        library = ctypes.CDLL(None)
        library.mallopt(_ARENAS, 4)
        library.mallopt(_MMAP_THRESHOLD, 32 << 20)
        library.mallopt(_TRIM_THRESHOLD, 64 << 20)


def _file_system(plan: MountPlan) -> mount_operations.ReadOnlyFiles:
    tree: Tree = ManifestTree(Manifest(Path(plan.manifest)))
    reader = MountReader(plan.roots, MountCache(plan.cache), plan.time_limit, tree.following)

    def report_error(row: ManifestRow | None, error: DatastoreException) -> None:
        root = plan.roots[row.root_index if row is not None else 0]
        _send({"trouble": str(error), "store": root.store_ref.name})

    return mount_operations.ReadOnlyFiles(
        tree, reader, os.stat(plan.manifest).st_mtime, lambda: _send({"ready": True}), report_error
    )


def _exit_when_closed(mountpoint: str) -> None:
    """Wait until stdin closes, then unmount and exit."""
    while os.read(0, 4096):
        pass
    system_table.unmount(mountpoint)
    os._exit(0)


_lock = threading.Lock()


def _send(value: Json) -> None:
    with _lock:
        try:
            os.write(1, json.dumps(value).encode() + b"\n")
        except OSError:
            pass  # the parent process is gone


if __name__ == "__main__":
    main()
