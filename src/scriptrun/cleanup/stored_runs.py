"""The runs of a workspace, with what each of them refers to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from scriptrun.query import tree
from scriptrun.runs.search import Search
from scriptrun.runtime import files
from scriptrun.spec import states
from scriptrun.spec.errors import WorkspaceException
from scriptrun.spec.run_kinds import RUN_KINDS
from scriptrun.spec.values import Value, fresh
from scriptrun.store.records import DamagedRecord
from scriptrun.tracking import run_folder, run_marks
from scriptrun.tracking.index import RunRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles

#: a SHA-256: of a snapshot, or of a dataset's list of files
_DIGEST = re.compile(rb"[0-9a-f]{64}")
#: a path below the folder of a run; relative to a datastore, it may begin with the day
_RUN_PATH = re.compile(rb"\d{4}-\d\d-\d\d[/\\]+([^/\"'\\\s]+)")
_RERUN_OF = re.compile(rb'"rerun_of":\s*"([^"]+)"')
#: folders of the workspace that hold no YAML of its registries
_OTHER_FOLDERS = ("runs", "snapshots", "runtime", "locks", "manifests", "wheels", "datastores")


class References(Value):
    """What a record refers to: digests, and IDs of runs. None of its ``digests`` if unreadable.

    ``resumed`` are the sweeps and runs that a sweep resumes from; ``is_foreign``: its job cannot be
    read, as one of a newer scriptrun cannot, so the run may be active whatever its state.
    """

    digests: frozenset[str] | None = frozenset()
    runs: frozenset[str] = frozenset()
    resumed: frozenset[str] = frozenset()
    is_foreign: bool = False
    marks: dict[str, float] = fresh(default_factory=dict)


class StoredRun(Value):
    """A run as the index shows it, with its marks and references."""

    row: RunRow
    references: References

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.row.folder)

    @property
    def is_final(self) -> bool:
        """Whether the run has ended."""
        return states.is_terminal(self.row.state)

    @property
    def is_damaged(self) -> bool:
        """Whether its record cannot be read."""
        return self.references.digests is None


class StoredRuns:
    """All runs of ``workspace`` by ID; ``matching`` are the IDs of those that match ``query``.

    Raises QueryException for an invalid query. Records that were read once are not read again.
    """

    def __init__(
        self,
        workspace: WorkspaceFiles,
        query: str = "",
        known: dict[str, References] | None = None,
    ) -> None:
        self.known = {} if known is None else known
        with Search(workspace) as search:
            node = search.parse(query).node
            everything = [row for _, row in search.index.search(tree.And(()), children=True)]
            found = [row for _, row in search.index.search(node, children=True)] if query else []
        is_about_children = "parent" in {field.name for field in tree.fields_of(node)}
        self.matching = {row.id for row in found if is_about_children or not row.parent}
        self.runs = {row.id: StoredRun(row, self._references(row)) for row in everything}
        self._children: dict[str, list[str]] = {}
        for row in everything:
            if row.parent:
                self._children.setdefault(row.parent, []).append(row.id)

    def descendants(self, run_id: str) -> Iterator[str]:
        """The IDs of the run's children, of their children, and so on."""
        pending, seen = [run_id], {run_id}
        while pending:
            children = [each for each in self._children.get(pending.pop(), ()) if each not in seen]
            seen.update(children)
            pending += children
            yield from children

    def ancestors(self, run_id: str) -> Iterator[str]:
        """The IDs of the run's parent, of its parent, and so on."""
        seen = {run_id}
        parent = self.runs[run_id].row.parent
        while parent in self.runs and parent not in seen:
            seen.add(parent)
            yield parent
            parent = self.runs[parent].row.parent

    def resumed_from(self, run_id: str) -> Iterator[str]:
        """The IDs of the runs that the run resumes from, of those that these do, and so on."""
        pending, seen = [run_id], {run_id}
        while pending:
            run = self.runs.get(pending.pop())
            found = set() if run is None else run.references.resumed - seen
            seen |= found
            pending += found
            yield from sorted(found)

    def _references(self, row: RunRow) -> References:
        found, is_active = self.known.get(row.folder), not states.is_terminal(row.state)
        marks = {name: getattr(row, name) for name in run_marks.NAMES}
        if (
            found is None
            or is_active
            or found.digests is None
            or found.marks != {name: since for name, since in marks.items() if since is not None}
        ):
            found = self.known[row.folder] = _read_references(row, is_active)
        return found


def _read_references(row: RunRow, is_active: bool) -> References:
    """What a run refers to; to which runs only if it is or may be active."""
    try:
        text = files.read_bytes(f"{row.folder}/job.json") or b""
        is_whole = isinstance(files.parse_json(text), dict)
        is_foreign = not is_whole or not _is_readable(Path(row.folder))
        records = [
            files.read_bytes(f"{row.folder}/{kind.record}") or b""
            for kind in RUN_KINDS.values()
            if kind.record
        ]
        events_folder = f"{row.folder}/events"
        written = [
            files.read_bytes(f"{events_folder}/{name}") or b""
            for name in files.names_in(events_folder)
        ]
    except OSError:
        return References(None)
    references = find_references(b"\n".join([text, *records, *written]), is_active or is_foreign)
    resumed = frozenset(run_id for record in records for run_id in _resumed(record))
    references = references.replace(resumed=resumed, is_foreign=is_foreign)
    if any(b'"mark"' in part for part in written):
        references = references.replace(marks=run_marks.read(Path(row.folder)))
    return references if is_whole else references.replace(digests=None)


def _is_readable(folder: Path) -> bool:
    try:
        return run_folder.read_job(folder) is not None
    except DamagedRecord:
        return False


def _resumed(record: bytes) -> Iterator[str]:
    """The IDs of the runs that a sweep resumes from, for their results or to start them again."""
    value = files.parse_json(record)
    for name in ("resume_from", "resume_child_runs"):
        ids = value.get(name) if isinstance(value, dict) else None
        yield from (each for each in ids or () if isinstance(each, str))


def find_references(text: bytes, with_runs: bool = True) -> References:
    """The digests and the runs' IDs in ``text``."""
    runs = [*_RUN_PATH.findall(text), *_RERUN_OF.findall(text)] if with_runs else []
    return References(
        frozenset(map(bytes.decode, _DIGEST.findall(text))),
        frozenset(each.decode(errors="replace") for each in runs),
    )


def registered(workspace: WorkspaceFiles) -> Iterator[tuple[Path, References]]:
    """What each YAML file of the workspace's registries refers to.

    A registry, or what it has under a name, may be a link to another place. Raises
    WorkspaceException for what cannot be read: it may refer to anything.
    """
    try:
        for path in _registry_files(workspace.directory):
            yield path, find_references(files.read_bytes(path) or b"")
    except OSError as error:
        raise WorkspaceException(
            f"Nothing more is deleted: {error.filename} cannot be read ({error.strerror}), "
            "and may refer to any run or snapshot.",
            "Make it readable, or remove it.",
        ) from None


def _registry_files(root: Path) -> Iterator[Path]:
    """The YAML files of the registries. Raises OSError for a folder or link without a target."""
    for folder, names, file_names in os.walk(root, onerror=_refuse_unreadable, followlinks=True):
        is_root, is_registry = Path(folder) == root, Path(folder).parent == root
        names[:] = [name for name in names if not name.startswith(".")]
        if is_root:
            names[:] = [name for name in names if name not in _OTHER_FOLDERS]
        elif not is_registry:  # what users stored there: a model's files, say
            names[:] = [name for name in names if not os.path.islink(os.path.join(folder, name))]
        for name in file_names:
            path = Path(folder, name)
            is_yaml = name.endswith(".yaml")
            is_registered = is_yaml or is_registry or (is_root and name not in _OTHER_FOLDERS)
            if is_registered and path.is_symlink():
                path.stat()  # a file system that is not mounted looks like this
            if is_yaml:
                yield path


def _refuse_unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # removed meanwhile
        raise error


def digests_in_use(workspace: WorkspaceFiles, runs: StoredRuns) -> set[str] | None:
    """All digests that the runs and the registries refer to; None if a run cannot be read."""
    used: set[str] = set()
    for run in runs.runs.values():
        if run.references.digests is None:
            return None
        used |= run.references.digests
    for _, references in registered(workspace):
        used |= references.digests or set()
    return used


def unfinished(workspace: WorkspaceFiles) -> Iterator[Path]:
    """The folders among the runs' that are not runs: a submission or a prune was interrupted."""
    for folder in run_folder.all_folders(workspace.runs_folder):
        is_run = run_folder.exists(folder) or run_folder.is_linked(folder)
        if not is_run and folder.is_dir():
            yield folder


def broken_link(workspace: WorkspaceFiles) -> Path | None:
    """A folder of runs, or of a day, that is a link to what is missing, or was not mounted."""
    days = [workspace.runs_folder / day for day in run_folder.days(workspace.runs_folder)]
    links = [day for day in days if day.is_symlink()]
    for day in days:
        try:
            with os.scandir(day) as entries:
                links += [Path(entry.path) for entry in entries if entry.is_symlink()]
        except (FileNotFoundError, NotADirectoryError):
            continue  # the link is broken, or the day was removed meanwhile
    return next((path for path in links if not os.path.exists(path)), None)
