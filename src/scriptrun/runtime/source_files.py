"""Files of the source directory in ``outputs/`` and ``logs/``, which no run made (Python 3.6+).

When a working directory is laid out, the content of these folders is recorded next to it. When the
script has ended, the files with the content of the snapshot are found, and their names are kept in
the run's folder: they are left out where the run's files are listed. docs/explanation/formats.md
documents the files.
"""

import json
import os

from scriptrun.runtime import events, file_walk, files, workdir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Set

    from scriptrun.runtime.hints import StrPath

    Names = Set[str]

#: in a run's folder: the files of its outputs/ and logs/ that its script left as they were
UNCHANGED_FILE = "source_files.json"
_RECORD_SUFFIX = ".source.json"
_UPLOADS_SUFFIX = ".uploads.jsonl"
#: nanoseconds; a file written so shortly before the record can change without another time
_RECENT = 2 * 10**9
_CHUNK = 1 << 20


def record(work: str, store: "StrPath", snapshot: str, folders: "Iterable[str]") -> None:
    """Record the files of ``snapshot`` in ``folders`` of the new working directory ``work``."""
    names: "Names" = set()
    for folder in folders:
        names.update(_names_below(work, folder))
    if not names:
        return
    root = os.path.realpath(work)
    paths = {name: os.path.realpath(os.path.join(work, name)) for name in names}
    digests = {}
    wanted = {os.fsencode(path) for path in paths.values()}
    for kind, path, _, digest, _ in workdir.entries(store, snapshot):
        real = os.path.join(os.fsencode(root), path)
        if kind not in "dl" and real in wanted:
            digests[real] = str(digest)
    laid_out = {
        name: [_stamp(paths[name]), digests.get(os.fsencode(paths[name]), "")]
        for name in sorted(names)
    }
    value = {"files": laid_out, "as_of": _file_time(work)}
    files.write_atomic(work + _RECORD_SUFFIX, files.to_json(value), durable=False)


def _names_below(work: str, folder: str) -> "Iterable[str]":
    normalized = os.path.normpath(folder).replace(os.sep, "/")
    if os.path.isabs(folder) or normalized.split("/")[0] == "..":
        return []
    prefix = "" if normalized == "." else normalized + "/"
    path = os.path.join(work, normalized)
    return [prefix + name for name in file_walk.files_below(path, within=work)]


def _file_time(folder: str) -> int:
    """The time now, in nanoseconds, as the file system of ``folder`` has it."""
    path = os.path.join(folder, files.unique() + ".tmp")
    with open(path, "xb") as handle:
        changed = os.fstat(handle.fileno()).st_ctime_ns
    os.unlink(path)
    return changed


def _stamp(path: str) -> "list[int]":
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def promote(staged: str, work: str) -> None:
    """Move the record along with the staged working directory, in place of an earlier attempt's."""
    forget(work)
    if os.path.lexists(staged + _RECORD_SUFFIX):
        os.rename(staged + _RECORD_SUFFIX, work + _RECORD_SUFFIX)


def forget(work: str) -> None:
    """Remove the records next to the working directory ``work``."""
    for suffix in (_UPLOADS_SUFFIX, _RECORD_SUFFIX):
        files.unlink_quietly(work + suffix)


def unchanged(work: str) -> "Names":
    """The names of the source's files in ``work`` that have their content still."""
    value = files.read_object(work + _RECORD_SUFFIX) or {}
    if isinstance(value.get("unchanged"), list):
        return set(value["unchanged"]) - _uploads(work)
    laid_out, as_of = value.get("files"), value.get("as_of")
    if not isinstance(laid_out, dict) or not isinstance(as_of, int):
        return set()
    found = {name for name, entry in laid_out.items() if _is_unchanged(work, name, entry, as_of)}
    return found - _uploads(work)


def _is_unchanged(work: str, name: str, entry: "tuple[list[int], str]", as_of: int) -> bool:
    """Whether the file is as it was laid out: size first, then times, then content."""
    path = os.path.join(work, name)
    try:
        stamp, (laid_out, digest) = _stamp(path), entry
        if stamp[0] != laid_out[0]:
            return False
        is_same = stamp == laid_out
        if not digest or (is_same and stamp[2] < as_of - _RECENT):
            return is_same
        return _digest(path) == digest
    except (OSError, ValueError, TypeError):
        return False  # removed, no file any more, or unreadable


def _digest(path: str) -> str:
    with files.open_record(path) as handle:
        hasher = workdir.new_sha256(os.fstat(handle.fileno()).st_size)
        data = handle.read(_CHUNK)
        while data:
            hasher.update(data)
            data = handle.read(_CHUNK)
    return hasher.hexdigest()


def decide(work: str, keeps: bool = True) -> None:
    """Decide, once the script has ended, which files it left as they were.

    Without ``keeps`` they are removed: another node's working directory has them too.
    """
    if not os.path.lexists(work + _RECORD_SUFFIX):
        return
    names = unchanged(work)
    files.write_atomic(
        work + _RECORD_SUFFIX, files.to_json({"unchanged": sorted(names)}), durable=False
    )
    root = os.path.realpath(work)
    for name in () if keeps else names:
        path = os.path.join(work, name)
        if os.path.realpath(os.path.dirname(path)) == os.path.dirname(os.path.join(root, name)):
            files.unlink_quietly(path)


def marked(folder: "StrPath") -> "Names":
    """The names of files in the folder of an ended run that are the source's, unchanged."""
    value = files.read_object(os.path.join(str(folder), UNCHANGED_FILE)) or {}
    names = value.get("unchanged")
    return set(names) if isinstance(names, list) else set()


def mark(folder: "StrPath", names: "Names") -> None:
    """Set the names that ``marked`` returns."""
    path = os.path.join(str(folder), UNCHANGED_FILE)
    if names or os.path.lexists(path):
        files.write_atomic(path, files.to_json({"unchanged": sorted(names)}))


def note_upload(folder: "StrPath", name: str) -> None:
    """An explicit upload is the run's own, whatever its content."""
    work = os.path.join(str(folder), "work")
    if os.path.lexists(work + _RECORD_SUFFIX):
        line = json.dumps(name, ensure_ascii=True) + "\n"
        events.append(work + _UPLOADS_SUFFIX, line.encode("ascii"))
        return
    names = marked(folder)
    if name in names:
        mark(folder, names - {name})


def _uploads(work: str) -> "Names":
    lines = (files.read_bytes(work + _UPLOADS_SUFFIX) or b"").split(b"\n")[:-1]
    return {name for name in map(files.parse_json, lines) if isinstance(name, str)}
