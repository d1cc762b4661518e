"""Slurm's job states and pending reasons in plain words (man squeue)."""

from __future__ import annotations

import re

from scriptrun.spec.values import Value

#: squeue's output fields; only the last one may contain the separator
SQUEUE_FORMAT = "%i|%T|%S|%N|%r"
#: the job waits, or will be started again
QUEUED = frozenset(
    {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
)
#: the job has processes, or is about to
ALIVE = frozenset(
    {
        "RUNNING",
        "CONFIGURING",
        "COMPLETING",
        "SUSPENDED",
        "STOPPED",
        "SIGNALING",
        "STAGE_OUT",
        "RESIZING",
    }
)

_END_REASONS = {
    "BOOT_FAIL": "one of its nodes failed to boot",
    "CANCELLED": "canceled in Slurm (scancel)",
    "COMPLETED": "Slurm reports that the job completed",
    "DEADLINE": "reached its deadline in Slurm",
    "FAILED": "Slurm reports that the job failed",
    "NODE_FAIL": "lost a node",
    "OUT_OF_MEMORY": "out of memory: exceeded its memory limit",
    "PREEMPTED": "preempted by a higher-priority job",
    "REVOKED": "revoked by another cluster",
    "TIMEOUT": "exceeded its time limit in Slurm",
}
_PENDING_REASONS = {
    "Resources": "waiting for resources to become available",
    "Priority": "waiting for higher-priority jobs",
    "BeginTime": "waiting for its begin time",
    "Dependency": "waiting for a job that it depends on",
    "JobHeldUser": "held by its owner (scontrol release)",
    "JobHeldAdmin": "held by an administrator",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition is inactive",
    "PartitionNodeLimit": "requests more nodes than the partition allows",
    "PartitionTimeLimit": "requests more time than the partition allows",
    "ReqNodeNotAvail": "waiting for nodes that are down, drained or reserved",
    "Nodes required for job are DOWN": "waiting for nodes that are down, drained or reserved",
    "NodeDown": "waiting for a node that is down",
    "Reservation": "waiting for its reservation",
    "Licenses": "waiting for licenses",
    "JobArrayTaskLimit": "job array task limit reached",
    "BadConstraints": "no node satisfies its constraints",
    "Cleaning": "being requeued",
    "QOSMaxJobsPerUserLimit": "QOS limit on jobs per user reached",
    "QOSMaxCpuPerUserLimit": "QOS limit on CPUs per user reached",
    "QOSGrpCpuLimit": "QOS limit on CPUs per group reached",
    "AssocGrpCpuLimit": "account limit on CPUs reached",
    "AssocMaxJobsLimit": "account limit on jobs reached",
    "launch_failed_requeued_held": "launch failed; held (scontrol release)",
    "None": "",
}


class SqueueRow(Value):
    """One job in squeue's output; ``start`` is the actual or expected start, "" if unknown."""

    id: str
    state: str
    start: str = ""
    nodes: str = ""
    reason: str = ""


def parse_rows(text: str) -> dict[str, SqueueRow]:
    """The jobs in squeue's output by ID; an array that Slurm has not split yet is one row."""
    by_id = {}
    for line in text.splitlines():
        parts = line.split("|", 4)
        if len(parts) == 5:
            job, state, start, nodes, reason = parts
            by_id[job] = SqueueRow(
                job, state, "" if start in ("N/A", "NONE") else start, nodes, reason
            )
    return by_id


def find_row(queue_rows: dict[str, SqueueRow], job: str) -> SqueueRow | None:
    """The row of ``job`` ("12" or "12_3"); for a task without a row, that of its array."""
    if job in queue_rows or "_" not in job:
        return queue_rows.get(job)
    array = job.partition("_")[0]
    if array in queue_rows:
        return queue_rows[array]
    task = int(job.partition("_")[2])
    return next((row for row in queue_rows.values() if _covers(row.id, array, task)), None)


def _covers(pattern: str, array: str, task: int) -> bool:
    """Whether a pattern such as ``12_[0-3,7%2]`` includes the task."""
    match = re.fullmatch(r"(\d+)_\[([\d,\-]+)(?::\d+)?(?:%\d+)?\]", pattern)
    if match is None or match.group(1) != array:
        return False
    ranges = (span.partition("-") for span in match.group(2).split(","))
    return any(int(low) <= task <= int(high or low) for low, _, high in ranges)


def pending_reason(row: SqueueRow) -> str:
    """Why the job is pending, and when Slurm expects it to start."""
    reason = row.reason.strip("()")
    word = reason.partition(",")[0].strip()
    explanation = _PENDING_REASONS.get(word)
    said = reason if explanation is None else f"{word}: {explanation}" if explanation else ""
    sentence = f"pending in Slurm (job {row.id})" + (f": {said}" if said else "")
    return sentence + (f"; expected start: {row.start}" if row.start else "")


def end_reason(job: str, state: str, nodes: str = "") -> str:
    """How ``job`` ended, according to Slurm."""
    explanation = _END_REASONS.get(state.partition(" ")[0], f"Slurm state {state}")
    return f"{explanation} (job {job}{f' on {nodes}' if nodes else ''}: {state})"


def memory_reason(log: str) -> str:
    """The out-of-memory message if the job's Slurm log reports one, else ""."""
    match = re.search(r"exceeded (?:job |step )?memory limit|oom.kill|out of memory", log, re.I)
    return _END_REASONS["OUT_OF_MEMORY"] if match else ""


def is_ended(state: str) -> bool:
    """Whether ``state`` is final: the job neither runs nor will run again."""
    return state not in QUEUED and state not in ALIVE
