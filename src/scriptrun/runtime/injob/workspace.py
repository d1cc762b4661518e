"""The workspace as a job's script sees it (Python 3.6+): its facts, from the job's variables."""

import os

from scriptrun.runtime.injob.proxy import root
from scriptrun.runtime.injob.proxy_process import helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Workspace(object):
    """The workspace that the job was submitted from: ``name`` and the facts it was created with.

    All else (datastores, datasets, models, ...) is answered by the helper; where there is none,
    AttributeError says what to add.
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
