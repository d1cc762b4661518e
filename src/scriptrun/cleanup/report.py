"""What a prune freed, or would free."""

from __future__ import annotations

from scriptrun.spec.values import Value, fresh

#: how the reason begins of a run that stays because its files do
CANNOT_DELETE = "cannot be deleted"


class PrunedRun(Value):
    """A run that is deleted, and why; ``size`` is that of its folder, in bytes.

    ``host`` is the cluster behind ssh that has its files, too.
    """

    id: str
    name: str
    reason: str
    size: int
    folder: str
    host: str = ""


class KeptRun(Value):
    """A run that was selected and is kept, and why."""

    id: str
    name: str
    reason: str


class Freed(Value):
    """How many things of one kind were freed, and their size in bytes."""

    count: int = 0
    size: int = 0

    def plus(self, size: int, count: int = 1) -> Freed:
        """With so many more."""
        return Freed(self.count + count, self.size + size)


class PruneReport(Value, frozen=False):
    """What ``Workspace.prune`` freed, or would free with ``dry_run``.

    ``runs`` are the deleted runs and ``kept`` those that were selected but are kept;
    ``other_users`` counts the selected runs of others, which stay. ``snapshots`` and ``manifests``
    (lists of datasets' files) are those that nothing refers to, with their content, ``leftovers``
    what interrupted submissions and prunes left. ``recent`` counts the snapshots that are unused,
    but kept until a day after their last use. ``problems`` say what could not be cleaned up.
    """

    dry_run: bool
    runs: list[PrunedRun] = fresh(default_factory=list)
    kept: list[KeptRun] = fresh(default_factory=list)
    other_users: dict[str, int] = fresh(default_factory=dict)
    snapshots: Freed = Freed()
    manifests: Freed = Freed()
    leftovers: Freed = Freed()
    recent: int = 0
    problems: list[str] = fresh(default_factory=list)

    @property
    def size(self) -> int:
        """The freed bytes."""
        others = self.snapshots.size + self.manifests.size + self.leftovers.size
        return sum(run.size for run in self.runs) + others

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to free."""
        others = (self.snapshots, self.manifests, self.leftovers)
        return not self.runs and not any(each.count or each.size for each in others)

    @property
    def has_failed(self) -> bool:
        """Whether something could not be deleted, or not cleaned up."""
        failed = (run.reason.startswith(CANNOT_DELETE) for run in self.kept)
        return bool(self.problems) or any(failed)

    def __repr__(self) -> str:
        verb = "would free" if self.dry_run else "freed"
        counts = f"{len(self.runs)} runs, {self.snapshots.count} snapshots"
        return f"{type(self).__name__}({verb} {counts}, {self.size} bytes)"
