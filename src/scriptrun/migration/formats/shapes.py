"""Check the types of a job file's fields, and report all invalid fields in one error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scriptrun.spec.errors import UserErrorException

TEXT, MAPPING, NUMBER, WHOLE = (str,), (dict,), (int, float), (int,)
_WORDS: dict[object, str] = {
    **{TEXT: "a string", MAPPING: "a mapping", NUMBER: "a number", WHOLE: "an integer"},
    **{(str, dict): "a string or a mapping", (str, list): "a string or a list"},
}
Kinds = Mapping[str, tuple[type, ...]]

#: command job: https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-command
COMMAND: Kinds = {
    **dict.fromkeys(("command", "code", "compute", "experiment_name", "display_name"), TEXT),
    **dict.fromkeys(("inputs", "outputs", "environment_variables", "tags"), MAPPING),
    **dict.fromkeys(("distribution", "resources", "limits"), MAPPING),
    "environment": (str, dict),
    "environment.conda_file": (str, dict),
    "environment.image": TEXT,
    "resources.instance_count": WHOLE,
    "resources.shm_size": TEXT,
    "resources.docker_args": (str, list),
    "distribution.type": TEXT,
    "distribution.process_count_per_instance": WHOLE,
    "distribution.worker_count": WHOLE,
    "distribution.parameter_server_count": WHOLE,
    "limits.timeout": NUMBER,
}
#: sweep job: https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-sweep
SWEEP: Kinds = {
    **dict.fromkeys(("trial", "search_space", "objective", "early_termination", "limits"), MAPPING),
    "objective.primary_metric": TEXT,
    "objective.goal": TEXT,
    "limits.max_total_trials": WHOLE,
    "limits.max_concurrent_trials": WHOLE,
    "limits.timeout": NUMBER,
    "limits.trial_timeout": NUMBER,
}
#: MLproject: https://mlflow.org/docs/latest/projects.html
PROJECT: Kinds = {
    "name": TEXT,
    "entry_points": MAPPING,
    "conda_env": TEXT,
    "python_env": TEXT,
}


def check(place: Path, found: dict[str, Any], kinds: Kinds, wanted: tuple[str, ...] = ()) -> None:
    """Raise UserErrorException if ``wanted`` fields are missing, or fields have a wrong type."""
    wrong = [f"missing {name}" for name in wanted if found.get(name) in (None, "")]
    for name, kind in kinds.items():
        value: Any = found
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            wrong.append(f"{name} must be {_WORDS[kind]}, not {value!r}")
    if wrong:
        raise UserErrorException(
            f"Cannot read {str(place)!r}: {'; '.join(wrong)}.", "Fix the file."
        )
