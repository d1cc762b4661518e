"""What the cluster offers (sinfo), and why it cannot run a job."""

from __future__ import annotations

import json
import math
import re
import shutil
import time

from scriptrun.engines import containers
from scriptrun.engines.base import Order
from scriptrun.engines.local import requirements as local_requirements
from scriptrun.engines.slurm import commands as slurm_commands
from scriptrun.engines.slurm import script as slurm_script
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.runtime.schedulers import slurm_launch
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: seconds for which sinfo's output is reused to check jobs
FRESH = 10.0
_GPU = re.compile(r"\bgpu(?::[A-Za-z][^:,()]*)?(?::(\d+))?(?=[,(]|$)")
_SINFO = "%R|%a|%l|%D|%c|%m|%G|%P"


class Kind(Value):
    """Identical nodes of a partition: how many, and what each has (memory in bytes)."""

    partition: str
    up: bool
    limit: float | None
    nodes: int
    cpus: int
    memory: int
    gpus: int
    default: bool


_known: dict[str, tuple[float, list[Kind]]] = {}
_mpi_of_srun: dict[str, list[str]] = {}


def kinds(ssh: str | None = None) -> list[Kind]:
    """The cluster's node types by partition; calls sinfo at most once in ten seconds.

    Raises ExperimentExecutionException if sinfo fails.
    """
    where = slurm_commands.cluster(ssh)
    when, found = _known.get(where, (0.0, []))
    if not found or time.monotonic() - when > FRESH:
        said = slurm_commands.ask(["sinfo", "--noheader", f"--format={_SINFO}"], ssh)
        if said.code:
            raise ExperimentExecutionException(
                f"Cannot query Slurm: {slurm_commands.trouble(said)}"
            )
        found = [_kind(line.split("|")) for line in said.text.splitlines() if line.count("|") == 7]
        _known[where] = (time.monotonic(), found)
    return found


def _kind(words: list[str]) -> Kind:
    return Kind(
        partition=words[0],
        up=words[1] == "up",
        limit=slurm_script.minutes_of(words[2]),
        nodes=int(words[3]),
        cpus=int(words[4].rstrip("+")),
        memory=int(words[5].rstrip("+")) << 20,
        gpus=_gpus(words[6]),
        default=words[7].endswith("*"),
    )


def _gpus(gres: str | None) -> int:
    """The number of GPUs in a list of generic resources ("gpu:a100:4(S:0-1),gpu:2")."""
    return sum(int(n or 1) for n in _GPU.findall(gres or ""))


def problems(target: SlurmOptions, job: JobSpec) -> list[str]:
    """Every reason why the job cannot run on this cluster."""
    found = _of_options(target)
    if job.environment.container:
        found += containers.problems_of_nodes(job, target.containers, bool(target.ssh))
        if target.scratch:
            found.append("container jobs cannot use a node's own disk; remove scratch")
    nodes = job.distribution.nodes
    if target.max_nodes is not None and nodes > target.max_nodes:
        found.append(
            f"{nodes} nodes requested, but compute target {target.name!r} allows at most "
            f"max_nodes={target.max_nodes}"
        )
    if not target.ssh and shutil.which("sbatch") is None:
        found.append(
            "sbatch not found on this machine; install Slurm's client tools (slurm-client), "
            "or submit from a login node"
        )
        return found
    try:
        return found + _of_cluster(target, job, kinds(target.ssh)) + _of_mpi(target, job)
    except ExperimentExecutionException as error:
        return [*found, error.message]


def _of_options(target: SlurmOptions) -> list[str]:
    found = []
    if target.containers not in (None, *containers.OF_NODES):
        known = ", ".join(containers.OF_NODES)
        found.append(f"invalid containers={target.containers!r}; use one of {known}")
    if target.time and slurm_script.minutes_of(target.time) is None:
        found.append(
            f"invalid time limit time={target.time!r}; use minutes, hours:minutes:seconds or "
            "days-hours"
        )
    if target.warn is not None and not target.time:
        found.append("warn requires a time limit; set time")
    if target.scratch and not target.scratch.startswith(("/", "$")):
        found.append(f"scratch={target.scratch!r} is not an absolute path")
    if target.own_environments and not target.scratch:
        found.append("own_environments builds on each node's own disk; set its path with scratch")
    for option in target.extra:
        if not option.startswith("-") or "\n" in option:
            found.append(f"invalid sbatch option {option!r} in extra; use e.g. --exclusive")
    if target.mpi not in (None, "mpirun", "pmi2", "pmix", "openmpi", "none"):
        found.append(f"invalid mpi={target.mpi!r}; use mpirun, pmix or pmi2")
    return found


def _of_cluster(target: SlurmOptions, job: JobSpec, there: list[Kind]) -> list[str]:
    mine = [each for each in there if _is_mine(target, each)]
    if not mine:
        names = ", ".join(sorted({each.partition for each in there}))
        wanted = f"partition {target.partition!r}" if target.partition else "default partition"
        return [f"the cluster has no {wanted}; partitions: {names}"]
    name, nodes = mine[0].partition, sum(each.nodes for each in mine)
    found = [] if mine[0].up else [f"partition {name!r} is down"]
    if job.distribution.nodes > nodes:
        has = f"{nodes} node{'' if nodes == 1 else 's'}"
        found.append(f"{job.distribution.nodes} nodes requested, but partition {name!r} has {has}")
    limit = mine[0].limit
    asked = slurm_script.minutes_of(target.time) if target.time else None
    if limit is not None and asked is not None and asked > limit:
        found.append(
            f"time={target.time} exceeds the limit of partition {name!r} ({limit:g} minutes)"
        )
    return found + _of_nodes(target, job, mine)


def _is_mine(target: SlurmOptions, kind: Kind) -> bool:
    if target.partition:
        return kind.partition in target.partition.split(",")
    return kind.default


def _of_nodes(target: SlurmOptions, job: JobSpec, mine: list[Kind]) -> list[str]:
    wanted = {
        "CPUs": (slurm_script.cpus(target, job), max(each.cpus for each in mine)),
        "GPUs": (_gpus(slurm_script.gres(target, job)), max(each.gpus for each in mine)),
    }
    found = [
        f"{asked} {what} requested per node, but nodes in {mine[0].partition!r} have {has}"
        for what, (asked, has) in wanted.items()
        if asked > has
    ]
    memory, has = job.resources.get("memory", 0), max(each.memory for each in mine)
    if memory > has:
        found.append(
            f"{memory / 2**30:.4g} GiB of memory requested per node, but nodes in "
            f"{mine[0].partition!r} have {has / 2**30:.4g} GiB"
        )
    return found


def passed(job: JobSpec, order: Order) -> dict[str, str]:
    """The variables that the job takes from the process that submitted it.

    Secrets for the environment's build are in one that the launcher takes away
    (``schedulers/slurm_launch.py``).
    """
    inherited = order.environ or {}
    found = {name: inherited[name] for name in job.passed if name in inherited}
    return {**found, slurm_launch.LENT: json.dumps(order.secrets)} if order.secrets else found


def mpi_starter(target: SlurmOptions, job: JobSpec) -> dict[str, Any]:
    """How the launcher on node 0 starts MPI ranks (docs: engines.md).

    By srun, with the first of ``mpi_kinds`` that the job's MPI library supports, else by mpirun.
    """
    kinds = [target.mpi] if target.mpi else _kinds_of_srun(target.ssh)
    if not kinds or kinds == ["mpirun"]:
        return {}
    nodes, each = job.distribution.nodes, job.distribution.processes_per_node
    share = max(1, math.floor(slurm_script.cpus(target, job) / each))
    words = [
        "srun",
        "--overlap",
        f"--nodes={nodes}",
        f"--ntasks={nodes * each}",
        f"--ntasks-per-node={each}",
        f"--cpus-per-task={share}",
        *(["--overcommit"] if slurm_script.cpus(target, job) < each else []),
        "--export=ALL",
        "--kill-on-bad-exit=0",
    ]
    return {"mpi": words, "mpi_kinds": kinds, "mpi_alone": nodes == 1 and target.mpi is None}


def _kinds_of_srun(ssh: str | None) -> list[str]:
    """The MPI types that srun supports here, pmix before pmi2."""
    where = slurm_commands.cluster(ssh)
    if where not in _mpi_of_srun:
        said = slurm_commands.ask(["srun", "--mpi=list"], ssh)
        listed = f"{said.text} {said.complaint}".split()
        _mpi_of_srun[where] = [each for each in ("pmix", "pmi2") if each in listed]
    return _mpi_of_srun[where]


def _of_mpi(target: SlurmOptions, job: JobSpec) -> list[str]:
    """Why an MPI job's ranks cannot be started; behind ssh, only the node can tell."""
    if job.distribution.kind != "mpi" or target.ssh or mpi_starter(target, job):
        return []
    if local_requirements.has_mpi(job.environment):
        return []
    return [
        "MPI jobs require mpirun or an MPI type that srun supports; add the openmpi package to the "
        "environment, or set mpi=pmix or mpi=pmi2 (see srun --mpi=list)"
    ]
