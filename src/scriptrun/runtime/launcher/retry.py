"""Retries: whether a failed run is retried, and how its next attempt is queued (Python 3.8+).

``retry`` in job.json is ``{"limit": N, "on": [causes]}``. A cause is ``preempted``, ``node-lost``
(the launcher or its node died), ``time-limit``, ``exit:CODE`` or ``signal:NAME``; a script's own
error counts only if its exit code is listed. Attempts share the run's ``checkpoints/`` folder.
"""

import os

from .. import results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import LaunchOrder


#: suffix of the ticket of a run that has started and may be retried
_BEGAN_SUFFIX = ".began"


def causes(value: "Json") -> "set[str]":
    """The causes of failure in a result."""
    result = {str(value["ended_by"])} if value.get("ended_by") else set()
    if value.get("by") == "guard":
        result.add("node-lost")
    if not result and value.get("exit_code"):
        result.add("exit:{}".format(value["exit_code"]))
    if not result and value.get("signal"):
        result.add("signal:{}".format(value["signal"]))
    return result


def should_retry(job: "Json", folder: str, attempt: int, value: "Json") -> bool:
    """Whether to retry the run after ``attempt`` ended with the result ``value``."""
    retry = job.get("retry") or {}
    if value["state"] != results.FAILED or attempt > retry.get("limit", 0):
        return False
    if os.path.lexists(os.path.join(folder, "cancel.json")):
        return False
    return bool(causes(value) & set(retry.get("on") or ()))


def take_ticket(job: "Json", ticket: str) -> None:
    """Take the ticket, so that nothing else starts the run. Raises FileNotFoundError if it is gone.

    If the run may be retried, the ticket is renamed instead of removed.
    """
    if (job.get("retry") or {}).get("limit"):
        os.rename(ticket, ticket + _BEGAN_SUFFIX)
    else:
        os.unlink(ticket)


def schedule_retry(job: "Json", order: "LaunchOrder", value: "Json", log: "EventWriter") -> bool:
    """Queue the next attempt and log it; False if that fails, so that the run ends here."""
    try:
        if order.ticket:
            os.rename(order.ticket + _BEGAN_SUFFIX, order.ticket)
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


def drop_began_ticket(order: "LaunchOrder") -> None:
    """The run is over: remove the ticket kept for a retry."""
    if order.ticket:
        try:
            os.unlink(order.ticket + _BEGAN_SUFFIX)
        except OSError:
            pass
