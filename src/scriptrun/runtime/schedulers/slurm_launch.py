"""The launcher under Slurm: srun starts it once per node (Python 3.8+)."""

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


#: variables of the launcher's own srun step, removed since the launcher is not a rank of the job
_STEP_VARIABLES = re.compile(
    r"SLURM_(PROCID|LOCALID|NTASKS|NPROCS|NTASKS_PER_NODE|TASKS_PER_NODE|TASK_PID|GTIDS|STEP_.*|"
    r"STEPID|SRUN_.*|LAUNCH_NODE_IPADDR|UMASK|PRIO_PROCESS|CPU_BIND.*|DISTRIBUTION|MPI_TYPE|"
    r"CPUS_PER_TASK|MEM_PER_.*|EXPORT_ENV|NNODES|JOB_CPUS_PER_NODE|OVERCOMMIT|OVERLAP)|PMI_.*|PMIX_.*"
)
#: the variable with the job's node number of srun's first node
FIRST_NODE = "SCRIPTRUN_FIRST_NODE"
#: the variable with the secrets for building the environment, as JSON: name to value
SECRETS = "SCRIPTRUN_LENT_SECRETS"
#: shell code: exit with 0 if the job was preempted before the trap was set
_EXIT_IF_PREEMPTED = (
    'case "$(scontrol --oneliner show job "$SLURM_JOB_ID")" in *PreemptTime=[0-9]*) exit 0;; esac'
)
_STOPPED = "stopped by Slurm"


def main(value: "Json") -> "NoReturn":
    """Run this node's part of the job with the JSON order ``value``; never returns."""
    try:
        base_order = LaunchOrder.from_json(value, int(os.environ.get("SLURM_ARRAY_TASK_ID", "0")))
    except ValueError as error:
        sys.exit(str(error))
    restart_count = slurm.restart_count()
    order = base_order.replace(
        attempt=base_order.attempt + restart_count,
        node=int(os.environ.get("SLURM_NODEID", "0")) + int(os.environ.pop(FIRST_NODE, "0")),
        nodes=int(os.environ.get("SLURM_JOB_NUM_NODES") or os.environ.get("SLURM_NNODES", "1")),
        head=os.environ.get("SLURM_LAUNCH_NODE_IPADDR", ""),
        address=_address(),
        devices=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        on_term=_STOPPED,
        environ=None,
    )
    if base_order.scratch:
        scratch = os.path.expandvars(base_order.scratch)
        order = order.replace(scratch=scratch)
        os.environ.setdefault("SCRIPTRUN_CACHE", os.path.join(scratch, "cache"))
    attempt = Attempt(order)
    attempt.secrets = json.loads(os.environ.pop(SECRETS, "{}"))
    attempt.listen = _listen if os.environ.get("SLURM_JOB_NUM_NODES") == "1" else None
    for name in [name for name in os.environ if _STEP_VARIABLES.fullmatch(name)]:
        del os.environ[name]
    if not order.node:
        attempt.handle = _handle(slurm.folder_of(order), base_order.attempt)
        if restart_count:
            _log_requeue(order)
    guard.guard(attempt)


def _listen() -> "Listener":
    """Start a job step that listens for preemption; return its pid and a status check, or ().

    Slurm signals a job's steps at once, but its batch shell, where we run, only after the
    partition's GraceTime. A step next to the launcher exits with 0 at the signal.
    """
    if not slurm.has_grace_time():
        return ()
    srun = shutil.which("srun") or "srun"
    options = ["--overlap", "--nodes=1", "--ntasks=1", "--mpi=none", "--gres=none", "--quiet"]
    script = "trap 'exit 0' TERM; {}; while :; do sleep 3600 & wait; done".format(
        _EXIT_IF_PREEMPTED
    )
    null = os.open(os.devnull, os.O_RDWR)
    try:
        return processes.spawn(
            [srun, *options, "sh", "-c", script], "/", _srun_environment(), null
        ), _heard_preemption
    except (OSError, TypeError):
        return ()  # as without srun: the signal arrives later
    finally:
        os.close(null)


def _heard_preemption(status: int) -> bool:
    """Whether the listener ended because of preemption; the signal may precede its trap."""
    return not status or slurm.is_preempted()


def _srun_environment() -> "dict[str, str]":
    """The variables that srun needs, without the user's own settings for steps."""
    names = ("PATH", "HOME", "USER", "SLURM_CONF", "SLURM_JOB_ID", "SLURM_JOBID")
    return {name: os.environ[name] for name in names if name in os.environ}


def _handle(folder: str, attempt: int) -> "tuple[str, Json]":
    """The path of the run's handle, and its content for this job.

    Publishes the handle before the run is claimed, in case the submitter was killed too early.
    """
    path = os.path.join(folder, "job.json")
    user = os.environ.get("SLURM_JOB_USER") or os.environ.get("USER", "")
    value = {"job": slurm.job_id(), "attempt": attempt, "user": user}
    value["by"] = identity.identify()
    try:
        files.publish(path, files.to_json(value))
    except OSError:
        pass  # a full disk: the job can still be found by its name
    return path, value


def _address() -> str:
    """This node's address for the other nodes."""
    import socket

    name = os.environ.get("SLURM_TOPOLOGY_ADDR", "").rpartition(".")[2]
    for host_name in (socket.gethostname(), name):
        try:
            return socket.gethostbyname(host_name)
        except OSError:
            continue
    return "127.0.0.1"


def _log_requeue(order: "LaunchOrder") -> None:
    log = events.EventWriter(order.folder, "slurm-{}".format(order.attempt))
    log.write(
        "note",
        message="requeued by Slurm: attempt {}, reusing {}".format(
            order.attempt, collect.checkpoints(order.folder)
        ),
    )
