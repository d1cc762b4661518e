"""Rerun a run from Python."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence

from scriptrun.spec.control_characters import escape
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.library_values import plain_value, text_of
from scriptrun.spec.run_kinds import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.core.run import Run

    T = TypeVar("T")


class Rerunnable:
    """A run that can be rerun."""

    def rerun(
        self,
        arguments: Sequence[object] = (),
        *,
        replace_arguments: bool = False,
        remove_arguments: Sequence[str] = (),
        display_name: str = "",
        experiment: str = "",
        compute_target: object = None,
        environment_variables: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        target_options: Mapping[str, object] | None = None,
    ) -> Run:
        """Start the run again with the same snapshot and environment, and return the new run.

        ``arguments`` change those of this run: ``run.rerun(["--alpha", 0.9])`` gives ``--alpha``
        another value, or appends it if this run has none; all others stay. With
        ``replace_arguments`` they replace them all. ``remove_arguments`` are names of arguments to
        leave out. ``environment_variables``, ``tags`` and ``target_options`` (those of
        ScriptRunConfig) are added to this run's. The new run's ``job.rerun_of`` is this run's ID.
        Raises UserErrorException for changes that the run cannot have; of its kinds,
        RunConfigurationException has all problems, and ComputeTargetException is about the target.
        """
        changes = handler("scriptrun.history.job_changes:Changes")(
            arguments=_argument_texts(arguments),
            replace_arguments=replace_arguments,
            remove_arguments=_words(remove_arguments, "remove_arguments"),
            display_name=display_name,
            experiment=experiment,
            compute_target=compute_target,
            variables=_variable_texts(environment_variables or {}),
            tags={str(k): None if v is None else str(v) for k, v in (tags or {}).items()},
            target_options=dict(target_options or {}),
        )
        started = handler("scriptrun.history.rerun:start")(self, changes)
        for message in started.warnings:
            warnings.warn(escape(message), stacklevel=2)
        new_run: Run = started.run
        return new_run


def _words(values: Sequence[T], name: str) -> tuple[T, ...]:
    """The values of a list, which a text is not."""
    if isinstance(values, str | bytes):
        raise UserErrorException(
            f"{name} must be a list, not a string.", f'Use e.g. {name}=["--alpha"].'
        )
    return tuple(values)


def _argument_texts(arguments: Sequence[object]) -> tuple[str, ...]:
    """The arguments as a submission writes them."""
    is_plain = handler("scriptrun.config.reader:is_plain")
    values = [plain_value(value) for value in _words(arguments, "arguments")]
    refuse(
        [
            f"arguments[{index}] is of type {type(value).__name__}, not a string or number"
            for index, value in enumerate(values)
            if not is_plain(value)
        ],
        "Cannot rerun the run",
    )
    return tuple(
        os.fsdecode(value) if isinstance(value, os.PathLike) else text_of(value) for value in values
    )


def _variable_texts(variables: Mapping[str, object]) -> dict[str, str]:
    """The variables as a submission writes them."""
    return {
        str(name): "" if value is None else text_of(plain_value(value))
        for name, value in variables.items()
    }
