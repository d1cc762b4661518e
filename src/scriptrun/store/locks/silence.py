"""For how long something has not moved, as seen from this machine: by one process or by several.

What another host's process raises while it lives, a counter, is all that can be known of it from
here. What was seen last lies in the user's own runtime directory, so that two short commands some
minutes apart see what one long process would. Time is this machine's monotonic clock.
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
    from typing import Any

#: stands for the boot where the system tells none: then only this process's own looks count
_PROCESS = uuid.uuid4().hex


def seconds(what: str, value: Any) -> float:
    """For how many seconds ``value``, a JSON value, has stood at ``what``; 0.0 at the first look.

    A directory that cannot be written makes every look the first one.
    """
    name = hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    boot, now = identity.boot() or _PROCESS, time.monotonic()
    with contextlib.suppress(OSError):
        path = str(paths.runtime_folder("seen") / f"{name}.json")
        seen = files.read_json(path)
        if isinstance(seen, dict) and (seen.get("value"), seen.get("boot")) == (value, boot):
            return max(0.0, now - float(seen["since"]))
        files.write_atomic(path, files.to_json({"value": value, "boot": boot, "since": now}))
    return 0.0
