"""The experiment as a job's script sees it (Python 3.6+)."""

from scriptrun.runtime.injob.proxy import root
from scriptrun.runtime.injob.proxy_process import helper
from scriptrun.runtime.injob.workspace import Workspace


class Experiment(object):
    """The run's experiment: its ``name`` and its ``workspace``; all else the helper answers."""

    __scriptrun__ = "experiment"

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return "Experiment(Name: {})".format(self.name)

    @property
    def workspace(self):
        """The workspace."""
        return Workspace()

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError("'Experiment' object has no attribute {!r}".format(name))
        helper("experiment.{}".format(name))
        return getattr(root("experiment"), name)
