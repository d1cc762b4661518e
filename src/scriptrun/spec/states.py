"""The states of a run, spelled as the Azure ML SDK v1 spelled them."""

from __future__ import annotations

NOT_STARTED = "NotStarted"
QUEUED = "Queued"
PREPARING = "Preparing"
RUNNING = "Running"
FINALIZING = "Finalizing"
COMPLETED = "Completed"
FAILED = "Failed"
CANCELED = "Canceled"

#: in the order in which a run passes through them
ORDER = (NOT_STARTED, QUEUED, PREPARING, RUNNING, FINALIZING, COMPLETED, FAILED, CANCELED)
TERMINAL = frozenset({COMPLETED, FAILED, CANCELED})


def is_terminal(state: str) -> bool:
    """Whether a run in ``state`` has ended for good."""
    return state in TERMINAL
