"""What a cluster of the SDK v1 is asked to be. Only its number of nodes has a meaning here."""

from __future__ import annotations

import re

from scriptrun.dropin import one_time_notes
from scriptrun.spec.errors import ComputeTargetException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ScaleSettings:
    """How many nodes a cluster has, and for how many seconds an idle one stays."""

    def __init__(
        self,
        minimum_node_count: int = 0,
        maximum_node_count: int = 1,
        idle_seconds_before_scaledown: int = 1800,
    ) -> None:
        self.minimum_node_count = minimum_node_count
        self.maximum_node_count = maximum_node_count
        self.idle_seconds_before_scaledown = idle_seconds_before_scaledown

    def serialize(self) -> dict[str, Any]:
        """The settings as v1 wrote them."""
        return {
            "minNodeCount": self.minimum_node_count,
            "maxNodeCount": self.maximum_node_count,
            "nodeIdleTimeBeforeScaleDown": f"PT{self.idle_seconds_before_scaledown}S",
        }

    @staticmethod
    def deserialize(object_dict: dict[str, Any]) -> ScaleSettings:
        """The settings that ``serialize`` wrote."""
        idle = re.sub(r"\D", "", str(object_dict.get("nodeIdleTimeBeforeScaleDown") or "1800"))
        return ScaleSettings(object_dict["minNodeCount"], object_dict["maxNodeCount"], int(idle))


class ComputeTargetProvisioningConfiguration:
    """What a compute target shall be."""

    kind = "AmlCompute"

    def __init__(self, facts: dict[str, Any] | None = None, **given: Any) -> None:
        facts = {**(facts or {}), **given}
        self.facts = {key: value for key, value in facts.items() if value is not None}

    def validate_configuration(self) -> None:
        """Checked when it was made."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.facts.get(name)


class AmlComputeProvisioningConfiguration(ComputeTargetProvisioningConfiguration):
    """What a cluster shall be."""


class ComputeInstanceProvisioningConfiguration(ComputeTargetProvisioningConfiguration):
    """What a machine of one's own shall be."""

    kind = "ComputeInstance"


def cluster(
    vm_size: str = "",
    vm_priority: str = "dedicated",
    min_nodes: int = 0,
    max_nodes: int | None = None,
    idle_seconds_before_scaledown: int | None = None,
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
    """A cluster of at most ``max_nodes``; the size of its machines is kept and not asked for.

    Raises ComputeTargetException without ``vm_size`` or ``max_nodes``, or when they contradict.
    """
    if not vm_size or not max_nodes:
        raise ComputeTargetException("A cluster requires vm_size and max_nodes of at least 1.")
    min_nodes, max_nodes = int(min_nodes), int(max_nodes)  # old code reads them from variables
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
    """A machine of one's own; its size is kept and not asked for."""
    _explain(vm_size)
    facts = {"vm_size": vm_size.upper(), "max_nodes": 1, "tags": tags, "description": description}
    return ComputeInstanceProvisioningConfiguration(facts)


def _explain(vm_size: str) -> None:
    one_time_notes.once(
        "vm_size",
        f"VM settings are ignored on this target: the size {vm_size}, networks and logins have no "
        "effect, and jobs run on the workspace's default compute target.",
    )
