"""What Slurm's SIGTERM to a launcher means, and how MPI's ranks are started there (Python 3.8+).

The functions and values that `schedulers.Scheduler` describes.
"""

import os
import re
import subprocess

from .. import files, results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import LaunchOrder


RANK: "Tuple[str, ...]" = ("SLURM_PROCID",)
STEP: "Tuple[str, ...]" = ("SLURM_JOB_ID", "SLURM_STEP_ID")


def restart_count() -> int:
    """How often Slurm has requeued this job."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0)


def job_id() -> str:
    """This job's ID in Slurm: "12", or "12_3" in an array."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return "{}_{}".format(array, task) if array else os.environ.get("SLURM_JOB_ID", "")


def folder_of(order: "LaunchOrder") -> str:
    """The folder of the Slurm submission."""
    assert order.handed is not None
    return order.handed


def node_name() -> str:
    """What Slurm calls this node."""
    return os.environ.get("SLURMD_NODENAME", "")


def start_again(order: "LaunchOrder") -> None:
    """Have the script requeue the job when its launchers have ended. Raises OSError."""
    files.write_atomic(os.path.join(folder_of(order), "again"), b"")


def describe_nodes(environ: "dict[str, str]", nodes: int, each: int) -> None:
    """Let the variables of an mpirun say that it starts ``each`` ranks on every node."""
    if "SLURM_JOB_ID" in environ:
        environ.update(
            SLURM_NNODES=str(nodes),
            SLURM_JOB_NUM_NODES=str(nodes),
            SLURM_NTASKS=str(nodes * each),
            SLURM_TASKS_PER_NODE="{}(x{})".format(each, nodes),
            SLURM_OVERLAP="1",  # its own srun must not wait for the launchers' step to end
        )


def rank_starter(order: "LaunchOrder", is_open_mpi: bool) -> "list[str]":
    """The srun that starts the ranks: of what it can, as the job's MPI library understands.

    MPICH and its kin know PMI-2.
    """
    kinds = order.mpi_kinds or ["pmix"]
    kind = "pmi2" if not is_open_mpi and "pmi2" in kinds else kinds[0]
    name, *words = order.mpi or ["srun"]
    return [name, "--mpi={}".format(kind), *words]


def stop_step(step: str) -> bool:
    """SIGTERM to the ranks of a step on all nodes: an srun that gets it kills them at once."""
    try:
        argv = ["scancel", "--signal=TERM", step]
        return not subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=10).returncode
    except (OSError, subprocess.SubprocessError):
        return False


def why_stopped(order: "LaunchOrder", value: "Json") -> bool:
    """Add to ``value`` why Slurm stopped the job; return whether the run is over.

    It is not if Slurm requeues the job: the next attempt continues.
    """
    if os.path.lexists(os.path.join(order.folder, "cancel.json")):
        value.update(state=results.CANCELED, reason="canceled while running")
        return True
    if _is_warned(order):
        return _stop_at_time_limit(order, value)
    facts = _job_fields(os.environ.get("SLURM_JOB_ID", ""))
    state = facts.get("JobState", "")
    again = facts.get("Requeue") == "1"
    if state == "COMPLETING":
        state = _completing_state(facts)
    if _is_in_grace_time(facts):
        state = "PREEMPTED"
        if again:
            _requeue()
    if state == "CANCELLED":
        value.update(state=results.CANCELED, reason="canceled in Slurm (scancel)")
        return True
    reason, by, ends = {
        "TIMEOUT": ("exceeded its time limit in Slurm", "time-limit", True),
        "DEADLINE": ("reached its deadline in Slurm", "time-limit", True),
        "OUT_OF_MEMORY": ("out of memory: exceeded its memory limit", "memory", True),
        "PREEMPTED": ("preempted by a higher-priority job", "preempted", not again),
        "NODE_FAIL": ("lost a node", "node-lost", not again),
        "REQUEUED": ("requeued by Slurm", "preempted", False),
    }.get(state, ("stopped by Slurm ({})".format(state or "unknown reason"), "", not again))
    value.update(state=results.FAILED, reason=reason, ended_by=by)
    return ends


def is_preempted() -> bool:
    """Whether this job is preempted and running only to save."""
    return _is_in_grace_time(_job_fields(os.environ.get("SLURM_JOB_ID", "")))


def has_grace_time() -> bool:
    """Whether the partition gives preempted jobs a grace time."""
    fields = _show("partition", os.environ.get("SLURM_JOB_PARTITION", ""))
    return fields.get("PreemptMode", "OFF") != "OFF" and fields.get("GraceTime", "0") != "0"


def _is_in_grace_time(fields: "dict[str, str]") -> bool:
    return fields.get("JobState") == "RUNNING" and fields.get("PreemptTime", "None") != "None"


def _completing_state(fields: "dict[str, str]") -> str:
    """The final state of a completing job, which Slurm does not show while its processes live."""
    states = {"TimeLimit": "TIMEOUT", "OutOfMemory": "OUT_OF_MEMORY", "NodeDown": "NODE_FAIL"}
    if fields.get("Reason") in states:
        return states[fields["Reason"]]
    return "REQUEUED" if int(fields.get("Restarts", "0")) > restart_count() else "CANCELLED"


def _is_warned(order: "LaunchOrder") -> bool:
    return os.path.exists(os.path.join(folder_of(order), "warned.{}".format(restart_count())))


def is_last_warning(order: "LaunchOrder") -> bool:
    """Whether the job's time limit is near, and it is not started again."""
    return _is_warned(order) and restart_count() >= order.requeues


def _stop_at_time_limit(order: "LaunchOrder", value: "Json") -> bool:
    will_requeue = restart_count() < order.requeues
    reason = "reached its time limit in Slurm"
    value.update(state=results.FAILED, reason=reason, ended_by="time-limit")
    if will_requeue:
        start_again(order)
    return not will_requeue


def _requeue() -> None:
    """Requeue this job, as Slurm does not if the job ends before its grace time."""
    try:
        subprocess.run(
            ["scontrol", "requeue", job_id()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        pass  # the run then ends as lost


def _job_fields(job: str) -> "dict[str, str]":
    """The fields of the job in Slurm; {} if it does not answer."""
    return _show("job", job)


def _show(kind: str, name: str) -> "dict[str, str]":
    try:
        output = subprocess.run(
            ["scontrol", "--oneliner", "show", kind, name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=5,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(re.findall(r"(?:^| )(\w+)=(\S+)", output))
