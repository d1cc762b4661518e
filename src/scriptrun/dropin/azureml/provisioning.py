"""Provisioning configurations of the SDK v1; only the number of nodes and VM size matter."""

from __future__ import annotations

import re

from scriptrun.dropin import one_time_notes
from scriptrun.spec.errors import ComputeTargetException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.hints import Json


class ScaleSettings:
    """The number of nodes of a cluster, and how long idle ones are kept."""

    def __init__(
        self,
        minimum_node_count: int = 0,
        maximum_node_count: int = 1,
        idle_seconds_before_scaledown: int = 1800,
    ) -> None:
        self.minimum_node_count = minimum_node_count
        self.maximum_node_count = maximum_node_count
        self.idle_seconds_before_scaledown = idle_seconds_before_scaledown

    def serialize(self) -> Json:
        """Return the settings in v1's format."""
        return {
            "minNodeCount": self.minimum_node_count,
            "maxNodeCount": self.maximum_node_count,
            "nodeIdleTimeBeforeScaleDown": f"PT{self.idle_seconds_before_scaledown}S",
        }

    @staticmethod
    def deserialize(object_dict: Json) -> ScaleSettings:
        """Return the settings that ``serialize`` wrote."""
        idle = re.sub(r"\D", "", str(object_dict.get("nodeIdleTimeBeforeScaleDown") or "1800"))
        return ScaleSettings(object_dict["minNodeCount"], object_dict["maxNodeCount"], int(idle))


class ComputeTargetProvisioningConfiguration:
    """The configuration of a new compute target."""

    kind = "AmlCompute"

    def __init__(self, facts: Json | None = None, **values: object) -> None:
        facts = {**(facts or {}), **values}
        self.facts = {key: value for key, value in facts.items() if value is not None}

    def validate_configuration(self) -> None:
        """Do nothing: the configuration is checked when it is created."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.facts.get(name)


class ComputeTargetAttachConfiguration:
    """The configuration that names an existing compute target of Azure's."""

    kind: str
    facts: Json


class AmlComputeProvisioningConfiguration(ComputeTargetProvisioningConfiguration):
    """The configuration of a new cluster."""


class ComputeInstanceProvisioningConfiguration(ComputeTargetProvisioningConfiguration):
    """The configuration of a new compute instance."""

    kind = "ComputeInstance"


def cluster(
    vm_size: str = "",
    vm_priority: str = "dedicated",
    min_nodes: int = 0,
    max_nodes: int | None = None,
    idle_seconds_before_scaledown: int | None = 1800,
    admin_username: str | None = None,
    admin_user_password: str | None = None,
    admin_user_ssh_key: str | None = None,
    vnet_resourcegroup_name: str | None = None,
    vnet_name: str | None = None,
    subnet_name: str | None = None,
    tags: dict[str, str] | None = None,
    description: str | None = None,
    remote_login_port_public_access: str = "NotSpecified",
    identity_type: str | None = None,
    identity_id: list[str] | None = None,
    location: str | None = None,
    enable_node_public_ip: bool = True,
) -> AmlComputeProvisioningConfiguration:
    """Configure a cluster of at most ``max_nodes`` nodes.

    Raises ComputeTargetException without ``vm_size`` or ``max_nodes``, or for invalid sizes.
    """
    if not vm_size or not max_nodes:
        raise ComputeTargetException("A cluster requires vm_size and max_nodes of at least 1.")
    min_nodes, max_nodes = int(min_nodes), int(max_nodes)  # old code passes text
    if not 0 <= min_nodes <= max_nodes:
        raise ComputeTargetException(
            f"Invalid cluster size: min_nodes={min_nodes}, max_nodes={max_nodes}.",
            "min_nodes must be between 0 and max_nodes.",
        )
    idle = 1800 if idle_seconds_before_scaledown is None else idle_seconds_before_scaledown
    _explain(vm_size)
    return AmlComputeProvisioningConfiguration(
        {
            "vm_size": vm_size.upper(),
            "vm_priority": vm_priority,
            "min_nodes": min_nodes,
            "max_nodes": max_nodes,
            "idle_seconds_before_scaledown": idle,
            "tags": tags,
            "description": description,
        }
    )


def machine(
    vm_size: str = "",
    ssh_public_access: bool = False,
    admin_user_ssh_public_key: str | None = None,
    vnet_resourcegroup_name: str | None = None,
    vnet_name: str | None = None,
    subnet_name: str | None = None,
    tags: dict[str, str] | None = None,
    description: str | None = None,
    assigned_user_object_id: str | None = None,
    assigned_user_tenant_id: str | None = None,
) -> ComputeInstanceProvisioningConfiguration:
    """Configure a compute instance."""
    _explain(vm_size)
    facts = {"vm_size": vm_size.upper(), "max_nodes": 1, "tags": tags, "description": description}
    return ComputeInstanceProvisioningConfiguration(facts)


def _explain(vm_size: str) -> None:
    one_time_notes.once(
        "vm_size",
        f"VM settings are ignored on this target: the size {vm_size}, networks and logins have no "
        "effect, and jobs run on the workspace's default compute target.",
    )
