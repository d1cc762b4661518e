"""``AksEndpoint``: a service on a cluster with versions. Here, an endpoint has one version."""

from __future__ import annotations

from scriptrun.config.services.deployment import AksServiceDeploymentConfiguration
from scriptrun.spec.absent import absent
from scriptrun.spec.run_kinds import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriptrun.runtime.hints import Json
    from scriptrun.services.webservice import AksWebservice, Webservice
else:
    AksWebservice = handler("scriptrun.services.webservice:AksWebservice")
    Webservice = handler("scriptrun.services.webservice:Webservice")

_VERSIONS = "Deploy each version as another service."


class AksEndpointDeploymentConfiguration(AksServiceDeploymentConfiguration):
    """The settings of the only version of an endpoint: those of a service on a cluster.

    ``version_name`` and ``traffic_percentile`` are recorded, without effect.
    """

    def __init__(
        self,
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
        primary_key: str | None = None,
        secondary_key: str | None = None,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        description: str | None = None,
        gpu_cores: int | None = None,
        period_seconds: int | None = None,
        initial_delay_seconds: int | None = None,
        timeout_seconds: int | None = None,
        success_threshold: int | None = None,
        failure_threshold: int | None = None,
        namespace: str | None = None,
        token_auth_enabled: bool | None = None,
        version_name: str | None = None,
        traffic_percentile: float | None = None,
        compute_target_name: str | None = None,
        cpu_cores_limit: float | None = None,
        memory_gb_limit: float | None = None,
    ) -> None:
        self._set({**locals(), "blobfuse_enabled": None})

    def validate_endpoint_configuration(self) -> None:
        """Raise WebserviceException, with all problems, if a setting is invalid."""
        self.validate_configuration()


@absent("create_version update_version delete_version", _VERSIONS)
class AksEndpoint(AksWebservice):
    """A service on a cluster, deployed with ``AksEndpoint.deploy_configuration``."""

    deploy_configuration = AksEndpointDeploymentConfiguration

    @property
    def versions(self) -> dict[str, AksEndpoint]:
        """The only version, by its name."""
        return {str(self.request.settings.get("version_name") or "default"): self}

    def update(  # type: ignore[override]  # as v1 declares it
        self,
        auth_enabled: bool | None = None,
        token_auth_enabled: bool | None = None,
        enable_app_insights: bool | None = None,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
    ) -> None:
        """Change what is given, as ``AksWebservice.update``."""
        super().update(
            auth_enabled=auth_enabled,
            token_auth_enabled=token_auth_enabled,
            enable_app_insights=enable_app_insights,
            description=description,
            tags=tags,
            properties=properties,
        )

    def serialize(self) -> Json:
        """The service as a JSON value, with v1's keys; it holds no key."""
        return super().serialize()


class UnknownWebservice(Webservice):
    """A service of a type that the SDK v1 does not know; there are none here."""

    def update(self, *args: object) -> None:
        """Raise NotImplementedError: use the class that the service was deployed with."""
        raise NotImplementedError("Use Webservice(workspace, name).update(...).")

    def run(self, input: object) -> object:
        """Post ``input``, JSON as text or bytes, and return the parsed answer."""
        return super().run(input)
