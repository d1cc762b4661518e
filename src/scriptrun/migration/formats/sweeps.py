"""Export sweeps as Azure ML v2 sweep jobs, and import such jobs.

The schema: https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-sweep
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.config.sweeps import early_stopping, sampling, search_space
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.migration.formats import v2
from scriptrun.migration.formats.facts import Exported
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.sweeps.record import Sweep

SCHEMA = "https://azuremlschemas.azureedge.net/latest/sweepJob.schema.json"
#: v2's names for the values of each expression
_VALUES = {
    "choice": ("values",),
    "randint": ("upper",),
    **dict.fromkeys(("uniform", "loguniform"), ("min_value", "max_value")),
    **dict.fromkeys(("quniform", "qloguniform"), ("min_value", "max_value", "q")),
    **dict.fromkeys(("normal", "lognormal"), ("mu", "sigma")),
    **dict.fromkeys(("qnormal", "qlognormal"), ("mu", "sigma", "q")),
}
_POLICIES = {
    "Bandit": "bandit",
    "MedianStopping": "median_stopping",
    "TruncationSelection": "truncation_selection",
}
_LIMITS = {"max_total_trials": "max_total_runs", "max_concurrent_trials": "max_concurrent_runs"}
#: a parameter in a trial's command, with its flag
_FLAGGED = re.compile(r"(--?[A-Za-z][\w-]*)[ =]+\$\{\{\s*search_space\.(\w+)\s*\}\}\s*")
_PARAMETER = re.compile(r"\$\{\{\s*search_space\.\w+\s*\}\}\s*")
_OF_TRIAL = ("code", "command", "environment", "environment_variables", "distribution", "resources")


def sweep_job(sweep: Sweep, lock: dict[str, Any] | None) -> Exported:
    """Export the sweep as ``job.yml``, with ``conda.yml`` if its job has packages."""
    made = v2.command_job(sweep.template(), lock)
    command, lost = yaml.safe_load(made.text), made.lost
    trial = {name: command.pop(name) for name in _OF_TRIAL if name in command}
    names = {name: _name(name) for name in sweep.space}
    words = [f"{search_space.flag(name)} ${{{{search_space.{n}}}}}" for name, n in names.items()]
    trial["command"] = " ".join([trial["command"], *words])
    limits = {key: sweep.limits[name] for key, name in _LIMITS.items() if sweep.limits.get(name)}
    if sweep.limits.get("max_duration_minutes"):
        limits["timeout"] = max(1, round(sweep.limits["max_duration_minutes"] * 60))
    if command.get("limits"):
        limits["trial_timeout"] = command["limits"]["timeout"]
    command.update(
        {"$schema": SCHEMA, "type": "sweep", "trial": trial},
        sampling_algorithm=_algorithm(sweep),
        search_space={names[name]: _said(each) for name, each in sweep.space.items()},
        objective={"goal": sweep.goal, "primary_metric": sweep.metric},
        limits=limits,
    )
    policy = _policy(sweep, lost)
    if policy:
        command["early_termination"] = policy
    if sweep.resume_from or sweep.resume_child_runs:
        lost.append("the runs that it resumes from")
    text = yaml.safe_dump(command, sort_keys=False, allow_unicode=True, width=100)
    return Exported({**made.files, "job.yml": text}, lost)


def _name(name: str) -> str:
    """Make ``name`` valid in ``${{search_space.NAME}}``."""
    return re.sub(r"\W", "_", name.lstrip("-"))


def _algorithm(sweep: Sweep) -> Any:
    kind = sweep.sampling["name"].lower().partition("parameter")[0]
    kind = "bayesian" if kind.startswith("bayes") else kind
    return {"type": "random", "seed": sweep.seed} if kind == "random" else kind


def _said(expression: list[Any]) -> dict[str, Any]:
    name, values = expression
    return {"type": name, **dict(zip(_VALUES[name], values, strict=True))}


def _policy(sweep: Sweep, lost: list[str]) -> dict[str, Any] | None:
    name = sweep.policy["name"]
    if name in _POLICIES:
        return {"type": _POLICIES[name], **sweep.policy["properties"]}
    if name != early_stopping.NoTerminationPolicy.POLICY_NAME:
        lost.append(f"the early termination policy {name}: v2 has no equivalent")
    return None


def without_parameters(command: str) -> tuple[str, dict[str, str]]:
    """Split a trial's command into the command without parameters, and their flags."""
    flags = {found[2]: found[1] for found in _FLAGGED.finditer(command)}
    return _PARAMETER.sub("", _FLAGGED.sub("", command)).rstrip(), flags


def read(
    found: dict[str, Any], config: ScriptRunConfig, flags: dict[str, str], lost: list[str]
) -> HyperDriveConfig:
    """Import the sweep of the job file ``found``, whose trial is ``config``.

    ``flags`` are the flags of its parameters in the command. Raises UserErrorException.
    """
    objective, limits = found.get("objective") or {}, found.get("limits") or {}
    minutes = limits["timeout"] / 60 if limits.get("timeout") else None
    try:
        made = HyperDriveConfig(
            run_config=config,
            hyperparameter_sampling=_sampling(found, flags, lost),
            policy=_stopping(found.get("early_termination"), lost),
            primary_metric_name=objective["primary_metric"],
            primary_metric_goal=objective["goal"],
            max_total_runs=limits["max_total_trials"],
            max_concurrent_runs=limits.get("max_concurrent_trials"),
            **({"max_duration_minutes": minutes} if minutes else {}),
        )
    except KeyError as error:
        raise UserErrorException(f"The sweep has no {error.args[0]}.", "Fix the file.") from None
    refuse(made.problems(), "Cannot read this sweep")
    return made


def _sampling(
    found: dict[str, Any], flags: dict[str, str], lost: list[str]
) -> sampling.HyperParameterSampling:
    given = found.get("sampling_algorithm") or "random"
    kind = given.get("type") if isinstance(given, dict) else given
    kinds: dict[Any, Any] = {
        "random": sampling.RandomParameterSampling,
        "grid": sampling.GridParameterSampling,
        "bayesian": sampling.BayesianParameterSampling,
    }
    if kind not in kinds:
        raise UserErrorException(
            f"sampling_algorithm must be one of {', '.join(kinds)}, not {kind!r}."
        )
    properties: dict[str, Any] = {}
    for name, value in given.items() if isinstance(given, dict) else ():
        if name == "seed":
            properties["seed"] = value
        elif name != "type":
            lost.append(f"sampling_algorithm.{name}: {value!r}")
    space: dict[str, Any] = {}
    for name, each in found["search_space"].items():
        space[str(flags.get(name, name))] = _expression(name, each)
        if name not in flags:
            lost.append(f"the position of search_space.{name}: the script receives it as --{name}")
    made: sampling.HyperParameterSampling = kinds[kind](space, properties)
    return made


def _expression(name: str, given: Any) -> list[Any]:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind not in _VALUES:
        raise UserErrorException(f"search_space.{name} must be one of {', '.join(_VALUES)}.")
    return [kind, [given[each] for each in _VALUES[kind]]]


def _stopping(given: Any, lost: list[str]) -> early_stopping.EarlyTerminationPolicy | None:
    if not isinstance(given, dict):
        return None
    for name, kind in _POLICIES.items():
        if kind == given.get("type"):
            words = {key: value for key, value in given.items() if key != "type"}
            return early_stopping.from_dict({"name": name, "properties": words})
    lost.append(f"early_termination: {given!r}")
    return None


def code(sweep: HyperDriveConfig) -> tuple[list[str], set[str]]:
    """The lines that create ``sweep`` from ``config``, and the names that they need."""
    way, policy = sweep.hyperparameter_sampling, sweep.policy
    space = [
        f"        {name!r}: {kind}({', '.join(map(repr, values))}),"
        for name, (kind, values) in way.as_dict()["space"].items()
    ]
    stopping = ", ".join(f"{name}={value!r}" for name, value in policy.properties.items())
    words = {
        "primary_metric_name": repr(sweep.primary_metric_name),
        "primary_metric_goal": f"PrimaryMetricGoal.{sweep.goal.upper()}",
        "max_total_runs": sweep.max_total_runs,
        "max_concurrent_runs": sweep.max_concurrent_runs,
        "max_duration_minutes": sweep.max_duration_minutes,
        "policy": f"{type(policy).__name__}({stopping})",
    }
    properties = f", properties={way.properties!r}" if way.properties else ""
    lines = [
        "sweep = HyperDriveConfig(",
        "    run_config=config,",
        f"    hyperparameter_sampling={type(way).__name__}({{",
        *space,
        f"    }}{properties}),",
        *[f"    {name}={value}," for name, value in words.items() if value is not None],
        ")",
    ]
    kinds = {kind for kind, _ in way.as_dict()["space"].values()}
    classes = {type(way).__name__, type(policy).__name__, "HyperDriveConfig", "PrimaryMetricGoal"}
    return lines, classes | kinds
