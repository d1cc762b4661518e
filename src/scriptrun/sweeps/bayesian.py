"""Bayesian sampling with Optuna's TPE, through its ask-and-tell interface.

The study is in memory and is rebuilt from the sweep's journal, so a killed driver loses nothing.
The sampler of each point is seeded with the point's number, so the same history gives the same
point.
"""

from __future__ import annotations

import math
import statistics
import zlib
from collections.abc import Mapping

from scriptrun.spec.errors import UserErrorException
from scriptrun.sweeps import sampling as sweep_sampling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.sweeps.search_space import Expression, Space
    from scriptrun.runtime.hints import Json

#: a normal distribution is searched through its quantiles, which are bounded
_QUANTILES = 1e-6


class BayesianSampler:
    """Samples points from a search space, given the results so far."""

    def __init__(self, space: Space, seed: int, maximizes: bool) -> None:
        self._optuna = load()
        self._space, self._seed = dict(space), seed
        direction = "maximize" if maximizes else "minimize"
        self._study = self._optuna.create_study(direction=direction)
        self._trials: dict[int, int] = {}
        self._distributions = {
            name: self._distribution(expression) for name, expression in space.items()
        }

    def ask(self, number: int) -> tuple[sweep_sampling.Point, Json]:
        """The point ``number``, and the study's raw parameters for it, stored in the journal."""
        seed = zlib.crc32(f"{self._seed}/{number}".encode())
        sampler = self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self._study.sampler = sampler
        trial = self._study.ask(self._distributions)
        point = {name: self._from_raw(name, trial.params[name]) for name in self._space}
        self._trials[number] = trial.number
        return point, dict(trial.params)

    def add_running(
        self, number: int, point: Mapping[str, object], raw: Mapping[str, object] | None = None
    ) -> None:
        """Add a point of the journal whose run has not ended."""
        trial_number = self._add(point, raw, self._optuna.trial.TrialState.RUNNING, None)
        if trial_number is not None:
            self._trials[number] = trial_number

    def add_result(self, number: int, best: float | None) -> None:
        """Add the result of a run: its best value, or None."""
        trial_number = self._trials.pop(number, None)
        if trial_number is None:
            return
        if best is None or math.isnan(best):
            self._study.tell(trial_number, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial_number, best)

    def add_completed(self, point: Mapping[str, object], best: float) -> None:
        """Add the result of a run of another sweep."""
        self._add(point, None, self._optuna.trial.TrialState.COMPLETE, best)

    def _add(
        self,
        point: Mapping[str, object],
        raw: Mapping[str, object] | None,
        state: object,
        best: float | None,
    ) -> int | None:
        try:
            params = raw or {name: self._to_raw(name, point[name]) for name in self._space}
            trial = self._optuna.trial.create_trial(
                state=state, params=params, distributions=self._distributions, value=best
            )
        except (KeyError, ValueError, TypeError):
            return None  # a point of another sweep, outside this search space
        self._study.add_trial(trial)
        return len(self._study.get_trials(deepcopy=False)) - 1

    def _distribution(self, expression: Expression) -> Any:
        distributions = self._optuna.distributions
        name, values = expression
        if name == "choice":
            return distributions.CategoricalDistribution(
                [sweep_sampling.point_key({"": option}) for option in values[0]]
            )
        if name == "randint":
            return distributions.IntDistribution(0, int(values[0]) - 1)
        if "normal" in name:
            return distributions.FloatDistribution(_QUANTILES, 1 - _QUANTILES)
        return distributions.FloatDistribution(float(values[0]), float(values[1]))

    def _from_raw(self, name: str, raw: Any) -> Any:
        """The parameter's value for the script, from the study's raw parameter."""
        kind, values = self._space[name]
        if kind == "choice":
            return next(
                option for option in values[0] if sweep_sampling.point_key({"": option}) == raw
            )
        if kind == "randint":
            return int(raw)
        if "normal" in kind:
            raw = statistics.NormalDist(values[0], values[1]).inv_cdf(raw)
        return sweep_sampling.transform(kind, values, raw)

    def _to_raw(self, name: str, value: Any) -> Any:
        """The study's raw parameter, from the value that the script got."""
        kind, values = self._space[name]
        if kind == "choice":
            return sweep_sampling.point_key({"": value})
        if kind == "randint":
            return int(value)
        raw = sweep_sampling.inverse_transform(kind, float(value))
        if "normal" in kind:
            quantile = statistics.NormalDist(values[0], values[1]).cdf(raw)
            return min(max(quantile, _QUANTILES), 1 - _QUANTILES)
        return min(max(raw, float(values[0])), float(values[1]))


def load() -> Any:
    """The module ``optuna``. Raises UserErrorException where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise UserErrorException(
            "BayesianParameterSampling requires Optuna, which is not installed.",
            "Run: pip install 'scriptrun[sweep]', or use RandomParameterSampling.",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
