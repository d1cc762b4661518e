"""For how long a value has not changed, as seen from this machine, across processes.

Of a process on another host, only its heartbeat counter can be observed. The last value is stored
in the user's runtime directory, so that two short commands some minutes apart see what one long
process would. Time is this machine's monotonic clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid

from scriptrun.runtime import files, identity
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

#: replaces the boot ID if the system has none: then only this process's observations count
_PROCESS = uuid.uuid4().hex


def seconds(watched: str, value: object) -> float:
    """For how many seconds ``watched`` has had this JSON value; 0.0 at the first observation.

    If the directory cannot be written, every observation is the first.
    """
    name = hashlib.sha256(watched.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    boot, now = identity.boot_id() or _PROCESS, time.monotonic()
    with contextlib.suppress(OSError):
        path = str(paths.runtime_folder("seen") / f"{name}.json")
        previous = files.read_object(path) or {}
        since = previous.get("since")
        is_same = (previous.get("value"), previous.get("boot")) == (value, boot)
        if is_same and isinstance(since, int | float):
            return max(0.0, now - since)
        seen = files.to_json({"value": value, "boot": boot, "since": now})
        files.write_atomic(path, seen, durable=False)
    return 0.0
