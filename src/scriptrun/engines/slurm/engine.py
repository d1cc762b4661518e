"""The Slurm engine: jobs of a cluster that is shared by all who use it (docs/how-to/slurm.md).

Each run is one sbatch job, whose script starts one launcher per node with srun. The run's folder is
on a file system that the nodes share, and its files decide the run's state; squeue is called, once
for all runs, only if they do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scriptrun.engines.base import Order, PollRound, Traits, View
from scriptrun.engines.checks import Check, Site
from scriptrun.engines.slurm import arrays
from scriptrun.engines.slurm import cluster as slurm_cluster
from scriptrun.engines.slurm import handles as slurm_handles
from scriptrun.engines.slurm import poll as slurm_poll
from scriptrun.engines.slurm import script as slurm_script
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.runtime import files
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec import tool_python
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.engines.slurm import diagnose as slurm_diagnose
    from scriptrun.runtime.hints import Json
else:
    slurm_diagnose = later("scriptrun.engines.slurm.diagnose")


class Slurm(SlurmOptions):
    """A Slurm cluster as the compute target, through its commands on this machine or over ``ssh``.

    Its fields are those of ``SlurmOptions``.
    """

    @property
    def traits(self) -> Traits:
        """Jobs run on the nodes, which see only the shared file system."""
        return Traits(
            here=False,
            queues=True,
            containers=self.containers or "",
            builds_on_nodes=self.own_environments,
            arrays=True,
            through=self.ssh,
            poll_seconds=5.0,
            run_options=("time", "partition", "account", "qos", "gres", "constraint", "extra"),
        )

    def home(self, folder: Path) -> None:
        """None: the nodes see the folder of the run (behind ``ssh``: on their own side)."""

    def interpreter(self) -> str | None:
        """The target's Python if jobs are submitted over ssh, since this machine's is not there."""
        return (self.python or "python3") if self.ssh else None

    def diagnose(self, site: Site) -> Iterator[Check]:
        """Whether the cluster can take jobs now, down to what one node sees."""
        return slurm_diagnose.checks(self, site)

    def check(self, job: JobSpec) -> list[str]:
        """Every reason why this job cannot run; empty if it can. Calls Slurm once."""
        return slurm_cluster.problems(self, job)

    def render(self, job: JobSpec, folder: Path) -> str:
        """The batch script for sbatch; pure, and without secrets."""
        return slurm_script.script(
            self, job, slurm_script.attempt_folder(folder), folder / slurm_script.LOG
        )

    def submit(self, job: JobSpec, order: Order) -> str:
        """Submit the job to Slurm and return its job ID; submitting it twice gives the same ID.

        Raises NoRoom if another process is submitting it, NoAnswer if Slurm does not respond, so
        that it may or may not have the job, ExperimentExecutionException if Slurm rejects it.
        """
        slurm_folder = slurm_script.attempt_folder(order.folder, order.attempt)
        handle = slurm_handles.read_handle(slurm_folder) or slurm_handles.latest_handle(
            order.folder
        )
        if handle is None or handle["attempt"] < order.attempt:
            handle = slurm_handles.publish_handle(
                slurm_folder, self._hand_over(job, order, slurm_folder), order.attempt
            )
        if order.ticket is not None:
            order.ticket.unlink(missing_ok=True)
        return str(handle["job"])

    def _hand_over(self, job: JobSpec, order: Order, slurm_folder: Path) -> str:
        if not slurm_handles.claim(slurm_folder):
            existing = slurm_handles.find_job(slurm_script.job_name(job), job.id, self.ssh)
            if existing is not None:
                return existing
        try:
            return self._send(job, order, slurm_folder)
        except (ExperimentExecutionException, OSError):
            slurm_handles.release_claim(slurm_folder)
            raise

    def _send(self, job: JobSpec, order: Order, slurm_folder: Path) -> str:
        write_json(
            slurm_folder / "order.json", make_launch_order(self, job, order, slurm_folder).to_json()
        )
        script = slurm_folder / "job.sh"
        log = order.folder / slurm_script.LOG
        log.parent.mkdir(exist_ok=True)
        text = slurm_script.script(self, job, slurm_folder, log)
        files.write_atomic(str(script), text.encode("utf-8", "surrogateescape"), mode=0o755)
        return slurm_handles.send(script, slurm_cluster.passed_variables(job, order), self.ssh)

    def submit_together(self, pairs: list[tuple[JobSpec, Order]]) -> list[JobSpec]:
        """Submit runs as job arrays where possible and return the jobs that were submitted.

        Submit the others one by one. Raises ExperimentExecutionException if Slurm rejects an array.
        """
        groups: dict[str, list[tuple[JobSpec, Order]]] = {}
        for job, order in pairs:
            shape = arrays.shape(self, job, order)
            if shape is not None:
                groups.setdefault(shape, []).append((job, order))
        submitted: list[JobSpec] = []
        for group in groups.values():
            for start in range(0, len(group) if len(group) > 1 else 0, arrays.MAX_TASKS):
                batch = group[start : start + arrays.MAX_TASKS]
                slurm_folders = [
                    slurm_script.attempt_folder(order.folder, order.attempt) for _, order in batch
                ]
                orders = [
                    make_launch_order(self, *pair, slurm_folder)
                    for pair, slurm_folder in zip(batch, slurm_folders, strict=True)
                ]
                submitted += [job for job, _ in arrays.hand_over(self, batch, orders)]
        return submitted

    def poll(self, folders: list[Path], poll_round: PollRound | None = None) -> list[View]:
        """The view of each run: one squeue for all runs, and for all polls of a round."""
        return slurm_poll.views(folders, self.ssh, poll_round)

    def job_ids(self, folder: Path) -> list[str]:
        """The IDs of the run's jobs in Slurm."""
        return slurm_handles.job_ids(folder)

    def cancel(self, folder: Path) -> None:
        """Cancel a pending job; a running one sees the request in its folder, and saves.

        Raises ExperimentExecutionException if Slurm does not respond; the request stays.
        """
        slurm_poll.cancel(folder, self.ssh)

    def clean(self, folder: Path) -> None:
        """Cancel the run's job if Slurm still has it."""
        slurm_poll.clear(folder, self.ssh)


def make_launch_order(target: Slurm, job: JobSpec, order: Order, slurm_folder: Path) -> LaunchOrder:
    """The order that the launchers on the nodes read; it holds no secrets."""
    launch_order = LaunchOrder(
        folder=str(order.folder),
        workspace=str(order.workspace),
        store=str(order.store),
        runtime=str(order.runtime),
        python=order.python,
        bin=order.bin,
        prefix=order.prefix,
        attempt=order.attempt,
        scheduler="slurm",
        handed=str(slurm_folder),
        scratch=target.scratch,
        own_environment=bool(target.own_environments and order.prefix),
        seconds=slurm_script.final_limit(target, job),
        requeues=target.requeues if target.warn and target.requeue else 0,
        tool=(target.tool or tool_python.path(), "-P"),
        container=order.container,
    )
    if job.distribution.kind == "mpi" and not order.container:
        return launch_order.replace(**slurm_cluster.mpi_starter(target, job))
    return launch_order


def write_json(path: Path, value: Json) -> None:
    """Write ``value`` as JSON, atomically."""
    files.write_atomic(str(path), files.to_json(value))
