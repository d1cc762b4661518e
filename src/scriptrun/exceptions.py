"""The errors that scriptrun raises, to be caught by name."""

from __future__ import annotations

from scriptrun.spec.errors import (
    ActivityFailedException,
    ComputeTargetException,
    EnvironmentException,
    ExperimentExecutionException,
    RunConfigurationException,
    RunEnvironmentException,
    ScriptrunError,
    SnapshotException,
    UserErrorException,
    WorkspaceException,
)

__all__ = [
    "ActivityFailedException",
    "ComputeTargetException",
    "EnvironmentException",
    "ExperimentExecutionException",
    "RunConfigurationException",
    "RunEnvironmentException",
    "ScriptrunError",
    "SnapshotException",
    "UserErrorException",
    "WorkspaceException",
]
