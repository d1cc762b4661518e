"""``azureml.core.compute``: clusters as aliases of the workspace's default compute target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.dropin import one_time_notes
from scriptrun.dropin.azureml import provisioning, vm_sizes
from scriptrun.engines import registry as engine_registry
from scriptrun.engines.local.slots import DEFAULT_RUNS
from scriptrun.registry import compute_targets
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec import states, suggestion
from scriptrun.spec.absent import absent
from scriptrun.spec.errors import ComputeTargetException
from scriptrun.spec.run_kinds import handler
from scriptrun.spec.values import replace
from scriptrun.store import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


@absent("get_docs_url", "See docs/reference/compute.md.")
class ComputeTarget:
    """The compute target ``name`` of ``workspace``, as AmlCompute or ComputeInstance.

    Raises ComputeTargetException if none has that name.
    """

    type = "AmlCompute"
    location = cluster_location = "local"
    provisioning_state = "Succeeded"
    provisioning_errors = None
    is_attached = False
    # what a cluster of Azure has, and a local target lacks
    created_on = modified_on = None
    vnet_resourcegroup_name = vnet_name = subnet_name = None
    admin_username = admin_user_password = admin_user_ssh_key = None
    identity_type = identity_id = None
    remote_login_port_public_access = "NotSpecified"

    def __new__(cls, workspace: WorkspaceFiles, name: str, **kwargs: object) -> ComputeTarget:  # noqa: D102
        if name not in compute_targets.all_targets(workspace) and not compute_targets.is_alias(
            workspace, name
        ):
            raise ComputeTargetException(
                f"Compute target {name!r} not found in workspace {workspace.name!r}.",
                f"{suggestion.question(name, compute_targets.all_targets(workspace))}"
                "Create it with ComputeTarget.create(workspace, name, configuration), or without "
                f"changing the code: scriptrun compute alias {name} local",
            )
        if cls is not ComputeTarget:
            return object.__new__(cls)
        facts = _facts_store(workspace).get(name) or {}
        if facts.get("type") == "AKS":
            aks_compute: type[ComputeTarget] = handler("scriptrun.dropin.azureml.aks:AksCompute")
            return object.__new__(aks_compute)
        instance = facts.get("type") == ComputeInstance.type
        return object.__new__(ComputeInstance if instance else AmlCompute)

    def __init__(self, workspace: WorkspaceFiles, name: str, **kwargs: object) -> None:
        self.workspace = workspace
        self.name = self.id = name
        self._facts: Json = dict(_facts_store(workspace).get(name) or {})

    def __deepcopy__(self, memo: dict[int, object]) -> ComputeTarget:
        return self  # copies of a RunConfiguration share the target

    @staticmethod
    def create(
        workspace: WorkspaceFiles,
        name: str,
        provisioning_configuration: provisioning.ComputeTargetProvisioningConfiguration,
    ) -> ComputeTarget:
        """Create the compute target ``name``, backed by the workspace's default engine.

        As in v1, this replaces a target created the same way. Raises ComputeTargetException if
        the name belongs to any other target (``scriptrun compute add``).
        """
        _refuse_other(workspace, name)
        facts = {**provisioning_configuration.facts, "type": provisioning_configuration.kind}
        make(workspace, name, facts)
        return ComputeTarget(workspace, name)

    @staticmethod
    def attach(workspace: WorkspaceFiles, name: str, attach_configuration: object) -> ComputeTarget:
        """Make ``name`` stand for the default compute target, for a cluster that serves models.

        Raises NotImplementedError for others: add machines with ``scriptrun compute add``.
        """
        if isinstance(attach_configuration, provisioning.ComputeTargetAttachConfiguration):
            _refuse_other(workspace, name)
            make(workspace, name, {**attach_configuration.facts, "type": attach_configuration.kind})
            return ComputeTarget(workspace, name)
        raise NotImplementedError(
            "Attaching machines is not supported. Add them as a scriptrun compute target: "
            "scriptrun compute add."
        )

    @staticmethod
    def list(workspace: WorkspaceFiles) -> list[ComputeTarget]:
        """The workspace's compute targets."""
        return [ComputeTarget(workspace, name) for name in compute_targets.all_targets(workspace)]

    @property
    def tags(self) -> dict[str, str]:
        """The tags it was created with."""
        return dict(self._facts.get("tags") or {})

    @property
    def description(self) -> str | None:
        """The description it was created with."""
        return self._facts.get("description")

    @property
    def cluster_resource_id(self) -> str | None:
        """The cluster's address in Azure: None, since it is local."""
        return None

    @property
    def vm_size(self) -> str:
        """The requested VM size; it has no effect."""
        return str(self._facts.get("vm_size") or "LOCAL")

    @property
    def vm_priority(self) -> str:
        """The requested priority; it has no effect."""
        return str(self._facts.get("vm_priority") or "dedicated")

    def wait_for_completion(
        self, show_output: bool = False, is_delete_operation: bool = False, **kwargs: object
    ) -> None:
        """Return immediately: there is nothing to wait for."""
        if show_output:
            print(f"{self.name}: Succeeded; jobs run on the workspace's default compute target.")

    def get_active_runs(
        self,
        type: str | None = None,
        tags: Mapping[str, object] | str | None = None,
        properties: Mapping[str, object] | str | None = None,
        status: str | None = None,
    ) -> Iterator[Run]:
        """Yield the active runs on this target, newest first; the arguments are as in Run.list."""
        for run in Run.list_by_compute(self, type, tags, properties, status):
            if not states.is_terminal(run.get_status()):
                yield run

    def refresh_state(self) -> None:
        """Read the target's settings again."""
        self._facts = dict(_facts_store(self.workspace).get(self.name) or {})

    def get(self) -> None:
        """Read the target's settings again, like ``refresh_state``."""
        self.refresh_state()

    def get_status(self) -> Status:
        """Return the target's state."""
        return Status(self)

    status = property(get_status)

    def serialize(self) -> Json:
        """Return the target's settings in v1's format."""
        return {
            "id": self.id,
            "name": self.name,
            "tags": self.tags,
            "location": self.location,
            "properties": {"computeType": self.type, "properties": self._properties()},
            "provisioningState": self.provisioning_state,
        }

    def _properties(self) -> Json:
        """Return the properties in ``serialize`` that are specific to the type."""
        return {"vmSize": self.vm_size}

    @staticmethod
    def deserialize(workspace: WorkspaceFiles, object_dict: Json) -> ComputeTarget:
        """Return the compute target that ``serialize`` wrote."""
        return ComputeTarget(workspace, object_dict["name"])

    @staticmethod
    def deserialize_from_dict(compute_target_name: str, compute_target_dict: Json) -> ComputeTarget:
        """Return the compute target of that name in the current directory's workspace."""
        return ComputeTarget(Workspace.from_config(), compute_target_name)

    def delete(self) -> None:
        """Remove it. Raises ComputeTargetException if it is missing or this machine itself."""
        compute_targets.remove(self.workspace, self.name)
        _facts_store(self.workspace).remove(self.name)

    def detach(self) -> None:
        """Remove it, as ``delete``."""
        self.delete()

    def __repr__(self) -> str:
        return f"{self.type}(workspace={self.workspace!r}, name={self.name!r})"


@absent(
    "add_identity remove_identity list_quotas list_usages update_quotas",
    "Identities and quotas are specific to Azure.",
)
class AmlCompute(ComputeTarget):
    """A cluster: an alias of the workspace's default engine."""

    provisioning_configuration = staticmethod(provisioning.cluster)

    def wait_for_completion(  # type: ignore[override]  # as v1 declares it
        self,
        show_output: bool = False,
        min_node_count: int | None = None,
        timeout_in_minutes: float | None = 25,
        is_delete_operation: bool = False,
        **kwargs: object,
    ) -> None:
        """Return immediately: there is nothing to wait for."""
        super().wait_for_completion(show_output)

    @property
    def scale_settings(self) -> provisioning.ScaleSettings:
        """The requested number of nodes."""
        facts = self._facts
        return provisioning.ScaleSettings(
            facts.get("min_nodes", 0),
            facts.get("max_nodes", 1),
            facts.get("idle_seconds_before_scaledown", 1800),
        )

    def _properties(self) -> Json:
        scale = self.scale_settings.serialize()
        return {
            **super()._properties(),
            "vmPriority": self.vm_priority,
            "scaleSettings": scale,
        }

    def list_nodes(self) -> list[Json]:
        """Return an empty list: no nodes are rented."""
        return []

    def update(
        self,
        min_nodes: int | None = None,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int | None = None,
    ) -> None:
        """Change the number of nodes."""
        values = {
            "min_nodes": min_nodes,
            "max_nodes": max_nodes,
            "idle_seconds_before_scaledown": idle_seconds_before_scaledown,
        }
        changed = {key: value for key, value in values.items() if value is not None}
        make(self.workspace, self.name, {**self._facts, **changed})
        self.refresh_state()

    @staticmethod
    def supported_vmsizes(workspace: WorkspaceFiles, location: str | None = None) -> list[Json]:
        """The sizes whose meaning is known, as v1 listed them; no machine is rented."""
        return vm_sizes.list_sizes()


@absent("update_sso_settings", "Logins are specific to Azure.")
class ComputeInstance(ComputeTarget):
    """A single machine: an alias of the workspace's default engine."""

    type = "ComputeInstance"
    # what a machine of Azure has, and a local target lacks
    ssh_public_access = False
    admin_user_ssh_public_key = ssh_port = public_ip_address = private_ip_address = None
    applications = errors = subnet_id = last_operation = created_by = None
    assigned_user_object_id = assigned_user_tenant_id = None
    instance_resource_id = None
    instance_location = "local"
    provisioning_configuration = staticmethod(provisioning.machine)

    def start(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Do nothing: it always runs."""

    restart = start

    def stop(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Do nothing: it always runs."""

    def delete(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Remove it. Raises ComputeTargetException if it is missing or this machine itself."""
        super().delete()

    @staticmethod
    def supported_vmsizes(workspace: WorkspaceFiles, location: str | None = None) -> list[Json]:
        """The sizes whose meaning is known, as v1 listed them; no machine is rented."""
        return vm_sizes.list_sizes()


class Status:
    """The state of a compute target that is always ready."""

    allocation_state = "Steady"
    provisioning_state = "Succeeded"
    state = "Running"
    current_node_count = target_node_count = 0
    errors = None
    allocation_state_transition_time = provisioning_state_transition_time = None
    creation_time = modified_time = node_state_counts = None
    created_by_user_name = created_by_user_id = created_by_user_org = None

    def __init__(self, target: ComputeTarget | None = None, **facts: object) -> None:
        self.vm_size = target.vm_size if target else "LOCAL"
        self.vm_priority = target.vm_priority if target else "dedicated"
        self.scale_settings = getattr(target, "scale_settings", provisioning.ScaleSettings())
        self.__dict__.update(facts)

    @staticmethod
    def deserialize(object_dict: Json) -> Status:
        """Return the state that ``serialize`` wrote."""
        return Status(vm_size=object_dict.get("vmSize"), vm_priority=object_dict.get("vmPriority"))

    def serialize(self) -> Json:
        """Return the state in v1's format."""
        kinds = ["preparing", "running", "idle", "unusable", "leaving", "preempted"]
        return {
            "allocationState": self.allocation_state,
            "provisioningState": self.provisioning_state,
            "currentNodeCount": 0,
            "targetNodeCount": 0,
            "nodeStateCounts": {f"{kind}NodeCount": 0 for kind in kinds},
            "scaleSettings": self.scale_settings.serialize(),
            "vmPriority": self.vm_priority,
            "vmSize": self.vm_size,
            "errors": None,
            "state": self.state,
        }


def _refuse_other(workspace: WorkspaceFiles, name: str) -> None:
    """Raise ComputeTargetException if ``name`` belongs to a target that old code did not create."""
    known = compute_targets.all_targets(workspace)
    if name in known and _facts_store(workspace).get(name) is None:
        raise ComputeTargetException(
            f"Compute target {name!r} already exists.",
            "Get it with ComputeTarget(workspace, name), or delete() it first.",
        )


class AdoptingTargets(dict[str, ComputeTarget]):
    """A workspace's compute targets by name; looking up an unknown one creates it."""

    def __init__(self, workspace: WorkspaceFiles) -> None:
        super().__init__({target.name: target for target in ComputeTarget.list(workspace)})
        self._workspace = workspace

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or compute_targets.is_alias(self._workspace, str(name))

    def __missing__(self, name: str) -> ComputeTarget:
        adopt(self._workspace, name)
        self[name] = target = ComputeTarget(self._workspace, name)
        return target


def adopt(workspace: WorkspaceFiles, name: str) -> None:
    """Make an unknown ``name`` an alias of the workspace's default engine, with a note."""
    try:
        compute_targets.resolve(workspace, name)
    except ComputeTargetException:
        make(workspace, name, {"type": AmlCompute.type})
        one_time_notes.say(
            f"unknown compute target {name!r}; using "
            f"{compute_targets.default_name(workspace)!r} (see scriptrun compute list)."
        )


def make(workspace: WorkspaceFiles, name: str, facts: Json) -> None:
    """Register ``name`` as an alias of the default engine.

    ``max_nodes`` limits concurrent runs on this machine, and a job's nodes on a cluster. On a
    cluster, ``vm_size`` sets the resources that the default engine leaves open.
    """
    engine = compute_targets.resolve(workspace, None)
    options = engine_registry.options_of(engine)
    supported = {"name", *options}
    changes: Json = {"name": name}
    nodes = facts.get("max_nodes")
    if "max_runs" in supported and nodes and nodes <= DEFAULT_RUNS:
        changes["max_runs"] = nodes
    if "max_nodes" in supported and nodes:
        changes["max_nodes"] = nodes
    size = vm_sizes.size_of(str(facts.get("vm_size") or ""))
    for field, value in _engine_options(size).items() if size else ():
        if field in supported and options[field] is None:
            changes[field] = value
    compute_targets.put(workspace, replace(engine, **changes))
    _facts_store(workspace).put(name, facts)


def _engine_options(size: vm_sizes.Size) -> Json:
    """Return a VM size as options of a cluster engine."""
    options: Json = {"cpus": size.cpus, "memory": f"{size.memory}G"}
    return {**options, "gres": f"gpu:{size.gpus}"} if size.gpus else options


def _facts_store(workspace: WorkspaceFiles) -> registry.NamedValues:
    """Return the store of the clusters' v1 settings that the engine does not need."""
    return registry.NamedValues(workspace.directory / "azureml" / "compute")
