"""What lists and records show of a service."""

from __future__ import annotations

from scriptrun.core import model_metadata
from scriptrun.registry.services import ServiceRecord
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.model_metadata import Criteria
    from scriptrun.runtime.hints import Json
    from scriptrun.services.webservice import Webservice


class Wanted(Value):
    """Which services a list shows; None for any."""

    compute_type: str | None = None
    model_name: str | None = None
    model_id: str | None = None
    tags: Criteria = None
    properties: Criteria = None

    def fits(self, record: ServiceRecord) -> bool:
        """Whether the service is one of them."""
        models = record.request.get("models") or ()
        names = {model["name"] for model in models}
        ids = {f"{model['name']}:{model['version']}" for model in models}
        return (
            self.compute_type in (None, record.compute_type)
            and (self.model_name is None or self.model_name in names)
            and (self.model_id is None or self.model_id in ids)
            and model_metadata.has_tags(record.tags, self.tags)
            and model_metadata.has_tags(record.properties, self.properties)
        )


def serialized(service: Webservice) -> Json:
    """The service as a JSON value, with v1's keys; it holds no key."""
    health = service.health
    return {
        "name": service.name,
        "state": service.state,
        "computeType": service.compute_type,
        "scoringUri": service.scoring_uri,
        "swaggerUri": service.swagger_uri,
        "authEnabled": service.auth_enabled,
        "createdTime": service.created_time.isoformat(),
        "updatedTime": service.updated_time.isoformat(),
        "description": service.description,
        "tags": service.tags,
        "properties": service.properties,
        "models": [model.as_dict() for model in service.request.models],
        "error": service.error,
        "run": service.newest_run.id if health.run_state else None,
        "settings": dict(service.request.settings),
    }
