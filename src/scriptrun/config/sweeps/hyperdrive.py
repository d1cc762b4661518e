"""HyperDriveConfig: a job to run many times with different parameters."""

from __future__ import annotations

import copy
from enum import Enum

from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.config.sweeps import search_space
from scriptrun.config.sweeps.early_stopping import (
    EarlyTerminationPolicy,
    NoTerminationPolicy,
    is_number,
)
from scriptrun.config.sweeps.sampling import GridParameterSampling, HyperParameterSampling
from scriptrun.spec.library_values import plain_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Checked = HyperParameterSampling | EarlyTerminationPolicy

#: the maximum values of a sweep's limits; None: no maximum
MAX_RUNS, MAX_CONCURRENT, MAX_MINUTES = 1_000_000, 10_000, None


class PrimaryMetricGoal(Enum):
    """Whether to maximize or minimize the primary metric."""

    MAXIMIZE = "MAXIMIZE"
    MINIMIZE = "MINIMIZE"

    @staticmethod
    def from_str(goal: str) -> PrimaryMetricGoal:
        """The goal with this name, in any case. Raises KeyError for an unknown name."""
        return PrimaryMetricGoal[str(goal).upper()]


class HyperDriveConfig:
    """A sweep: the job, its search space, the goal, and the limits.

    ``run_config`` is the ScriptRunConfig of every run (or ``estimator`` the Estimator); sampled
    parameters follow its arguments, as ``--name value``. The script logs ``primary_metric_name``.
    The sweep starts at most ``max_total_runs`` runs (None: every point of a grid),
    ``max_concurrent_runs`` at a time (default: all), and cancels the rest after
    ``max_duration_minutes`` (default: no limit). ``policy`` stops runs early. ``resume_from`` is a
    sweep, or a list of them, whose results the sampling takes into account; ``resume_child_runs``
    is a run, or a list of them, to start again with their parameters and ``--resume-from``.

    Nothing is checked here: submitting an invalid sweep fails with all problems.
    """

    #: the module that checks and starts what this describes
    submitter = "scriptrun.sweeps.submit"

    def __init__(
        self,
        hyperparameter_sampling: HyperParameterSampling,
        primary_metric_name: str,
        primary_metric_goal: PrimaryMetricGoal,
        max_total_runs: int | None,
        max_concurrent_runs: int | None = None,
        max_duration_minutes: float | None = None,
        policy: EarlyTerminationPolicy | None = None,
        estimator: object = None,
        run_config: ScriptRunConfig | None = None,
        resume_from: object = None,
        resume_child_runs: object = None,
        pipeline: object = None,
        debug_flag: object = None,
        custom_run_id: str | None = None,
    ) -> None:
        self.hyperparameter_sampling = hyperparameter_sampling
        self.primary_metric_name = primary_metric_name
        self.primary_metric_goal = primary_metric_goal
        self.max_total_runs = max_total_runs
        self.max_concurrent_runs = max_concurrent_runs
        self.max_duration_minutes = max_duration_minutes
        self.policy = policy or NoTerminationPolicy()
        self.estimator = estimator
        self._run_config, self._estimator_config = run_config, None
        self.resume_from = resume_from
        self.resume_child_runs = resume_child_runs
        self.pipeline = pipeline
        self.debug_flag = debug_flag
        self.custom_run_id = custom_run_id

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, plain_value(value))

    @property
    def run_config(self) -> Any:
        """The ScriptRunConfig of every run, taken from the estimator if there is none."""
        if self._run_config is None and isinstance(self.estimator, ScriptRunConfig):
            return self.estimator  # partly migrated code passes a ScriptRunConfig as estimator
        if self._run_config is not None or not hasattr(self.estimator, "to_script_run_config"):
            return self._run_config
        if self._estimator_config is None:
            self._estimator_config = self.estimator.to_script_run_config()
        return self._estimator_config

    def with_job(self, job: ScriptRunConfig) -> HyperDriveConfig:
        """A copy of the sweep whose runs are those of ``job``."""
        sweep = copy.copy(self)
        sweep._run_config, sweep.estimator = job, None
        return sweep

    @property
    def source_directory(self) -> Any:
        """The source directory of every run."""
        return getattr(self.run_config, "source_directory", None)

    @property
    def total_runs(self) -> int | None:
        """``max_total_runs``; where it is None, the number of points of a grid."""
        sampling = self.hyperparameter_sampling
        is_grid = isinstance(sampling, GridParameterSampling) and not sampling.problems()
        if self.max_total_runs is None and is_grid:
            return search_space.space_size(sampling.as_dict()["space"])
        return self.max_total_runs

    @property
    def goal(self) -> str:
        """``maximize`` or ``minimize``; "" for an invalid goal."""
        value = getattr(self.primary_metric_goal, "value", self.primary_metric_goal)
        word = str(value).lower()
        return word if word in ("maximize", "minimize") else ""

    def problems(self) -> list[str]:
        """All problems of the sweep, except those of its job."""
        messages = [] if self.pipeline is None else ["pipelines are not supported; use run_config"]
        if self._run_config is not None and self.estimator is not None:
            messages.append("run_config and estimator cannot be used together")
        if not isinstance(self.run_config, ScriptRunConfig):
            actual = type(self.run_config).__name__
            messages.append(f"run_config must be a ScriptRunConfig, not {actual}")
        messages += _problems_of(
            self.hyperparameter_sampling,
            HyperParameterSampling,
            "hyperparameter_sampling must be e.g. RandomParameterSampling({'--lr': ...})",
        )
        messages += _problems_of(
            self.policy, EarlyTerminationPolicy, "policy must be e.g. BanditPolicy(...), or None"
        )
        if not isinstance(self.primary_metric_name, str) or not self.primary_metric_name:
            messages.append(f"invalid primary_metric_name {self.primary_metric_name!r}")
        if not self.goal:
            messages.append(
                "primary_metric_goal must be PrimaryMetricGoal.MAXIMIZE or MINIMIZE, not "
                f"{self.primary_metric_goal!r}"
            )
        return messages + limit_problems(
            self.total_runs, self.max_concurrent_runs, self.max_duration_minutes
        )


class HyperDriveRunConfig(HyperDriveConfig):
    """The SDK's older name of HyperDriveConfig, with ``estimator`` first."""

    def __init__(self, estimator: Any = None, *args: Any, **kwargs: Any) -> None:
        if isinstance(estimator, HyperParameterSampling):
            super().__init__(estimator, *args, **kwargs)
        else:
            kwargs["estimator"] = estimator
            super().__init__(*args, **kwargs)


def _problems_of(value: object, expected_class: type[Checked], requirement: str) -> list[str]:
    if isinstance(value, expected_class):
        return value.problems()
    return [f"{requirement}, not {type(value).__name__}"]


def limit_problems(total: object, concurrent: object, minutes: object) -> list[str]:
    """All problems with the limits of a sweep: total runs, concurrent runs, and minutes."""
    problems = []
    if total is None:
        problems.append(
            f"max_total_runs must be an integer from 1 to {MAX_RUNS}: only a grid ends without it"
        )
    elif not _is_between(total, 1, MAX_RUNS):
        problems.append(f"max_total_runs must be an integer from 1 to {MAX_RUNS}, not {total!r}")
    if concurrent is not None and not _is_between(concurrent, 1, MAX_CONCURRENT):
        problems.append(
            f"max_concurrent_runs must be an integer from 1 to {MAX_CONCURRENT}, not {concurrent!r}"
        )
    if minutes is not None and not (is_number(minutes) and minutes > 0):
        problems.append(f"max_duration_minutes must be greater than 0, not {minutes!r}")
    return problems


def _is_between(value: object, minimum: int, maximum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum
