"""``azureml.core.compute.aks``: clusters for services, as aliases of the default compute target.

Services that are deployed to one run on the workspace's default compute target, as jobs do.
"""

from __future__ import annotations

from scriptrun.dropin import one_time_notes
from scriptrun.dropin.azureml import compute, provisioning
from scriptrun.dropin.azureml.payloads import SslConfiguration
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import ComputeTargetException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from scriptrun.runtime.hints import Json

AKS = "AKS"
_SSL_NOTE = (
    "TLS settings are ignored: services on this machine answer plain HTTP on the loopback address. "
    "To offer one to others, put a proxy with TLS in front of it."
)


class _SslSettings:
    """The ``enable_ssl`` of configurations."""

    ssl_configuration: SslConfiguration | None = None

    def enable_ssl(
        self,
        ssl_cname: str | None = None,
        ssl_cert_pem_file: str | None = None,
        ssl_key_pem_file: str | None = None,
        leaf_domain_label: str | None = None,
        overwrite_existing_domain: bool = False,
    ) -> None:
        """Record the settings; they have no effect."""
        one_time_notes.once("tls", _SSL_NOTE)
        self.ssl_configuration = SslConfiguration(
            "Enabled", ssl_cert_pem_file, ssl_key_pem_file, ssl_cname, leaf_domain_label,
            overwrite_existing_domain,
        )  # fmt: skip


class AksProvisioningConfiguration(
    _SslSettings, provisioning.ComputeTargetProvisioningConfiguration
):
    """The configuration of a new cluster for services."""

    kind = AKS

    def __init__(
        self,
        agent_count: int | None,
        vm_size: str | None,
        ssl_cname: str | None,
        ssl_cert_pem_file: str | None,
        ssl_key_pem_file: str | None,
        location: str | None,
        vnet_resourcegroup_name: str | None,
        vnet_name: str | None,
        subnet_name: str | None,
        service_cidr: str | None,
        dns_service_ip: str | None,
        docker_bridge_cidr: str | None,
        cluster_purpose: str | None,
        load_balancer_type: str | None,
        load_balancer_subnet: str | None,
    ) -> None:
        self.facts = _given(locals())
        self.validate_configuration()
        if ssl_cname or ssl_cert_pem_file or ssl_key_pem_file:
            self.enable_ssl(ssl_cname, ssl_cert_pem_file, ssl_key_pem_file)

    def validate_configuration(self) -> None:
        """Raise ComputeTargetException if ``agent_count`` is not a positive number."""
        count = self.facts.get("agent_count")
        if count is not None and not (isinstance(count, int) and count > 0):
            raise ComputeTargetException(
                f"Invalid cluster size: agent_count={count!r}.", "Give a number of at least 1."
            )


class AksAttachConfiguration(_SslSettings, provisioning.ComputeTargetAttachConfiguration):
    """The configuration that names an existing cluster of Azure's."""

    kind = AKS

    def __init__(
        self,
        resource_group: str | None = None,
        cluster_name: str | None = None,
        resource_id: str | None = None,
        cluster_purpose: str | None = None,
        load_balancer_type: str | None = None,
        load_balancer_subnet: str | None = None,
    ) -> None:
        self.facts = _given(locals())
        self.__dict__.update({name: value for name, value in locals().items() if name != "self"})

    def validate_configuration(self) -> None:
        """Raise ComputeTargetException unless a cluster is named in one of v1's two ways."""
        if self.facts.get("resource_id") or (
            self.facts.get("resource_group") and self.facts.get("cluster_name")
        ):
            return
        raise ComputeTargetException(
            "No cluster given.", "Give resource_group and cluster_name, or resource_id."
        )


class AksUpdateConfiguration:
    """A change of a cluster's settings."""

    def __init__(
        self,
        ssl_configuration: SslConfiguration | None = None,
        load_balancer_type: str | None = None,
        load_balancer_subnet: str | None = None,
    ) -> None:
        self.ssl_configuration = ssl_configuration
        self.load_balancer_type = load_balancer_type
        self.load_balancer_subnet = load_balancer_subnet

    def validate_configuration(self) -> None:
        """Do nothing: any settings can be recorded."""


class AksCompute(compute.ComputeTarget):
    """A cluster for services: an alias of the workspace's default compute target."""

    type = AKS

    class ClusterPurpose:
        """What a cluster is for, as the SDK v1 spells it. Recorded, without effect."""

        FAST_PROD = "FastProd"
        DENSE_PROD = "DenseProd"
        DEV_TEST = "DevTest"

    class LoadBalancerType:
        """Load balancers, as the SDK v1 spells them. Recorded, without effect."""

        PUBLIC_IP = "PublicIp"
        INTERNAL_LOAD_BALANCER = "InternalLoadBalancer"

    @staticmethod
    def provisioning_configuration(
        agent_count: int | None = None,
        vm_size: str | None = None,
        ssl_cname: str | None = None,
        ssl_cert_pem_file: str | None = None,
        ssl_key_pem_file: str | None = None,
        location: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        service_cidr: str | None = None,
        dns_service_ip: str | None = None,
        docker_bridge_cidr: str | None = None,
        cluster_purpose: str | None = None,
        load_balancer_type: str | None = None,
        load_balancer_subnet: str | None = None,
    ) -> AksProvisioningConfiguration:
        """Configure a cluster; its settings are recorded, without effect.

        Raises ComputeTargetException if ``agent_count`` is not a positive number.
        """
        return AksProvisioningConfiguration(
            agent_count, vm_size, ssl_cname, ssl_cert_pem_file, ssl_key_pem_file, location,
            vnet_resourcegroup_name, vnet_name, subnet_name, service_cidr, dns_service_ip,
            docker_bridge_cidr, cluster_purpose, load_balancer_type, load_balancer_subnet,
        )  # fmt: skip

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None,
        cluster_name: str | None = None,
        resource_id: str | None = None,
        cluster_purpose: str | None = None,
        load_balancer_type: str | None = None,
        load_balancer_subnet: str | None = None,
    ) -> AksAttachConfiguration:
        """Configure a cluster by its name in Azure; attaching it makes an alias of that name.

        Raises ComputeTargetException unless it names a cluster.
        """
        configuration = AksAttachConfiguration(
            resource_group, cluster_name, resource_id, cluster_purpose, load_balancer_type,
            load_balancer_subnet,
        )  # fmt: skip
        configuration.validate_configuration()
        return configuration

    @staticmethod
    def attach(workspace: WorkspaceFiles, name: str, resource_id: object) -> AksCompute:
        """Make ``name`` an alias of the default compute target, as ``ComputeTarget.attach``."""
        configuration = resource_id
        if isinstance(resource_id, str):
            configuration = AksAttachConfiguration(resource_id=resource_id)
        attached = compute.ComputeTarget.attach(workspace, name, configuration)
        assert isinstance(attached, AksCompute)
        return attached

    @staticmethod
    def deserialize(workspace: WorkspaceFiles, object_dict: Json) -> AksCompute:
        """Return the cluster that ``serialize`` wrote."""
        return AksCompute(workspace, object_dict["name"])

    @property
    def agent_count(self) -> int | None:
        """The requested number of machines; it has no effect."""
        return self._facts.get("agent_count")

    @property
    def agent_vm_size(self) -> str:
        """The requested VM size; it has no effect."""
        return self.vm_size

    @property
    def cluster_purpose(self) -> str | None:
        """What the cluster was created for."""
        return self._facts.get("cluster_purpose")

    @property
    def cluster_resource_id(self) -> str | None:
        """The ID of Azure's cluster that it was attached with, or None."""
        return self._facts.get("resource_id")

    def __getattr__(self, name: str) -> None:
        """Attributes that only a cluster of Azure's has are None."""
        if name in _AZURE_ATTRIBUTES:
            return None
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def update(self, update_configuration: AksUpdateConfiguration) -> None:
        """Record nothing: the settings of clusters have no effect on this machine."""
        if update_configuration.ssl_configuration is not None:
            one_time_notes.once("tls", _SSL_NOTE)

    def get_credentials(self) -> NoReturn:
        """Raise ComputeTargetException: there is no cluster whose credentials could be shown."""
        raise ComputeTargetException(
            f"{self.name!r} has no credentials: it stands for the workspace's default compute "
            "target.",
            "For the keys of a service, use service.get_keys().",
        )

    def refresh_state(self) -> None:
        """Read the target's settings again."""
        super().refresh_state()

    def serialize(self) -> Json:
        """Return the target's settings in v1's format."""
        return super().serialize()

    def _properties(self) -> Json:
        return {
            "agentCount": self.agent_count,
            "agentVMSize": self.agent_vm_size,
            "clusterPurpose": self.cluster_purpose,
        }


_AZURE_ATTRIBUTES = (
    *("cluster_fqdn", "system_services", "ssl_configuration", "aks_networking_configuration"),
    *("load_balancer_type", "load_balancer_subnet"),
)


def _given(arguments: Json) -> Json:
    """The arguments of a configuration that are given, without keys and certificates."""
    hidden = ("self", "ssl_cert_pem_file", "ssl_key_pem_file", "__class__")
    given = {name: value for name, value in arguments.items() if name not in hidden}
    return {name: value for name, value in given.items() if value is not None}
