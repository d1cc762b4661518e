"""What a distributed job needs from this machine, and why it may not get it."""

from __future__ import annotations

import os

from scriptrun.engines import mpirun
from scriptrun.engines.local import slots
from scriptrun.spec.job import JobSpec, Resources


def problems(job: JobSpec) -> list[str]:
    """Every reason why this machine cannot run the job's ranks or provide their resources."""
    messages = _resource_problems(job.resources)
    distribution = job.distribution
    is_alone = distribution.nodes * distribution.processes_per_node == 1  # needs no mpirun
    if distribution.kind == "mpi" and not is_alone and not mpirun.is_there(job.environment):
        messages.append(
            "MPI jobs require mpirun, which was not found in the environment or on PATH; "
            f"{mpirun.how_to_get(job.environment)}, or install Open MPI, MPICH or Intel MPI"
        )
    return messages


def _resource_problems(requested: Resources) -> list[str]:
    """The requested resources per node that exceed this machine's."""
    amounts = (
        ("cpus", requested.cpus, os.cpu_count() or 1),
        ("gpus", requested.gpus, len(slots.machine_gpus())),
        ("memory", requested.memory, _memory()),
    )
    problems = []
    for name, amount, limit in amounts:
        if amount is not None and amount > limit:
            labels = [_format_amount(name, amount), _format_amount(name, limit)]
            problems.append(f"{labels[0]} requested per node, but this machine has {labels[1]}")
    return problems


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _format_amount(name: str, value: int) -> str:
    if name == "memory":
        return f"{value / 2**30:.4g} GiB of memory"
    return f"{value} {name[:-1].upper()}{'' if value == 1 else 's'}"
