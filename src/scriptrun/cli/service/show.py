"""``scriptrun service list`` and ``show``."""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments
from scriptrun.cli.service import view
from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.services.webservice import Webservice
from scriptrun.spec.control_characters import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult
    from scriptrun.runtime.hints import Json

_HEADS = ("NAME", "STATE", "URL", "MODELS", "WORKERS", "UPDATED")


def list_all(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """All services of the workspace."""
    services = Webservice.list(workspace)
    records = [view.record_of(service) for service in services]
    if not records:
        return {"services": []}, "No services. To start one, run: scriptrun serve MODEL"
    rows = [
        _row(record, service.updated_time.timestamp())
        for record, service in zip(records, services, strict=True)
    ]
    droppable = ("WORKERS", "UPDATED", "MODELS")
    return {"services": records}, lambda: output.print_table(_HEADS, rows, ("URL",), droppable)


def _row(record: Json, updated: float) -> tuple[str, ...]:
    is_up = record["workers"] is not None and record["state"] in ("Healthy", "Unhealthy")
    return (
        record["name"],
        record["state"],
        record["url"] or "",
        ", ".join(record["models"]),
        str(record["workers"]) if is_up else "",
        output.ago(updated),
    )


def show(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """One service: its state, address, models and settings."""
    service = Webservice(workspace, args.name)
    record = view.record_of(service)
    return record, lambda: output.print_facts(_facts(service, record))


def _facts(service: Webservice, record: Json) -> list[tuple[str, str]]:
    request = service.request
    state = f"{record['state']}: {record['reason']}" if record["reason"] else record["state"]
    seconds = request.timeout_seconds
    workers = f"{request.workers}, {record['restarts'] or 0} of {request.restarts} restarts used"
    return [
        ("name", record["name"]),
        ("state", one_line(state)),
        ("failed update", one_line(record["failed_update"] or "")),
        ("url", record["url"] or ""),
        ("models", "\n".join(record["models"])),
        ("entry script", record["entry"] or ""),
        ("source directory", request.source_directory or ""),
        ("run", common_arguments.title_of(service.workspace, record["run"] or "")),
        ("workers", workers),
        ("callers", "send a key" if service.auth_enabled else "need no key"),
        ("origins", ", ".join(request.allowed_origins)),
        ("timeout", output.duration(seconds) if seconds else "none"),
        ("largest request", output.size(request.body_limit)),
        ("description", service.description),
        ("tags", one_line(", ".join(f"{k}={v}" for k, v in service.tags.items()))),
        ("deployed", f"{service.created_time:%Y-%m-%d %H:%M:%S} UTC"),
        ("updated", f"{service.updated_time:%Y-%m-%d %H:%M:%S} UTC"),
    ]
