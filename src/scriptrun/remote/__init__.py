"""Runs submitted over ssh through a host that does not share the workspace's files.

Only this package and the engines know how that host is reached.
"""

from __future__ import annotations

from pathlib import Path

from scriptrun.registry import compute_targets
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.later import later

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
