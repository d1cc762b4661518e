"""Runs submitted by way of another host, whose files the workspace does not share (ssh).

Nothing outside this package, and the engines, says how that host is reached.
"""

from __future__ import annotations

from scriptrun.spec.job import Target
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.remote import client
    from scriptrun.remote.client import RemoteRuns
else:
    client = later("scriptrun.remote.client")


def of(target: Target) -> RemoteRuns | None:
    """The runs of ``target`` where they are submitted by way of another host; else None."""
    return client.RemoteRuns(target) if target.options.get("ssh") else None
