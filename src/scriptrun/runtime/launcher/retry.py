"""Starting a run again: when that was asked for, and how the next attempt comes (Python 3.8+).

``retry`` in job.json says ``{"limit": N, "on": [causes]}``. A cause is ``preempted``, ``node-lost``
(the launcher or its node went), ``time-limit``, ``exit:CODE`` or ``signal:NAME``; a script's own
error is none unless its code is named. Attempts share ``checkpoints/`` of the run's folder.
"""

import os

from .. import results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import LaunchOrder


#: what stands for the place of a ticket whose run has begun and may be started again
_KEPT = ".began"


def causes(value: "Json") -> "set[str]":
    """What a result names as its causes."""
    found = {str(value["ended_by"])} if value.get("ended_by") else set()
    if value.get("by") == "guard":
        found.add("node-lost")
    if not found and value.get("exit_code"):
        found.add("exit:{}".format(value["exit_code"]))
    if not found and value.get("signal"):
        found.add("signal:{}".format(value["signal"]))
    return found


def wanted(job: "Json", folder: str, attempt: int, value: "Json") -> bool:
    """Whether the run is to be started again after its ``attempt`` has ended with ``value``."""
    retry = job.get("retry") or {}
    if value["state"] != results.FAILED or attempt > retry.get("limit", 0):
        return False
    if os.path.exists(os.path.join(folder, "cancel.json")):
        return False
    return bool(causes(value) & set(retry.get("on") or ()))


def take(job: "Json", ticket: str) -> None:
    """Take the ticket, so that nobody else starts the run; FileNotFoundError when it has gone.

    It is kept aside, under the same protection, where the run may have to be started again.
    """
    if (job.get("retry") or {}).get("limit"):
        os.rename(ticket, ticket + _KEPT)
    else:
        os.unlink(ticket)


def start_again(job: "Json", order: "LaunchOrder", value: "Json", log: "EventWriter") -> bool:
    """See to the next attempt and say so; False where it cannot come, and this was the end."""
    try:
        if order.ticket:
            os.rename(order.ticket + _KEPT, order.ticket)
        else:
            scheduler = order.load_scheduler()
            if scheduler is None:
                return False
            scheduler.start_again(order)
    except OSError:
        return False
    log.write(
        "note",
        message="attempt {} failed ({}); retrying, at most {} times".format(
            order.attempt, value["reason"], job["retry"]["limit"]
        ),
    )
    return True


def forget(order: "LaunchOrder") -> None:
    """The run has ended for good: what would start it again goes."""
    if order.ticket:
        try:
            os.unlink(order.ticket + _KEPT)
        except OSError:
            pass
