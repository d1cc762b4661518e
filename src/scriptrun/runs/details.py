"""A run's details, with SDK v1's keys, and its logs."""

from __future__ import annotations

import re
from pathlib import Path

from scriptrun.registry import compute_targets
from scriptrun.runs import run_datasets, service_facts
from scriptrun.runtime import files
from scriptrun.spec import ids
from scriptrun.spec.later import later
from scriptrun.spec.run_kinds import SERVICE
from scriptrun.tracking import artifacts, events, run_folder, run_marks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from scriptrun.core.run import Run
    from scriptrun.data.datastores import classes as datastore_classes
    from scriptrun.data.datastores import records as datastore_records
    from scriptrun.data.datastores import references
    from scriptrun.runs.failed_log import FailedLog
    from scriptrun.runtime.hints import Json
    from scriptrun.spec.job import JobSpec
    from scriptrun.tracking.run_state import RunState

    class PrettyPrinter(Protocol):
        """What IPython hands to ``_repr_pretty_``."""

        def text(self, text: str, /) -> None:
            """Print ``text``."""
            ...

else:
    datastore_classes = later("scriptrun.data.datastores.classes")
    datastore_records = later("scriptrun.data.datastores.records")
    references = later("scriptrun.data.datastores.references")

_LOGS = ("user_logs/", "system_logs/", "logs/")


def log_files(run: Run) -> dict[str, str]:
    """The paths of the run's log files, by name."""
    paths = {}
    for name in artifacts.names(run.path):
        path = artifacts.path_of(run.path, name) if name.startswith(_LOGS) else None
        if path is not None:
            paths[name] = str(path)
    return paths


class Definition(dict[str, "Any"]):
    """A run definition that also accepts earlier key names of SDK v1 (``Arguments``)."""

    def __missing__(self, name: str) -> Any:
        lower_name = name[:1].lower() + name[1:]
        if lower_name == name:
            raise KeyError(name)
        return self[lower_name]


def details(run: Run) -> Json:
    """The value of ``Run.get_details``."""
    job, status = run.known_job, run.standing
    all_events = events.read(run.path)
    facts = events.collect_facts(all_events)
    result: Json = {
        "runId": run.id,
        "target": job.target.name,
        "targetOptions": dict(job.target.run_options),
        "status": status.state,
        "createdTimeUtc": job.created,
        "startTimeUtc": _utc(status.began),
        "endTimeUtc": _utc(status.ended),
        "services": {},
        "properties": run.get_properties(),
        "inputDatasets": run_datasets.inputs(run, all_events),
        "outputDatasets": run_datasets.outputs(run),
        "data": [ids.with_iso_times(event, "t") for event in all_events if event["kind"] == "data"],
        "runDefinition": Definition(job.run_definition),
        "logFiles": log_files(run),
        "submittedBy": job.submitted_by.get("user", ""),
        "displayName": run.display_name,
        "shortName": run.short_name,
        "tags": run.get_tags(),
        "warnings": [
            warning["message"] for warning in facts.messages if warning["kind"] == "warning"
        ],
        "notes": [note["message"] for note in facts.messages if note["kind"] == "note"],
        "note": facts.description,
        **{name: _utc(facts.marks.get(name)) for name in run_marks.NAMES},
        "environment": facts.environment and ids.with_iso_times(facts.environment, "t"),
        "snapshotId": job.snapshot,
        "folder": str(run.path),
        "exitCode": status.exit_code,
        "attempts": len(run_folder.attempts(run.path)),
        "jobIds": compute_targets.engine_of(job.target).job_ids(run.path),
        "nodes": run_folder.node_names(run.path, all_events),
        "times": _times(run, job, all_events, status),
    }
    if status.reason:
        result["reason"] = status.reason
    if job.kind == SERVICE:
        result["service"] = service_facts.read(str(run.path), job, status).as_dict()
    return result if status.state != "Failed" else {**result, **_failure(run, status)}


def _failure(run: Run, status: RunState) -> Json:
    from scriptrun.runs import failed_log  # loaded only for runs that failed

    log = failed_log.read(run)
    error = {"code": "UserError", "message": _error(status.reason, log)}
    return {"error": {"error": error}, "lastLines": list(log.lines)}


def _times(run: Run, job: JobSpec, all_events: list[Json], status: RunState) -> list[Json]:
    from scriptrun.runs import phases  # starting a run needs none of it

    attempts = phases.attempts(run.path, job, all_events, status)
    return [attempt.as_dict() for attempt in attempts]


def _error(reason: str, log: FailedLog) -> str:
    """The reason, with the exception that ends the log where an older record lacks it."""
    last = log.lines[-1] if log.lines else ""
    is_missing = re.match(r"(\w+\.)*\w+(Error|Exception)\b", last) and last not in reason
    return f"{reason}: {last}" if is_missing else reason


def with_logs(run: Run) -> Json:
    """The value of ``Run.get_details_with_logs``."""
    result = details(run)
    result["logFiles"] = {
        name: (files.read_bytes(path) or b"").decode("utf-8", "replace")
        for name, path in result["logFiles"].items()
    }
    return result


def copy_logs(run: Run, destination: str | None) -> list[str]:
    """Copy the logs for ``Run.get_all_logs``; return the paths of the copies."""
    target = Path(destination or ".")
    return [str(artifacts.download(run.path, name, target / name)) for name in log_files(run)]


def _utc(seconds: float | None) -> str | None:
    """ISO 8601 in UTC, or None."""
    return None if seconds is None else ids.utc(seconds)


def shown_name(run: Run) -> str:
    """The run's display name, if one was given, else its short name: either finds it."""
    name = str(run.display_name)
    return run.short_name if name == run.id else name


def title(run: Run) -> str:
    """The run's name, with its ID in parentheses."""
    return f"{shown_name(run)} ({run.id})"


def as_line(run: Run) -> str:
    """The run in one line, for ``repr``."""
    status = run.standing
    reason = f", Reason: {status.reason}" if status.reason else ""
    return f"Run(Experiment: {run.job.experiment}, Id: {run.id}, Status: {status.state}{reason})"


def as_html(run: Run) -> str:
    """The run as a small HTML table for notebooks."""
    from html import escape

    rows = _summary(run)
    head = "".join(f"<th>{escape(name)}</th>" for name in rows)
    cells = "".join(f"<td>{escape(value)}</td>" for value in rows.values())
    return f"<table><tr>{head}</tr><tr>{cells}</tr></table>"


def as_text(run: Run) -> str:
    """The run as lines of text, for notebooks that show no HTML."""
    rows = _summary(run)
    rows["Metrics"] = ", ".join(f"{name} {value}" for name, value in latest_metrics(run).items())
    return as_lines({name: value for name, value in rows.items() if value})


def as_lines(rows: dict[str, str]) -> str:
    """Names and values, aligned, one per line."""
    width = max(map(len, rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def latest_metrics(run: Run) -> dict[str, str]:
    """The latest value of each metric of the run, as text."""
    return {name: format_latest(value) for name, value in run.get_metrics().items()}


def format_latest(value: object) -> str:
    """A metric's value, or the last of a series, as short text."""
    latest = value[-1] if isinstance(value, list) and value else value
    return f"{latest:.6g}" if isinstance(latest, float) else str(latest)[:80]


def _summary(run: Run) -> dict[str, str]:
    status = run.standing
    rows = {
        "Experiment": run.job.experiment,
        "Id": run.id,
        "Name": shown_name(run),
        "Status": status.state,
    }
    rows |= {"Reason": str(status.reason)} if status.reason else {}
    return rows | {"Folder": str(run.path)}


def outputs_of(run: Run) -> references.DataPath:
    """The folder ``outputs`` of ``run`` as a data path."""
    store = datastore_classes.get(run.workspace, datastore_records.RUNS)
    folder = run.path.relative_to(run.workspace.directory / "runs")
    return references.DataPath(store, (folder / "outputs").as_posix())
