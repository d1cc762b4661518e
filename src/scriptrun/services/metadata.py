"""What a service's record says: its request, its metadata, its models."""

from __future__ import annotations

import builtins
import datetime
from collections.abc import Callable, Iterable, Mapping

from scriptrun.config.environments.environment import Environment
from scriptrun.config.services.deployment import AKS
from scriptrun.core import model_metadata
from scriptrun.core.model import Model
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime.serving import order as service_order
from scriptrun.services import request as requests
from scriptrun.services.request import ServiceRequest
from scriptrun.spec.errors import UserErrorException

#: attributes of the SDK v1 that describe Azure's images and clusters
_AZURE_ATTRIBUTES = frozenset(
    [
        "image_digest",
        "operation_endpoint",
        "created_by",
        "location",
        "ssl_enabled",
        "cname",
        "public_ip",
        "public_fqdn",
        "enable_app_insights",
        "container_resource_requirements",
        "autoscaler",
        "num_replicas",
        "scoring_timeout_ms",
        "cpu_cores",
        "memory_gb",
        "deployment_type",
        "replica_max_concurrent_requests",
        "max_request_wait_time",
        "compute_name",
        "namespace",
        "liveness_probe_requirements",
        "data_collection",
        "encryption_properties",
        "vnet_configuration",
    ]
)


def _in_effect(request: ServiceRequest) -> dict[str, object]:
    """The settings of an AksWebservice that have an effect here, by their names in the SDK v1."""
    if request.compute_type != AKS:
        return {}
    seconds = request.timeout_seconds
    timeout = None if seconds is None else round(seconds * 1000)
    return {"num_replicas": request.workers, "scoring_timeout_ms": timeout}


class ServiceMetadata:
    """The attributes of a Webservice that its record holds."""

    workspace: Workspace
    name: str
    _record: ServiceRecord

    @property
    def request(self) -> ServiceRequest:
        """What the service was last deployed with, without keys."""
        return requests.of_record(self._record)

    @property
    def auth_enabled(self) -> bool:
        """Whether callers must send a key."""
        return self.request.auth == service_order.KEY

    @property
    def created_time(self) -> datetime.datetime:
        """When the service was first deployed, in UTC. Raises WebserviceException if it was not."""
        return self._time("created")

    @property
    def updated_time(self) -> datetime.datetime:
        """When the service was last changed, in UTC. Raises WebserviceException if it is gone."""
        return self._time("updated")

    def _time(self, field: str) -> datetime.datetime:
        text = getattr(self._record, field)
        text = text or getattr(registry.get(self.workspace, self.name), field)
        return datetime.datetime.fromisoformat(text)

    @property
    def compute_type(self) -> str:
        """The kind of deployment in the SDK v1: Local, ACI or AKS."""
        return self._record.compute_type

    @property
    def description(self) -> str:
        """The description."""
        return self._record.description

    @property
    def tags(self) -> dict[str, str]:
        """The tags: a copy."""
        return dict(self._record.tags)

    @property
    def properties(self) -> dict[str, str]:
        """The properties: a copy."""
        return dict(self._record.properties)

    def add_tags(self, tags: Mapping[str, object]) -> None:
        """Add tags; existing ones get the new values."""
        added = model_metadata.texts(tags)
        self._change("tags", lambda old: {**old, **added})

    def remove_tags(self, tags: Iterable[str]) -> None:
        """Remove tags by name."""
        removed = {tags} if isinstance(tags, str) else set(tags)
        self._change(
            "tags", lambda old: {name: text for name, text in old.items() if name not in removed}
        )

    def add_properties(self, properties: Mapping[str, object]) -> None:
        """Add properties; existing ones keep their values."""
        added = model_metadata.texts(properties)
        self._change("properties", lambda old: {**added, **old})

    def _change(self, field: str, update: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Change the field now, and where a run starts, also what it will be with that."""

        def change(record: ServiceRecord) -> ServiceRecord:
            following = record.next_request
            if following:
                following = {**following, field: update(following.get(field) or {})}
            return record.replace(**{field: update(getattr(record, field))}, next_request=following)

        self._record = registry.change(self.workspace, self.name, change)

    @property
    def models(self) -> builtins.list[Model]:
        """The registered models that are served, without those that were deleted since."""
        found = []
        for model in self.request.models:
            try:
                if model.path is None:
                    found.append(Model(self.workspace, model.name, version=model.version))
            except UserErrorException:
                continue
        return found

    @property
    def environment(self) -> Environment | None:
        """The environment that the service runs in; None before its first run exists."""
        folder = self.workspace.find_run(self._record.newest)
        return None if folder is None else Run.at(self.workspace, folder).get_environment()

    def __getattr__(self, name: str) -> object:
        if name in _AZURE_ATTRIBUTES:
            return _in_effect(self.request).get(name, self.request.settings.get(name))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
