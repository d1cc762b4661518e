"""Submits many runs as one job array: one sbatch, one script, one order that lists the runs."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from scriptrun.engines.base import NoRoom, Order
from scriptrun.engines.slurm import cluster as slurm_cluster
from scriptrun.engines.slurm import handles as slurm_handles
from scriptrun.engines.slurm import script as slurm_script
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.runtime import files
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.digests import digest_of
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.job import JobSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

Pair = tuple[JobSpec, Order]
#: tasks of one array, below what Slurm allows by default (MaxArraySize=1001)
MAX_TASKS = 1000


def shape(target: SlurmOptions, job: JobSpec, order: Order) -> str | None:
    """A key shared by runs that fit one array; None for a run that must be submitted alone."""
    if target.warn or job.retry.limit or job.distribution.kind == "mpi" or target.ssh:
        return None
    text = slurm_script.script(
        target, job.replace(id="", experiment=job.experiment), Path("/"), None, 1
    )
    return repr((text, sorted(slurm_cluster.passed_variables(job, order).items())))


def hand_over(target: SlurmOptions, pairs: list[Pair], orders: list[LaunchOrder]) -> list[Pair]:
    """Submit the runs to Slurm as one array, without those that another process is submitting.

    ``orders`` are the runs' launch orders. Returns the pairs that were submitted.
    Raises ExperimentExecutionException if Slurm rejects the array.
    """
    claimed = [(pair, order) for pair, order in zip(pairs, orders, strict=True) if _claim(pair)]
    if not claimed:
        return []
    try:
        return _send(target, claimed)
    except (ExperimentExecutionException, OSError):
        for (_, order), _ in claimed:
            slurm_handles.release_claim(slurm_script.attempt_folder(order.folder, order.attempt))
        raise


def _send(target: SlurmOptions, claimed: list[tuple[Pair, LaunchOrder]]) -> list[Pair]:
    first_order = claimed[0][0][1]
    array_folder = first_order.workspace / ".scriptrun" / "slurm" / files.unique(12)
    array_folder.mkdir(parents=True)
    files.write_atomic(
        str(array_folder / "order.json"), files.to_json(_merge_orders([o for _, o in claimed]))
    )
    job = claimed[0][0][0]
    comment = _comment([order.folder for _, order in claimed])
    text = slurm_script.script(
        target,
        job,
        array_folder,
        array_folder / "slurm-%a.txt",
        len(claimed),
        comment,
        _name([pair[0] for pair, _ in claimed]),
    )
    files.write_atomic(
        str(array_folder / "job.sh"), text.encode("utf-8", "surrogateescape"), mode=0o755
    )
    array_id = slurm_handles.send(
        array_folder / "job.sh", slurm_cluster.passed_variables(job, first_order), target.ssh
    )
    for task, ((_, order), _) in enumerate(claimed):
        slurm_handles.publish_handle(
            slurm_script.attempt_folder(order.folder, order.attempt),
            f"{array_id}_{task}",
            order.attempt,
            array_folder.name,
        )
        if order.ticket is not None:
            order.ticket.unlink(missing_ok=True)
    return [pair for pair, _ in claimed]


def _name(jobs: list[JobSpec]) -> str:
    """What the display names of the jobs begin with, without their numbers; "" for the default.

    That is the sweep's name for the runs of a sweep.
    """
    if any(job.display_name in ("", job.id) for job in jobs):
        return ""
    first, last = min(job.display_name for job in jobs), max(job.display_name for job in jobs)
    if first == last:
        return first
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return re.sub(r"[\W_]+[\d.]*$", "", "".join(letter for letter, _ in pairs))


def _claim(pair: Pair) -> bool:
    order = pair[1]
    try:
        return slurm_handles.claim(slurm_script.attempt_folder(order.folder, order.attempt))
    except NoRoom:
        return False


def _merge_orders(orders: list[LaunchOrder]) -> Json:
    """One order for all runs: the values they share, and under ``runs`` those that differ."""
    values = [order.to_json() for order in orders]
    first = values[0]
    shared = {name for name in first if all(value[name] == first[name] for value in values)}
    runs = [
        {name: run_value[name] for name in run_value if name not in shared} for run_value in values
    ]
    return {**{name: first[name] for name in shared}, "runs": runs}


def is_task_of(folder: Path, handle: Json) -> bool:
    """Whether Slurm says that the task in ``handle`` is the run in ``folder``, whoever wrote that.

    The array's comment names its runs in their order. Raises SlurmUnreachable.
    """
    job, array = str(handle["job"]), handle.get("array")
    if not isinstance(array, str) or not array.isalnum():
        return False
    directory = folder.parents[2]  # .scriptrun/runs/DAY/RUN
    folders = _folders(files.read_object(directory / "slurm" / array / "order.json") or {})
    task = int(job.partition("_")[2])
    if task >= len(folders) or Path(folders[task]).name != folder.name:
        return False
    return slurm_handles.is_job_of(job, _comment(folders))


def _folders(order: Json) -> list[str]:
    """The folders of the runs in an array's order; none if it is damaged."""
    runs = order.get("runs")
    values = runs if isinstance(runs, list) else []
    folders = [{**order, **value}.get("folder") for value in values if isinstance(value, dict)]
    return [folder for folder in folders if isinstance(folder, str)]


def _comment(folders: list[str]) -> str:
    names = [Path(folder).name for folder in folders]
    return f"{slurm_script.COMMENT}:{digest_of(names)[:32]}"
