import logging
from azureml.core import Workspace, Datastore, Dataset
from azureml.core.authentication import InteractiveLoginAuthentication, ServicePrincipalAuthentication
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.exceptions import ProjectSystemException, UserErrorException

logger = logging.getLogger(__name__)


class AzureMLConnection(object):
    """One object for whatever a project needs of Azure ML."""

    def __init__(self, settings, auth=None):
        self.settings = settings
        self.auth = auth or self._auth()
        self.ws = self._workspace()

    def _auth(self):
        kind = self.settings.get("auth", "interactive")
        if kind == "sp":
            return ServicePrincipalAuthentication("tenant", "app", "secret")
        return InteractiveLoginAuthentication(tenant_id="tenant")

    def _workspace(self):
        name = self.settings.workspace.name
        try:
            return Workspace.get(name=name, subscription_id=self.settings.workspace.subscription_id,
                                 resource_group=self.settings.workspace.resource_group, auth=self.auth)
        except (ProjectSystemException, UserErrorException):
            logger.warning("no workspace %s: creating it", name)
            return Workspace.create(name=name, subscription_id=self.settings.workspace.subscription_id,
                                    resource_group=self.settings.workspace.resource_group, location="westeurope",
                                    create_resource_group=True, exist_ok=True, auth=self.auth)

    def compute(self, name=None):
        name = name or self.settings.compute.name
        existing = {c.name: c for c in ComputeTarget.list(self.ws)}
        if name in existing:
            return existing[name]
        cfg = AmlCompute.provisioning_configuration(**self.settings.compute.provisioning)
        target = ComputeTarget.create(self.ws, name, cfg)
        target.wait_for_completion(show_output=False)
        return target

    def upload(self, folder, target):
        store = Datastore.get_default(self.ws)
        store.upload(src_dir=folder, target_path=target, overwrite=True, show_progress=False)
        return Dataset.File.from_files((store, target + "/**"))
