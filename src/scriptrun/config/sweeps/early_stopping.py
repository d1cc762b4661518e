"""Early termination policies. An interval is one value of the primary metric that a run logs.

A policy applies to a run at every interval that is a multiple of ``evaluation_interval`` and at
least ``delay_evaluation``, as the SDK's documentation defines it:
https://learn.microsoft.com/azure/machine-learning/how-to-tune-hyperparameters
"""

from __future__ import annotations

from collections.abc import Mapping

from scriptrun.spec.library_values import plain_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, TypeGuard

    from scriptrun.runtime.hints import Json


class EarlyTerminationPolicy:
    """Base class of the policies."""

    POLICY_NAME: ClassVar[str] = ""

    def __init__(self, name: str, properties: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.properties = {key: plain_value(value) for key, value in (properties or {}).items()}

    @property
    def evaluation_interval(self) -> int:
        """The policy applies at multiples of this interval."""
        return int(self.properties.get("evaluation_interval", 1))

    @property
    def delay_evaluation(self) -> int:
        """The first interval at which the policy applies."""
        return int(self.properties.get("delay_evaluation", 0))

    def problems(self) -> list[str]:
        """All reasons why the policy cannot be applied."""
        messages = []
        for name, minimum in (("evaluation_interval", 1), ("delay_evaluation", 0)):
            value = self.properties.get(name, minimum)
            if not _is_integer(value) or value < minimum:
                messages.append(f"{name} must be an integer of at least {minimum}, not {value!r}")
        return messages

    def as_dict(self) -> Json:
        """The policy as stored in a sweep's record."""
        return {"name": self.name, "properties": dict(self.properties)}

    def to_json(self) -> Json:
        """The policy as a JSON value with the SDK v1's keys."""
        return self.as_dict()

    def __repr__(self) -> str:
        properties = ", ".join(f"{name}={value!r}" for name, value in self.properties.items())
        return f"{type(self).__name__}({properties})"


class NoTerminationPolicy(EarlyTerminationPolicy):
    """Stops no runs early."""

    POLICY_NAME = "Default"

    def __init__(self) -> None:
        super().__init__(self.POLICY_NAME)


class BanditPolicy(EarlyTerminationPolicy):
    """Stops a run whose best value so far is further from the overall best than the slack.

    When maximizing, the bound is ``best / (1 + slack_factor)`` or ``best - slack_amount``; when
    minimizing, ``best * (1 + slack_factor)`` or ``best + slack_amount``. Set exactly one of them.
    """

    POLICY_NAME = "Bandit"

    def __init__(
        self,
        evaluation_interval: int = 1,
        slack_factor: float | None = None,
        slack_amount: float | None = None,
        delay_evaluation: int = 0,
    ) -> None:
        slack = {"slack_factor": slack_factor, "slack_amount": slack_amount}
        slack_settings = {name: value for name, value in slack.items() if value is not None}
        intervals = _intervals(evaluation_interval, delay_evaluation)
        super().__init__(self.POLICY_NAME, {**slack_settings, **intervals})

    @property
    def slack_factor(self) -> float | None:
        """The slack as a share of the best value."""
        return self.properties.get("slack_factor")

    @property
    def slack_amount(self) -> float | None:
        """The slack as an absolute difference."""
        return self.properties.get("slack_amount")

    def problems(self) -> list[str]:
        """All reasons why the policy cannot be applied."""
        slack_names = [name for name in ("slack_factor", "slack_amount") if name in self.properties]
        messages = super().problems()
        if len(slack_names) != 1:
            detail = "not both" if slack_names else "but got neither"
            messages.append(f"BanditPolicy requires slack_factor or slack_amount, {detail}")
        messages += [
            f"{name} must be at least 0, not {self.properties[name]!r}"
            for name in slack_names
            if not is_number(self.properties[name]) or self.properties[name] < 0
        ]
        return messages


class MedianStoppingPolicy(EarlyTerminationPolicy):
    """Stops a run whose best value is worse than the median of all runs' averages so far."""

    POLICY_NAME = "MedianStopping"

    def __init__(self, evaluation_interval: int = 1, delay_evaluation: int = 0) -> None:
        super().__init__(self.POLICY_NAME, _intervals(evaluation_interval, delay_evaluation))


class TruncationSelectionPolicy(EarlyTerminationPolicy):
    """Stops the worst ``truncation_percentage`` (1 to 99) of the runs at each interval."""

    POLICY_NAME = "TruncationSelection"

    def __init__(
        self, truncation_percentage: int, evaluation_interval: int = 1, delay_evaluation: int = 0
    ) -> None:
        intervals = _intervals(evaluation_interval, delay_evaluation)
        super().__init__(
            self.POLICY_NAME, {"truncation_percentage": truncation_percentage, **intervals}
        )

    @property
    def truncation_percentage(self) -> int:
        """The share of runs that are stopped, in percent."""
        return int(self.properties["truncation_percentage"])

    def problems(self) -> list[str]:
        """All reasons why the policy cannot be applied."""
        share = self.properties["truncation_percentage"]
        is_invalid = not _is_integer(share) or not 1 <= share <= 99
        message = f"truncation_percentage must be an integer from 1 to 99, not {share!r}"
        return super().problems() + ([message] if is_invalid else [])


class AshaPolicy(EarlyTerminationPolicy):
    """Asynchronous successive halving; not in the SDK v1.

    Of all runs that reach a rung, only the best 1/``reduction_factor`` continue.

    The rungs are the intervals ``min_intervals``, times ``reduction_factor``, and so on
    (https://arxiv.org/abs/1810.05934, as a stopping rule).
    """

    POLICY_NAME = "ASHA"

    def __init__(self, min_intervals: int = 1, reduction_factor: int = 3) -> None:
        super().__init__(
            self.POLICY_NAME,
            {"min_intervals": min_intervals, "reduction_factor": reduction_factor},
        )

    def problems(self) -> list[str]:
        """All reasons why the policy cannot be applied."""
        minimums = {"min_intervals": 1, "reduction_factor": 2}
        return [
            f"{name} must be an integer of at least {minimums[name]}, not {value!r}"
            for name, value in self.properties.items()
            if not _is_integer(value) or value < minimums[name]
        ]


def _intervals(evaluation_interval: int, delay_evaluation: int) -> dict[str, int]:
    return {"evaluation_interval": evaluation_interval, "delay_evaluation": delay_evaluation}


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Whether ``value`` is an int or a float; a bool is neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def from_dict(record: Json) -> EarlyTerminationPolicy:
    """Recreate a policy from the result of ``as_dict``."""
    classes = (NoTerminationPolicy, BanditPolicy, MedianStoppingPolicy, TruncationSelectionPolicy,
             AshaPolicy)  # fmt: skip
    policy_class: Any = {kind.POLICY_NAME: kind for kind in classes}[record["name"]]
    policy: EarlyTerminationPolicy = policy_class(**record.get("properties") or {})
    return policy
