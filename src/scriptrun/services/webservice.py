"""Webservice: a deployed service, with the SDK v1's members."""

from __future__ import annotations

import builtins
import datetime
from collections.abc import Iterable, Mapping

from scriptrun.config.services.deployment import (
    ACI,
    AKS,
    LOCAL,
    AciServiceDeploymentConfiguration,
    AksServiceDeploymentConfiguration,
    LocalWebserviceDeploymentConfiguration,
)
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.services import changes, client, details, logs, rollout, service_keys, status
from scriptrun.services.metadata import ServiceMetadata
from scriptrun.services.old_deployments import OldDeployments, new_image, of_image
from scriptrun.services.request import ServiceRequest
from scriptrun.services.status import ServiceState
from scriptrun.spec.absent import absent
from scriptrun.spec.errors import WebserviceException
from scriptrun.spec.run_kinds import handler
from scriptrun.store import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from scriptrun.config.services.deployment import WebserviceDeploymentConfiguration
    from scriptrun.config.services.inference_config import InferenceConfig
    from scriptrun.core.model_metadata import Criteria
    from scriptrun.runtime.hints import Json
    from scriptrun.services.old_deployments import OldImage


class Webservice(ServiceMetadata, OldDeployments):
    """The service ``name`` of ``workspace``: an AciWebservice, AksWebservice or LocalWebservice.

    All of them run on this machine, or where ``deployment_target`` says. Attributes are as of now:
    each look reads the workspace. Raises WebserviceException if there is no such service.
    """

    def __new__(cls, workspace: Workspace, name: str, **kwargs: object) -> Webservice:
        """An object of the class that the service was deployed with."""
        if cls is Webservice:
            cls = _class_of(registry.get(workspace, name))  # noqa: PLW0642
        return super().__new__(cls)

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._open(workspace, registry.get(workspace, name))

    def _open(self, workspace: Workspace, record: ServiceRecord) -> None:
        self.workspace = Workspace(workspace.root)
        self.name = record.name
        self._record = record
        self._awaited = record.newest

    @staticmethod
    def of_record(workspace: Workspace, record: ServiceRecord) -> Webservice:
        """The service that ``record`` describes."""
        service = object.__new__(_class_of(record))
        service._open(workspace, record)
        return service

    @staticmethod
    def list(  # the SDK's name for it
        workspace: Workspace,
        compute_type: str | None = None,
        image_name: str | None = None,
        image_id: str | None = None,
        model_name: str | None = None,
        model_id: str | None = None,
        tags: Criteria = None,
        properties: Criteria = None,
        image_digest: str | None = None,
    ) -> builtins.list[Webservice]:
        """The workspace's services by name, those that fit; no image has been made for them.

        ``tags`` and ``properties``: names that a service must have, or (name, value) pairs, or a
        dict. ``model_id`` is ``name:version``.
        """
        wanted = details.Wanted(compute_type, model_name, model_id, tags, properties)
        found = records.readable(
            registry.names(workspace), lambda name: rollout.look(workspace, name)
        )
        return [
            Webservice.of_record(workspace, record)
            for record in found
            if record is not None and wanted.fits(record)
        ]

    def _refresh(self) -> ServiceRecord:
        """The record as it is now."""
        record = rollout.look(self.workspace, self.name)
        self._record = record or registry.get(self.workspace, self.name)
        return self._record

    @property
    def health(self) -> ServiceState:
        """The state with its reason, host and port: of the run that starts, if one does."""
        return status.of_run(self.workspace, self._refresh().newest)

    @property
    def state(self) -> str:
        """Transitioning (it starts), Healthy, Unhealthy, Failed or Stopped."""
        return self.health.state

    @property
    def error(self) -> str | None:
        """Why the latest deployment failed, or why the service does not answer; else None."""
        health = self.health
        if self._record.failure:
            return str(self._record.failure.get("reason"))
        return None if health.state in (status.HEALTHY, status.TRANSITIONING) else health.reason

    @property
    def failure(self) -> Json | None:
        """Why the latest deployment did not replace the run before it (``run``, ``reason``)."""
        return self._refresh().failure

    @property
    def run_id(self) -> str:
        """The ID of the run that serves; that of the first one while it starts."""
        record = self._refresh()
        return record.run or record.newest

    @property
    def current_run(self) -> Run:
        """The run that serves; that which starts, if none serves yet."""
        return Run.get(self.workspace, self.run_id)

    @property
    def newest_run(self) -> Run:
        """The run that was started last."""
        return Run.get(self.workspace, self._refresh().newest)

    @property
    def base_url(self) -> str | None:
        """The address of the service, e.g. ``http://127.0.0.1:8890``; None before it listens."""
        return status.of_run(self.workspace, self.run_id, probe=False).url

    @property
    def scoring_uri(self) -> str | None:
        """The URL to post requests to; None before the service listens."""
        url = self.base_url
        return None if url is None else f"{url}/score"

    @property
    def swagger_uri(self) -> str | None:
        """The URL of the service's OpenAPI description; None before it listens."""
        url = self.base_url
        return None if url is None else f"{url}/swagger.json"

    def wait_for_deployment(
        self, show_output: bool = False, timeout_sec: float | None = None
    ) -> None:
        """Wait until the service answers; ``show_output`` prints its log.

        Raises WebserviceException, with the end of the log, if the service fails, or is not healthy
        after ``timeout_sec`` seconds (default: no limit, but the service's own for ``init()``).
        """
        logs.Waiter(self.workspace, self.name, self._awaited, show_output).wait(timeout_sec)
        self._refresh()

    def run(self, input_data: object) -> Any:
        """Post ``input_data``, JSON as text or bytes, and return the parsed answer.

        Raises WebserviceException, with the status and the text, for any other answer.
        """
        run_id = self.run_id
        found = status.of_run(self.workspace, run_id, probe=False)
        if found.url is None or found.has_ended:
            raise WebserviceException(
                f"Service {self.name!r} does not answer: it is {found.state}.",
                hint=f"{found.reason or 'Wait for it'}: see wait_for_deployment and get_logs.",
            )
        keys = registry.keys(self.workspace, self.name, run_id) if self.auth_enabled else None
        limit = self.request.timeout_seconds
        timeout = None if limit is None else limit + client.EXTRA_SECONDS
        url = f"{found.url}/score"
        return client.call(self.name, url, input_data, keys[0] if keys else None, timeout)

    def get_logs(self, num_lines: int = 5000, init: bool = False) -> str:
        """The last ``num_lines`` lines of the log of the run that was started last."""
        return logs.last_lines(self.workspace, self._refresh().newest, num_lines)

    def get_keys(self) -> tuple[str, str]:
        """The primary and the secondary key. Raises WebserviceException if callers need none."""
        return service_keys.get(self)

    def regen_key(self, key: str, set_key: str | None = None) -> None:
        """Replace the ``"Primary"`` or ``"Secondary"`` key by a new one, or by ``set_key``.

        If the keys are lost, both are new. The service is restarted with them, without an
        interruption; this waits for that. A stopped service stays stopped.
        """
        self._awaited = service_keys.renew(self, key, set_key)

    def get_token(self) -> tuple[str, datetime.datetime]:
        """A token for callers, and when to ask for the next: the primary key, which stays valid."""
        token = self.get_access_token()
        assert token.refresh_after is not None
        return token.access_token, token.refresh_after

    def get_access_token(self) -> client.AccessToken:
        """As ``get_token``, with all that v1's tokens have."""
        if not self.request.settings.get("token_auth_enabled"):
            raise WebserviceException(
                f"Service {self.name!r} does not use tokens.",
                hint="Use get_keys(), or deploy it with token_auth_enabled=True.",
            )
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=365)
        return client.AccessToken(self.get_keys()[0], "Bearer", later, later)

    def delete(self) -> None:
        """Stop the service and remove it with its keys. Its runs stay in the list."""
        rollout.remove(self.workspace, self.name)

    def stop(self) -> None:
        """Stop the service and wait until it has ended; ``start`` starts it again."""
        rollout.stop(self.workspace, self.name)

    def start(self) -> bool:
        """Start the service again, if it has ended, as it was; returns whether it had."""
        is_new = rollout.start(self.workspace, self.name)
        self._awaited = self._refresh().newest
        return is_new

    def restart(self) -> None:
        """Replace the running service by a new process with the same files, without a gap."""
        self._restart(self.request)

    def _restart(self, request: ServiceRequest) -> None:
        rollout.restart(self.workspace, self._refresh(), request)
        self._awaited = self._refresh().newest

    def reload(self, wait: bool = False) -> None:
        """Take the source directory again, and replace the service by that once it answers."""
        changes.redeploy(self.workspace, self.request, self._refresh())
        self._awaited = self._refresh().newest
        if wait:
            self.wait_for_deployment()

    def _update(
        self,
        models: Iterable[object] | None,
        inference_config: InferenceConfig | None,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        **settings: object,
    ) -> None:
        """Change what is given. Only tags, properties and the description need no new process."""
        changes.update(
            self.workspace, self._refresh(), models, inference_config, deployment_config, settings
        )
        self._awaited = self._refresh().newest

    def serialize(self) -> Json:
        """The service as a JSON value, with v1's keys; it holds no key."""
        return details.serialized(self)

    @staticmethod
    def deserialize(workspace: Workspace, webservice_payload: Mapping[str, object]) -> Webservice:
        """The service that ``serialize`` returned."""
        return Webservice(workspace, str(webservice_payload["name"]))

    def __repr__(self) -> str:
        try:
            state, uri = self.state, self.scoring_uri
        except WebserviceException:
            state, uri = LocalWebservice.STATE_DELETED, None
        return (
            f"{type(self).__name__}(workspace={self.workspace!r}, name={self.name}, "
            f"compute_type={self.compute_type}, state={state}, "
            f"scoring_uri={uri}, tags={self.tags}, properties={self.properties})"
        )


class AciWebservice(Webservice):
    """A service deployed with ``AciWebservice.deploy_configuration``."""

    deploy_configuration = AciServiceDeploymentConfiguration

    def update(
        self,
        image: OldImage | None = None,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        description: str | None = None,
        auth_enabled: bool | None = None,
        ssl_enabled: bool | None = None,
        ssl_cert_pem_file: str | None = None,
        ssl_key_pem_file: str | None = None,
        ssl_cname: str | None = None,
        enable_app_insights: bool | None = None,
        models: Iterable[object] | None = None,
        inference_config: InferenceConfig | None = None,
    ) -> None:
        """Change what is given: ``tags`` replace the old ones, ``properties`` are added.

        An ``image`` of before 2019 brings its files and models. Models, inference configuration and
        auth take effect in a new process, which replaces the running one once it answers. Returns
        at once: use ``wait_for_deployment``.
        """
        models, inference_config = of_image(image, models, inference_config)
        self._update(models, inference_config, **changes.settings(locals()))


@absent("create_version update_version delete_version", "Deploy each version as another service.")
class AksWebservice(Webservice):
    """A service deployed with ``AksWebservice.deploy_configuration``."""

    deploy_configuration: ClassVar[type[AksServiceDeploymentConfiguration]] = (
        AksServiceDeploymentConfiguration
    )

    def update(
        self,
        image: OldImage | None = None,
        autoscale_enabled: bool | None = None,
        autoscale_min_replicas: int | None = None,
        autoscale_max_replicas: int | None = None,
        autoscale_refresh_seconds: int | None = None,
        autoscale_target_utilization: int | None = None,
        collect_model_data: bool | None = None,
        auth_enabled: bool | None = None,
        cpu_cores: float | None = None,
        memory_gb: float | None = None,
        enable_app_insights: bool | None = None,
        scoring_timeout_ms: int | None = None,
        replica_max_concurrent_requests: int | None = None,
        max_request_wait_time: int | None = None,
        num_replicas: int | None = None,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        description: str | None = None,
        models: Iterable[object] | None = None,
        inference_config: InferenceConfig | None = None,
        gpu_cores: int | None = None,
        period_seconds: int | None = None,
        initial_delay_seconds: int | None = None,
        timeout_seconds: int | None = None,
        success_threshold: int | None = None,
        failure_threshold: int | None = None,
        namespace: str | None = None,
        token_auth_enabled: bool | None = None,
        cpu_cores_limit: float | None = None,
        memory_gb_limit: float | None = None,
        **kwargs: object,
    ) -> None:
        """Change what is given: ``tags`` replace the old ones, ``properties`` are added.

        Everything else takes effect in a new process, which replaces the running one once it
        answers. Returns at once: use ``wait_for_deployment``.
        """
        models, inference_config = of_image(image, models, inference_config)
        self._update(models, inference_config, **changes.settings(locals()))


class LocalWebservice(Webservice):
    """A service deployed with ``LocalWebservice.deploy_configuration``.

    Its states are those of the SDK v1's local services: deploying, running, failed, stopped and,
    where too few workers answer, unknown.
    """

    STATE_DEPLOYING = "deploying"
    STATE_RUNNING = "running"
    STATE_FAILED = "failed"
    STATE_DELETED = "deleted"
    STATE_UNKNOWN = "unknown"
    NETWORK_NAME = "azureml-local"
    deploy_configuration = LocalWebserviceDeploymentConfiguration

    def __init__(self, workspace: Workspace, name: str, must_exist: bool = True) -> None:
        record = registry.read(workspace, name)
        if record is None and must_exist:
            registry.get(workspace, name)  # raises
        self._open(workspace, record or ServiceRecord(name, ServiceRequest(name).to_json()))

    @staticmethod
    def list(  # type: ignore[override]  # v1 has other parameters here
        workspace: Workspace,
        model_name: str | None = None,
        model_id: str | None = None,
        all: bool | None = None,
    ) -> builtins.list[Webservice]:
        """The workspace's local services by name, those that fit."""
        return Webservice.list(workspace, LOCAL, model_name=model_name, model_id=model_id)

    @property
    def state(self) -> str:
        """The state, in the words of local services."""
        if registry.read(self.workspace, self.name) is None:
            return self.STATE_DELETED
        return _LOCAL_STATES.get(super().state, self.STATE_UNKNOWN)

    @property
    def port(self) -> int | None:
        """The port on which it listens; None before that."""
        return status.of_run(self.workspace, self.run_id, probe=False).port

    def run(self, input_data: object) -> Any:
        """As ``Webservice.run``; after ``update`` and ``reload``, it waits for the new process."""
        record = self._refresh()
        if record.run is not None and record.next == self._awaited:
            self.wait_for_deployment()
        return super().run(input_data)

    def update(
        self,
        models: Iterable[object] | None = None,
        image_config: object = None,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        wait: bool = False,
        inference_config: InferenceConfig | None = None,
    ) -> None:
        """Change what is given; a new process replaces the running one once it answers."""
        if image_config is not None and inference_config is None:
            image = new_image(self.workspace, self.name, models or self.models, image_config)
            models, inference_config = of_image(image, models, None)
        self._update(models, inference_config, deployment_config)
        if wait:
            self.wait_for_deployment()

    def deploy_to_cloud(
        self,
        name: str | None = None,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        deployment_target: object = None,
    ) -> Webservice:
        """Deploy the same models and entry script as another service, on this machine too."""
        copy: Webservice = handler("scriptrun.services.deploy:deploy_copy")(
            self, name, deployment_config, deployment_target
        )
        return copy

    def update_deployment_state(self, must_exist: bool = False) -> None:
        """Do nothing, but raise WebserviceException if the service must exist and does not."""
        if must_exist:
            registry.get(self.workspace, self.name)

    def delete(
        self, delete_cache: bool = True, delete_image: bool = False, delete_volume: bool = True
    ) -> None:
        """Stop the service and remove it with its keys. Its runs stay in the list."""
        super().delete()

    def get_logs(self, num_lines: int = 5000, raw: bool = False) -> str:
        """The last ``num_lines`` lines of the log of the run that was started last."""
        return super().get_logs(num_lines)


_LOCAL_STATES = {
    status.TRANSITIONING: LocalWebservice.STATE_DEPLOYING,
    status.HEALTHY: LocalWebservice.STATE_RUNNING,
    status.FAILED: LocalWebservice.STATE_FAILED,
    status.STOPPED: "stopped",
}
_CLASSES: Mapping[str, type[Webservice]] = {
    LOCAL: LocalWebservice,
    ACI: AciWebservice,
    AKS: AksWebservice,
}

#: settings of AksEndpoint.deploy_configuration that AksWebservice has not
_ENDPOINT_SETTINGS = ("version_name", "traffic_percentile")


def _class_of(record: ServiceRecord) -> type[Webservice]:
    settings = record.request.get("settings") or {}
    if record.compute_type == AKS and not settings.keys().isdisjoint(_ENDPOINT_SETTINGS):
        endpoint: type[Webservice] = handler("scriptrun.dropin.azureml.endpoints:AksEndpoint")
        return endpoint
    return _CLASSES.get(record.compute_type, LocalWebservice)
