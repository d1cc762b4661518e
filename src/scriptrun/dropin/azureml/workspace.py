"""``azureml.core.Workspace``: a scriptrun workspace that accepts Azure's arguments."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.core import workspace
from scriptrun.dropin import one_time_notes
from scriptrun.dropin.azureml import compute, provisioning
from scriptrun.dropin.azureml.experiment import Experiment, old_pins
from scriptrun.spec.absent import absent, absent_properties
from scriptrun.spec.run_kinds import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from scriptrun.core import experiment as core_experiment
    from scriptrun.dropin.azureml.images import Image
    from scriptrun.runtime.hints import Json

_CONNECTIONS = (
    "add_private_endpoint delete_connection delete_private_endpoint_connection get_connection "
    "list_connections list_keys set_connection sync_keys update_dependencies diagnose_workspace"
)
#: Azure resources that each Azure workspace has
_RESOURCES = ("applicationInsights", "containerRegistry", "keyVault", "storageAccount")
_ATTRIBUTES = "discovery_url linked_services private_endpoints service_context"


@absent_properties(_ATTRIBUTES, "It is specific to Azure.")
@absent(_CONNECTIONS, "It is specific to Azure.")
class Workspace(workspace.Workspace):
    """The workspace in the current directory or above; it is created if there is none.

    With a single path, opens the workspace in that directory.
    """

    DEFAULT_CPU_CLUSTER_NAME = "cpu-cluster"
    DEFAULT_GPU_CLUSTER_NAME = "gpu-cluster"
    DEFAULT_CPU_CLUSTER_CONFIGURATION = provisioning.AmlComputeProvisioningConfiguration(
        vm_size="STANDARD_DS2_V2", min_nodes=0, max_nodes=2
    )
    DEFAULT_GPU_CLUSTER_CONFIGURATION = provisioning.AmlComputeProvisioningConfiguration(
        vm_size="STANDARD_NC6", min_nodes=0, max_nodes=2
    )

    def __init__(
        self,
        subscription_id: str | os.PathLike[str],
        resource_group: str | None = None,
        workspace_name: str | None = None,
        auth: object = None,
        _location: str | None = None,
        _disable_service_check: bool = False,
        _workspace_id: str | None = None,
        sku: str = "basic",
        tags: dict[str, str] | None = None,
        **kwargs: object,
    ) -> None:
        root: str | os.PathLike[str] = subscription_id
        if workspace_name is not None:
            one_time_notes.cloud()
            facts = {"subscription_id": str(subscription_id), "resource_group": resource_group}
            root = _root(workspace_name, facts)
        super().__init__(root)

    @property
    def pins(self) -> str:
        """What happens to pins that are not available: as in the jobs of old code."""
        return old_pins()

    @classmethod
    def from_config(
        cls, path: str | os.PathLike[str] | None = None, auth: object = None, **kwargs: object
    ) -> Self:
        """Open the workspace of ``path`` (default: current directory), its parents or config.json.

        ``_file_name`` is the name of Azure's config.json if it has another.
        """
        if auth is not None:
            one_time_notes.cloud()
        config_file = Path(path or ".").expanduser() / str(kwargs.get("_file_name") or "")
        return super().from_config(config_file if config_file.is_file() else path, **kwargs)

    @classmethod
    def get(
        cls,
        name: str,
        auth: object = None,
        subscription_id: object = None,
        resource_group: object = None,
        location: object = None,
        cloud: object = "AzureCloud",
        id: object = None,
        *args: object,
        path: str | os.PathLike[str] | None = None,
        **kwargs: object,
    ) -> Self:
        """Open the workspace of the current directory; create ``name`` if there is none."""
        facts = {
            "subscription_id": subscription_id,
            "resource_group": resource_group,
            "location": location,
        }
        if auth or id or kwargs or any(facts.values()):
            one_time_notes.cloud()
        return super().get(name, path=path) if path else cls(_root(name, facts))

    @classmethod
    def create(  # type: ignore[override]  # as v1 declares it
        cls,
        name: str,
        auth: object = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        create_resource_group: bool = True,
        sku: str = "basic",
        tags: dict[str, str] | None = None,
        friendly_name: str | None = None,
        storage_account: str | None = None,
        key_vault: str | None = None,
        app_insights: str | None = None,
        container_registry: str | None = None,
        adb_workspace: str | None = None,
        primary_user_assigned_identity: str | None = None,
        cmk_keyvault: str | None = None,
        resource_cmk_uri: str | None = None,
        hbi_workspace: bool = False,
        default_cpu_compute_target: object = None,
        default_gpu_compute_target: object = None,
        private_endpoint_config: object = None,
        private_endpoint_auto_approval: bool = True,
        exist_ok: bool = False,
        show_output: bool = True,
        user_assigned_identity_for_cmk_encryption: str | None = None,
        system_datastores_auth_mode: str = "accessKey",
        v1_legacy_mode: bool | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        **kwargs: object,
    ) -> Self:
        """Create the workspace ``name`` here.

        Of the arguments specific to Azure, the subscription, the resource group and the location
        are recorded, and the others ignored.
        """
        if auth or subscription_id or location:
            one_time_notes.cloud()
        place = (auth, subscription_id, resource_group, location)
        return super().create(name, *place, tags=tags, exist_ok=exist_ok, path=path)

    @classmethod
    def _get_or_create(cls, name: str, *args: object, **kwargs: object) -> Self:
        """Open the workspace here, or create it, with the arguments of ``create``."""
        create: Callable[..., Self] = cls.create
        return create(name, *args, **{**kwargs, "exist_ok": True})

    def get_details(self) -> Json:
        """Return the workspace's details, with v1's keys and scriptrun's."""
        details = super().get_details()
        return {
            **dict.fromkeys(_RESOURCES, "local"),
            "type": "Microsoft.MachineLearningServices/workspaces",
            "workspaceid": details["id"],
            "friendlyName": details["name"],
            "description": "",
            "creationTime": details["created"],
            "provisioningState": "Succeeded",
            "discoveryUrl": "",
            "sku": "Basic",
            **details,
        }

    @property
    def compute_targets(self) -> dict[str, compute.ComputeTarget]:
        """The compute targets by name; looking up an unknown one creates it."""
        return compute.AdoptingTargets(self)

    @property
    def experiments(self) -> dict[str, core_experiment.Experiment]:
        """The experiments by name, including those that mlflow created."""
        return {name: Experiment(self, name) for name in super().experiments}

    def get_default_compute_target(self, type: str = "CPU") -> compute.ComputeTarget:
        """Return the compute target of the workspace's default cluster of that type."""
        target: compute.ComputeTarget = self.compute_targets[f"{type.lower()}-cluster"]
        return target

    def update(
        self,
        friendly_name: str | None = None,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        image_build_compute: str | None = None,
        service_managed_resources_settings: object = None,
        primary_user_assigned_identity: str | None = None,
        allow_public_access_when_behind_vnet: bool | None = None,
        v1_legacy_mode: bool | None = None,
        **kwargs: object,
    ) -> None:
        """Do nothing but print a note: a workspace keeps the name and tags it was created with."""
        one_time_notes.once(
            "update", "Workspace.update has no effect: a workspace is a local directory."
        )

    @property
    def images(self) -> dict[str, Image]:
        """The latest version of each image of before 2019, by name."""
        image_class: type[Image] = handler("scriptrun.dropin.azureml.images:Image")
        return {image.name: image for image in reversed(image_class.list(self))}

    @staticmethod
    def list(
        subscription_id: str = "", auth: object = None, resource_group: str | None = None
    ) -> dict[str, list[Workspace]]:
        """Return the current directory's workspace in v1's format: a list by name."""
        one_time_notes.cloud()
        current = Workspace.search(Path.cwd())
        return {current.name: [current]} if current else {}

    @classmethod
    def setup(cls) -> Self:
        """Open the workspace of the current directory."""
        return cls.from_config()


def _root(name: str, facts: Json) -> Path:
    """Return the workspace's root; create the workspace ``name`` here if there is none."""
    configured = os.environ.get("SCRIPTRUN_WORKSPACE")
    base = workspace.Workspace
    opened = base.from_config() if configured else base.search(Path.cwd())
    if opened is None:
        opened = base.create(name, path=Path.cwd(), **facts)
        one_time_notes.say(f"created local workspace {name!r} in {opened.directory}")
    elif opened.name != name:
        one_time_notes.once(
            f"workspace {name}",
            f"using this directory's workspace {opened.name!r} for {name!r}.",
        )
    return opened.root
