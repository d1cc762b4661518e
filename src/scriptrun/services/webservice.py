"""Webservice: a deployed service, with the SDK v1's members."""

from __future__ import annotations

import builtins
import datetime
import sys
import time
from collections.abc import Mapping

from scriptrun.config.services.deployment import (
    AciServiceDeploymentConfiguration,
    AksServiceDeploymentConfiguration,
    LocalWebserviceDeploymentConfiguration,
)
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime.serving import order as service_order
from scriptrun.services import client, rollout, status
from scriptrun.services.request import ServiceRequest
from scriptrun.services.status import ServiceState
from scriptrun.spec.errors import WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.hints import Json

_LOG = "user_logs/std_log.txt"


class Webservice:
    """The service ``name`` of ``workspace``: an AciWebservice, AksWebservice or LocalWebservice.

    Raises WebserviceException if there is none.
    """

    workspace: Workspace
    name: str
    #: "Local", "ACI" or "AKS"
    _compute_type = "Local"

    def __new__(cls, workspace: Workspace, name: str, *args: object, **kwargs: object) -> Any:
        if cls is Webservice:
            record = registry.get(workspace, name)
            cls = _class_of(record)  # noqa: PLW0642
        return super().__new__(cls)

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._open(workspace, registry.get(workspace, name))

    def _open(self, workspace: Workspace, record: ServiceRecord) -> None:
        self.workspace = workspace
        self.name = record.name
        self._record = record

    @staticmethod
    def of_record(workspace: Workspace, record: ServiceRecord) -> Any:
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
        tags: object = None,
        properties: object = None,
        image_digest: str | None = None,
    ) -> builtins.list[Any]:
        """The workspace's services by name, those that fit."""
        found = []
        for record in registry.all_records(workspace):
            if compute_type is not None and record.compute_type.lower() != compute_type.lower():
                continue
            found.append(Webservice.of_record(workspace, record))
        return found

    @property
    def health(self) -> ServiceState:
        """The state with its reason and address: of the run that starts, if one does."""
        record = self.refresh()
        return status.of_run(self.workspace, record.newest)

    def refresh(self) -> ServiceRecord:
        """Read the record again, and return it."""
        record = rollout.advance(self.workspace, self.name)
        if record is None:
            record = registry.get(self.workspace, self.name)
        self._record = record
        return record

    @property
    def state(self) -> str:
        """The state: Transitioning, Healthy, Unhealthy, Failed or Stopped."""
        return self.health.state

    @property
    def current_run(self) -> Run:
        """The run that serves, or starts."""
        record = self.refresh()
        return Run.get(self.workspace, record.run or record.newest)

    @property
    def scoring_uri(self) -> str | None:
        """The URL to post requests to; None before the service listens."""
        return self._url("/score")

    @property
    def swagger_uri(self) -> str | None:
        """The URL of the service's OpenAPI description; None before it listens."""
        return self._url("/swagger.json")

    def _url(self, path: str) -> str | None:
        record = self.refresh()
        url = status.of_run(self.workspace, record.run or record.newest, probe=False).url
        return None if url is None else url + path

    def wait_for_deployment(
        self, show_output: bool = False, timeout_sec: float | None = None
    ) -> None:
        """Wait until the service is healthy. Raises WebserviceException if that fails."""
        deadline = None if timeout_sec is None else time.monotonic() + timeout_sec
        newest = self._record.newest
        while True:
            record = self.refresh()
            found = status.of_run(self.workspace, record.newest)
            failure = record.failure or {}
            if failure.get("run") == newest or found.has_ended:
                reason = failure.get("reason") or found.reason
                raise WebserviceException(
                    f"Service {self.name!r} failed: {reason}.", logs=self.get_logs()
                )
            if found.state == status.HEALTHY and record.next is None:
                return
            if deadline is not None and time.monotonic() > deadline:
                raise WebserviceException(
                    f"Service {self.name!r} is not healthy after {timeout_sec:g} s: "
                    f"{found.reason or found.state}.",
                    logs=self.get_logs(),
                )
            time.sleep(rollout.POLL_SECONDS)

    def run(self, input_data: object) -> Any:
        """Post ``input_data``, JSON as text or bytes, and return the parsed answer."""
        url = self.scoring_uri
        if url is None:
            raise WebserviceException(f"Service {self.name!r} does not listen yet.")
        keys = registry.keys(self.workspace, self.name) if self.auth_enabled else None
        limit = self.request.timeout_seconds
        return client.call(
            self.name, url, input_data, keys and keys[0], None if limit is None else limit + 60
        )

    @property
    def request(self) -> ServiceRequest:
        """What the service was deployed with, without keys."""
        return ServiceRequest.from_json(self._record.request)

    @property
    def auth_enabled(self) -> bool:
        """Whether callers must send a key."""
        return self._record.request.get("auth") == service_order.KEY

    def get_keys(self) -> tuple[str, str]:
        """The primary and the secondary key."""
        keys = registry.keys(self.workspace, self.name)
        if keys is None:
            raise WebserviceException(f"Service {self.name!r} has no keys.")
        return keys

    def get_logs(self, num_lines: int = 5000, init: bool = False) -> str:
        """The last ``num_lines`` lines of the service's log."""
        folder = self.workspace.find_run(self._record.newest)
        if folder is None:
            return ""
        try:
            text = (folder / _LOG).read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-num_lines:])

    def delete(self, *args: object, **kwargs: object) -> None:
        """Stop the service and remove it. Its runs stay in the list."""
        rollout.remove(self.workspace, self.name)

    @property
    def created_time(self) -> datetime.datetime:
        """When the service was first deployed, in UTC."""
        return datetime.datetime.fromisoformat(self._record.created)

    @property
    def compute_type(self) -> str:
        """ "Local", "ACI" or "AKS"."""
        return self._record.compute_type

    def serialize(self) -> Json:
        """The service as a JSON value."""
        return {"name": self.name, "state": self.state}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(workspace={self.workspace!r}, name={self.name})"


class AciWebservice(Webservice):
    """A service deployed with AciWebservice.deploy_configuration."""

    _compute_type = "ACI"
    deploy_configuration = AciServiceDeploymentConfiguration


class AksWebservice(Webservice):
    """A service deployed with AksWebservice.deploy_configuration."""

    _compute_type = "AKS"
    deploy_configuration = AksServiceDeploymentConfiguration


class LocalWebservice(Webservice):
    """A service deployed with LocalWebservice.deploy_configuration."""

    deploy_configuration = LocalWebserviceDeploymentConfiguration


_CLASSES: Mapping[str, type[Webservice]] = {
    "Local": LocalWebservice,
    "ACI": AciWebservice,
    "AKS": AksWebservice,
}


def _class_of(record: ServiceRecord) -> type[Webservice]:
    return _CLASSES.get(record.compute_type, LocalWebservice)


__all__ = ["AciWebservice", "AksWebservice", "LocalWebservice", "Webservice", "sys"]
