"""The workspace in a job's script, from the job's variables (Python 3.6+)."""

import os

from scriptrun.runtime.injob.proxy import root
from scriptrun.runtime.injob.proxy_process import helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Workspace(object):
    """The workspace that the job was submitted from: its name, subscription and resource group.

    The helper provides everything else (datastores, datasets, models, ...); without one,
    AttributeError says what to install.
    """

    __scriptrun__ = "workspace"

    def __init__(self) -> None:
        self.name = os.environ.get("AZUREML_ARM_WORKSPACE_NAME", "")
        self.subscription_id = os.environ.get("AZUREML_ARM_SUBSCRIPTION", "")
        self.resource_group = os.environ.get("AZUREML_ARM_RESOURCEGROUP", "")

    def __repr__(self) -> str:
        return "Workspace(name={!r})".format(self.name)

    def __getattr__(self, name: str) -> "Any":
        if name.startswith("_"):
            raise AttributeError("'Workspace' object has no attribute {!r}".format(name))
        helper("workspace.{}".format(name))
        return getattr(root("workspace"), name)
