"""The experiment as a job's script sees it (Python 3.6+)."""

from scriptrun.runtime.injob.workspace import Workspace


class Experiment(object):
    """The run's experiment: its ``name``, and its ``workspace`` as far as a job knows it."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return "Experiment(Name: {})".format(self.name)

    @property
    def workspace(self):
        """The workspace: its name and facts; what needs more says what to add."""
        return Workspace()
