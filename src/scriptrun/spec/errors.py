"""Errors for users: a message that says what failed and why, and a hint what to do.

Class names follow the Azure ML SDK v1 where it has an equivalent. ``exit_code`` is the command
line's exit status: 1 the job failed, 2 wrong usage, 3 rejected by the engine, 70 an internal error.
The base classes are shared with the code in jobs, so that one ``except`` catches both.
"""

from __future__ import annotations

from collections.abc import Sequence

from scriptrun.runtime.injob.errors import (
    ModelNotFoundException,
    RunEnvironmentException,
    ScriptrunError,
    UserErrorException,
    WebserviceException,
)

__all__ = [
    "ActivityFailedException",
    "ComputeTargetException",
    "EnvironmentException",
    "ExperimentExecutionException",
    "ModelNotFoundException",
    "RunConfigurationException",
    "RunEnvironmentException",
    "ScriptrunError",
    "SecretException",
    "SnapshotException",
    "UserErrorException",
    "WebserviceException",
    "WorkspaceException",
    "refuse",
]


class RunConfigurationException(UserErrorException):
    """An invalid job description; ``reasons`` lists all problems."""

    def __init__(
        self,
        message: str = "",
        hint: str | BaseException | None = "",
        reasons: Sequence[str] = (),
        exception_message: str = "",
        inner_exception: BaseException | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(message, hint, exception_message, inner_exception)
        self.reasons = tuple(reasons)


class WorkspaceException(UserErrorException):
    """The workspace is missing, unreadable or not writable."""


class ComputeTargetException(UserErrorException):
    """The compute target is unknown or its settings are invalid."""


class EnvironmentException(UserErrorException):
    """The environment is unknown, or cannot be built."""


class SecretException(UserErrorException):
    """A secret is missing, or cannot be stored or read."""


class SnapshotException(UserErrorException):
    """The source directory could not be read completely."""


class ExperimentExecutionException(ScriptrunError):
    """The engine rejected or lost the job."""

    exit_code = 3


class ActivityFailedException(ScriptrunError):
    """The run that the caller waited for failed."""

    exit_code = 1


def refuse(problems: Sequence[str], summary: str = "Cannot submit this job") -> None:
    """Raise one RunConfigurationException for all ``problems``; return when there are none."""
    if not problems:
        return
    if len(problems) == 1:
        raise RunConfigurationException(_sentence(f"{summary}: {problems[0]}"), reasons=problems)
    lines = "\n".join(f"  - {problem}" for problem in problems)
    raise RunConfigurationException(
        f"{summary} ({len(problems)} problems):\n{lines}", reasons=problems
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
