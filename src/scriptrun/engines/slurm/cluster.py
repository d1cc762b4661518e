"""What the cluster offers (sinfo), and why it cannot run a job."""

from __future__ import annotations

import json
import math
import re
import shutil
import time

from scriptrun.engines import containers, mpirun
from scriptrun.engines.base import Order
from scriptrun.engines.checks import Unanswered
from scriptrun.engines.slurm import commands as slurm_commands
from scriptrun.engines.slurm import reserved_options
from scriptrun.engines.slurm import script as slurm_script
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.engines.time_limits import minutes_of
from scriptrun.runtime.schedulers import slurm_launch
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: seconds for which sinfo's output is reused to check jobs
FRESH = 10.0
_GPU = re.compile(r"\bgpu(?::[A-Za-z][^:,()]*)?(?::(\d+))?(?=[,(]|$)")
_SINFO = "%R|%a|%l|%D|%c|%m|%G|%P"


class NodeType(Value):
    """Identical nodes of a partition: how many, and what each has (memory in bytes)."""

    partition: str
    up: bool
    limit: float | None
    nodes: int
    cpus: int
    memory: int
    gpus: int
    default: bool


_cached_types: dict[str, tuple[float, list[NodeType]]] = {}
_mpi_type_cache: dict[str, list[str]] = {}


def node_types(ssh: str | None = None) -> list[NodeType]:
    """The cluster's node types by partition; calls sinfo at most once in ten seconds.

    Raises ExperimentExecutionException if sinfo fails.
    """
    cluster = slurm_commands.cluster_key(ssh)
    fetched_at, types = _cached_types.get(cluster, (0.0, []))
    if not types or time.monotonic() - fetched_at > FRESH:
        result = slurm_commands.run(["sinfo", "--noheader", f"--format={_SINFO}"], ssh)
        if result.code:
            raise ExperimentExecutionException(
                f"Cannot query Slurm: {slurm_commands.error_text(result)}"
            )
        types = [
            _parse_node_type(line.split("|"))
            for line in result.text.splitlines()
            if line.count("|") == 7
        ]
        _cached_types[cluster] = (time.monotonic(), types)
    return types


def _parse_node_type(fields: list[str]) -> NodeType:
    return NodeType(
        partition=fields[0],
        up=fields[1] == "up",
        limit=minutes_of(fields[2]),
        nodes=int(fields[3]),
        cpus=int(fields[4].rstrip("+")),
        memory=int(fields[5].rstrip("+")) << 20,
        gpus=_count_gpus(fields[6]),
        default=fields[7].endswith("*"),
    )


def _count_gpus(gres: str | None) -> int:
    """The number of GPUs in a list of generic resources ("gpu:a100:4(S:0-1),gpu:2")."""
    return sum(int(n or 1) for n in _GPU.findall(gres or ""))


def problems(target: SlurmOptions, job: JobSpec) -> list[str]:
    """Every reason why the job cannot run on this cluster."""
    messages = _option_problems(target)
    if job.environment.container:
        messages += containers.node_problems(job, target.containers, bool(target.ssh))
        if target.scratch:
            messages.append("container jobs cannot use a node's own disk; remove scratch")
    nodes = job.distribution.nodes
    if target.max_nodes is not None and nodes > target.max_nodes:
        messages.append(
            f"{nodes} nodes requested, but compute target {target.name!r} allows at most "
            f"max_nodes={target.max_nodes}"
        )
    if not target.ssh and shutil.which("sbatch") is None:
        messages.append(
            "sbatch not found on this machine; install Slurm's client tools (slurm-client), "
            "or submit from a login node"
        )
        return messages
    try:
        return (
            messages
            + _capacity_problems(target, job, node_types(target.ssh))
            + _mpi_problems(target, job)
        )
    except slurm_commands.SlurmUnreachable as error:
        return [*messages, Unanswered(error.message)]
    except ExperimentExecutionException as error:
        return [*messages, error.message]


def _option_problems(target: SlurmOptions) -> list[str]:
    problems = []
    if target.containers not in (None, *containers.NODE_TOOLS):
        valid = ", ".join(containers.NODE_TOOLS)
        problems.append(f"invalid containers={target.containers!r}; use one of {valid}")
    if target.time and minutes_of(target.time) is None:
        problems.append(
            f"invalid time limit time={target.time!r}; use minutes, hours:minutes:seconds, "
            "days-hours, or units, e.g. 2h"
        )
    if target.warn is not None and not target.time:
        problems.append("warn requires a time limit; set time")
    if target.scratch and not target.scratch.startswith(("/", "$")):
        problems.append(f"scratch={target.scratch!r} is not an absolute path")
    if target.own_environments and not target.scratch:
        problems.append(
            "own_environments builds on each node's own disk; set its path with scratch"
        )
    for option in target.extra:
        problems += reserved_options.problems(option)
    for name in ("partition", "account", "qos", "gres", "constraint"):
        value = getattr(target, name)
        if value is not None and not (value and value.isprintable()):
            problems.append(f"invalid {name} {value!r}")
    if target.mpi not in (None, "mpirun", "pmi2", "pmix", "openmpi", "none"):
        problems.append(f"invalid mpi={target.mpi!r}; use mpirun, pmix or pmi2")
    return problems


def _capacity_problems(target: SlurmOptions, job: JobSpec, available: list[NodeType]) -> list[str]:
    matching = [node_type for node_type in available if _in_partition(target, node_type)]
    if not matching:
        names = ", ".join(sorted({other.partition for other in available}))
        partition = f"partition {target.partition!r}" if target.partition else "default partition"
        return [f"the cluster has no {partition}; partitions: {names}"]
    name, nodes = matching[0].partition, sum(match.nodes for match in matching)
    problems = [] if matching[0].up else [f"partition {name!r} is down"]
    if job.distribution.nodes > nodes:
        count = f"{nodes} node{'' if nodes == 1 else 's'}"
        problems.append(
            f"{job.distribution.nodes} nodes requested, but partition {name!r} has {count}"
        )
    limit = matching[0].limit
    requested_minutes = minutes_of(target.time) if target.time else None
    if limit is not None and requested_minutes is not None and requested_minutes > limit:
        problems.append(
            f"time={target.time} exceeds the limit of partition {name!r} ({limit:g} minutes)"
        )
    return problems + _node_problems(target, job, matching)


def _in_partition(target: SlurmOptions, node_type: NodeType) -> bool:
    if target.partition:
        return node_type.partition in target.partition.split(",")
    return node_type.default


def _node_problems(target: SlurmOptions, job: JobSpec, matching: list[NodeType]) -> list[str]:
    requests = {
        "CPUs": (slurm_script.cpus(target, job), max(cpu_node.cpus for cpu_node in matching)),
        "GPUs": (
            _count_gpus(slurm_script.gres(target, job)),
            max(gpu_node.gpus for gpu_node in matching),
        ),
    }
    problems = [
        f"{requested} {resource} requested per node, but nodes in {matching[0].partition!r} have "
        f"{available}"
        for resource, (requested, available) in requests.items()
        if requested > available
    ]
    memory, largest_memory = (
        job.resources.memory or 0,
        max(memory_node.memory for memory_node in matching),
    )
    if memory > largest_memory:
        problems.append(
            f"{memory / 2**30:.4g} GiB of memory requested per node, but nodes in "
            f"{matching[0].partition!r} have {largest_memory / 2**30:.4g} GiB"
        )
    return problems


def passed_variables(job: JobSpec, order: Order) -> dict[str, str]:
    """The variables that the job takes from the process that submitted it.

    Secrets for the environment's build are in one that the launcher takes away
    (``schedulers/slurm_launch.py``).
    """
    inherited = order.environ or {}
    variables = {name: inherited[name] for name in job.passed if name in inherited}
    return (
        {**variables, slurm_launch.SECRETS: json.dumps(order.secrets)}
        if order.secrets
        else variables
    )


def mpi_starter(target: SlurmOptions, job: JobSpec) -> Json:
    """How the launcher on node 0 starts MPI ranks (docs: engines.md).

    By srun, with the first of ``mpi_kinds`` that the job's MPI library supports, else by mpirun.
    """
    mpi_types = [target.mpi] if target.mpi else _srun_mpi_types(target.ssh)
    if not mpi_types or mpi_types == ["mpirun"]:
        return {}
    nodes, per_node = job.distribution.nodes, job.distribution.processes_per_node
    cpus_per_task = max(1, math.floor(slurm_script.cpus(target, job) / per_node))
    command = [
        "srun",
        "--overlap",
        f"--nodes={nodes}",
        f"--ntasks={nodes * per_node}",
        f"--ntasks-per-node={per_node}",
        f"--cpus-per-task={cpus_per_task}",
        *(["--overcommit"] if slurm_script.cpus(target, job) < per_node else []),
        "--export=ALL",
        "--kill-on-bad-exit=0",
    ]
    return {"mpi": command, "mpi_kinds": mpi_types, "mpi_alone": nodes == 1 and target.mpi is None}


def _srun_mpi_types(ssh: str | None) -> list[str]:
    """The MPI types that srun supports here, pmix before pmi2."""
    cluster = slurm_commands.cluster_key(ssh)
    if cluster not in _mpi_type_cache:
        result = slurm_commands.run(["srun", "--mpi=list"], ssh)
        words = f"{result.text} {result.error_line}".split()
        _mpi_type_cache[cluster] = [mpi_type for mpi_type in ("pmix", "pmi2") if mpi_type in words]
    return _mpi_type_cache[cluster]


def _mpi_problems(target: SlurmOptions, job: JobSpec) -> list[str]:
    """Why an MPI job's ranks cannot be started; behind ssh, only the node can tell."""
    if job.distribution.kind != "mpi" or target.ssh or mpi_starter(target, job):
        return []
    if mpirun.is_there(job.environment):
        return []
    return [
        "MPI jobs require mpirun or an MPI type that srun supports; "
        f"{mpirun.how_to_get(job.environment)}, or set mpi=pmix or mpi=pmi2 (see srun --mpi=list)"
    ]
