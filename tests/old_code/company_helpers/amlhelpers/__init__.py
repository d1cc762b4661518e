from .connection import AzureMLConnection
from .training import TrainingJob
from .settings import load_settings

__all__ = ["AzureMLConnection", "TrainingJob", "load_settings"]
