"""The process that finishes the replacement of a service's run, even if its submitter has ended.

It is started as ``finish.main(ROOT, NAME)``, and ends when nothing is left to do.
"""

from __future__ import annotations

import time

from scriptrun.core.workspace import Workspace
from scriptrun.runtime import identity, processes
from scriptrun.services import rollout
from scriptrun.spec.errors import ScriptrunError
from scriptrun.store.records import DamagedRecord

#: seconds between two looks, at most
_SLOWEST = 2.0
#: how many looks may fail one after the other: some 20 minutes
_MOST_FAILURES = 600


def main(root: str, name: str) -> None:
    """Advance the service ``name`` of the workspace at ``root`` until nothing is left to do."""
    identity.set_process_name(processes.SERVICE)
    workspace, delay = Workspace(root), rollout.POLL_SECONDS
    failures = 0
    while failures < _MOST_FAILURES:
        try:
            record = rollout.advance(workspace, name)
        except DamagedRecord:
            raise
        except ScriptrunError:  # such as of a cluster that does not answer
            failures += 1
        else:
            failures = 0
            if record is None or not (record.next or record.retired):
                return
        time.sleep(delay)
        delay = min(_SLOWEST, delay * 1.1)
