"""The experiment in a job's script (Python 3.6+)."""

from scriptrun.runtime.injob.proxy import root
from scriptrun.runtime.injob.proxy_process import helper
from scriptrun.runtime.injob.workspace import Workspace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Experiment(object):
    """The run's experiment: its ``name`` and ``workspace``; the helper provides everything else."""

    __scriptrun__ = "experiment"

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return "Experiment(Name: {})".format(self.name)

    @property
    def workspace(self) -> "Workspace":
        """The workspace of the experiment."""
        return Workspace()

    def __getattr__(self, name: str) -> "Any":
        if name.startswith("_"):
            raise AttributeError("'Experiment' object has no attribute {!r}".format(name))
        helper("experiment.{}".format(name))
        return getattr(root("experiment"), name)
