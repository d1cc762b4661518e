"""The errors that scriptrun raises, to be caught by name."""

from __future__ import annotations

from scriptrun.data.errors import (
    DatasetExecutionError,
    DatasetValidationError,
    DatastoreException,
)
from scriptrun.query.problem import QueryException
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
    WebserviceException,
    WorkspaceException,
)

__all__ = [
    "ActivityFailedException",
    "ComputeTargetException",
    "DatasetExecutionError",
    "DatasetValidationError",
    "DatastoreException",
    "EnvironmentException",
    "ExperimentExecutionException",
    "QueryException",
    "RunConfigurationException",
    "RunEnvironmentException",
    "ScriptrunError",
    "SnapshotException",
    "UserErrorException",
    "WebserviceException",
    "WorkspaceException",
]
