"""Errors that speak to people: a sentence (what was asked, what is the case), and what to do.

The class names are those of the Azure ML SDK v1 where it had the thing. ``exit_code`` is what the
command line ends with: 1 the job failed, 2 wrong usage, 3 refused by the engine, 70 our own bug.
The base classes are those that a job's script meets too, so that one ``except`` catches both.
"""

from __future__ import annotations

from collections.abc import Sequence

from scriptrun.runtime.injob.errors import (
    RunEnvironmentException,
    ScriptrunError,
    UserErrorException,
)

__all__ = [
    "ActivityFailedException",
    "ComputeTargetException",
    "EnvironmentException",
    "ExperimentExecutionException",
    "RunConfigurationException",
    "RunEnvironmentException",
    "ScriptrunError",
    "SecretException",
    "SnapshotException",
    "UserErrorException",
    "WorkspaceException",
    "refuse",
]


class RunConfigurationException(UserErrorException):
    """A job description that cannot be run: ``reasons`` lists every problem found, at once."""

    def __init__(
        self,
        message: str = "",
        hint: str = "",
        reasons: Sequence[str] = (),
        exception_message: str = "",
    ) -> None:
        super().__init__(message, hint, exception_message)
        self.reasons = tuple(reasons)


class WorkspaceException(UserErrorException):
    """The workspace is missing, unreadable or not writable."""


class ComputeTargetException(UserErrorException):
    """The compute target is unknown or misdescribed."""


class EnvironmentException(UserErrorException):
    """The environment is unknown, or cannot be built here."""


class SecretException(UserErrorException):
    """A named secret is not there, or cannot be kept or read."""


class SnapshotException(UserErrorException):
    """The source directory could not be read whole."""


class ExperimentExecutionException(ScriptrunError):
    """The engine refused or lost the job."""

    exit_code = 3


class ActivityFailedException(ScriptrunError):
    """A run that was waited for ended Failed."""

    exit_code = 1


def refuse(reasons: Sequence[str], what: str = "Cannot submit this job") -> None:
    """Raise one RunConfigurationException for all ``reasons``; return when there are none."""
    if not reasons:
        return
    if len(reasons) == 1:
        raise RunConfigurationException(_sentence(f"{what}: {reasons[0]}"), reasons=reasons)
    lines = "\n".join(f"  - {reason}" for reason in reasons)
    raise RunConfigurationException(f"{what} ({len(reasons)} problems):\n{lines}", reasons=reasons)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
