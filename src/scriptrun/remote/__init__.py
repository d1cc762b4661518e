"""Runs submitted over ssh through a host that does not share the workspace's files.

Only this package and the engines know how that host is reached.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.registry import compute_targets
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.later import later

#: the run's location: ``{"host", "root", "tool"}``; written before anything is sent
ADDRESS = "address.json"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.remote import client
    from scriptrun.remote.client import RemoteRuns
    from scriptrun.tracking import mirror as mirror
    from scriptrun.tracking.run_files import RunFiles
else:
    client = later("scriptrun.remote.client")
    mirror = later("scriptrun.tracking.mirror")


def for_target(target: Target) -> RemoteRuns | None:
    """The remote runs of ``target`` if it is reached over ssh, else None."""
    return client.RemoteRuns(target) if target.options.get("ssh") else None


def home(folder: Path, job: JobSpec) -> RunFiles | None:
    """What brings the files of the run at ``folder`` home; None where they are written there."""
    elsewhere = for_target(job.target)
    if elsewhere is not None:
        return elsewhere.home(folder, job.id)
    return compute_targets.engine_of(job.target).home(folder)


def host_of(folder: Path) -> str:
    """The host that has the run's folder; "" for a run whose folder is only here.

    Raises DamagedRecord if its address cannot be read.
    """
    if not os.path.lexists(folder / ADDRESS):
        return ""
    address = client.address(folder)
    return "" if address is None else str(address["host"])


def prune(folders: dict[str, Path]) -> dict[str, str]:
    """Delete the runs with these IDs and folders on their hosts; why some are kept, by ID."""
    return client.prune(folders) if folders else {}
