"""Changes of a service: of its metadata at once, else by a new run that replaces the old one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.core import model_metadata
from scriptrun.core.workspace import Workspace
from scriptrun.registry import environments as environment_registry
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime.serving import order as service_order
from scriptrun.services import notices, rollout, sdk_request
from scriptrun.services import request as requests
from scriptrun.services.prepare import prepare, refuse
from scriptrun.services.request import ServiceRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.config.services.deployment import WebserviceDeploymentConfiguration
    from scriptrun.runtime.hints import Json

#: arguments of ``update`` that have a place of their own
_NO_SETTINGS = ("self", "image", "models", "inference_config", "kwargs", "__class__")


def settings(arguments: Mapping[str, object]) -> Json:
    """The settings among the arguments of ``update``."""
    return {
        name: value
        for name, value in arguments.items()
        if value is not None and name not in _NO_SETTINGS
    }


def redeploy(
    workspace: Workspace, request: ServiceRequest, record: ServiceRecord | None = None
) -> None:
    """Start a new run of the service, from its source directory as it is now.

    It replaces the run of ``record``, if given. Raises WebserviceException with all problems.
    """
    if record is None:
        prepared = prepare(workspace, request)
        rollout.begin(workspace, prepared, None)
    else:
        prepared = rollout.replace(
            workspace, record, lambda current: prepare(workspace, request, current)
        )
    if prepared.environment is not None:
        environment_registry.remember(workspace, prepared.environment)
    notices.warn(prepared.warnings)


def update(
    workspace: Workspace,
    record: ServiceRecord,
    models: Iterable[object] | None = None,
    inference_config: InferenceConfig | None = None,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    given: Mapping[str, object] | None = None,
) -> None:
    """Change what is given; ``given`` are the settings of the SDK v1's ``update``, by name."""
    before = requests.of_record(record)
    request = _with_settings(before, dict(given or {}))
    problems: list[str] = []
    if models is not None:
        request = request.replace(models=sdk_request.served_models(workspace, models, problems))
    for config in (inference_config, deployment_config):
        problems += [] if config is None else config.problems()
    refuse(problems, record.name)
    if deployment_config is not None:
        request = sdk_request.with_deployment(request, deployment_config)
    if inference_config is not None:
        redeploy(workspace, sdk_request.with_inference(request, inference_config), record)
    elif _needs_run(before, request):
        rollout.restart(workspace, record, request)
    else:
        _record_metadata(workspace, record.name, request)


def _with_settings(request: ServiceRequest, given: Json) -> ServiceRequest:
    """``request`` with settings of the SDK v1; those without effect are recorded."""
    fields: Json = {}
    if "description" in given:
        fields["description"] = given.pop("description")
    if "tags" in given:
        fields["tags"] = model_metadata.texts(given.pop("tags"))
    if "properties" in given:
        added = model_metadata.texts(given.pop("properties"))
        fields["properties"] = {**request.properties, **added}
    if "num_replicas" in given:
        fields["workers"] = given["num_replicas"]
    if "scoring_timeout_ms" in given:
        fields["timeout_seconds"] = sdk_request.seconds(given["scoring_timeout_ms"])
    if "gpu_cores" in given:
        fields["gpus"] = given["gpu_cores"]
    if "auth_enabled" in given or given.get("token_auth_enabled"):
        has_auth = given.get("auth_enabled") or given.get("token_auth_enabled")
        fields["auth"] = service_order.KEY if has_auth else service_order.OPEN
    return request.replace(**fields, settings={**request.settings, **given})


def _needs_run(before: ServiceRequest, after: ServiceRequest) -> bool:
    """Whether more than metadata differs."""
    same = {name: getattr(after, name) for name in ("description", "tags", "properties")}
    return before.replace(**same, settings=after.settings) != after


def _record_metadata(workspace: Workspace, name: str, request: ServiceRequest) -> None:
    metadata: Json = {field: getattr(request, field) for field in registry.METADATA}

    def change(record: ServiceRecord) -> ServiceRecord:
        fields: Json = {"request": {**record.request, "settings": request.settings}, **metadata}
        if record.next_request:
            new = {"settings": request.settings, **metadata}
            fields = {**metadata, "next_request": {**record.next_request, **new}}
        return record.replace(**fields)

    registry.change(workspace, name, change)


def copy_of(
    workspace: Workspace,
    request: ServiceRequest,
    name: str | None,
    deployment_config: WebserviceDeploymentConfiguration | None,
    deployment_target: object,
) -> ServiceRequest:
    """The request of a copy of the service, with another name and another configuration."""
    wanted = sdk_request.request_of(
        workspace, name or request.name, (), None, deployment_config, deployment_target
    )
    return wanted.replace(
        models=request.models,
        source_directory=request.source_directory,
        entry_script=request.entry_script,
        environment=request.environment,
        pins=request.pins,
        variables=request.variables,
    )
