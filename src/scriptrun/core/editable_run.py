"""What a user changes about a run at any time: tags, name and note; archive, pin and remove it."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from scriptrun.runs import marks
from scriptrun.runtime.injob.run import Run as ScriptRun
from scriptrun.spec.absent import absent
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import run_edits, run_marks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace


@absent("add_type_provider", "scriptrun has only one run type.")
@absent("get_docs_url", "See help(Run).")
class EditableRun(ScriptRun):
    """Base of ``Run``: changes outside its script are on the disk once they return."""

    workspace: Workspace
    path: Path

    #: SDK v1's type of a run that is no other kind
    RUN_TYPE = "azureml.scriptrun"

    @property
    def identity(self) -> str:
        """The run's ID, by another name of it in SDK v1."""
        return self.id

    def _write_event(self, kind: str, **fields: object) -> None:
        if os.environ.get("SCRIPTRUN_RUN_ID"):
            super()._write_event(kind, **fields)  # in a job: a full disk must not end a training
        else:
            run_edits.write([self.path], kind, **fields)

    def archive(self, undo: bool = False) -> None:
        """Hide the run and its child runs from lists; ``undo`` shows them again.

        Raises UserErrorException if the run is active or removed.
        """
        self._mark(run_marks.ARCHIVED, not undo)

    def pin(self, undo: bool = False) -> None:
        """Protect the run and its child runs from ``scriptrun prune`` and ``remove``, or not.

        Raises UserErrorException if the run is removed.
        """
        self._mark(run_marks.PINNED, not undo)

    def remove(self, undo: bool = False, force: bool = False) -> None:
        """Remove the run and its child runs from lists and searches; ``undo`` restores them.

        Their files stay until ``scriptrun prune``. Raises UserErrorException if the run is active,
        or pinned or the origin of a model, unless ``force``.
        """
        self._mark(run_marks.REMOVED, not undo, force)

    @property
    def archived(self) -> datetime.datetime | None:
        """Since when the run is archived; None if it is not."""
        return self._since(run_marks.ARCHIVED)

    @property
    def pinned(self) -> datetime.datetime | None:
        """Since when the run is pinned; None if it is not."""
        return self._since(run_marks.PINNED)

    @property
    def removed(self) -> datetime.datetime | None:
        """Since when the run is removed; None if it is not."""
        return self._since(run_marks.REMOVED)

    def _hides(self, child: EditableRun) -> bool:
        """Whether a child is removed, but not this run."""
        return child.removed is not None and self.removed is None

    def _since(self, name: str) -> datetime.datetime | None:
        seconds = run_marks.read(self.path).get(name)
        return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC)

    def _mark(self, name: str, on: bool, force: bool = False) -> None:
        family = marks.family_of(self.workspace, self.id)
        is_removal = name == run_marks.REMOVED
        registered = marks.models_by_run(self.workspace) if is_removal else {}
        served = marks.services_by_run(self.workspace) if is_removal else {}
        objection = marks.objection(family, name, on, registered, served)
        if objection is not None and not (force and objection.can_force):
            raise UserErrorException(
                f"Run {self.id} cannot be {name}: {objection.why}.", objection.hint
            )
        marks.apply([family], name, on)
