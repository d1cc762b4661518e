"""The end of a failed run's log, with paths that lead to files that exist.

A traceback names files of the run's working directory, which is removed when the run ends. Each is
replaced by the source file if that is still the same as in the snapshot, else by a copy of the
snapshot's file in this user's cache.
"""

from __future__ import annotations

import re
from pathlib import Path

from scriptrun.runs import follow
from scriptrun.runtime import files
from scriptrun.spec import states
from scriptrun.spec.control_characters import escape
from scriptrun.spec.errors import ActivityFailedException, ScriptrunError
from scriptrun.spec.run_kinds import run_kind
from scriptrun.spec.values import Value
from scriptrun.store import paths
from scriptrun.store.snapshots import contents
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.tracking.run_state import RunState

#: files of the source above this size are not compared
_LARGE = 4 << 20
_LONGEST_LINE = 500
#: a character of a path that is not in quotes
_IN_PATH = r"[^\"'\s:,;)\]]"


class FailedLog(Value):
    """The last lines of a log, and the place in the source (``FILE:LINE``) that the error names.

    ``location`` is "" if there is none. ``rank`` is the rank whose log it is.
    """

    lines: tuple[str, ...] = ()
    location: str = ""
    rank: int = 0

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def read(run: Run, count: int = 15) -> FailedLog:
    """The last ``count`` lines of the log of the rank that failed first, else of the script's.

    It is empty for a run without a log, such as a sweep.
    """
    if run_kind(run.known_job.kind).has_children:
        return FailedLog()
    result = run_folder.read_result(run.path) or {}
    name = str(result.get("log") or follow.script_logs(run.known_job)[0])
    if not (run.path / name).exists():
        try:
            run.bring_home(name)
        except (ScriptrunError, OSError):
            pass  # what the record holds must do
    text = follow.last_lines(run.path / name, count) or "\n".join(
        map(str, (result.get("tail") or ())[-count:])
    )
    mapped, location = _with_real_paths(run, text)
    lines = tuple(escape(line)[:_LONGEST_LINE] for line in mapped.split("\n") if mapped)
    rank = result.get("rank")
    return FailedLog(lines, escape(location), rank if isinstance(rank, int) else 0)


def reason_of(run: Run, status: RunState) -> str:
    """The run's reason; that of a sweep has the end of a child's log, with paths that exist."""
    text = status.reason
    return escape(_with_real_paths(run, text)[0]) if f"/{run.id}_" in text else text


def raise_if_failed(run: Run, raise_on_error: bool) -> None:
    """Raise ActivityFailedException if the run failed and ``raise_on_error`` is set.

    The message has the script's exception and the last lines of its log; the reason of a run with
    child runs includes those of its child.
    """
    status = run.standing
    if raise_on_error and status.state == states.FAILED:
        tail = read(run).text
        excerpt = f"\nLast lines of its log:\n{tail}" if tail else ""
        reason = reason_of(run, status).rstrip(".")
        raise ActivityFailedException(f"Run {run.id} failed: {reason}.{excerpt}")


def _with_real_paths(run: Run, text: str) -> tuple[str, str]:
    """``text`` with paths of files that exist, and the last one of a traceback with its line."""
    pattern = _work_path(run.id)
    names = {match[1] or match[2] for match in pattern.finditer(text)}
    real = _real_paths(run, {name for name in names if ".." not in name.split("/")})
    text = pattern.sub(lambda match: real.get(match[1] or match[2], match[0]), text)
    places = re.findall(r'File "([^"\n]+)", line (\d+)', text)
    known = set(real.values())
    return text, next((f"{p}:{n}" for p, n in reversed(places) if p in known), "")


def _work_path(run_id: str) -> re.Pattern[str]:
    """Paths below a working directory of the run or a child: in its folder, or on a node's disk.

    The group that matched is the path relative to the source: in quotes, or a word.
    """
    folder = rf"{re.escape(run_id)}(?:_\d+)?(?:/work(?:-node-\d+)?|\.\d+\.\d+)/"
    quoted = rf"(?<=[\"'])/[^\"'\n]*?{folder}([^\"'\n]+)(?=[\"'])"
    return re.compile(rf"{quoted}|(?<![\w/])/[^\s\"':]*?{folder}({_IN_PATH}+)")


def _real_paths(run: Run, names: set[str]) -> dict[str, str]:
    """The paths of the files of the snapshot among ``names``, which are relative to the source."""
    digest = run.known_job.snapshot
    if not names or not digest:
        return {}
    try:
        stored = contents.read(run.workspace.snapshots_folder, digest, names, _LARGE)
    except ScriptrunError:
        return {}  # the snapshot is missing, or on another host
    found = {}
    for name, content in stored.items():
        path = _path_of(run, digest, name, content) if content is not None else None
        if path is not None:
            found[name] = str(path)
    return found


def _path_of(run: Run, digest: str, name: str, content: bytes) -> Path | None:
    source = Path(run.known_job.source_directory, name)
    try:
        if source.is_absolute() and files.read_bytes(source) == content:
            return source
        copy = paths.cache_folder("snapshot-files", digest[:16]) / name
        if files.read_bytes(copy) != content:
            files.make_folders(copy.parent)
            files.write_atomic(copy, content, mode=0o444, durable=False)
        return copy
    except (OSError, ScriptrunError):
        return None
