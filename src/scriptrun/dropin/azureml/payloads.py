"""Small records that the SDK v1 exchanges with Azure: what they hold, and v1's JSON form of it."""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Self

    from scriptrun.runtime.hints import Json


class Payload:
    """The base of records; ``_keys`` are v1's names of the attributes in JSON."""

    _keys: ClassVar[Mapping[str, str]] = {}

    def _set(self, arguments: Mapping[str, object]) -> None:
        self.__dict__.update({name: arguments[name] for name in self._keys})

    def serialize(self) -> Json:
        """Return the values in v1's format."""
        return {key: getattr(self, name) for name, key in self._keys.items()}

    @classmethod
    def _read(cls, values: Json | None) -> Self | None:
        if values is None:
            return None
        return cls(**{name: values.get(key) for name, key in cls._keys.items()})

    @classmethod
    def deserialize(cls, payload_obj: Json | None) -> Self | None:
        """Return the record that ``serialize`` wrote; None stays None."""
        return cls._read(payload_obj)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({shown})"


class Asset(Payload):
    """A file of an image."""

    _keys = {"id": "id", "mime_type": "mimeType", "unpack": "unpack", "url": "url"}

    def __init__(self, id: str, mime_type: str, unpack: bool, url: str) -> None:
        self._set(locals())


class TargetRuntime(Payload):
    """The language of an image."""

    _keys = {
        "properties": "properties",
        "runtime_type": "runtimeType",
        "targetArchitecture": "targetArchitecture",
    }

    def __init__(self, properties: Json, runtime_type: str, targetArchitecture: str) -> None:
        self._set(locals())


class AutoScaler(Payload):
    """The requested number of replicas of a service."""

    _keys = {
        "autoscale_enabled": "autoscaleEnabled",
        "max_replicas": "maxReplicas",
        "min_replicas": "minReplicas",
        "refresh_period_seconds": "refreshPeriodInSeconds",
        "target_utilization": "targetUtilization",
    }

    def __init__(
        self,
        autoscale_enabled: bool | None,
        max_replicas: int | None,
        min_replicas: int | None,
        refresh_period_seconds: int | None,
        target_utilization: int | None,
    ) -> None:
        self._set(locals())


class ContainerResourceRequirements(Payload):
    """The requested CPUs and memory (in GB) of a service."""

    _keys = {
        "cpu": "cpu",
        "memory_in_gb": "memoryInGB",
        "gpu": "gpu",
        "cpu_limit": "cpuLimit",
        "memory_in_gb_limit": "memoryInGBLimit",
    }

    def __init__(
        self,
        cpu: float | None,
        memory_in_gb: float | None,
        gpu: int | None = None,
        cpu_limit: float | None = None,
        memory_in_gb_limit: float | None = None,
    ) -> None:
        self._set(locals())


class AciContainerResourceRequirements(Payload):
    """The requested CPUs and memory (in GB) of a container instance."""

    _keys = {"cpu": "cpu", "memory_in_gb": "memoryInGB"}

    def __init__(self, cpu: float | None, memory_in_gb: float | None) -> None:
        self._set(locals())


class DataCollection(Payload):
    """Where a service's inputs and predictions go."""

    _keys = {"event_hub_enabled": "eventHubEnabled", "storage_enabled": "storageEnabled"}

    def __init__(self, event_hub_enabled: bool | None, storage_enabled: bool | None) -> None:
        self._set(locals())


class EncryptionProperties(Payload):
    """The requested key of a container instance's disk."""

    _keys = {
        "cmk_vault_base_url": "vaultBaseUrl",
        "cmk_key_name": "keyName",
        "cmk_key_version": "keyVersion",
    }

    def __init__(
        self,
        cmk_vault_base_url: str | None,
        cmk_key_name: str | None,
        cmk_key_version: str | None,
    ) -> None:
        self._set(locals())


class LivenessProbeRequirements(Payload):
    """When Azure takes a service as dead."""

    _keys = {
        "period_seconds": "periodSeconds",
        "initial_delay_seconds": "initialDelaySeconds",
        "timeout_seconds": "timeoutSeconds",
        "success_threshold": "successThreshold",
        "failure_threshold": "failureThreshold",
    }

    def __init__(
        self,
        period_seconds: int | None,
        initial_delay_seconds: int | None,
        timeout_seconds: int | None,
        success_threshold: int | None,
        failure_threshold: int | None,
    ) -> None:
        self._set(locals())


class VnetConfiguration(Payload):
    """The requested network of a container instance."""

    _keys = {"vnet_name": "vnetName", "subnet_name": "subnetName"}

    def __init__(self, vnet_name: str | None, subnet_name: str | None) -> None:
        self._set(locals())


class WebServiceAccessToken(Payload):
    """A token of a service: a value for the header ``Authorization: Bearer``."""

    _keys = {
        "access_token": "accessToken",
        "token_type": "tokenType",
        "refresh_after": "refreshAfter",
        "expiry_on": "expiryOn",
    }

    def __init__(
        self, access_token: str, token_type: str, refresh_after: object, expiry_on: object
    ) -> None:
        self._set(locals())


class AksServiceAccessToken(WebServiceAccessToken):
    """A token of a service with ``token_auth_enabled``."""


class SystemService(Payload):
    """A service of Azure's that a cluster ran."""

    _keys = {
        "service_type": "serviceType",
        "version": "version",
        "public_ip_address": "publicIpAddress",
    }

    def __init__(self, service_type: str, version: str, public_ip_address: str) -> None:
        self._set(locals())

    @staticmethod
    def deserialize(object_dict: Json | None) -> SystemService | None:
        """Return the record that ``serialize`` wrote; None stays None."""
        return SystemService._read(object_dict)


class SslConfiguration(Payload):
    """The requested certificate of a cluster. A service on this machine answers plain HTTP."""

    _keys = {
        "status": "status",
        "cert": "cert",
        "key": "key",
        "cname": "cname",
        "leaf_domain_label": "leafDomainLabel",
        "overwrite_existing_domain": "overwriteExistingDomain",
        "renew": "renew",
    }

    def __init__(
        self,
        status: str | None = None,
        cert: str | None = None,
        key: str | None = None,
        cname: str | None = None,
        leaf_domain_label: str | None = None,
        overwrite_existing_domain: bool = False,
        renew: bool = False,
    ) -> None:
        self._set(locals())

    @staticmethod
    def deserialize(object_dict: Json | None) -> SslConfiguration | None:
        """Return the record that ``serialize`` wrote; None stays None."""
        return SslConfiguration._read(object_dict)
