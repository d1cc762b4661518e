"""Deploy services: what ``Model.deploy`` and ``scriptrun serve`` call."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

from scriptrun.config.services.deployment import (
    AciServiceDeploymentConfiguration,
    AksServiceDeploymentConfiguration,
    WebserviceDeploymentConfiguration,
)
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.registry import compute_targets
from scriptrun.registry import environments as environment_registry
from scriptrun.registry import services as registry
from scriptrun.runtime.serving import order as service_order
from scriptrun.services import rollout
from scriptrun.services.prepare import prepare, refuse
from scriptrun.services.request import ServedModel, ServiceRequest
from scriptrun.services.webservice import Webservice
from scriptrun.spec.control_characters import escape
from scriptrun.spec.errors import WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def deploy(workspace: Workspace, request: ServiceRequest, overwrite: bool = False) -> Webservice:
    """Start the service and return it at once.

    With ``overwrite``, a service of that name is replaced once the new one answers; if the new one
    fails, the old one goes on. Raises WebserviceException with all problems, or if the name is
    taken.
    """
    existing = rollout.advance(workspace, request.name)
    if existing is not None and not overwrite:
        raise rollout.taken(request.name)
    prepared = prepare(workspace, request, existing)
    rollout.begin(workspace, prepared, existing)
    environment_registry.remember(workspace, prepared.environment)
    for message in prepared.warnings:
        warnings.warn(escape(message), stacklevel=2)
    return Webservice.of_record(workspace, registry.get(workspace, request.name))


def run_test(workspace: Workspace, request: ServiceRequest) -> Run:
    """Start a run that answers the one request ``request.test``, and ends; it is not a service."""
    prepared = prepare(workspace, request)
    return Run.at(workspace, rollout.submit(workspace, prepared))


def deploy_model(
    workspace: Workspace,
    name: str,
    models: Iterable[object] | None,
    inference_config: InferenceConfig | None = None,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    deployment_target: object = None,
    overwrite: bool = False,
    show_output: bool = False,
) -> Webservice:
    """Deploy as the SDK v1's ``Model.deploy``: see there."""
    request = request_of(
        workspace, name, models, inference_config, deployment_config, deployment_target
    )
    service = deploy(workspace, request, overwrite)
    if show_output:
        service.wait_for_deployment(show_output=True)
    return service


def request_of(
    workspace: Workspace,
    name: str,
    models: Iterable[object] | None,
    inference_config: InferenceConfig | None = None,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    deployment_target: object = None,
) -> ServiceRequest:
    """What the SDK v1's objects ask for. Raises WebserviceException with all problems."""
    config = deployment_config or AciServiceDeploymentConfiguration()
    inference = inference_config or InferenceConfig()
    problems = [*config.problems(), *inference.problems()]
    served = [model for given in models or () if (model := _served(given, problems))]
    refuse(problems, name)
    keys = _keys(config)
    return ServiceRequest(
        name=name,
        models=tuple(served),
        source_directory=_text(inference.source_directory),
        entry_script=_text(inference.entry_script),
        environment=inference.chosen_environment(),
        auth=service_order.KEY if config.has_auth else service_order.OPEN,
        keys=keys if config.has_auth else None,
        compute_target=_target(workspace, deployment_target),
        description=config.description or inference.description or "",
        tags=_texts(config.tags),
        properties=_texts(config.properties),
        settings=config.unused(),
        **_deployment(config),
    )


def _deployment(config: WebserviceDeploymentConfiguration) -> dict[str, Any]:
    """The fields of the request that depend on the kind of deployment."""
    fields: dict[str, Any] = {"compute_type": config.compute_type}
    if isinstance(config, AksServiceDeploymentConfiguration):
        timeout = config.scoring_timeout_ms
        fields.update(
            workers=config.replicas,
            gpus=int(config.gpu_cores or 0),
            timeout_seconds=60.0 if timeout is None else timeout / 1000,
        )
    elif hasattr(config, "port"):
        fields["port"] = config.port
    return fields


def _keys(config: WebserviceDeploymentConfiguration) -> tuple[str, str] | None:
    primary, secondary = config.primary_key, config.secondary_key
    if not primary and not secondary:
        return None
    return str(primary or registry.new_key()), str(secondary or registry.new_key())


def _served(model: object, problems: list[str]) -> ServedModel | None:
    """A Model, a registered model's ``name`` or ``name:version``, or a local path."""
    version, name = getattr(model, "version", None), getattr(model, "name", None)
    if isinstance(name, str) and isinstance(version, int):
        framework = getattr(model, "model_framework", None)
        return ServedModel(name, version, framework=framework)
    problems.append(f"{model!r} is not a model; give models of this workspace")
    return None


def _target(workspace: Workspace, target: object) -> object:
    """The target if this workspace knows it; None for a cluster of Azure."""
    name = target if isinstance(target, str) else getattr(target, "name", None)
    if isinstance(name, str) and compute_targets.is_known(workspace, name):
        return name
    return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _texts(values: Mapping[str, object] | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in (values or {}).items()}


__all__ = ["WebserviceException", "deploy", "deploy_model", "request_of", "run_test"]
