"""Parses --param, --sampling and --policy of ``scriptrun sweep``."""

from __future__ import annotations

import math
import re

from scriptrun.cli.options import range_notation
from scriptrun.config.sweeps import early_stopping, sampling, search_space
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scriptrun.runtime.hints import Json

_RANGE = re.compile(
    r"(?:(?P<log>log):)?(?P<low>[-+.\deE]+?)\.\.(?P<high>[-+.\deE]+)(?:/(?P<step>[.\deE+-]+))?$"
)
_NORMAL = re.compile(
    r"(?P<name>(?:log)?normal):(?P<mu>[-+.\deE]+),(?P<sigma>[.\deE+-]+)(?:/(?P<step>[.\deE+-]+))?$"
)
#: integer ranges up to this length become choices, which grid sampling supports
_MAX_CHOICES = 1000
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


def parse_space(texts: list[str]) -> Json:
    """Parse the values of --param into a parameter space."""
    parameters: Json = {}
    for text in texts:
        name, separator, definition = text.partition("=")
        if not separator or not name or not definition:
            raise UserErrorException(
                f"Invalid --param {text!r}.",
                "Use NAME=1,2,3 or NAME=0.1..0.9 or NAME=log:1e-6..1e-1.",
            )
        if name in parameters:
            raise UserErrorException(f"Duplicate --param {name!r}.", "Give each parameter once.")
        parameters[name] = parse_expression(definition)
    return parameters


def parse_expression(text: str) -> search_space.Expression:
    """Parse the text after ``NAME=`` into an expression of ``search_space``."""
    bounds, normal = _RANGE.match(text), _NORMAL.match(text)
    if bounds and "..." not in text:
        return _parse_range(text, **bounds.groupdict())
    if normal:
        return _parse_normal(text, **normal.groupdict())
    correction = range_notation.correction(text)
    is_range = ".." in text or text.partition(":")[0] in ("log", "normal", "lognormal")
    if correction or is_range or range_notation.is_call(text):
        raise UserErrorException(
            f"Invalid parameter range {text!r}.",
            (f"Did you mean {correction}? " if correction else "")
            + "Use 1,2,3 or 0.1..0.9 or 0..1/0.05 or log:1e-6..1e-1 or normal:0,1. Pass a fixed "
            "value to the script after --.",
        )
    return search_space.choice([_parse_value(item) for item in text.split(",")])


def _parse_range(
    text: str, log: str | None, low: str, high: str, step: str | None
) -> search_space.Expression:
    lower, upper = _parse_number(low, text), _parse_number(high, text)
    if log:
        if lower <= 0 or upper <= 0:
            raise UserErrorException(
                f"Invalid log range {text!r}: both bounds must be greater than 0."
            )
        lower, upper = math.log(lower), math.log(upper)
        if step:
            return search_space.qloguniform(lower, upper, _parse_number(step, text))
        return search_space.loguniform(lower, upper)
    if step:
        return search_space.quniform(lower, upper, _parse_number(step, text))
    if isinstance(lower, int) and isinstance(upper, int):
        if 0 <= upper - lower < _MAX_CHOICES:
            return search_space.choice(range(lower, upper + 1))
        return search_space.quniform(lower, upper, 1)
    return search_space.uniform(lower, upper)


def _parse_normal(
    text: str, name: str, mu: str, sigma: str, step: str | None
) -> search_space.Expression:
    values = [_parse_number(mu, text), _parse_number(sigma, text)]
    if step:
        return [f"q{name}", [*values, _parse_number(step, text)]]
    return [name, values]


def _parse_number(text: str, definition: str) -> int | float:
    try:
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    except ValueError:
        raise UserErrorException(
            f"Invalid parameter range {definition!r}: {text!r} is not a number.",
            "Use e.g. 0.1..0.9.",
        ) from None


def _parse_value(text: str) -> int | float | str:
    """Return a number if formatting it gives back the same text, else the text itself."""
    for kind in (int, float):
        try:
            if str(kind(text)) == text:
                return kind(text)
        except ValueError:
            continue
    return text


def build_sampling(
    name: str | None, texts: list[str], seed: int | None
) -> sampling.HyperParameterSampling:
    """Build the sampling ``name`` (default: random) over the parameters in ``texts``."""
    space = parse_space(texts)
    sampler = SAMPLINGS[name or "random"](space, {} if seed is None else {"seed": seed})
    return sampler


def build_policy(text: str | None) -> early_stopping.EarlyTerminationPolicy:
    """Build a policy from a text like ``bandit:slack_factor=0.1`` or ``truncation:20``."""
    name, _, options = (text or "none").partition(":")
    if name not in POLICIES:
        raise UserErrorException(
            f"Unknown policy {name!r}.",
            suggestion.hint(name, sorted(POLICIES), "Valid policies"),
        )
    settings: dict[str, int | float] = {}
    for setting in filter(None, options.split(",")):
        key, separator, value = setting.partition("=")
        if not separator:
            key, value = _MAIN_SETTING.get(name, ""), setting
        settings[key] = _parse_number(value, text or "")
    policy_class: Callable[..., early_stopping.EarlyTerminationPolicy] = POLICIES[name]
    try:
        return policy_class(**settings)
    except TypeError:
        raise UserErrorException(
            f"Invalid policy {text!r}.",
            f"{_suggest_settings(policy_class, settings)}Use e.g. "
            "bandit:slack_factor=0.1,evaluation_interval=2 or median or truncation:20.",
        ) from None


def _suggest_settings(policy: Callable[..., object], settings: Iterable[str]) -> str:
    """Suggest the nearest valid name for each unknown setting."""
    import inspect

    valid = inspect.signature(policy).parameters
    unknown = [name for name in settings if name not in valid]
    return "".join(suggestion.question(name, valid) for name in unknown)


#: the setting that a value without a name belongs to
_MAIN_SETTING = {
    "bandit": "slack_factor",
    "truncation": "truncation_percentage",
    "asha": "min_intervals",
}
