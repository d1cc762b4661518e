"""The results of a run, and the messages while they are not available yet."""

from __future__ import annotations

from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, Protocol

    from scriptrun.tracking.run_state import RunState

    class RunLike(Protocol):
        """What is asked of a run."""

        @property
        def id(self) -> str:
            """Its ID."""

        @property
        def standing(self) -> RunState:
            """Its state now."""


def not_yet(run: RunLike, name: str) -> UserErrorException | None:
    """The error for a file or metric that a run does not have yet; None if the run has ended."""
    status = run.standing
    if status.is_final:
        return None
    return UserErrorException(
        f"Run {run.id!r} is {status.state} and has no {name!r} yet.",
        "Wait for its end first: run.wait_for_completion().",
    )


class Metrics(dict[str, object]):
    """The metrics of a run. Asking for one that an active run has not logged says so."""

    def __init__(self, run: RunLike, values: dict[str, object]) -> None:
        super().__init__(values)
        self._run = run

    def __missing__(self, name: str) -> NoReturn:
        error = not_yet(self._run, name)
        raise KeyError(name) if error is None else MetricNotYet(error.message, error.hint)

    def __reduce__(self) -> tuple[type, tuple[dict[str, object]]]:
        return dict, (dict(self),)


class MetricNotYet(UserErrorException, KeyError):
    """An active run has not logged this metric yet."""
