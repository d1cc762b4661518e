"""Copied and moved workspaces: a copy gets a new ID, a moved one keeps its ID.

Queues, locks and caches on the local disk are named by a workspace's ID, so two directories must
not share one. ``workspace.json`` records where the workspace is. If that directory still holds a
workspace of the same ID, and is another directory, this one is a copy.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from scriptrun.runtime import files, identity
from scriptrun.spec import ids, states
from scriptrun.spec.digests import sha256
from scriptrun.store import paths
from scriptrun.tracking import run_folder, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

FILE = "workspace.json"


def place_of(root: Path) -> Json:
    """Where the workspace in ``root`` is, for its ``workspace.json``."""
    return {"host": identity.host(), "path": str(root)}


def is_still_there(workspace: WorkspaceFiles) -> bool:
    """Whether the workspace is still in its directory, not moved or deleted since it was opened."""
    return (workspace.directory / FILE).exists()


def settle(directory: Path, facts: Json) -> Json:
    """The facts of the workspace folder ``directory``: with a new ID if it is a copy.

    Costs nothing where the workspace is where it was.
    """
    value, root = facts.get("place"), directory.parent
    place: Json = value if isinstance(value, dict) else {}
    recorded = place.get("path")
    if recorded == str(root):
        return facts
    if not isinstance(recorded, str):
        return _write(directory, {**facts, "place": place_of(root)})
    original = _original(directory, facts, recorded)
    if original is None:
        return facts
    if original == directory:  # moved
        _remember(facts, root)
        if place.get("host") == identity.host():
            return _write(directory, {**facts, "place": place_of(root)})
        return facts  # a shared file system, mounted elsewhere on the host that recorded it
    return _become_copy(directory, facts, original.parent)


def _original(directory: Path, facts: Json, recorded: str) -> Path | None:
    """The workspace folder that this is a copy of; itself if it was moved.

    None if the recorded path is another way to this directory: a link, or a bind mount.
    """
    for root in (recorded, _remembered(facts)):
        other = Path(root) / directory.name if root else directory
        try:
            if os.path.samefile(other, directory):
                if other != directory and root == recorded:
                    return None
                continue
        except OSError:
            continue  # it is gone
        value = files.read_json(str(other / FILE))
        if isinstance(value, dict) and value.get("id") == facts.get("id"):
            return other
    return directory


def _become_copy(directory: Path, facts: Json, original: Path) -> Json:
    """Give the copy a new ID; what was unfinished when it was copied ends here."""
    ended, newest = 0, ids.now()
    reason = f"the workspace was copied from {original} while this run was not finished there"
    for folder in run_folder.all_folders(directory / "runs"):
        if (folder / "job.json").exists() and not run_state.read_status(folder).is_final:
            run_state.record_lost(folder, reason, states.CANCELED)
            ended += 1
        newest = max(newest, _created(folder))
    new_id = _new_id(directory, facts)
    if new_id is None:
        return dict(files.read_json(str(directory / FILE)) or facts)
    copied = {
        **facts,
        "id": new_id,
        "copied_from": {"id": facts.get("id"), "path": str(original), "time": newest},
        "place": place_of(directory.parent),
    }
    note = f", and {ended} of its runs were not finished: they are canceled here" if ended else ""
    print(
        f"Workspace {facts.get('name')!r} in {directory} is a copy of the one in {original}{note}. "
        "It now has its own ID and queue.",
        file=sys.stderr,
    )
    return _write(directory, copied)


def _created(folder: Path) -> str:
    """When the run was submitted, by the clock of the submitting machine; "" if unknown."""
    return str((files.read_object(folder / "job.json") or {}).get("created") or "")


def is_of_original(facts: Json, created: str) -> bool:
    """Whether a run submitted at ``created`` came with the copy: the original has it, too.

    ``facts`` are those of the workspace. A copy that does not say when it was made is taken to have
    been made just now.
    """
    original = facts.get("copied_from")
    if original is None:
        return False
    made = original.get("time") if isinstance(original, dict) else None
    return not isinstance(made, str) or created <= made


def _new_id(directory: Path, facts: Json) -> str | None:
    """The copy's ID: the same for all processes that open it at once; None if it has one by now."""
    with files.open_record(directory / FILE) as handle:
        status, text = os.fstat(handle.fileno()), handle.read()
    if json.loads(text).get("id") != facts.get("id"):
        return None
    parts = [facts.get("id"), str(directory), status.st_ino, status.st_mtime_ns]
    return sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _write(directory: Path, facts: Json) -> Json:
    """Write the facts; if that fails, as in a workspace that is only read, they count for us."""
    try:
        files.write_atomic(str(directory / FILE), files.to_json(facts))
    except OSError:
        pass
    return facts


def _note_path(facts: Json) -> Path:
    name = sha256(str(facts.get("id")).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return paths.runtime_folder("workspaces") / f"{name}.json"


def _remember(facts: Json, root: Path) -> None:
    """Record on this machine where the moved workspace is, for a copy of where it was."""
    try:
        files.write_atomic(str(_note_path(facts)), files.to_json({"path": str(root)}))
    except OSError:
        pass


def _remembered(facts: Json) -> str | None:
    value = files.read_json(str(_note_path(facts)))
    path = value.get("path") if isinstance(value, dict) else None
    return path if isinstance(path, str) else None
