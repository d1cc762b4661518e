"""Deployment configurations: how a service is reached, and what the SDK v1 asks of its cluster."""

from __future__ import annotations

from numbers import Number

from scriptrun.spec.errors import WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from scriptrun.runtime.hints import Json

#: compute types of the SDK v1: how a service was deployed
LOCAL, ACI, AKS = "Local", "ACI", "AKS"
#: settings by which a service on this machine differs
_USED = frozenset(
    [
        "compute_type",
        "description",
        "tags",
        "properties",
        "primary_key",
        "secondary_key",
        "port",
        "auth_enabled",
        "num_replicas",
        "autoscale_min_replicas",
        "scoring_timeout_ms",
        "gpu_cores",
    ]
)
_NUMBERS = (
    "cpu_cores memory_gb num_replicas scoring_timeout_ms gpu_cores autoscale_min_replicas "
    "autoscale_max_replicas autoscale_refresh_seconds autoscale_target_utilization "
    "replica_max_concurrent_requests max_request_wait_time cpu_cores_limit memory_gb_limit "
    "period_seconds timeout_seconds success_threshold failure_threshold"
)


class WebserviceDeploymentConfiguration:
    """The base of deployment configurations; ``compute_type`` is LOCAL, ACI or AKS.

    Settings that are None have the SDK v1's defaults. Those of Azure's clusters are recorded, and
    have no effect on this machine.
    """

    compute_type = LOCAL

    def __init__(
        self,
        type: str | None = None,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        primary_key: str | None = None,
        secondary_key: str | None = None,
        location: str | None = None,
    ) -> None:
        self._set(locals())

    def _set(self, arguments: Mapping[str, object]) -> None:
        hidden = ("self", "type", "__class__")
        self.__dict__.update(
            {name: _plain(value) for name, value in arguments.items() if name not in hidden}
        )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def problems(self) -> list[str]:
        """What is wrong with the settings."""
        found = [
            f"{name} is {value!r}; give a number greater than 0"
            for name in _NUMBERS.split()
            if (value := self.__dict__.get(name)) is not None and not _is_positive(name, value)
        ]
        found += [
            f"{name} is {value!r}; give a dict"
            for name in ("tags", "properties")
            if (value := self.__dict__.get(name)) is not None and not hasattr(value, "items")
        ]
        return found

    def validate_configuration(self) -> None:
        """Raise WebserviceException, with all problems, if a setting is invalid."""
        problems = self.problems()
        if problems:
            raise WebserviceException(
                f"The deployment configuration is invalid: {'; '.join(problems)}."
            )

    @classmethod
    def validate_image(cls, image: object) -> None:
        """Accept any image: services on this machine need none."""

    def print_deploy_configuration(self) -> None:
        """Print the settings."""
        print(f"Deployment configuration ({self.compute_type}):")
        for name, value in self.values().items():
            print(f"  {name}: {value}")

    def values(self) -> Json:
        """The settings that are given, by name, without keys."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if value is not None and not name.endswith("_key")
        }

    def unused(self) -> Json:
        """The settings that are given and have no effect on this machine."""
        return {name: value for name, value in self.values().items() if name not in _USED}

    @property
    def has_auth(self) -> bool:
        """Whether callers must send a key."""
        return False

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.values().items())
        return f"{type(self).__name__}({shown})"


def _plain(value: Any) -> Any:
    """``value``, or Python's own number if it is one of NumPy."""
    return value.item() if isinstance(value, Number) and hasattr(value, "item") else value


def _is_positive(name: str, value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return value > 0 or (value == 0 and name == "gpu_cores")


class LocalWebserviceDeploymentConfiguration(WebserviceDeploymentConfiguration):
    """A service on this machine; ``port`` None is any free one."""

    def __init__(self, port: int | None = None) -> None:
        super().__init__()
        self.port = _plain(port)


class AciServiceDeploymentConfiguration(WebserviceDeploymentConfiguration):
    """The settings of a container instance; locally a service with one worker.

    ``auth_enabled`` (default: False) asks callers for a key: ``primary_key`` or
    ``secondary_key``, which are made up unless given. The other settings are recorded.
    """

    compute_type = ACI

    def __init__(
        self,
        cpu_cores: float | None = None,
        memory_gb: float | None = None,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        description: str | None = None,
        location: str | None = None,
        auth_enabled: bool | None = None,
        ssl_enabled: bool | None = None,
        enable_app_insights: bool | None = None,
        ssl_cert_pem_file: str | None = None,
        ssl_key_pem_file: str | None = None,
        ssl_cname: str | None = None,
        dns_name_label: str | None = None,
        primary_key: str | None = None,
        secondary_key: str | None = None,
        collect_model_data: bool | None = None,
        cmk_vault_base_url: str | None = None,
        cmk_key_name: str | None = None,
        cmk_key_version: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
    ) -> None:
        self._set(locals())

    @property
    def has_auth(self) -> bool:
        """Whether callers must send a key."""
        return bool(self.auth_enabled)


class AksServiceDeploymentConfiguration(WebserviceDeploymentConfiguration):
    """The settings of a service on a cluster; locally ``num_replicas`` worker processes.

    ``auth_enabled`` (default: True) asks callers for a key: ``primary_key`` or ``secondary_key``,
    which are made up unless given. ``scoring_timeout_ms`` (default: 60000) limits each call of
    run(). With ``autoscale_enabled`` there are ``autoscale_min_replicas`` workers. The other
    settings are recorded.
    """

    compute_type = AKS

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
        compute_target_name: str | None = None,
        cpu_cores_limit: float | None = None,
        memory_gb_limit: float | None = None,
        blobfuse_enabled: bool | None = None,
    ) -> None:
        self._set(locals())

    @property
    def has_auth(self) -> bool:
        """Whether callers must send a key, or what ``get_token`` returns."""
        return bool(self.token_auth_enabled) or self.auth_enabled is not False

    @property
    def replicas(self) -> int:
        """The number of worker processes."""
        scaled = self.autoscale_min_replicas if self.autoscale_enabled is not False else None
        return int(self.num_replicas or scaled or 1)

    def problems(self) -> list[str]:
        """What is wrong with the settings."""
        found = super().problems()
        if self.auth_enabled and self.token_auth_enabled:
            found.append("auth_enabled and token_auth_enabled are both set; choose one")
        if self.autoscale_enabled and self.num_replicas is not None:
            found.append(
                "num_replicas and autoscale_enabled are both set; choose a fixed number, or "
                "autoscale_min_replicas"
            )
        return found
