"""Deploy services: what ``Model.deploy`` and ``scriptrun serve`` call."""

from __future__ import annotations

from collections.abc import Iterable

from scriptrun.config.services.deployment import WebserviceDeploymentConfiguration
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.registry import services as registry
from scriptrun.services import changes, rollout, sdk_request
from scriptrun.services.prepare import prepare
from scriptrun.services.request import ServiceRequest
from scriptrun.services.webservice import Webservice
from scriptrun.spec.environment import EXACT

#: how often a service is replaced that others deploy or remove at the same time
_ATTEMPTS = 10


def deploy(workspace: Workspace, request: ServiceRequest, overwrite: bool = False) -> Webservice:
    """Start the service and return its Webservice at once.

    With ``overwrite``, a service of that name is replaced once the new one answers; if the new one
    fails, the old one keeps running. Raises WebserviceException with all problems, or if the name
    is taken.
    """
    for attempt in range(_ATTEMPTS):
        existing = rollout.advance(workspace, request.name)
        if existing is not None and not overwrite:
            raise rollout.taken(request.name)
        try:
            changes.redeploy(workspace, request, existing)
            break
        except (rollout.NameTaken, registry.ServiceMissing):  # deployed or removed meanwhile
            if not overwrite or attempt == _ATTEMPTS - 1:
                raise
    return Webservice.of_record(workspace, registry.get(workspace, request.name))


def run_test(workspace: Workspace, request: ServiceRequest) -> Run:
    """Start a run that answers the one request ``request.test``, and ends; it is not a service.

    Raises WebserviceException with all problems.
    """
    prepared = prepare(workspace, request)
    return Run.at(workspace, rollout.submit(workspace, prepared))


def answer_once(
    workspace: Workspace,
    name: str,
    models: Iterable[object],
    inference_config: InferenceConfig,
    text: str,
) -> Run:
    """Start a run that answers one request with the SDK v1's objects: see ``run_test``."""
    request = sdk_request.request_of(workspace, name, models, inference_config)
    return run_test(workspace, request.replace(test=text))


def deploy_model(
    workspace: Workspace,
    name: str,
    models: Iterable[object] | None,
    inference_config: InferenceConfig | None = None,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    deployment_target: object = None,
    overwrite: bool = False,
    show_output: bool = False,
    pins: str = EXACT,
) -> Webservice:
    """Deploy as the SDK v1's ``Model.deploy``: see there."""
    request = sdk_request.request_of(
        workspace, name, models, inference_config, deployment_config, deployment_target
    )
    service = deploy(workspace, request.replace(pins=pins), overwrite)
    if show_output:
        service.wait_for_deployment(show_output=True)
    return service


def deploy_copy(
    service: Webservice,
    name: str | None,
    deployment_config: WebserviceDeploymentConfiguration | None,
    deployment_target: object,
) -> Webservice:
    """Deploy the models and the entry script of ``service`` once more, as ``name``.

    Without a name, the copy replaces the service.
    """
    request = changes.copy_of(
        service.workspace, service.request, name, deployment_config, deployment_target
    )
    return deploy(service.workspace, request, overwrite=request.name == service.name)
