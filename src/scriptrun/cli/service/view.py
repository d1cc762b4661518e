"""What commands show of a service."""

from __future__ import annotations

from scriptrun.services.request import ServedModel
from scriptrun.services.status import ServiceState
from scriptrun.services.webservice import Webservice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def record_of(service: Webservice, health: ServiceState | None = None) -> Json:
    """The service as a JSON document."""
    health = health or service.health
    request, failure = service.request, service.failure
    return {
        "name": service.name,
        "state": health.state,
        "reason": health.reason,
        "url": service.scoring_uri,
        "host": health.host,
        "port": health.port,
        "workers": health.workers,
        "restarts": health.restarts,
        "models": [model_name(model) for model in request.models],
        "entry": request.entry_script,
        "auth": request.auth,
        "run": service.run_id,
        "failed_update": None if failure is None else failure.get("reason"),
        "created": service.created_time.isoformat(),
        "updated": service.updated_time.isoformat(),
        "description": service.description,
        "tags": service.tags,
        "properties": service.properties,
    }


def model_name(model: ServedModel) -> str:
    """``NAME:VERSION``, or the path of a local model."""
    return model.path or f"{model.name}:{model.version}"
