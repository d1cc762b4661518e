"""The next point of a sweep: first the runs to resume, then sampled points."""

from __future__ import annotations

from pathlib import Path

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.ids import now
from scriptrun.spec.job import Target
from scriptrun.spec.later import later
from scriptrun.submission import resume_from
from scriptrun.sweeps import record
from scriptrun.sweeps import sampling as sweep_sampling
from scriptrun.sweeps.journal import ChildRun, Journal
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.sweeps import bayesian
else:
    bayesian = later("scriptrun.sweeps.bayesian")


class PointSource:
    """Proposes points, given all previous ones of this sweep and those it resumes from."""

    def __init__(
        self, workspace: WorkspaceFiles, run_id: str, sweep: record.Sweep, journal: Journal
    ) -> None:
        self._workspace, self._id, self._sweep, self._journal = workspace, run_id, sweep, journal
        self._space = sweep.space
        self._previous = [
            child
            for _, journal in resumed_sweeps(self._workspace, self._sweep)
            for child in journal.children.values()
        ]
        self._seen_keys = {
            sweep_sampling.point_key(previous.parameters) for previous in self._previous
        }
        self._seen_keys |= {
            sweep_sampling.point_key(entry.parameters) for entry in journal.children.values()
        }
        self._draw = sweep_sampling.sampler(sweep.sampling["name"], self._space, sweep.seed)
        self._sampler = self._create_sampler() if self.is_adaptive else None

    @property
    def is_adaptive(self) -> bool:
        """Whether the next point depends on the results of runs."""
        return bool(self._sweep.sampling["name"] == "BayesianOptimization")

    def previous_children(self) -> list[ChildRun]:
        """The runs of the sweeps that this one resumes from."""
        return self._previous

    def next(self) -> ChildRun | None:
        """The next point, not yet in the journal; None if the search space is exhausted."""
        number = self._journal.next_number
        source, raw = None, None
        if number < len(self._sweep.resume_child_runs):
            source = self._sweep.resume_child_runs[number]
            point: sweep_sampling.Point | None = parameters_of(self._workspace, source)
        elif self._sampler is not None:
            point, raw = self._sampler.ask(number)
        else:
            point = self._draw(number, self._seen_keys)
        if point is None:
            return None
        self._seen_keys.add(sweep_sampling.point_key(point))
        return ChildRun(number, f"{self._id}_{number}", point, now(), source, raw)

    def mark_written(self, child: ChildRun) -> None:
        """Note that the point is in the journal."""
        if self._sampler is not None and child.raw is None:
            self._sampler.add_running(child.number, child.parameters)

    def mark_ended(self, child: ChildRun) -> None:
        """Note that a run has ended."""
        if self._sampler is not None:
            self._sampler.add_result(child.number, _objective(child))

    def _create_sampler(self) -> bayesian.BayesianSampler:
        sampler = bayesian.BayesianSampler(self._space, self._sweep.seed, self._sweep.maximizes)
        for previous in self._previous:
            if previous.best is not None and previous.best == previous.best:
                sampler.add_completed(previous.parameters, previous.best)
        for _, child in sorted(self._journal.children.items()):
            sampler.add_running(child.number, child.parameters, child.raw)
        for child in self._journal.children.values():
            if child.is_over:
                sampler.add_result(child.number, _objective(child))
        return sampler


def _objective(child: ChildRun) -> float | None:
    """The value that the sampling learns from a run; None for a failed one."""
    return None if child.state == "Failed" else child.best


def resumed_sweeps(workspace: WorkspaceFiles, sweep: record.Sweep) -> list[tuple[Path, Journal]]:
    """The folders and journals of the sweeps that this one resumes from, recursively."""
    sweeps: dict[str, tuple[Path, Journal]] = {}
    pending = list(sweep.resume_from)
    while pending:
        run_id = pending.pop(0)
        folder = workspace.find_run(run_id)
        if run_id in sweeps or folder is None:
            continue
        sweeps[run_id] = folder, Journal(folder).read()
        pending += record.read(folder).resume_from
    return list(sweeps.values())


def parameters_of(workspace: WorkspaceFiles, run_id: str) -> Json:
    """The parameters of a sweep's run; {} for any other run, or a missing one."""
    sweep_id, _, number = run_id.rpartition("_")
    folder = workspace.find_run(sweep_id) if sweep_id else None
    if folder is None or not number.isdigit():
        return {}
    child = Journal(folder).read().children.get(int(number))
    return dict(child.parameters) if child else {}


def outputs_of(workspace: WorkspaceFiles, run_id: str, target: Target) -> str | None:
    """The folder with the outputs of a run to resume from, as runs on ``target`` see it."""
    folder = workspace.find_run(run_id)
    job = None if folder is None else run_folder.read_job(folder)
    if folder is None or job is None:
        return None
    resume_from.fetch_outputs(job, folder, target)
    return resume_from.outputs_of(job, folder, target)
