"""Submits many runs as one job array: one sbatch, one script, one order that lists the runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scriptrun.engines.base import NoRoom, Order
from scriptrun.engines.slurm import cluster as facts
from scriptrun.engines.slurm import handles as books
from scriptrun.engines.slurm import script as scripts
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.runtime import files
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.job import JobSpec

Pair = tuple[JobSpec, Order]
#: tasks of one array, below what Slurm allows by default (MaxArraySize=1001)
MOST = 1000


def shape(target: SlurmOptions, job: JobSpec, order: Order) -> str | None:
    """A key shared by runs that fit one array; None for a run that must be submitted alone."""
    if target.warn or job.retry or job.distribution.kind == "mpi" or target.ssh:
        return None
    text = scripts.script(target, job.replace(id="", experiment=job.experiment), Path("/"), None, 1)
    return repr((text, sorted(facts.passed(job, order).items())))


def hand_over(target: SlurmOptions, pairs: list[Pair], orders: list[LaunchOrder]) -> list[Pair]:
    """Submit the runs to Slurm as one array, without those that another process is submitting.

    ``orders`` are the runs' launch orders. Returns the pairs that were submitted.
    Raises ExperimentExecutionException if Slurm rejects the array.
    """
    mine = [(pair, order) for pair, order in zip(pairs, orders, strict=True) if _claimed(pair)]
    if not mine:
        return []
    try:
        return _send(target, mine)
    except (ExperimentExecutionException, OSError):
        for (_, order), _ in mine:
            books.give_up(scripts.place_of(order.folder, order.attempt))
        raise


def _send(target: SlurmOptions, mine: list[tuple[Pair, LaunchOrder]]) -> list[Pair]:
    first = mine[0][0][1]
    place = first.workspace / ".scriptrun" / "slurm" / files.unique(12)
    place.mkdir(parents=True)
    files.write_atomic(str(place / "order.json"), files.to_json(_together([o for _, o in mine])))
    job = mine[0][0][0]
    text = scripts.script(target, job, place, place / "slurm-%a.txt", len(mine))
    files.write_atomic(str(place / "job.sh"), text.encode("utf-8", "surrogateescape"), mode=0o755)
    number = books.send(place / "job.sh", facts.passed(job, first), target.ssh)
    for task, ((_, order), _) in enumerate(mine):
        books.keep(scripts.place_of(order.folder, order.attempt), f"{number}_{task}", order.attempt)
        if order.ticket is not None:
            order.ticket.unlink(missing_ok=True)
    return [pair for pair, _ in mine]


def _claimed(pair: Pair) -> bool:
    order = pair[1]
    try:
        return books.claim(scripts.place_of(order.folder, order.attempt))
    except NoRoom:
        return False


def _together(orders: list[LaunchOrder]) -> dict[str, Any]:
    """One order for all runs: the values they share, and under ``runs`` those that differ."""
    told = [order.to_json() for order in orders]
    first = told[0]
    same = {name for name in first if all(each[name] == first[name] for each in told)}
    runs = [{name: each[name] for name in each if name not in same} for each in told]
    return {**{name: first[name] for name in same}, "runs": runs}
