"""The keys of a service: what callers send, and how they are replaced."""

from __future__ import annotations

from scriptrun.registry import services as registry
from scriptrun.runtime.serving.order import KEY
from scriptrun.services import logs, rollout, status
from scriptrun.services.request import of_record
from scriptrun.spec.errors import WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.services import ServiceRecord
    from scriptrun.services.webservice import Webservice

#: how a service calls its keys
_NAMES = ("primary", "secondary")


def get(service: Webservice) -> tuple[str, str]:
    """The primary and the secondary key. Raises WebserviceException if callers need none."""
    keys = _find(service, _record(service))
    if keys is None:
        raise WebserviceException(
            f"The keys of service {service.name!r} are not among this user's secrets.",
            hint="Ask the user who deployed it, or make new ones with regen_key.",
        )
    return keys


def renew(service: Webservice, key: str, value: str | None) -> str:
    """Replace the ``"Primary"`` or ``"Secondary"`` key by ``value``, or by a new one.

    If the keys are lost, both are new. A service that runs is restarted, and waited for. Returns
    the ID of its newest run.
    """
    if str(key).lower() not in _NAMES:
        raise WebserviceException(f"Unknown key {key!r}.", hint="Use 'Primary' or 'Secondary'.")
    workspace, name, record = service.workspace, service.name, _record(service)
    found = _find(service, record) or (registry.new_key(), registry.new_key())
    new = value or registry.new_key()
    keys = (new, found[1]) if str(key).lower() == _NAMES[0] else (found[0], new)
    if status.of_run(workspace, record.newest, probe=False).has_ended:
        registry.store_keys(workspace, record, record.newest, keys)
        return record.newest
    rollout.restart(workspace, record, of_record(record).replace(keys=keys))
    newest = _record(service).newest
    logs.Waiter(workspace, name, newest, show_output=False).wait(None)
    return newest


def _record(service: Webservice) -> ServiceRecord:
    found = rollout.look(service.workspace, service.name)
    return found or registry.get(service.workspace, service.name)


def _find(service: Webservice, record: ServiceRecord) -> tuple[str, str] | None:
    """The keys, None if this user has none. Raises WebserviceException if callers need none."""
    if of_record(record).auth != KEY:
        raise WebserviceException(
            f"Service {service.name!r} has no keys: callers need none.",
            hint="Deploy it with auth_enabled=True, or `scriptrun serve --key`.",
        )
    return registry.keys(service.workspace, service.name, record.newest)
