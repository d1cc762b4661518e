"""The kinds of run and their handlers.

Handlers are dotted names (``module:name``), loaded on first use, so that lower packages need not
import the higher ones that define a kind.
"""

from __future__ import annotations

import importlib

from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCRIPT, SWEEP, SERVICE = "azureml.scriptrun", "hyperdrive", "service"


class RunKind(Value):
    """One kind of run: the value of ``kind`` in job.json, and its handlers.

    ``title`` is the word for such a run in messages. ``run_class`` is its public class, ``status``
    the function that determines its state from (workspace, folder, job), ``goal`` the one that
    reads the metric that a run is about and its goal from (folder). ``record`` is an extra
    file in the run's folder, ``log`` its log if it is not a script's. ``has_children``: child runs
    do the work and log the metrics. If such a run has its own worker, ``queue`` is the folder of
    tickets in the user's runtime directory, and ``ensure_workers`` the function that starts a
    workspace's missing workers. A run without ``takes_slot`` starts at once: it needs no slot of
    this machine.
    """

    name: str
    title: str
    run_class: str
    status: str
    record: str = ""
    log: str = ""
    has_children: bool = False
    queue: str = ""
    ensure_workers: str = ""
    goal: str = ""
    takes_slot: bool = True


RUN_KINDS = {
    kind.name: kind
    for kind in (
        RunKind(SCRIPT, "run", "scriptrun.core.run:Run", "scriptrun.runs.status:of_script"),
        RunKind(
            SWEEP,
            "sweep",
            "scriptrun.sweeps.hyperdrive_run:HyperDriveRun",
            "scriptrun.sweeps.status:status_of",
            record="sweep.json",
            log="user_logs/hyperdrive.txt",
            has_children=True,
            queue="sweeps",
            ensure_workers="scriptrun.sweeps.ensure_driver:ensure_all",
            goal="scriptrun.sweeps.record:goal_of",
        ),
        RunKind(
            SERVICE,
            "service",
            "scriptrun.core.run:Run",
            "scriptrun.services.status:status_of",
            record="service.json",
            takes_slot=False,
        ),
    )
}


def run_kind(name: str | None) -> RunKind:
    """The kind called ``name``; an unknown kind is treated as a script's run."""
    return RUN_KINDS.get(name or SCRIPT, RUN_KINDS[SCRIPT])


def handler(dotted: str) -> Any:
    """Load the object with the dotted name ``module:name``."""
    module, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module), name)
