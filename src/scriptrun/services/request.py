"""ServiceRequest: everything about a service that the user asks for."""

from __future__ import annotations

import os

from scriptrun.config.environments.environment import Environment
from scriptrun.config.services.deployment import LOCAL
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime.serving import order as service_order
from scriptrun.spec.environment import EXACT
from scriptrun.spec.values import Value, as_object, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: bytes of the largest request
BODY_LIMIT = 100 * 1024 * 1024
#: the longest limit in seconds, which systems can still wait for
MOST_SECONDS = 1_000_000_000


_AUTH = (service_order.OPEN, service_order.KEY)


class ServedModel(Value):
    """A model to serve: a registered version, or a local file or folder.

    ``version`` is that of a registered model (None with ``path``); ``framework`` as the SDK v1
    spells it ("ScikitLearn"), or None.
    """

    name: str
    version: int | None = None
    path: str | None = None
    framework: str | None = None


class ServiceRequest(Value):
    """A service as the user asks for it.

    Without ``entry_script`` the first model is served by what it is. ``source_directory`` is copied
    whole; without one, the entry script and the Python files next to it. ``pins`` says what
    happens to pinned packages that are unavailable, as for jobs. ``port`` None is any free
    one. ``keys`` (for ``auth`` "key") are made up unless given. ``settings`` are the other
    deployment settings of the SDK v1: recorded, without effect. ``interpreter`` is the Python where
    no environment is given or chosen (default: this process's own). ``passed`` are variables of
    this process that the service gets; their values are never recorded. ``test`` is one request's
    text: the service answers it and ends.
    """

    name: str
    models: tuple[ServedModel, ...] = ()
    source_directory: str | None = None
    entry_script: str | None = None
    environment: Environment | None = None
    pins: str = EXACT
    variables: dict[str, str] = fresh(default_factory=dict)
    host: str = "127.0.0.1"
    port: int | None = None
    workers: int = 1
    restarts: int = 3
    timeout_seconds: float | None = 60.0
    start_seconds: float | None = 600.0
    body_limit: int = BODY_LIMIT
    auth: str = "none"
    keys: tuple[str, str] | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    gpus: int = 0
    compute_target: object = None
    compute_type: str = LOCAL
    description: str = ""
    tags: dict[str, str] = fresh(default_factory=dict)
    properties: dict[str, str] = fresh(default_factory=dict)
    settings: Json = fresh(default_factory=dict)
    test: str | None = None
    interpreter: str | None = None
    passed: tuple[str, ...] = ()

    def located(self) -> ServiceRequest:
        """The request with absolute paths, which mean the same from everywhere."""
        source, script = self.source_directory, self.entry_script
        if source is not None:
            return self.replace(source_directory=os.path.abspath(source))
        return self.replace(entry_script=None if script is None else os.path.abspath(script))

    def to_json(self) -> Json:
        """The request as a JSON value, without keys; a compute target is its name."""
        target = self.compute_target
        value = self.replace(environment=None, keys=None, compute_target=None).as_dict()
        if self.environment is not None:
            value["environment"] = self.environment.to_dict()
        if target is not None:
            value["compute_target"] = target if isinstance(target, str) else _name_of(target)
        return value

    @classmethod
    def from_json(cls, value: Json) -> ServiceRequest:
        """The request that ``to_json`` wrote. Raises ValueError if it is damaged."""
        parts: Json = {
            "models": tuple(ServedModel.from_dict(as_object(model)) for model in value["models"]),
            "allowed_hosts": tuple(value.get("allowed_hosts") or ()),
            "allowed_origins": tuple(value.get("allowed_origins") or ()),
            "passed": tuple(value.get("passed") or ()),
        }
        if value.get("environment"):
            parts["environment"] = Environment.from_dict(value["environment"], "The service")
        known = {name: item for name, item in value.items() if name in cls._fields}
        return cls(**{**known, **parts})


def _name_of(target: object) -> str:
    return str(getattr(target, "name", "local"))


def of_record(record: ServiceRecord) -> ServiceRequest:
    """What the service was last deployed with, without keys.

    Tags, properties and description are as they are now; those of the next run if one starts.
    """
    if record.next_request:
        return ServiceRequest.from_json(record.next_request)
    return ServiceRequest.from_json(record.request).replace(
        tags=dict(record.tags),
        properties=dict(record.properties),
        description=record.description,
    )


def problems(request: ServiceRequest) -> list[str]:
    """Everything that is wrong with the request itself, as phrases."""
    found = [registry.name_problem(request.name)]
    found += [
        f"{name} is {value!r}; give a whole number of at least {least}"
        for name, least in (("workers", 1), ("restarts", 0), ("body_limit", 1), ("gpus", 0))
        if not _is_whole(value := getattr(request, name), least)
    ]
    found += [
        f"{name} is {value!r}; give seconds, more than 0 and at most {MOST_SECONDS:g}, or None "
        "for no limit"
        for name in ("timeout_seconds", "start_seconds")
        if not _is_time(value := getattr(request, name))
    ]
    if not is_port(request.port):
        found.append(
            f"port is {request.port!r}; give a number from 1 to 65535, or none for any free port"
        )
    if request.auth not in _AUTH:
        found.append(f"auth is {request.auth!r}; use 'none' or 'key'")
    found += _key_problems(request)
    found += [
        f"the passed-through variable {name} is not set"
        for name in request.passed
        if name not in os.environ
    ]
    if request.entry_script is None and not request.models:
        found.append("there is nothing to serve; give a model or an entry script")
    return [problem for problem in found if problem]


def _key_problems(request: ServiceRequest) -> list[str]:
    if request.keys is None:
        return []
    if request.auth != service_order.KEY:
        return ["keys are given, but callers need none; set auth to 'key' (auth_enabled=True)"]
    if all(isinstance(key, str) and key.isascii() and key.split() == [key] for key in request.keys):
        return []
    return ["a key is not a text of ASCII characters without blanks"]


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_port(value: object) -> bool:
    """Whether it is a port, or None for any free one."""
    return value is None or (_is_whole(value, 0) and not _is_whole(value, 65536))


def _is_time(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value is None
    return 0 < value <= MOST_SECONDS
