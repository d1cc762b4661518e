"""The record of a sweep: ``sweep.json`` in its folder, which never changes, and its limits.

The format is documented in docs/explanation/formats.md.
"""

from __future__ import annotations

import math
from pathlib import Path

from scriptrun.config.sweeps import early_stopping
from scriptrun.config.sweeps.sampling import HyperParameterSampling
from scriptrun.config.sweeps.sampling import from_dict as sampling_of
from scriptrun.runtime import files
from scriptrun.spec.errors import UserErrorException, WorkspaceException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.run_kinds import RUN_KINDS, SWEEP
from scriptrun.spec.values import Value, as_object, fresh, names_of
from scriptrun.store import records
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

KIND = SWEEP
FILE, LOG = RUN_KINDS[SWEEP].record, RUN_KINDS[SWEEP].log
FORMAT = 1
#: tags of an ended sweep that are also properties, as in v1
BEST_TAGS = ("best_child_run_id", "score", "best_metric_status")


class Limits(Value):
    """The limits of a sweep: total runs, concurrent runs (None: all), minutes (None: no limit)."""

    max_total_runs: int
    max_concurrent_runs: int | None = None
    max_duration_minutes: float | None = None

    @property
    def at_once(self) -> int:
        """The maximum number of active runs."""
        return self.max_concurrent_runs or self.max_total_runs


class Sweep(Value):
    """The record. ``child`` is the template of the runs' JobSpec, as a JSON value.

    ``resume_from`` are the ids of sweeps whose results the sampling takes into account;
    ``resume_child_runs`` the ids of runs to start again. ``seed`` determines all randomness.
    """

    sampling: Json
    policy: Json
    metric: str
    goal: str
    limits: Json
    seed: int
    child: Json = fresh(default_factory=dict)
    resume_from: list[str] = fresh(default_factory=list)
    resume_child_runs: list[str] = fresh(default_factory=list)
    format: int = FORMAT

    @property
    def space(self) -> Json:
        """The search space: expressions by parameter name."""
        expressions: Json = self.sampling["space"]
        return expressions

    @property
    def maximizes(self) -> bool:
        """Whether the metric is maximized."""
        return self.goal == "maximize"

    def template(self) -> JobSpec:
        """The template of the runs' jobs."""
        return JobSpec.from_dict(self.child)

    def create_sampling(self) -> HyperParameterSampling:
        """The sampling as an object of the public class."""
        return sampling_of(self.sampling)

    def create_policy(self) -> early_stopping.EarlyTerminationPolicy:
        """The policy as an object of the public class."""
        return early_stopping.from_dict(self.policy)

    def better(self, value: float | None, other: float | None) -> bool:
        """Whether ``value`` is better than ``other``; None and NaN are worse than any value."""
        if value is None or math.isnan(value):
            return False
        if other is None or math.isnan(other):
            return True
        return value > other if self.maximizes else value < other


def write(folder: Path, sweep: Sweep) -> None:
    """Write the record of a new sweep."""
    value = {name: getattr(sweep, name) for name in names_of(Sweep)}
    files.publish(str(folder / FILE), files.to_json(value))


def read(folder: Path) -> Sweep:
    """The sweep in ``folder``.

    Raises WorkspaceException if it is missing, its format newer, or its record damaged.
    """
    sweep = records.read(folder / FILE, _checked)
    if sweep is None:
        raise WorkspaceException(
            f"No sweep found in {str(folder)!r}.", "Its folder has no sweep.json."
        )
    if sweep.format > FORMAT:
        raise WorkspaceException(
            f"The sweep in {str(folder)!r} was created by a newer scriptrun.", "Upgrade scriptrun."
        )
    return sweep


def goal_of(folder: Path) -> tuple[str, str]:
    """The metric of the sweep in ``folder``, and its goal; raises what ``read`` does."""
    sweep = read(folder)
    return sweep.metric, sweep.goal


def _checked(value: Json) -> Sweep:
    """The sweep that ``value`` describes. Raises ValueError, naming the field, if it cannot."""
    for name in ("sampling", "policy", "metric", "goal", "limits", "seed"):
        if name not in value:
            raise ValueError(f"the field {name!r} is missing")
    sweep = Sweep.from_dict(value)
    if sweep.format <= FORMAT:
        as_object(sweep.sampling.get("space"), "space")
        Limits.from_dict(sweep.limits)
        sweep.template()
        try:
            sweep.create_sampling()
            sweep.create_policy()
        except (UserErrorException, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"its sampling or policy is invalid ({error})") from None
    return sweep


def limits(folder: Path, sweep: Sweep) -> tuple[int, Limits]:
    """The number of changes to the limits, and the current limits: the last that can be read."""
    number = _change_count(folder)
    for change in range(number, 0, -1):
        value = files.read_object(_change_path(folder, change))
        try:
            if value is not None:
                return number, Limits.from_dict(value)
        except (ValueError, TypeError):
            continue  # damaged: those before it are the last that are known
    return number, Limits.from_dict(sweep.limits)


def change_limits(folder: Path, sweep: Sweep, **changes: object) -> Limits:
    """Change the given limits; the others are kept."""
    while True:
        number, current = limits(folder, sweep)
        new = Limits(**{**vars(current), **changes})
        path = _change_path(folder, number + 1)
        path.parent.mkdir(exist_ok=True)
        if files.publish(str(path), files.to_json(vars(new))):
            return new


def _change_count(folder: Path) -> int:
    numbers = [name[:-5] for name in files.names_in(folder / "limits") if name.endswith(".json")]
    return max((int(each) for each in numbers if each.isascii() and each.isdigit()), default=0)


def _change_path(folder: Path, number: int) -> Path:
    return folder / "limits" / f"{number}.json"


def open_attempt(folder: Path, after: int) -> None:
    """Reopen a sweep that has ended, with a new attempt that has no result yet."""
    (folder / "attempts" / str(after + 1)).mkdir(parents=True, exist_ok=True)
    run_folder.touch(folder)
