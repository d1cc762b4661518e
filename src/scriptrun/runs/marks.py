"""Archive, pin and remove runs, each with its child runs; refuse to remove what is protected."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scriptrun.runs import details, find
from scriptrun.spec import states
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value
from scriptrun.tracking import run_marks
from scriptrun.tracking.run_marks import PINNED, REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.tracking.index import Index, RunRow


class Family(Value):
    """A run with its descendants: they are archived, pinned and removed with it."""

    run: RunRow
    below: tuple[RunRow, ...] = ()

    @property
    def members(self) -> tuple[RunRow, ...]:
        """The run, then its descendants, the oldest first."""
        return (self.run, *self.below)


class Objection(Value):
    """Why a run cannot be marked, and what to do; ``force`` overrides a protection."""

    why: str
    hint: str
    can_force: bool = False


def families(index: Index, rows: Iterable[RunRow]) -> list[Family]:
    """The runs in ``rows`` with their descendants; none that is a descendant of another."""
    found = [Family(row, tuple(index.descendants(row.id))) for row in rows]
    below = {member.id for family in found for member in family.below}
    return [family for family in found if family.run.id not in below]


def family_of(workspace: WorkspaceFiles, run_id: str) -> Family:
    """The run with this ID, with its descendants. Raises UserErrorException if there is none."""
    index = find.open_index(workspace)
    try:
        row = index.row(run_id)
        if row is None:
            workspace.folder_of(run_id)
            raise UserErrorException(
                f"Run {run_id!r} cannot be read.", "To see why, run: scriptrun doctor --fsck"
            )
        return families(index, [row])[0]
    finally:
        index.close()


def models_by_run(workspace: WorkspaceFiles) -> dict[str, list[str]]:
    """The models that were registered from each run, as ``NAME:VERSION``, by the run's ID."""
    models = importlib.import_module("scriptrun.registry.models")  # only removing runs needs it
    found: dict[str, list[str]] = {}
    for version in models.readable_versions(workspace):
        if version.get("run_id"):
            name = f"{version['name']}:{version['version']}"
            found.setdefault(str(version["run_id"]), []).append(name)
    return found


def services_by_run(workspace: WorkspaceFiles) -> dict[str, str]:
    """The service that each run serves, by the run's ID."""
    service_use = importlib.import_module("scriptrun.registry.service_use")  # as above
    found: dict[str, str] = service_use.services_by_run(workspace)
    return found


def objection(
    family: Family,
    name: str,
    on: bool,
    registered: Mapping[str, list[str]],
    served: Mapping[str, str] | None = None,
) -> Objection | None:
    """Why the mark ``name`` cannot be set; ``registered`` is from ``models_by_run``, ``served``
    from ``services_by_run``.
    """
    run = family.run
    if not on or (name == REMOVED and run.removed is not None):
        return None
    if name != REMOVED and run.removed is not None:
        return Objection("it is removed", f"To restore it, run: scriptrun remove --undo {run.id}")
    if name == PINNED:
        return None
    for member in family.members:
        service = (served or {}).get(member.id) if name == REMOVED else None
        if service is not None:
            return Objection(
                f"{_subject(family, member)} is the run of the service {service!r}",
                f"To remove the service, run: scriptrun service remove {service}",
            )
        if not states.is_terminal(member.state):
            return Objection(
                f"{_subject(family, member)} is active ({member.state})",
                f"To cancel it, run: scriptrun cancel {run.id}",
            )
    return _protection(family, registered) if name == REMOVED else None


def _protection(family: Family, registered: Mapping[str, list[str]]) -> Objection | None:
    for member in family.members:
        if member.id in registered:
            names = ", ".join(registered[member.id])
            plural = "s" if len(registered[member.id]) > 1 else ""
            why = f"model{plural} {names} came from {_subject(family, member)}"
            return Objection(why, "To remove it anyway, use --force.", can_force=True)
        if member.pinned is not None:
            hint = f"To unpin it, run: scriptrun pin --undo {member.id}; or use --force."
            return Objection(f"{_subject(family, member)} is pinned", hint, can_force=True)
    return None


def _subject(family: Family, member: RunRow) -> str:
    return "it" if member.id == family.run.id else f"its run {member.title}"


def apply(families: Sequence[Family], name: str, on: bool = True) -> list[Family]:
    """Set the mark ``name`` of runs and their descendants, or remove it; the runs that it changed.

    Removing a run unpins it. What was removed before its parent stays so when the parent returns.
    """
    if on:
        folders = [Path(member.folder) for family in families for member in family.members]
        if name == REMOVED:
            run_marks.write_all(folders, PINNED, on=False)
    else:  # a run comes after its descendants: if this is interrupted, it can be done again
        folders = [
            folder
            for family in families
            for folder in (*_marked_with_parent(family, name), Path(family.run.folder))
        ]
    changed = set(run_marks.write_all(folders, name, on))
    return [family for family in families if Path(family.run.folder) in changed]


def _marked_with_parent(family: Family, name: str) -> list[Path]:
    """The descendants that have the mark since their parent has it, not since before."""
    since = run_marks.read(Path(family.run.folder)).get(name, math.inf)
    below = [Path(member.folder) for member in family.below]
    return [folder for folder in below if run_marks.read(folder).get(name, 0.0) >= since]


def refuse_removed(run: Run, action: str) -> None:
    """Raise UserErrorException if the run is removed: it cannot be ``action``."""
    if REMOVED in run_marks.read(run.path):
        raise UserErrorException(
            f"Run {details.title(run)} was removed and cannot be {action}.",
            f"To restore it, run: scriptrun remove --undo {run.id}",
        )
