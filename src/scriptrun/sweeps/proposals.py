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
from scriptrun.sweeps.journal import Child, Journal
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.sweeps import bayesian
else:
    bayesian = later("scriptrun.sweeps.bayesian")


class Points:
    """Proposes points, given all previous ones of this sweep and those it resumes from."""

    def __init__(self, home: WorkspaceFiles, run_id: str, sweep: record.Sweep, journal: Journal) -> None:
        self._home, self._id, self._sweep, self._journal = home, run_id, sweep, journal
        self._space = sweep.space
        self._before = [each for other in self._others() for each in other.children.values()]
        self._seen = {sweep_sampling.key(each.parameters) for each in self._before}
        self._seen |= {sweep_sampling.key(each.parameters) for each in journal.children.values()}
        self._draw = sweep_sampling.sampler(sweep.sampling["name"], self._space, sweep.seed)
        self._adviser = self._advised() if self.is_advised else None

    @property
    def is_advised(self) -> bool:
        """Whether the next point depends on the results of runs."""
        return bool(self._sweep.sampling["name"] == "BayesianOptimization")

    def reports(self) -> list[Child]:
        """The runs of the sweeps that this one resumes from."""
        return self._before

    def next(self) -> Child | None:
        """The next point, not yet in the journal; None if the search space is exhausted."""
        number = self._journal.next_number
        source, raw = None, None
        if number < len(self._sweep.resume_child_runs):
            source = self._sweep.resume_child_runs[number]
            point: sweep_sampling.Point | None = parameters_of(self._home, source)
        elif self._adviser is not None:
            point, raw = self._adviser.ask(number)
        else:
            point = self._draw(number, self._seen)
        if point is None:
            return None
        self._seen.add(sweep_sampling.key(point))
        return Child(number, f"{self._id}_{number}", point, now(), source, raw)

    def written(self, child: Child) -> None:
        """Note that the point is in the journal."""
        if self._adviser is not None and child.raw is None:
            self._adviser.begun(child.number, child.parameters)

    def ended(self, child: Child) -> None:
        """Note that a run has ended."""
        if self._adviser is not None:
            self._adviser.ended(child.number, _worth(child))

    def _others(self) -> list[Journal]:
        return [journal for _, journal in others(self._home, self._sweep)]

    def _advised(self) -> bayesian.Adviser:
        made = bayesian.Adviser(self._space, self._sweep.seed, self._sweep.maximizes)
        for each in self._before:
            if each.best is not None and each.best == each.best:
                made.elsewhere(each.parameters, each.best)
        for _, child in sorted(self._journal.children.items()):
            made.begun(child.number, child.parameters, child.raw)
        for child in self._journal.children.values():
            if child.is_over:
                made.ended(child.number, _worth(child))
        return made


def _worth(child: Child) -> float | None:
    """The value that the sampling learns from a run; None for a failed one."""
    return None if child.state == "Failed" else child.best


def others(home: WorkspaceFiles, sweep: record.Sweep) -> list[tuple[Path, Journal]]:
    """The folders and journals of the sweeps that this one resumes from, recursively."""
    found: dict[str, tuple[Path, Journal]] = {}
    waiting = list(sweep.resume_from)
    while waiting:
        run_id = waiting.pop(0)
        folder = home.find_run(run_id)
        if run_id in found or folder is None:
            continue
        found[run_id] = folder, Journal(folder).read()
        waiting += record.read(folder).resume_from
    return list(found.values())


def parameters_of(home: WorkspaceFiles, run_id: str) -> dict[str, Any]:
    """The parameters of a sweep's run; {} for any other run, or a missing one."""
    sweep_id, _, number = run_id.rpartition("_")
    folder = home.find_run(sweep_id) if sweep_id else None
    if folder is None or not number.isdigit():
        return {}
    child = Journal(folder).read().children.get(int(number))
    return dict(child.parameters) if child else {}


def outputs_of(home: WorkspaceFiles, run_id: str, target: Target) -> str | None:
    """The folder with the outputs of a run to resume from, as runs on ``target`` see it."""
    folder = home.find_run(run_id)
    job = None if folder is None else run_folder.read_job(folder)
    if folder is None or job is None:
        return None
    resume_from.fetch_outputs(job, folder, target)
    return resume_from.outputs_of(job, folder, target)
