"""Starting a run again: when that was asked for, and how the next attempt comes (Python 3.8+).

``retry`` in job.json says ``{"limit": N, "on": [causes]}``. A cause is ``preempted``, ``node-lost``
(the launcher or its node went), ``time-limit``, ``exit:CODE`` or ``signal:NAME``; a script's own
error is none unless its code is named. Attempts share ``checkpoints/`` of the run's folder.
"""

import os

from .. import files, results

#: what stands for the place of a ticket whose run has begun and may be started again
_KEPT = ".began"


def causes(value):
    """What a result names as its causes."""
    found = {value.get("ended_by")} - {None, ""}
    if value.get("by") == "guard":
        found.add("node-lost")
    if not found and value.get("exit_code"):
        found.add("exit:{}".format(value["exit_code"]))
    if not found and value.get("signal"):
        found.add("signal:{}".format(value["signal"]))
    return found


def wanted(job, order, value):
    """Whether the run is to be started again after its attempt ended with ``value``."""
    retry = job.get("retry") or {}
    if value["state"] != results.FAILED or order["attempt"] > retry.get("limit", 0):
        return False
    if os.path.exists(os.path.join(order["folder"], "cancel.json")):
        return False
    return bool(causes(value) & set(retry.get("on") or ()))


def take(job, ticket):
    """Take the ticket, so that nobody else starts the run; FileNotFoundError when it has gone.

    It is kept aside, under the same protection, where the run may have to be started again.
    """
    if (job.get("retry") or {}).get("limit"):
        os.rename(ticket, ticket + _KEPT)
    else:
        os.unlink(ticket)


def start_again(job, order, value, log):
    """See to the next attempt and say so; False where it cannot come, and this was the end."""
    try:
        if order.get("ticket"):
            os.rename(order["ticket"] + _KEPT, order["ticket"])
        elif order.get("slurm"):
            files.write_atomic(os.path.join(order["slurm"], "again"), b"")
        else:
            return False
    except OSError:
        return False
    log.write(
        "note",
        message="attempt {} failed ({}); it is started again, at most {} times".format(
            order["attempt"], value["reason"], job["retry"]["limit"]
        ),
    )
    return True


def forget(order):
    """The run has ended for good: what would start it again goes."""
    if order.get("ticket"):
        try:
            os.unlink(order["ticket"] + _KEPT)
        except OSError:
            pass
