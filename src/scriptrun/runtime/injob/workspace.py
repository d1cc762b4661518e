"""The workspace as a job's script sees it (Python 3.6+): its facts, from the job's variables."""

import os


class Workspace(object):
    """The workspace that the job was submitted from: ``name`` and the facts it was created with.

    All that it would give out (datastores, datasets, ...) needs scriptrun in the job's environment:
    those names raise AttributeError with a sentence that says so.
    """

    def __init__(self):
        self.name = os.environ.get("AZUREML_ARM_WORKSPACE_NAME", "")
        self.subscription_id = os.environ.get("AZUREML_ARM_SUBSCRIPTION", "")
        self.resource_group = os.environ.get("AZUREML_ARM_RESOURCEGROUP", "")

    def __repr__(self):
        return "Workspace(name={!r})".format(self.name)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError("'Workspace' object has no attribute {!r}".format(name))
        raise AttributeError(
            "workspace.{} is not at hand in this job: it needs scriptrun to be installed in the "
            "job's environment. Add scriptrun to the environment's packages.".format(name)
        )
