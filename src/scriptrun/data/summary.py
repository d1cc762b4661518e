"""A job's data as text and in the SDK v1's format, from the job's record alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scriptrun.spec.job import JobSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_UNNAMED = re.compile(r"\b(input__[0-9a-f]{8}|output_[0-9a-f]{8}|[0-9a-f]{32})\b")


def words(job: JobSpec) -> dict[str, str]:
    """One line for each input and output, by display name."""
    found = {}
    for name, wanted in zip(names(job).values(), _every(job), strict=True):
        way = wanted["mode"]
        if "kind" not in wanted:
            found[name] = f"{way} to {wanted['datastore']}:{wanted['path']}"
        else:
            found[name] = f"{way} of {_content(wanted)}"
    return found


def names(job: JobSpec) -> dict[str, str]:
    """The display name of each input and output; unnamed ones are numbered."""
    found: dict[str, str] = {}
    for number, wanted in enumerate(_every(job), 1):
        kind = "input" if "kind" in wanted else "output"
        unnamed = _UNNAMED.fullmatch(wanted["name"])
        found[wanted["name"]] = f"{kind} {number}" if unnamed else wanted["name"]
    return found


def plain(job: JobSpec) -> list[str]:
    """The arguments with random names replaced by display names, so that two runs compare."""
    known = names(job)
    if not known:
        return list(job.arguments)
    return [_UNNAMED_REFERENCE.sub(lambda m: f"${known.get(m[1], m[1])}", a) for a in job.arguments]


_UNNAMED_REFERENCE = re.compile(r"\$AZUREML_DATAREFERENCE_(\w+)")


def input_datasets(job: JobSpec) -> list[dict[str, Any]]:
    """The value of ``inputDatasets`` in ``get_details``."""
    found = []
    for wanted in job.data.get("inputs") or ():
        pin = wanted.get("dataset") or {}
        facts = {name: pin.get(name) for name in ("id", "name", "version", "files", "bytes")}
        how = {
            "type": "Reference" if wanted["kind"] == "reference" else "RunInput",
            "inputName": wanted["name"],
            "mechanism": wanted["mode"].capitalize(),
            "pathOnCompute": wanted.get("path_on_compute"),
        }
        found.append({"dataset": facts, "consumptionDetails": how})
    return found


def used_datasets(every: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The input datasets that the script itself logged, from the run's events."""
    return [
        {
            "dataset": event["dataset"],
            "consumptionDetails": {"type": "Reference", "inputName": event["input"]},
        }
        for event in every
        if event["kind"] == "input_dataset"
    ]


def output_datasets(job: JobSpec) -> list[dict[str, Any]]:
    """The value of ``outputDatasets`` in ``get_details``."""
    return [
        {
            "outputType": "RunOutput",
            "outputDetails": {"outputName": each["name"], "mechanism": each["mode"].capitalize()},
            "datastore": each["datastore"],
            "path": fill_in(each["path"], job.id, each["name"]),
        }
        for each in job.data.get("outputs") or ()
    ]


def fill_in(path: str, run_id: str, name: str) -> str:
    """An output's path with ``{run-id}`` and ``{output-name}`` filled in."""
    return path.replace("{run-id}", run_id).replace("{output-name}", name)


def delivered(event: dict[str, Any]) -> str:
    """One line for an event about a delivered input or output."""
    count = f" {amount(event)}," if "files" in event else ""
    where = f" to {event['to']}," if event.get("to") else ""
    name = event.get("input") or event.get("output")
    return f"{name}: {event['how']}{where}{count} in {event['seconds']:.1f} s"


def amount(facts: dict[str, Any]) -> str:
    """``files`` and ``bytes`` of ``facts`` as text."""
    plural = "" if facts["files"] == 1 else "s"
    return f"{facts['files']:,} file{plural}, {facts['bytes']:,} bytes"


def _every(job: JobSpec) -> list[dict[str, Any]]:
    return [*(job.data.get("inputs") or ()), *(job.data.get("outputs") or ())]


def _content(wanted: dict[str, Any]) -> str:
    pin = wanted.get("dataset")
    if not pin:
        return str(wanted.get("what") or f"{wanted['path']} of {wanted['datastore']}")
    if wanted["kind"] == "reference":
        named = f"{wanted['path'] or 'all'} of {wanted['datastore']}"
    elif pin.get("name"):
        named = f"{pin['name']}, version {pin['version']}"
    else:
        named = "an unregistered dataset"
    return f"{named} ({amount(pin)}, {pin['manifest'][:12]})"
