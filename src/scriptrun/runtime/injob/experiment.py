"""The experiment as a job's script sees it (Python 3.6+)."""

from scriptrun.runtime.injob.errors import UserErrorException


class Experiment(object):
    """The run's experiment: its ``name``."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return "Experiment(Name: {})".format(self.name)

    @property
    def workspace(self):
        """Needs more than the run's folder: raises UserErrorException that says what to add."""
        raise UserErrorException(
            "run.experiment.workspace is not at hand in this job: it needs scriptrun to be "
            "installed in the job's environment.",
            "Add scriptrun to the environment's packages.",
        )
