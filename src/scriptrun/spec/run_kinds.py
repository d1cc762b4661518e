"""The kinds of run, and what handles each.

Handlers are dotted names (``module:name``), loaded at their first use, so that the packages below
need not know those above which bring a kind of their own.
"""

from __future__ import annotations

import importlib

from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCRIPT, SWEEP = "azureml.scriptrun", "hyperdrive"


class RunKind(Value):
    """One kind of run: the value of ``kind`` in job.json, and what handles it.

    ``title`` is what messages call such a run. ``run_class`` is its public class, ``status``
    the function that decides its state from (workspace, folder, job). ``record`` is the file of its
    own in the run's folder, ``log`` its log where that is not a script's. ``has_children``: the
    work is done by child runs, which hold the metrics. Where such a run has a worker of its own,
    ``queue`` is the folder of their tickets below the user's runtime directory, and
    ``ensure_workers`` the function that starts those of a workspace that are wanted and gone.
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
        ),
    )
}


def run_kind(name: str | None) -> RunKind:
    """The kind called ``name``; one that is unknown is handled as a script's run."""
    return RUN_KINDS.get(name or SCRIPT, RUN_KINDS[SCRIPT])


def handler(dotted: str) -> Any:
    """What the dotted name ``module:name`` means, loaded now."""
    module, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module), name)
