"""The process that finishes the replacement of a service's run, whatever becomes of its submitter.

It is started as ``finish.main(ROOT, NAME)``, and ends when nothing is left to do.
"""

from __future__ import annotations

from scriptrun.core.workspace import Workspace
from scriptrun.runtime import identity
from scriptrun.services import rollout

#: its process name
NAME = "scriptrun-service"


def main(root: str, name: str) -> None:
    """Advance the service ``name`` of the workspace at ``root`` until no run is to replace its."""
    identity.set_process_name(NAME)
    rollout.wait(Workspace(root), name, lambda record: record.next is None)
