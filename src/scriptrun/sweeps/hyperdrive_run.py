"""HyperDriveRun: a sweep as a run, with its children's parameters, metrics and ranking."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig, PrimaryMetricGoal, limit_problems
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.runs import find as find_runs
from scriptrun.runs import marks
from scriptrun.runtime import files, identity
from scriptrun.spec import states
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.library_values import plain_value
from scriptrun.store.locks import leases
from scriptrun.sweeps import ensure_driver, ranking, record
from scriptrun.sweeps.journal import ChildRun, Journal
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


class HyperDriveRun(Run):
    """The sweep ``run_id`` of ``experiment``; ``Experiment.submit`` and ``Run.get`` return it.

    Raises UserErrorException if the sweep does not exist.
    """

    RUN_TYPE = record.KIND
    HYPER_DRIVE_RUN_USER_AGENT = "sdk_run_hyper_drive"

    def __init__(
        self,
        experiment: Any,
        run_id: str,
        hyperdrive_config: HyperDriveConfig | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(experiment, run_id)
        if not (self.path / record.FILE).exists():
            raise UserErrorException(
                f"Run {run_id!r} is not a sweep.", "Use Run.get(workspace, run_id) for any run."
            )

    def _open(self, workspace: Workspace, folder: Path) -> None:
        super()._open(workspace, folder)
        self._sweep: record.Sweep | None = None
        self._cached_journal: tuple[object, Journal] = (None, Journal(folder))

    @property
    def sweep(self) -> record.Sweep:
        """The sweep's record: what was submitted; it never changes."""
        if self._sweep is None:
            self._sweep = record.read(self.path)
        return self._sweep

    def journal(self) -> Journal:
        """The sweep's points and their results so far; read-only.

        The files are read again only if something was added.
        """
        sizes = self._cached_journal[1].sizes()
        if sizes != self._cached_journal[0]:
            self._cached_journal = sizes, Journal(self.path).read()
        return self._cached_journal[1]

    @property
    def limits(self) -> record.Limits:
        """The sweep's current limits."""
        return record.limits(self.path, self.sweep)[1]

    def get_properties(self) -> dict[str, str | None]:
        """The properties; with ``best_child_run_id`` and ``score`` once the sweep has ended."""
        properties = super().get_properties()
        tags = self.get_tags()
        return {**properties, **{name: tags[name] for name in record.BEST_TAGS if name in tags}}

    properties = property(get_properties)

    @property
    def hyperdrive_config(self) -> HyperDriveConfig:
        """The submitted configuration, without the job of the runs."""
        sweep, limits = self.sweep, self.limits
        return HyperDriveConfig(
            sweep.create_sampling(),
            sweep.metric,
            PrimaryMetricGoal.from_str(sweep.goal),
            limits.max_total_runs,
            limits.max_concurrent_runs,
            limits.max_duration_minutes,
            sweep.create_policy(),
        )

    def get_children(
        self,
        recursive: bool = False,
        tags: Mapping[str, object] | str | None = None,
        properties: Mapping[str, object] | str | None = None,
        type: str | None = None,
        status: str | None = None,
        **kwargs: object,
    ) -> Iterator[Run]:
        """The sweep's runs, in the order in which they started, without removed ones."""
        if recursive:
            yield from super().get_children(True, tags, properties, type, status)
            return
        for child in ranking.children(self):
            folder = child.folder(self.workspace.runs_folder)
            if (folder / "job.json").exists():
                run = Run.at(self.workspace, folder)
                if not find_runs.matches(run, type, tags, properties, True) or self._hides(run):
                    continue
                if status in (None, run.get_status()):
                    yield run

    def get_best_run_by_primary_metric(
        self,
        include_failed: bool = True,
        include_canceled: bool = True,
        include_resume_from_runs: bool = True,
    ) -> Run | None:
        """The run with the best value of the primary metric, or None if no run logged it."""
        return ranking.best(self, include_failed, include_canceled, include_resume_from_runs)

    def get_children_sorted_by_primary_metric(
        self, top: int = 0, reverse: bool = False, discard_no_metric: bool = False
    ) -> builtins.list[Json]:
        """The runs by their best value, best first, those without one last.

        Each is a dict: ``run_id``, ``hyperparameters`` (JSON), ``best_primary_metric`` and
        ``status``. ``top`` limits the number (0: all); ``reverse`` puts the worst first.
        """
        return ranking.sorted_rows(self, top, reverse, discard_no_metric)

    def get_hyperparameters(self) -> dict[str, str]:
        """The parameters of each run, as JSON, by run id."""
        return {child.id: json.dumps(child.parameters) for child in ranking.children(self)}

    def get_metrics(
        self,
        name: str | None = None,
        recursive: bool = False,
        run_type: str | None = None,
        populate: bool = False,
    ) -> Json:
        """The metrics of each run, by run id; only the metric ``name`` if given.

        What was logged to the sweep itself comes last, under its own id.
        """
        own = super().get_metrics(name)
        return {**ranking.metrics_of(self, name), **({self.id: own} if own else {})}

    def get_termination(self) -> dict[str, str]:
        """The reasons of canceled runs, by run id."""
        children = ranking.children(self)
        return {child.id: child.reason for child in children if child.state == states.CANCELED}

    def get_diagnostics(self) -> str:
        """The sweep's log: submitted runs and their results."""
        try:
            return (files.read_bytes(self.path / record.LOG) or b"").decode("utf-8", "replace")
        except OSError:
            return ""

    def to_pandas(self) -> Any:
        """The runs as a pandas DataFrame: id, state, parameters, best value, times."""
        return ranking.as_frame(self)

    def cancel(self) -> None:
        """Cancel the sweep: active runs are canceled, and no more are started."""
        if self.standing.is_final:
            return
        files.publish(str(self.path / "cancel.json"), files.to_json(identity.identify()))
        remote = ensure_driver.remote_driver(self.path, self.job.submitted_by)
        if remote is None or self._is_stalled():
            self._ensure_local_driver(remote)

    def extend(
        self,
        max_total_runs: int | None = None,
        max_concurrent_runs: int | None = None,
        max_duration_minutes: float | None = None,
    ) -> None:
        """Change the limits; a sweep that has ended continues if they allow more runs.

        Raises UserErrorException for invalid limits, or if they allow no more runs.
        """
        changes = {
            "max_total_runs": max_total_runs,
            "max_concurrent_runs": max_concurrent_runs,
            "max_duration_minutes": max_duration_minutes,
        }
        requested: Json = {n: plain_value(each) for n, each in changes.items() if each is not None}
        if not requested:
            raise UserErrorException("No limits to set.", f"Valid limits: {', '.join(changes)}.")
        limits = self.limits.replace(**requested)
        problems = limit_problems(
            limits.max_total_runs, limits.max_concurrent_runs, limits.max_duration_minutes
        )
        refuse(problems, "Cannot set these limits")
        marks.refuse_removed(self, "extended")
        had_ended = self.standing.is_final
        if had_ended:
            self._check_runs_left(limits)
        record.change_limits(self.path, self.sweep, **requested)
        if had_ended or self.standing.is_final or self._is_stalled():
            self.resume()

    def resume(self) -> None:
        """Continue a sweep that has ended, was canceled or is stalled, from this host.

        Runs that have ended are not started again; raises UserErrorException if there are no runs
        left to start. A sweep that this host drives is unchanged. A sweep that another host drives
        is taken over once this host has seen no heartbeat for 5 minutes (reading ``standing``
        checks it); until then UserErrorException is raised.
        """
        marks.refuse_removed(self, "resumed")
        remote = ensure_driver.remote_driver(self.path, self.job.submitted_by)
        is_over = self.standing.is_final
        if (
            remote is not None
            and leases.holder(ensure_driver.lease_path(self.path)) is None
            and is_over
        ):
            remote = None  # its driver has exited as well
        if remote is not None and remote[1] < leases.STALE_SECONDS:
            raise UserErrorException(
                f"The driver of sweep {self.id} runs on {remote[0]}; its last heartbeat was "
                f"{remote[1]:.0f} s ago.",
                f"The sweep continues on {remote[0]} by itself. If that host is gone, try again "
                f"once it has sent no heartbeat for {leases.STALE_SECONDS:.0f} s.",
            )
        if is_over:
            self._check_runs_left(self.limits)
            self._reopen()
        self._ensure_local_driver(remote, is_over)

    def _check_runs_left(self, limits: record.Limits) -> None:
        """Raise UserErrorException if an ended sweep could start no more runs within ``limits``."""
        journal, max_runs = self.journal(), limits.max_total_runs
        if not all(child.is_over for child in journal.children.values()):
            return
        if journal.next_number >= max_runs:
            raise UserErrorException(
                f"Sweep {self.id} has already started {journal.next_number} runs, and "
                f"max_total_runs is {max_runs}.",
                "Raise the limit: scriptrun sweep resume RUN --max-runs N, or "
                "extend(max_total_runs=N).",
            )

    def _is_stalled(self) -> bool:
        """Whether another host drives the sweep but sends no heartbeat any more."""
        remote = ensure_driver.remote_driver(self.path, self.job.submitted_by)
        return remote is not None and remote[1] >= leases.STALE_SECONDS

    def _reopen(self) -> None:
        attempt = (run_folder.attempts(self.path) or [1])[-1]
        try:
            (self.path / "cancel.json").rename(self.path / f"cancel-{attempt}.json")
        except FileNotFoundError:
            pass
        record.open_attempt(self.path, attempt)

    def _ensure_local_driver(
        self, remote: tuple[str, float] | None, is_reopened: bool = False
    ) -> None:
        """Ensure a driver on this host; one that takes over or reopens uses our environment."""
        if remote is not None or is_reopened:
            ensure_driver.write_ticket(self.workspace.id, self.path)
        ensure_driver.ensure(self.workspace, self.id)

    def children_rows(self) -> builtins.list[ChildRun]:
        """The runs from the journal, active ones with their current state."""
        return ranking.children(self)
