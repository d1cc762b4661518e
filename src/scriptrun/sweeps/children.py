"""The child runs of a sweep: their jobs and their values of the primary metric."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from scriptrun.config.sweeps import search_space
from scriptrun.queue import tickets
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import identity
from scriptrun.spec.job import JobSpec
from scriptrun.submission import resume_from
from scriptrun.sweeps.journal import ChildRun
from scriptrun.tracking import metric_series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard


def job_of(template: JobSpec, parent: JobSpec, child: ChildRun, outputs: str | None) -> JobSpec:
    """The job of one point; ``outputs`` is the folder of the run that it resumes from."""
    script_arguments = arguments_of(child.parameters)
    data = template.data
    if outputs is not None:
        script_arguments += resume_from.ARGUMENTS
        data = data.replace(variables={**data.variables, resume_from.VARIABLE: outputs})
    command = template.command and " ".join([template.command, *map(_shell_word, script_arguments)])
    arguments = template.arguments if template.command else (*template.arguments, *script_arguments)
    parameter_tags = {name: search_space.text(value) for name, value in child.parameters.items()}
    return template.replace(
        id=child.id,
        created=child.created,
        display_name=f"{parent.display_name or parent.id}_{child.number}",
        arguments=arguments,
        command=command,
        data=data,
        parent=parent.id,
        root=parent.root or parent.id,
        tags={**template.tags, **parameter_tags, "hyperparameters": json.dumps(child.parameters)},
        properties={**template.properties, "azureml.runsource": "hyperdrive"},
        run_definition={
            **template.run_definition,
            "arguments": list(arguments),
            "command": command or "",
        },
        submitted_by={**template.submitted_by, **identity.identify()},
    )


def arguments_of(parameters: Mapping[str, object]) -> list[str]:
    """The script's arguments: flag, value, flag, value."""
    return [
        word
        for name, value in parameters.items()
        for word in (search_space.flag(name), search_space.text(value))
    ]


def _shell_word(word: str) -> str:
    return f'"{word}"' if word == f"${resume_from.VARIABLE}" else shlex.quote(word)


def remove_partial(workspace: WorkspaceFiles, job: JobSpec) -> None:
    """Remove a partly written run that a killed driver left."""
    folder = workspace.runs_folder / job.created[:10] / job.id
    if not os.path.isdir(folder) or (folder / "job.json").exists():
        return
    ticket = tickets.find(tickets.queue_of(workspace.id), job.id)
    if ticket is not None:
        tickets.drop(ticket)
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


class MetricValues:
    """The values of the primary metric that a run has logged so far."""

    def __init__(self, folder: Path, name: str) -> None:
        self._follower, self._name = metric_series.Follower(folder), name
        self.logged: list[float] = []

    def poll(self) -> list[float]:
        """All values so far, in order; each is an interval for the policies."""
        for point in self._follower.poll():
            if point.name == self._name:
                values = point.value if point.kind == "list" else [point.value]
                self.logged += _numbers(values)
        return self.logged


def values_of(folder: Path, name: str) -> list[float]:
    """All values of the metric ``name`` of a run, including those logged with MLflow."""
    logged = metric_series.read(folder, name).get(name)
    values: list[object] = logged if isinstance(logged, list) else [logged]
    return _numbers(values)


def _numbers(values: Iterable[object]) -> list[float]:
    """The numbers among ``values``; an integer is infinite if no float is as large."""
    return [_as_float(value) for value in values if _is_number(value)]


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
