"""Rerun a run from Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from scriptrun.spec.control_characters import escape
from scriptrun.spec.run_kinds import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run


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
        tags: Mapping[str, str | None] | None = None,
        target_options: Mapping[str, object] | None = None,
    ) -> Run:
        """Start the run again with the same snapshot and environment, and return the new run.

        ``arguments`` change those of this run: ``run.rerun(["--alpha", 0.9])`` gives ``--alpha``
        another value, or appends it if this run has none; all others stay. With
        ``replace_arguments`` they replace them all. ``remove_arguments`` are names of arguments to
        leave out. ``environment_variables``, ``tags`` and ``target_options`` (those of
        ScriptRunConfig) are added to this run's. The new run's ``job.rerun_of`` is this run's ID.
        Raises RunConfigurationException with all problems.
        """
        variables = environment_variables or {}
        changes = handler("scriptrun.history.job_changes:Changes")(
            arguments=tuple(str(argument) for argument in arguments),
            replace_arguments=replace_arguments,
            remove_arguments=tuple(remove_arguments),
            display_name=display_name,
            experiment=experiment,
            compute_target=compute_target,
            variables={name: str(value) for name, value in variables.items()},
            tags=tags or {},
            target_options=dict(target_options or {}),
        )
        started = handler("scriptrun.history.rerun:start")(self, changes)
        for message in started.warnings:
            warnings.warn(escape(message), stacklevel=2)
        new_run: Run = started.run
        return new_run
