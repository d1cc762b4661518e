"""Check the types of a job file's fields, and report all invalid fields in one error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scriptrun.spec.errors import UserErrorException
from scriptrun.store.yaml_reader import PlainScalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

TEXT, MAPPING, NUMBER, INTEGER = (str,), (dict,), (int, float), (int,)
_KIND_NAMES: dict[object, str] = {
    **{TEXT: "a string", MAPPING: "a mapping", NUMBER: "a number", INTEGER: "an integer"},
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
    "resources.instance_count": INTEGER,
    "resources.shm_size": TEXT,
    "resources.docker_args": (str, list),
    "distribution.type": TEXT,
    "distribution.process_count_per_instance": INTEGER,
    "distribution.worker_count": INTEGER,
    "distribution.parameter_server_count": INTEGER,
    "limits.timeout": NUMBER,
}
#: sweep job: https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-sweep
SWEEP: Kinds = {
    **dict.fromkeys(("trial", "search_space", "objective", "early_termination", "limits"), MAPPING),
    "objective.primary_metric": TEXT,
    "objective.goal": TEXT,
    "limits.max_total_trials": INTEGER,
    "limits.max_concurrent_trials": INTEGER,
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


def _section_of(document: Json, name: str) -> tuple[Json, str]:
    """The mapping that has the field of that dotted name, and the field's own name."""
    *sections, field = name.split(".")
    for section in sections:
        inner = document.get(section)
        document = inner if isinstance(inner, dict) else {}
    return document, field


def check(path: Path, document: Json, kinds: Kinds, required: tuple[str, ...] = ()) -> None:
    """Set the numbers among the fields ``kinds``, whose text the reader kept.

    Raises UserErrorException if ``required`` fields are missing, or fields have a wrong type.
    """
    problems = [f"missing {name}" for name in required if document.get(name) in (None, "")]
    for name, kind in kinds.items():
        section, field = _section_of(document, name)
        value = section.get(field)
        if isinstance(value, PlainScalar) and kind in (NUMBER, INTEGER):
            section[field] = value = value.value
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            problems.append(f"{name} must be {_KIND_NAMES[kind]}, not {value!r}")
    if problems:
        raise UserErrorException(
            f"Cannot read {str(path)!r}: {'; '.join(problems)}.", "Fix the file."
        )
