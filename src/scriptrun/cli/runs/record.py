"""Runs as JSON documents: the fields that queries name, in the same words."""

from __future__ import annotations

import time

from scriptrun.core.run import Run
from scriptrun.query import fields
from scriptrun.query.fields import Field
from scriptrun.runs.search import FoundRun, Search
from scriptrun.spec import ids
from scriptrun.tracking import metric_summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriptrun.runtime.hints import Json


def of_found(found: FoundRun) -> Json:
    """A run that a search found: every field, and its folder, tags, parameters and metrics."""
    now = time.time()
    result: Json = {name: _value(found, fields.known(name), now) for name in fields.FIELDS}
    result["submitted"] = found.row.created
    result |= {"folder": found.row.folder, "tags": dict(found.row.tags)}
    for space in (fields.PARAMS, fields.METRICS):
        names: Iterable[str] = getattr(found.named, space)
        result[space] = {name: found.typed(Field(space, name), now) for name in names}
    return result


def _value(found: FoundRun, field: Field, now: float) -> object:
    value = found.value(field, now)
    if field.kind == fields.FLAG:
        return value == "true"
    if isinstance(value, float) and field.kind == fields.TIME:
        return ids.utc(value)
    return value


def of_run(run: Run) -> Json:
    """As ``of_found``, for a run."""
    with Search(run.workspace) as index:
        return of_found(index.run(run.id))


def in_full(run: Run) -> Json:
    """A run with all values of its metrics, its files, and ``Run.get_details``."""
    summaries = metric_summary.summarize(run.path)
    details = run.get_details()
    return {
        **of_run(run),
        "rerun_of": run.known_job.rerun_of,
        "attempts": details["attempts"],
        "times": details["times"],
        "target_options": details["targetOptions"],
        "job_ids": details["jobIds"],
        "nodes": details["nodes"],
        "snapshot": details["snapshotId"],
        "environment": details["environment"],
        "warnings": details["warnings"],
        "notes": details["notes"],
        "last_lines": details.get("lastLines", []),
        "service": details.get("service"),
        "metric_values": Run.get_metrics(run),
        "metric_summaries": {name: item.as_dict() for name, item in summaries.items()},
        "files": run.get_file_names(),
        "details": details,
    }
