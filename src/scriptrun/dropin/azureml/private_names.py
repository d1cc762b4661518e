"""Names from Microsoft's private modules that existing code imports."""

from __future__ import annotations

import builtins

#: ``azureml._restclient.snapshots_client``: code raises this limit; scriptrun has none
SNAPSHOT_MAX_SIZE_BYTES = 1 << 50


class RunStatus:
    """``azureml._restclient.constants``: the states of a run."""

    UNAPPROVED = "Unapproved"
    NOT_STARTED = "NotStarted"
    STARTING = "Starting"
    PROVISIONING = "Provisioning"
    PREPARING = "Preparing"
    QUEUED = "Queued"
    RUNNING = "Running"
    PAUSING = "Pausing"
    PAUSED = "Paused"
    FINALIZING = "Finalizing"
    CANCEL_REQUESTED = "CancelRequested"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    NOT_RESPONDING = "NotResponding"

    @classmethod
    def list(cls) -> builtins.list[str]:
        """Return all states."""
        return [value for name, value in vars(cls).items() if name.isupper()]

    @classmethod
    def get_running_statuses(cls) -> builtins.list[str]:
        """Return the states of runs whose script has not ended."""
        ended = [*cls.get_post_processing_statuses(), *cls.get_terminal_statuses()]
        return [value for value in cls.list() if value not in ended]

    @classmethod
    def get_post_processing_statuses(cls) -> builtins.list[str]:
        """Return the states of runs that are ending."""
        return [cls.CANCEL_REQUESTED, cls.FINALIZING]

    @classmethod
    def get_terminal_statuses(cls) -> builtins.list[str]:
        """Return the states of finished runs."""
        return [cls.COMPLETED, cls.FAILED, cls.CANCELED]


#: ``azureml.core.run``: the groups of states that old code waits for
RUNNING_STATES = RunStatus.get_running_statuses()
POST_PROCESSING_STATES = RunStatus.get_post_processing_statuses()
TERMINAL_STATES = RunStatus.get_terminal_statuses()


def append(key: str, value: str) -> None:
    """``azureml._base_sdk_common.user_agent``: ignored, as nothing is sent anywhere."""


def get_user_agent() -> str:
    """``azureml._base_sdk_common.user_agent``: a fixed value."""
    return "scriptrun"


#: ``azureml.core.run``: the states of a run that has not ended
RUNNING_STATES = RunStatus.get_running_statuses()
