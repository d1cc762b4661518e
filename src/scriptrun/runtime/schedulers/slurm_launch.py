"""The launcher as srun starts it, once a node (Python 3.8+)."""

import json
import os
import re
import shutil
import sys

from .. import events, files, identity, processes
from ..launcher import collect, guard
from ..order import Attempt, LaunchOrder
from . import slurm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import Listener


#: what says which task of srun's own step this is: the launcher is no rank of the job
_OF_THE_STEP = re.compile(
    r"SLURM_(PROCID|LOCALID|NTASKS|NPROCS|NTASKS_PER_NODE|TASKS_PER_NODE|TASK_PID|GTIDS|STEP_.*|"
    r"STEPID|SRUN_.*|LAUNCH_NODE_IPADDR|UMASK|PRIO_PROCESS|CPU_BIND.*|DISTRIBUTION|MPI_TYPE|"
    r"CPUS_PER_TASK|MEM_PER_.*|EXPORT_ENV|NNODES|JOB_CPUS_PER_NODE|OVERCOMMIT|OVERLAP)|PMI_.*|PMIX_.*"
)
#: the variable that holds the number of srun's first node among the job's
FIRST = "SCRIPTRUN_FIRST_NODE"
#: the variable that holds secrets for the build of the job's environment, as JSON: name to value
LENT = "SCRIPTRUN_LENT_SECRETS"
#: in a shell: ends it well where the job was told before there was anybody to hear it
_TOLD_BEFORE = (
    'case "$(scontrol --oneliner show job "$SLURM_JOB_ID")" in *PreemptTime=[0-9]*) exit 0;; esac'
)
_STOPPED = "stopped by Slurm"


def main(value: "Json") -> "NoReturn":
    """Run this node's part of the job whose order, as JSON, is ``value``; never returns."""
    try:
        told = LaunchOrder.from_json(value, int(os.environ.get("SLURM_ARRAY_TASK_ID", "0")))
    except ValueError as error:
        sys.exit(str(error))
    again = slurm.restarts()
    order = told.replace(
        attempt=told.attempt + again,
        node=int(os.environ.get("SLURM_NODEID", "0")) + int(os.environ.pop(FIRST, "0")),
        nodes=int(os.environ.get("SLURM_JOB_NUM_NODES") or os.environ.get("SLURM_NNODES", "1")),
        head=os.environ.get("SLURM_LAUNCH_NODE_IPADDR", ""),
        address=_address(),
        devices=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        on_term=_STOPPED,
        environ=None,
    )
    if told.scratch:
        scratch = os.path.expandvars(told.scratch)
        order = order.replace(scratch=scratch)
        os.environ.setdefault("SCRIPTRUN_CACHE", os.path.join(scratch, "cache"))
    attempt = Attempt(order)
    attempt.secrets = json.loads(os.environ.pop(LENT, "{}"))
    attempt.listen = _listen if os.environ.get("SLURM_JOB_NUM_NODES") == "1" else None
    for name in [name for name in os.environ if _OF_THE_STEP.fullmatch(name)]:
        del os.environ[name]
    if not order.node:
        attempt.handle = _handle(slurm.folder_of(order), told.attempt)
        if again:
            _tell_again(order)
    guard.guard(attempt)


def _listen() -> "Listener":
    """Start what hears of preemption at once: its pid, and what judges its end; () where none can.

    Slurm tells a job's steps at once, and its shell, which this is, when the partition's GraceTime
    is over. A step beside the launcher ends well when it is told.
    """
    if not slurm.has_time_to_save():
        return ()
    srun = shutil.which("srun") or "srun"
    words = ["--overlap", "--nodes=1", "--ntasks=1", "--mpi=none", "--gres=none", "--quiet"]
    waits = "trap 'exit 0' TERM; {}; while :; do sleep 3600 & wait; done".format(_TOLD_BEFORE)
    null = os.open(os.devnull, os.O_RDWR)
    try:
        return processes.spawn([srun, *words, "sh", "-c", waits], "/", _of_the_job(), null), _heard
    except (OSError, TypeError):
        return ()  # as where there is no srun: it is told later
    finally:
        os.close(null)


def _heard(status: int) -> bool:
    """Whether the listener ended of what it was to hear; a signal may have come before its trap."""
    return not status or slurm.is_preempted()


def _of_the_job() -> "dict[str, str]":
    """What srun must know; no variable of the user's that says how steps are to be."""
    names = ("PATH", "HOME", "USER", "SLURM_CONF", "SLURM_JOB_ID", "SLURM_JOBID")
    return {name: os.environ[name] for name in names if name in os.environ}


def _handle(place: str, attempt: int) -> "tuple[str, Json]":
    """Where the run's handle lies, and what it says if it is this job's.

    A submitter that was killed may have kept none; then it is here before the run is claimed.
    """
    path = os.path.join(place, "job.json")
    user = os.environ.get("SLURM_JOB_USER") or os.environ.get("USER", "")
    value = {"job": slurm.this_job(), "attempt": attempt, "user": user}
    value["by"] = identity.identify()
    try:
        files.publish(path, files.to_json(value))
    except OSError:
        pass  # a full disk: whoever looks finds the job by its name
    return path, value


def _address() -> str:
    """This node's address, as the other nodes know it."""
    import socket

    name = os.environ.get("SLURM_TOPOLOGY_ADDR", "").rpartition(".")[2]
    for each in (socket.gethostname(), name):
        try:
            return socket.gethostbyname(each)
        except OSError:
            continue
    return "127.0.0.1"


def _tell_again(order: "LaunchOrder") -> None:
    log = events.EventWriter(order.folder, "slurm-{}".format(order.attempt))
    log.write(
        "note",
        message="requeued by Slurm: attempt {}, reusing {}".format(
            order.attempt, collect.checkpoints(order.folder)
        ),
    )
