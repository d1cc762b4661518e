"""Logs to Azure ML if it is there."""
import os
try:
    from azureml.core import Run
    from azureml.core.run import _OfflineRun
    AZUREML = True
except ImportError:
    AZUREML = False


class Tracker:
    def __init__(self):
        self.run = Run.get_context() if AZUREML else None

    @property
    def is_online(self):
        return AZUREML and not isinstance(self.run, _OfflineRun)

    def log(self, **metrics):
        for k, v in metrics.items():
            if self.is_online:
                self.run.log(k, v)
            else:
                print("local", k, v)

    def parent_log(self, name, value):
        if self.is_online and self.run.parent is not None:
            self.run.parent.log(name, value)
