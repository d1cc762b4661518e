"""What --param, --sampling and --policy of ``scriptrun sweep`` mean."""

from __future__ import annotations

import math
import re

from scriptrun.config.sweeps import early_stopping, sampling, search_space
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_RANGE = re.compile(
    r"(?:(?P<log>log):)?(?P<low>[-+.\deE]+?)\.\.(?P<high>[-+.\deE]+)(?:/(?P<step>[.\deE+-]+))?$"
)
_NORMAL = re.compile(
    r"(?P<name>(?:log)?normal):(?P<mu>[-+.\deE]+),(?P<sigma>[.\deE+-]+)(?:/(?P<step>[.\deE+-]+))?$"
)
#: whole numbers of so short a range are choices, which a grid can take
_FEW = 1000
SAMPLINGS = {
    "random": sampling.RandomParameterSampling,
    "grid": sampling.GridParameterSampling,
    "bayes": sampling.BayesianParameterSampling,
}
POLICIES = {
    "none": early_stopping.NoTerminationPolicy,
    "bandit": early_stopping.BanditPolicy,
    "median": early_stopping.MedianStoppingPolicy,
    "truncation": early_stopping.TruncationSelectionPolicy,
    "asha": early_stopping.AshaPolicy,
}


def space(texts: list[str]) -> dict[str, Any]:
    """The parameter space that the texts of --param say."""
    found: dict[str, Any] = {}
    for text in texts:
        name, mark, said = text.partition("=")
        if not mark or not name or not said:
            raise UserErrorException(
                f"Invalid --param {text!r}.",
                "Use NAME=1,2,3 or NAME=0.1..0.9 or NAME=log:1e-6..1e-1.",
            )
        if name in found:
            raise UserErrorException(f"Duplicate --param {name!r}.")
        found[name] = expression(said)
    return found


def expression(said: str) -> list[Any]:
    """What the text after ``NAME=`` says, as an expression of ``config.search_space``."""
    bounds, bell = _RANGE.match(said), _NORMAL.match(said)
    if bounds:
        return _range(said, **bounds.groupdict())
    if bell:
        return _bell(said, **bell.groupdict())
    if ".." in said or said.partition(":")[0] in ("log", "normal", "lognormal"):
        raise UserErrorException(
            f"Invalid parameter range {said!r}.",
            "Use 1,2,3 or 0.1..0.9 or 0..1/0.05 or log:1e-6..1e-1 or normal:0,1.",
        )
    return search_space.choice([_value(each) for each in said.split(",")])


def _range(said: str, log: str | None, low: str, high: str, step: str | None) -> list[Any]:
    first, last = _number(low, said), _number(high, said)
    if log:
        if first <= 0 or last <= 0:
            raise UserErrorException(
                f"Invalid log range {said!r}: both bounds must be greater than 0."
            )
        first, last = math.log(first), math.log(last)
        if step:
            return search_space.qloguniform(first, last, _number(step, said))
        return search_space.loguniform(first, last)
    if step:
        return search_space.quniform(first, last, _number(step, said))
    if isinstance(first, int) and isinstance(last, int):
        if 0 <= last - first < _FEW:
            return search_space.choice(range(first, last + 1))
        return search_space.quniform(first, last, 1)
    return search_space.uniform(first, last)


def _bell(said: str, name: str, mu: str, sigma: str, step: str | None) -> list[Any]:
    values = [_number(mu, said), _number(sigma, said)]
    if step:
        return [f"q{name}", [*values, _number(step, said)]]
    return [name, values]


def _number(text: str, said: str) -> Any:
    try:
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    except ValueError:
        raise UserErrorException(
            f"Invalid parameter range {said!r}: {text!r} is not a number."
        ) from None


def _value(text: str) -> Any:
    """A number where its text comes out again as it was written, else the text itself."""
    for kind in (int, float):
        try:
            if str(kind(text)) == text:
                return kind(text)
        except ValueError:
            continue
    return text


def sampling_of(name: str | None, texts: list[str], seed: int | None) -> Any:
    """The sampling; without a name a grid where all is choices and small, else random."""
    found = space(texts)
    made = SAMPLINGS[name or "random"](found, {} if seed is None else {"seed": seed})
    return made


def policy_of(text: str | None) -> Any:
    """``bandit:slack_factor=0.1,evaluation_interval=2`` and the like; ``truncation:20``."""
    name, _, said = (text or "none").partition(":")
    if name not in POLICIES:
        raise UserErrorException(
            f"Unknown policy {name!r}.",
            f"{suggestion.question(name, POLICIES)}Valid policies: {', '.join(sorted(POLICIES))}.",
        )
    settings: dict[str, Any] = {}
    for each in filter(None, said.split(",")):
        key, mark, value = each.partition("=")
        if not mark:
            key, value = _FIRST.get(name, ""), each
        settings[key] = _number(value, text or "")
    made: Any = POLICIES[name]
    try:
        return made(**settings)
    except TypeError:
        raise UserErrorException(
            f"Invalid policy {text!r}.",
            f"{_suggested_settings(made, settings)}Use e.g. "
            "bandit:slack_factor=0.1,evaluation_interval=2 or median or truncation:20.",
        ) from None


def _suggested_settings(policy: Callable[..., object], settings: Iterable[str]) -> str:
    """For each setting that the policy does not have, the nearest that it has."""
    import inspect

    known = inspect.signature(policy).parameters
    unknown = [name for name in settings if name not in known]
    return "".join(suggestion.question(name, known) for name in unknown)


#: the setting that a number alone means
_FIRST = {"bandit": "slack_factor", "truncation": "truncation_percentage", "asha": "min_intervals"}
