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


def restarts() -> int:
    """How often Slurm has started this job again."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0)


def this_job() -> str:
    """This job's id in Slurm: "12", or "12_3" of an array."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return "{}_{}".format(array, task) if array else os.environ.get("SLURM_JOB_ID", "")


def folder_of(order: "LaunchOrder") -> str:
    """The folder of what was handed to Slurm."""
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
            SLURM_OVERLAP="1",  # its own srun must not wait for the step of the launchers to end
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
    """Say in ``value`` why Slurm stopped the job; whether that is the run's end.

    It is not where Slurm starts the job again: the next attempt tells then.
    """
    if os.path.exists(os.path.join(order.folder, "cancel.json")):
        value.update(state=results.CANCELED, reason="canceled while running")
        return True
    if _is_warned(order):
        return _at_its_limit(order, value)
    facts = _facts(os.environ.get("SLURM_JOB_ID", ""))
    state = facts.get("JobState", "")
    again = facts.get("Requeue") == "1"
    if state == "COMPLETING":
        state = _why_it_completes(facts)
    if _within_its_time_to_save(facts):
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
    """Whether this job runs on only to save."""
    return _within_its_time_to_save(_facts(os.environ.get("SLURM_JOB_ID", "")))


def has_time_to_save() -> bool:
    """Whether the partition of this job lets preempted jobs go on for a while."""
    facts = _ask("partition", os.environ.get("SLURM_JOB_PARTITION", ""))
    return facts.get("PreemptMode", "OFF") != "OFF" and facts.get("GraceTime", "0") != "0"


def _within_its_time_to_save(facts: "dict[str, str]") -> bool:
    return facts.get("JobState") == "RUNNING" and facts.get("PreemptTime", "None") != "None"


def _why_it_completes(facts: "dict[str, str]") -> str:
    """The state that Slurm does not show while processes of the job live on."""
    why = {"TimeLimit": "TIMEOUT", "OutOfMemory": "OUT_OF_MEMORY", "NodeDown": "NODE_FAIL"}
    if facts.get("Reason") in why:
        return why[facts["Reason"]]
    return "REQUEUED" if int(facts.get("Restarts", "0")) > restarts() else "CANCELLED"


def _is_warned(order: "LaunchOrder") -> bool:
    return os.path.exists(os.path.join(folder_of(order), "warned.{}".format(restarts())))


def is_the_last_warning(order: "LaunchOrder") -> bool:
    """Whether the job's time limit is near, and it is not started again."""
    return _is_warned(order) and restarts() >= order.requeues


def _at_its_limit(order: "LaunchOrder", value: "Json") -> bool:
    again = restarts() < order.requeues
    reason = "reached its time limit in Slurm"
    value.update(state=results.FAILED, reason=reason, ended_by="time-limit")
    if again:
        start_again(order)
    return not again


def _requeue() -> None:
    """Have Slurm start this job again: it does not where the job ends before its grace period."""
    try:
        subprocess.run(
            ["scontrol", "requeue", this_job()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        pass  # then the run is lost, and says so


def _facts(job: str) -> "dict[str, str]":
    """What Slurm says of the job, by name; {} where it does not answer."""
    return _ask("job", job)


def _ask(what: str, name: str) -> "dict[str, str]":
    try:
        said = subprocess.run(
            ["scontrol", "--oneliner", "show", what, name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=5,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(re.findall(r"(?:^| )(\w+)=(\S+)", said))
