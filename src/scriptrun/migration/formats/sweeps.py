"""Export sweeps as Azure ML v2 sweep jobs, and import such jobs.

The schema: https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-sweep
"""

from __future__ import annotations

import re
from typing import Any

from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.config.sweeps import early_stopping, sampling, search_space
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig
from scriptrun.config.yaml_text import as_text, plain, written_text
from scriptrun.migration.formats import v2
from scriptrun.migration.formats.facts import ExportedJob
from scriptrun.migration.formats.literals import literal
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.store import yaml_reader, yaml_writer
from scriptrun.sweeps.record import Sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

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
_FLAG_AND_PARAMETER = re.compile(r"(--?[A-Za-z][\w-]*)[ =]+\$\{\{\s*search_space\.(\w+)\s*\}\}\s*")
_PARAMETER = re.compile(r"\$\{\{\s*search_space\.\w+\s*\}\}\s*")
_TRIAL_FIELDS = (
    "code",
    "command",
    "environment",
    "environment_variables",
    "distribution",
    "resources",
)


def sweep_job(sweep: Sweep, lockfile: Json | None) -> ExportedJob:
    """Export the sweep as ``job.yml``, with ``conda.yml`` if its job has packages."""
    trial_job = v2.command_job(sweep.template(), lockfile)
    command: Any = yaml_reader.parse(trial_job.text)
    lost = trial_job.lost
    trial = {name: command.pop(name) for name in _TRIAL_FIELDS if name in command}
    names = {name: _placeholder_name(name) for name in sweep.space}
    arguments = [
        f"{search_space.flag(name)} ${{{{search_space.{placeholder}}}}}"
        for name, placeholder in names.items()
    ]
    trial["command"] = " ".join([trial["command"], *arguments])
    limits = {key: sweep.limits[name] for key, name in _LIMITS.items() if sweep.limits.get(name)}
    if sweep.limits.get("max_duration_minutes"):
        limits["timeout"] = max(1, round(sweep.limits["max_duration_minutes"] * 60))
    if command.get("limits"):
        limits["trial_timeout"] = command["limits"]["timeout"]
    command.update(
        {"$schema": SCHEMA, "type": "sweep", "trial": trial},
        sampling_algorithm=_algorithm(sweep),
        search_space={
            names[name]: _expression_fields(expression) for name, expression in sweep.space.items()
        },
        objective={"goal": sweep.goal, "primary_metric": sweep.metric},
        limits=limits,
    )
    policy = _policy(sweep, lost)
    if policy:
        command["early_termination"] = policy
    if sweep.resume_from or sweep.resume_child_runs:
        lost.append("the runs that it resumes from")
    text = yaml_writer.dump(command)
    return ExportedJob({**trial_job.files, "job.yml": text}, lost)


def _placeholder_name(name: str) -> str:
    """Make ``name`` valid in ``${{search_space.NAME}}``."""
    return re.sub(r"\W", "_", name.lstrip("-"))


def _algorithm(sweep: Sweep) -> str | Json:
    kind = sweep.sampling["name"].lower().partition("parameter")[0]
    kind = "bayesian" if kind.startswith("bayes") else kind
    return {"type": "random", "seed": sweep.seed} if kind == "random" else kind


def _expression_fields(expression: list[Any]) -> Json:
    name, values = expression
    if name == "choice":
        values = [written_text(value) for value in values]
    return {"type": name, **dict(zip(_VALUES[name], values, strict=True))}


def _policy(sweep: Sweep, lost: list[str]) -> Json | None:
    name = sweep.policy["name"]
    if name in _POLICIES:
        return {"type": _POLICIES[name], **sweep.policy["properties"]}
    if name != early_stopping.NoTerminationPolicy.POLICY_NAME:
        lost.append(f"the early termination policy {name}: v2 has no equivalent")
    return None


def split_parameters(command: str) -> tuple[str, dict[str, str]]:
    """Split a trial's command into the command without parameters, and their flags."""
    flags = {match[2]: match[1] for match in _FLAG_AND_PARAMETER.finditer(command)}
    return _PARAMETER.sub("", _FLAG_AND_PARAMETER.sub("", command)).rstrip(), flags


def read(
    document: Json, config: ScriptRunConfig, flags: dict[str, str], lost: list[str]
) -> HyperDriveConfig:
    """Import the sweep of the job file ``document``, whose trial is ``config``.

    ``flags`` are the flags of its parameters in the command. Raises UserErrorException.
    """
    objective, limits = document.get("objective") or {}, document.get("limits") or {}
    minutes = limits["timeout"] / 60 if limits.get("timeout") else None
    try:
        sweep = HyperDriveConfig(
            run_config=config,
            hyperparameter_sampling=_sampling(document, flags, lost),
            policy=_early_termination(document.get("early_termination"), lost),
            primary_metric_name=objective["primary_metric"],
            primary_metric_goal=objective["goal"],
            max_total_runs=limits["max_total_trials"],
            max_concurrent_runs=limits.get("max_concurrent_trials"),
            **({"max_duration_minutes": minutes} if minutes else {}),
        )
    except KeyError as error:
        raise UserErrorException(f"The sweep has no {error.args[0]}.", "Fix the file.") from None
    refuse(sweep.problems(), "Cannot read this sweep")
    return sweep


def _sampling(
    document: Json, flags: dict[str, str], lost: list[str]
) -> sampling.HyperParameterSampling:
    algorithm = document.get("sampling_algorithm") or "random"
    kind = algorithm.get("type") if isinstance(algorithm, dict) else algorithm
    kinds = {
        "random": sampling.RandomParameterSampling,
        "grid": sampling.GridParameterSampling,
        "bayesian": sampling.BayesianParameterSampling,
    }
    if not isinstance(kind, str) or kind not in kinds:
        raise UserErrorException(
            f"sampling_algorithm must be one of {', '.join(kinds)}, not {kind!r}."
        )
    properties: Json = {}
    for name, value in algorithm.items() if isinstance(algorithm, dict) else ():
        if name == "seed":
            properties["seed"] = plain(value)
        elif name != "type":
            lost.append(f"sampling_algorithm.{name}: {plain(value)!r}")
    space: Json = {}
    for name, expression in document["search_space"].items():
        space[str(flags.get(name, name))] = _expression(name, expression)
        if name not in flags:
            lost.append(f"the position of search_space.{name}: the script receives it as --{name}")
    result: sampling.HyperParameterSampling = kinds[kind](space, properties)
    return result


def _expression(name: str, spec: object) -> list[Any]:
    if not isinstance(spec, dict) or str(spec.get("type")) not in _VALUES:
        raise UserErrorException(f"search_space.{name} must be one of {', '.join(_VALUES)}.")
    kind = str(spec["type"])
    # an option ends as an argument, a bound as a number
    convert = as_text if kind == "choice" else plain
    return [kind, [convert(spec[field]) for field in _VALUES[kind]]]


def _early_termination(
    policy: object, lost: list[str]
) -> early_stopping.EarlyTerminationPolicy | None:
    if not isinstance(policy, dict):
        return None
    for name, kind in _POLICIES.items():
        if kind == policy.get("type"):
            properties = {key: plain(value) for key, value in policy.items() if key != "type"}
            try:
                return early_stopping.from_dict({"name": name, "properties": properties})
            except TypeError as error:
                raise UserErrorException(
                    f"Invalid early_termination {plain(policy)!r}: {error}."
                ) from None
    lost.append(f"early_termination: {plain(policy)!r}")
    return None


def code(sweep: HyperDriveConfig) -> tuple[list[str], set[str]]:
    """The lines that create ``sweep`` from ``config``, and the names that they need."""
    sampler, policy = sweep.hyperparameter_sampling, sweep.policy
    space = [
        f"        {name!r}: {kind}({', '.join(map(literal, values))}),"
        for name, (kind, values) in sampler.as_dict()["space"].items()
    ]
    stopping = ", ".join(f"{name}={literal(value)}" for name, value in policy.properties.items())
    arguments = {
        "primary_metric_name": repr(sweep.primary_metric_name),
        "primary_metric_goal": f"PrimaryMetricGoal.{sweep.goal.upper()}",
        "max_total_runs": sweep.total_runs,
        "max_concurrent_runs": sweep.max_concurrent_runs,
        "max_duration_minutes": sweep.max_duration_minutes,
        "policy": f"{type(policy).__name__}({stopping})",
    }
    properties = f", properties={literal(sampler.properties)}" if sampler.properties else ""
    lines = [
        "sweep = HyperDriveConfig(",
        "    run_config=config,",
        f"    hyperparameter_sampling={type(sampler).__name__}({{",
        *space,
        f"    }}{properties}),",
        *[f"    {name}={value}," for name, value in arguments.items() if value is not None],
        ")",
    ]
    kinds = {kind for kind, _ in sampler.as_dict()["space"].values()}
    classes = {
        type(sampler).__name__,
        type(policy).__name__,
        "HyperDriveConfig",
        "PrimaryMetricGoal",
    }
    return lines, classes | kinds
