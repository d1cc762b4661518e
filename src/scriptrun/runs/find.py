"""Find runs: list them from the index, and resolve an ID, prefix or name to a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scriptrun.queue import wait_reasons
from scriptrun.runs import status as run_status
from scriptrun.spec import suggestion
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.store import paths
from scriptrun.store.records import DamagedRecord
from scriptrun.tracking import pruned_runs, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.core.workspace import Workspace
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.tracking import index

#: how much of a mistyped ID is right
_LIKE_AN_ID = 0.9


def open_index(workspace: WorkspaceFiles) -> index.Index:
    """Open the workspace's index and refresh it."""
    from scriptrun.tracking import index  # starting a run needs neither it nor queries

    waiting = wait_reasons.of_workspace(workspace.id)

    def status(folder: Path, job: JobSpec | DamagedRecord) -> run_state.RunState:
        if isinstance(job, DamagedRecord):
            return run_status.of_damaged(folder, job.problem)
        try:
            return run_status.status_of(workspace, folder, job, waiting)
        except ScriptrunError as error:
            return run_state.read_status(folder).replace(reason=error.message)

    run_index = index.Index(workspace.runs_folder, index_path(workspace), status)
    run_index.refresh()
    return run_index


def index_path(workspace: WorkspaceFiles) -> Path:
    """The path of the workspace's index: on the local disk, as it is a cache."""
    return paths.cache_root() / "index" / f"{workspace.id}.sqlite"


def rows(
    workspace: Workspace,
    experiment: str | None = None,
    status: str | None = None,
    limit: int | None = None,
    children: bool = True,
    hidden: bool = False,
) -> list[index.RunRow]:
    """The workspace's runs, newest first; without ``children``, only those without a parent.

    Archived and removed runs only if ``hidden``.
    """
    run_index = open_index(workspace)
    try:
        return list(run_index.rows(experiment, status, limit, children, hidden))
    finally:
        run_index.close()


def find(workspace: Workspace, query: str | None = None, removed: bool = False) -> Path:
    """The folder of a run, by ID, name, ID prefix or selector; by default, of the latest.

    The latest is that of runs without a parent. Selectors (``latest``, ``best:METRIC``) come before
    display names, these before short names, and these before prefixes. A short name or prefix that
    matches several runs means the only one without a parent. A removed run has only its ID, unless
    ``removed``: then removed runs come first. Raises UserErrorException if none matches, or several
    do.
    """
    if query and (query.startswith("latest") or ":" in query):
        query = _selected(workspace, query)
    if query:
        folder = workspace.find_run(query)
        if folder is not None:
            return folder
    run_index = open_index(workspace)
    try:
        ids = _candidates(run_index, query, removed)
        others = [] if ids else _candidates(run_index, query, not removed)
        ids = others if removed and not ids else ids
        did_you_mean = _suggestion(run_index, query) if query and not ids else ""
    finally:
        run_index.close()
    if len(ids) == 1 or (ids and not query):
        return workspace.folder_of(ids[0])
    if not ids and not query:
        visible = " that are neither archived nor removed" if others else ""
        raise UserErrorException(
            f"Workspace {workspace.name!r} has no runs{visible}.",
            "To start one, run: scriptrun run train.py",
        )
    if not ids and others:
        raise _is_removed(workspace, str(query), others)
    pruned = pruned_runs.find(workspace.directory, query) if query and not ids else None
    if pruned is not None:
        by = f" by {pruned.by}" if pruned.by else ""
        raise UserErrorException(
            f"Run {pruned.id!r} was pruned{by} on {pruned.pruned[:10]}: its files were deleted.",
            "To have it again, submit the job again.",
        )
    if not ids:
        raise UserErrorException(
            f"Run {query!r} not found in workspace {workspace.name!r}.",
            f"{did_you_mean}Give an ID, a unique ID prefix, a display or short name, latest or "
            "best:METRIC. To list runs, run: scriptrun list",
        )
    raise UserErrorException(
        f"Run {query!r} is ambiguous; it matches {', '.join(ids[:5])}.",
        "Use an ID or a longer ID prefix.",
    )


def _selected(workspace: Workspace, query: str) -> str | None:
    """The ID of the run that a selector selects, None for that of no run; else ``query``."""
    from scriptrun.runs import selectors  # which searches the index that this module opens

    return selectors.run_id(workspace, query) if selectors.is_selector(query) else query


def _suggestion(run_index: index.Index, query: str) -> str:
    """Ask whether a selector, or the nearest ID or name among the latest runs was meant.

    IDs are mostly alike, so only one that differs in a letter or two was mistyped.
    """
    from scriptrun.runs import selectors  # which searches the index that this module opens

    latest = list(run_index.rows(limit=200))
    ids = suggestion.nearest(query, [row.id for row in latest], likeness=_LIKE_AN_ID)
    names = {name for row in latest for name in (row.name, row.short_name)}
    kind, colon, metric = query.partition(":")
    if kind in selectors.BY_METRIC:
        return f"Did you mean '{kind}:METRIC'? "
    if colon:
        names |= {f"{each}:{metric}" for each in selectors.BY_METRIC}
    return suggestion.question(query, ids or {"latest", *names})


def _is_removed(workspace: Workspace, query: str, ids: list[str]) -> UserErrorException:
    return UserErrorException(
        f"Run {query!r} was removed from workspace {workspace.name!r}.",
        f"To restore it, run: scriptrun remove --undo {ids[0]}"
        if len(ids) == 1
        else "To list removed runs, run: scriptrun list --removed",
    )


def _candidates(run_index: index.Index, query: str | None, removed: bool = False) -> list[str]:
    """IDs of the runs that ``query`` may mean, among those that are not removed, or that are."""
    if not query:
        return [row.id for row in run_index.rows(limit=1, children=False, hidden=removed)]
    named_ids = run_index.ids_named(query, removed=removed)
    if named_ids:
        return named_ids[:1]
    for matching in (run_index.ids_short_named, run_index.ids_with_prefix):
        ids = matching(query, removed=removed)
        if len(ids) > 1:  # a sweep's ID is a prefix of its runs' IDs
            top_level = matching(query, limit=2, children=False, removed=removed)
            return top_level if len(top_level) == 1 else ids
        if ids:
            return ids
    return []


def matches(
    run: Run,
    type: str | None,
    tags: Mapping[str, object] | str | None,
    properties: Mapping[str, object] | str | None,
    include_children: bool,
) -> bool:
    """Whether a run matches the filters of ``get_runs``."""
    if not include_children and run.job.parent:
        return False
    if type is not None and run.job.kind != type:
        return False
    return (tags is None or _has(run.get_tags(), tags)) and (
        properties is None or _has(run.get_properties(), properties)
    )


def _has(values: Mapping[str, object], required: Mapping[str, object] | str) -> bool:
    if isinstance(required, str):
        return required in values
    return all(name in values and values[name] == value for name, value in required.items())
