"""What the workspace's services need: their runs, and the models that they serve."""

from __future__ import annotations

from collections.abc import Iterator

from scriptrun.registry import services
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime.serving import order as service_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json


def services_by_run(workspace: WorkspaceFiles) -> dict[str, str]:
    """The name of the service that each run serves, or starts to serve, by the run's ID.

    Raises DamagedRecord if a service's record cannot be read: it may need any run.
    """
    return {
        run_id: record.name
        for record in _records(workspace)
        for run_id in (record.run, record.next)
        if run_id
    }


def services_by_model(workspace: WorkspaceFiles) -> dict[tuple[str, int], list[str]]:
    """The names of the services of each model, by the model's name and version.

    A service that was stopped counts: it can be started again. Raises DamagedRecord.
    """
    found: dict[tuple[str, int], list[str]] = {}
    for record in _records(workspace):
        models = [
            *_models(workspace, record.request, record.run),
            *_models(workspace, record.next_request, record.next),
        ]
        for model in dict.fromkeys(models):
            found.setdefault(model, []).append(record.name)
    return found


def _records(workspace: WorkspaceFiles) -> Iterator[ServiceRecord]:
    for name in services.names(workspace):
        record = services.read(workspace, name)
        if record is not None:  # else it was removed meanwhile
            yield record


def _models(
    workspace: WorkspaceFiles, request: Json | None, run_id: str | None
) -> Iterator[tuple[str, int]]:
    """The registered models of a service's request; the latest version is that of its run."""
    for model in (request or {}).get("models") or ():
        name, version = model.get("name"), model.get("version")
        if version is None and model.get("path") is None:
            version = _served_versions(workspace, run_id).get(str(name))
        if isinstance(name, str) and isinstance(version, int):
            yield name, version


def _served_versions(workspace: WorkspaceFiles, run_id: str | None) -> Json:
    """The version of each model that a run serves, by the model's name."""
    folder = workspace.find_run(run_id) if run_id else None
    if folder is None:
        return {}
    try:
        models = service_order.read(str(folder)).models
    except (OSError, ValueError):
        return {}
    return {str(model.get("name")): model.get("version") for model in models}
