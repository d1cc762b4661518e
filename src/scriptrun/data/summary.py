"""A job's data as text and in the SDK v1's format, from the job's record alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobInput, JobOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_RANDOM_NAME = r"\b(input__[0-9a-f]{8}|output_[0-9a-f]{8}|[0-9a-f]{32})\b"


def describe_data(job: JobSpec) -> dict[str, str]:
    """One line for each input and output, by display name."""
    descriptions = {}
    for name, spec in zip(display_names(job).values(), job.data.items, strict=True):
        if isinstance(spec, JobOutput):
            descriptions[name] = f"{spec.mode} to {spec.datastore}:{spec.path}"
        else:
            descriptions[name] = f"{spec.mode} of {_describe_content(spec)}"
    return descriptions


def display_names(job: JobSpec) -> dict[str, str]:
    """The display name of each input and output; unnamed ones are numbered."""
    labels: dict[str, str] = {}
    for number, spec in enumerate(job.data.items, 1):
        kind = "input" if isinstance(spec, JobInput) else "output"
        is_random = re.fullmatch(_RANDOM_NAME, spec.name)
        labels[spec.name] = f"{kind} {number}" if is_random else spec.name
    return labels


def readable_arguments(job: JobSpec) -> list[str]:
    """The arguments with random names replaced by display names, so that two runs compare."""
    labels = display_names(job)
    if not labels:
        return list(job.arguments)
    return [
        re.sub(
            _RANDOM_REFERENCE,
            lambda reference: f"${labels.get(reference[1], reference[1])}",
            argument,
        )
        for argument in job.arguments
    ]


def fill_references(text: str, names: Iterable[str]) -> str:
    """Replace each ``{NAME}`` in ``text`` by a reference that expands to the path on the node."""
    alternatives = "|".join(map(re.escape, names))
    if not alternatives:
        return text
    return re.sub(rf"\{{({alternatives})\}}", r"${AZUREML_DATAREFERENCE_\1}", text)


_RANDOM_REFERENCE = r"\$AZUREML_DATAREFERENCE_(\w+)"


def input_datasets(job: JobSpec) -> list[Json]:
    """The value of ``inputDatasets`` in ``get_details``."""
    datasets = []
    for spec in job.data.inputs:
        names = ("id", "name", "version", "files", "bytes")
        facts = {name: getattr(spec.dataset, name, None) for name in names}
        consumption = {
            "type": "Reference" if spec.kind == "reference" else "RunInput",
            "inputName": spec.name,
            "mechanism": spec.mode.capitalize(),
            "pathOnCompute": spec.path_on_compute,
        }
        datasets.append({"dataset": facts, "consumptionDetails": consumption})
    return datasets


def used_datasets(events: Iterable[Json]) -> list[Json]:
    """The input datasets that the script itself logged, from the run's events."""
    return [
        {
            "dataset": event["dataset"],
            "consumptionDetails": {"type": "Reference", "inputName": event["input"]},
        }
        for event in events
        if event["kind"] == "input_dataset"
    ]


def output_datasets(job: JobSpec) -> list[Json]:
    """The value of ``outputDatasets`` in ``get_details``."""
    return [
        {
            "outputType": "RunOutput",
            "outputDetails": {"outputName": spec.name, "mechanism": spec.mode.capitalize()},
            "datastore": spec.datastore,
            "path": fill_in(spec.path, job.id, spec.name),
        }
        for spec in job.data.outputs
    ]


def fill_in(path: str, run_id: str, name: str) -> str:
    """An output's path with ``{run-id}`` and ``{output-name}`` filled in."""
    return path.replace("{run-id}", run_id).replace("{output-name}", name)


def delivery_line(event: Json) -> str:
    """One line for an event about a delivered input or output."""
    count = f" {format_size(event)}," if "files" in event else ""
    destination = f" to {event['to']}," if event.get("to") else ""
    name = event.get("input") or event.get("output")
    return f"{name}: {event['how']}{destination}{count} in {event['seconds']:.1f} s"


def format_size(facts: Json) -> str:
    """``files`` and ``bytes`` of ``facts`` as text."""
    plural = "" if facts["files"] == 1 else "s"
    return f"{facts['files']:,} file{plural}, {facts['bytes']:,} bytes"


def _describe_content(spec: JobInput) -> str:
    pin = spec.dataset
    if pin is None:
        return spec.what or f"{spec.path} of {spec.datastore}"
    if spec.kind == "reference":
        label = f"{spec.path or 'all'} of {spec.datastore}"
    elif pin.name:
        label = f"{pin.name}, version {pin.version}"
    else:
        label = "an unregistered dataset"
    size = format_size({"files": pin.files, "bytes": pin.bytes})
    return f"{label} ({size}, {pin.manifest[:12]})"
