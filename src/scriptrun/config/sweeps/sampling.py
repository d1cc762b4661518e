"""How a sweep samples its search space: at random, as a grid, or Bayesian."""

from __future__ import annotations

import json
from collections.abc import Mapping

from scriptrun.config.sweeps import search_space
from scriptrun.spec.library_values import plain_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from scriptrun.config.sweeps.search_space import Space
    from scriptrun.runtime.hints import Json


class HyperParameterSampling:
    """Base of the sampling methods for ``parameter_space``, a dict by parameter name.

    ``properties`` may contain ``seed``, an integer: the same seed gives the same points. Without
    one, the sweep's record stores a random seed.
    """

    SAMPLING_NAME: ClassVar[str] = ""
    #: the supported search space expressions; empty for all
    SUPPORTED: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        sampling_method_name: str,
        parameter_space: Space,
        properties: Mapping[str, Any] | None = None,
        supported_distributions: object = None,
        distributions_validators: object = None,
        **kwargs: object,
    ) -> None:
        self.name = sampling_method_name
        self.parameter_space = parameter_space
        self.properties = {key: plain_value(value) for key, value in (properties or {}).items()}

    def problems(self) -> list[str]:
        """All problems with the search space and the seed."""
        messages = search_space.problems(self.parameter_space)
        seed = self.properties.get("seed")
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
            messages.append(f"seed must be an integer, not {seed!r}")
        if messages or not self.SUPPORTED:
            return messages
        return [
            f"{type(self).__name__} supports only {' and '.join(self.SUPPORTED)}, but {name} uses "
            f"{expression[0]}"
            for name, expression in self.parameter_space.items()
            if expression[0] not in self.SUPPORTED
        ]

    def as_dict(self) -> Json:
        """The sampling as stored in a sweep's record."""
        space = {
            name: search_space.plain(expression)
            for name, expression in self.parameter_space.items()
        }
        return {"name": self.name, "space": space, "properties": self.properties}

    def to_json(self) -> Json:
        """The sampling as a JSON value with the SDK v1's keys."""
        content = self.as_dict()
        return {"name": content["name"], "parameter_space": content["space"], **self.properties}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({json.dumps(self.as_dict()['space'])})"


class RandomParameterSampling(HyperParameterSampling):
    """Random points, without duplicates if the space is finite."""

    SAMPLING_NAME = "RANDOM"

    def __init__(self, parameter_space: Space, properties: Mapping[str, Any] | None = None) -> None:
        super().__init__(self.SAMPLING_NAME, parameter_space, properties)


class GridParameterSampling(HyperParameterSampling):
    """Every combination of choices, the last parameter changing fastest."""

    SAMPLING_NAME = "GRID"
    SUPPORTED = ("choice",)

    def __init__(self, parameter_space: Space, properties: Mapping[str, Any] | None = None) -> None:
        super().__init__(self.SAMPLING_NAME, parameter_space, properties)


class BayesianParameterSampling(HyperParameterSampling):
    """Points that look best given the results so far (Optuna's TPE, in the extra ``sweep``).

    With one run at a time the same seed gives the same points, if the script gives the same values.
    """

    SAMPLING_NAME = "BayesianOptimization"

    def __init__(self, parameter_space: Space, properties: Mapping[str, Any] | None = None) -> None:
        super().__init__(self.SAMPLING_NAME, parameter_space, properties)


SAMPLINGS: dict[str, type[HyperParameterSampling]] = {
    sampling_class.SAMPLING_NAME: sampling_class
    for sampling_class in (
        RandomParameterSampling,
        GridParameterSampling,
        BayesianParameterSampling,
    )
}


def from_dict(value: Json) -> HyperParameterSampling:
    """The sampling that ``as_dict`` wrote."""
    sampling_class: Any = SAMPLINGS[value["name"]]
    sampling: HyperParameterSampling = sampling_class(value["space"], value.get("properties"))
    return sampling
