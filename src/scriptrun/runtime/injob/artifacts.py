"""A run's artifacts: list, locate, store and fetch them (Python 3.6+).

A name is a POSIX path below ``outputs/``, ``logs/``, ``user_logs/`` or ``system_logs/``, or the
name of an upload, which is stored below ``artifacts/``. While a run is active, its outputs and logs
are in its working directory. docs/explanation/formats.md documents the layout.
"""

import os
import posixpath

from scriptrun.runtime import durability, events, file_walk, foreign_names, source_files
from scriptrun.runtime.files import unique
from scriptrun.runtime.injob.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, TypeGuard

    from scriptrun.runtime.hints import Readable, Source, StrPath


#: folders that scripts write in their working directory
SCRIPT_AREAS = ("outputs", "logs")
#: folders that scriptrun writes
SYSTEM_AREAS = ("user_logs", "system_logs")
_UPLOAD_AREA = "artifacts"


def names(folder: "StrPath") -> "list[str]":
    """The names of all artifacts of the run in ``folder``, sorted.

    Files of the source that the script left as they were are not the run's; ``path_of`` has them.
    """
    work = os.path.join(str(folder), "work")
    in_work: "set[str]" = set()
    artifact_names: "set[str]" = set()
    for area in SCRIPT_AREAS:
        in_work.update(_walk_names(os.path.join(work, area), area, within=work))
        artifact_names.update(_walk_names(os.path.join(str(folder), area), area))
    artifact_names -= source_files.marked(folder)
    artifact_names |= in_work - source_files.unchanged(work)
    for area in SYSTEM_AREAS:
        artifact_names.update(_walk_names(os.path.join(str(folder), area), area))
    artifact_names.update(_walk_names(os.path.join(str(folder), _UPLOAD_AREA), ""))
    return sorted(artifact_names)


def normalize_name(name: "StrPath") -> str:
    """``name`` in normal form: ``./outputs/x`` and ``outputs//x`` become ``outputs/x``.

    Raises UserErrorException for a name that is empty or leads out of the run.
    """
    text = os.fspath(name) if hasattr(name, "__fspath__") else name
    if not isinstance(text, str):
        raise UserErrorException("An artifact name must be a string, not {!r}.".format(name))
    text = text.replace("\\", "/") if os.name == "nt" else text
    normalized = posixpath.normpath(text) if text else ""
    first = normalized.partition("/")[0]
    if normalized in ("", ".") or first == ".." or normalized.startswith("/") or "\0" in normalized:
        raise UserErrorException(
            "Invalid artifact name {!r}.".format(name),
            "Use a relative path without '..', e.g. outputs/model.pkl.",
        )
    reason = foreign_names.problem(normalized)
    if reason:
        raise UserErrorException(
            "Invalid artifact name {!r:.200}: it {}.".format(name, reason),
            "Use a shorter, relative path, e.g. outputs/model.pkl.",
        )
    return normalized


def path_of(folder: "StrPath", name: "StrPath") -> "str | None":
    """The path of the artifact ``name``, or None if the run has none of that name."""
    normalized = normalize_name(name)
    for path in _candidate_paths(str(folder), normalized):
        if os.path.isfile(path):
            return path
    return None


def _candidate_paths(folder: str, normalized: str) -> "Iterator[str]":
    area = normalized.partition("/")[0]
    parts = normalized.split("/")
    if area in SCRIPT_AREAS:
        yield os.path.join(folder, "work", *parts)
    if area in SCRIPT_AREAS + SYSTEM_AREAS:
        yield os.path.join(folder, *parts)
    yield os.path.join(folder, _UPLOAD_AREA, *parts)


def target_path(folder: "StrPath", name: "StrPath") -> str:
    """The path at which to store an artifact called ``name``."""
    normalized = normalize_name(name)
    parts = normalized.split("/")
    if parts[0] not in SCRIPT_AREAS or len(parts) == 1:
        return os.path.join(str(folder), _UPLOAD_AREA, *parts)
    if os.path.isdir(os.path.join(str(folder), "work")):
        return os.path.join(str(folder), "work", *parts)
    return os.path.join(str(folder), *parts)


def store(folder: "StrPath", name: "StrPath", source: "Source") -> str:
    """Store ``source`` (a path or an open file) with the run under ``name``; return the name.

    An existing artifact of that name is replaced. Raises UserErrorException if the file is missing.
    """
    normalized = normalize_name(name)
    target = target_path(folder, normalized)
    if _is_stream(source):
        _write(target, lambda handle: _copy_stream(source, handle))
        _note_upload(folder, normalized)
        return normalized
    path = os.fspath(source) if isinstance(source, os.PathLike) else str(source)
    if not os.path.isfile(path):
        problem, hint = ("it does not exist", "Check the path.")
        if os.path.isdir(path):
            problem, hint = ("it is a folder", "Use upload_folder for folders.")
        elif os.path.lexists(path):
            problem = file_walk.why_no_file(path)
        message = "Cannot upload {!r} as {!r}: {}.".format(str(path), normalized, problem)
        raise UserErrorException(message, hint)
    if not (os.path.exists(target) and os.path.samefile(path, target)):
        _copy(path, target)
    _note_upload(folder, normalized)
    return normalized


def _note_upload(folder: "StrPath", normalized: str) -> None:
    if normalized.partition("/")[0] in SCRIPT_AREAS:
        source_files.note_upload(folder, normalized)


def _is_stream(source: "Source") -> "TypeGuard[Readable]":
    return hasattr(source, "read")


def store_folder(folder: "StrPath", name: "StrPath | None", source: "StrPath") -> "list[str]":
    """Store all files below the folder ``source`` under names that start with ``name``.

    Unreadable and special files are left out, and a warning on the run names them.
    """
    source = os.fspath(source) if hasattr(source, "__fspath__") else str(source)
    if not os.path.isdir(source):
        raise UserErrorException(
            "{!r} is not a folder.".format(str(source)), "Use upload_file for files."
        )
    prefix = "" if name in (None, "", ".", "./") else normalize_name(name) + "/"
    left_out: "list[tuple[str, str]]" = []
    found = file_walk.files_below(source, leave_out=lambda *each: left_out.append(each))
    names_found = sorted(each for each in found if not each.endswith(_PART_SUFFIX))
    stored = [
        store(folder, prefix + relative, os.path.join(source, *relative.split("/")))
        for relative in names_found
    ]
    if left_out:
        message = "upload_folder({!r}) left out what it cannot read: {}".format(
            source, file_walk.describe(left_out)
        )
        events.EventWriter(folder, "upload-{}".format(os.getpid())).write(
            "warning", message=message
        )
    return stored


def fetch(folder: "StrPath", name: "StrPath", output: "StrPath | None" = None) -> str:
    """Copy the artifact ``name`` to ``output``; return the path of the copy.

    ``output`` is a file's path or a folder (an existing one, or a path that ends with a
    separator). By default the file goes to the current directory under its base name.
    Raises UserErrorException if the run has no such artifact.
    """
    copy = _fetch(folder, name, output)
    _sync([copy])
    return copy


def _sync(copies: "list[str]") -> None:
    """Let copies that were asked for survive a power cut."""
    durability.sync_files(copies)
    durability.sync_files({os.path.dirname(copy) or os.curdir for copy in copies})


def _fetch(folder: "StrPath", name: "StrPath", output: "StrPath | None" = None) -> str:
    source = path_of(folder, name)
    if source is None:
        raise UserErrorException(
            "The run has no artifact {!r}.".format(str(name)), _available_hint(folder)
        )
    base_name = posixpath.basename(normalize_name(name))
    output = base_name if output is None else os.fspath(output)
    if os.path.isdir(output) or output.endswith(("/", os.sep)):
        output = os.path.join(output, base_name)
    _copy(source, output)
    return output


def fetch_all(
    folder: "StrPath",
    prefix: "str | None" = None,
    output_directory: "StrPath | None" = None,
    output_paths: "Sequence[StrPath] | None" = None,
    append_prefix: bool = True,
) -> "list[str]":
    """Copy all artifacts whose names start with ``prefix``; return the paths of the copies.

    Copies keep their names below ``output_directory`` (default: the current directory), without
    the prefix if ``append_prefix`` is False. ``output_paths`` names each copy instead.
    """
    base = os.fspath(output_directory or os.curdir)
    prefix = _clean_prefix(prefix)
    selected = [name for name in names(folder) if name.startswith(prefix)]
    if output_paths is None:
        shown = [name if append_prefix else _strip_prefix(prefix, name) for name in selected]
        origin = "The run in {!r}".format(str(folder))
        output_paths = [foreign_names.join(base, name, origin) for name in shown]
        base = ""
    elif len(output_paths) != len(selected):
        raise UserErrorException(
            "Got {} output paths for {} artifacts.".format(len(output_paths), len(selected)),
            "Give one path for each name: {}.".format(", ".join(selected[:10])),
        )
    copies = [
        _fetch(folder, name, os.path.join(base, os.fspath(output_paths[index])))
        for index, name in enumerate(selected)
    ]
    _sync(copies)
    return copies


def _clean_prefix(prefix: "str | None") -> str:
    """``prefix`` without a leading ``./``; its end is left as is."""
    text = "" if prefix is None else str(prefix)
    while text.startswith("./"):
        text = text[2:]
    return "" if text == "." else text


def _strip_prefix(prefix: str, name: str) -> str:
    """``name`` relative to ``prefix``: whole path components only, and never empty."""
    if prefix and not prefix.endswith("/") and name[len(prefix) : len(prefix) + 1] != "/":
        prefix = posixpath.dirname(prefix)
    return name[len(prefix) :].lstrip("/") or posixpath.basename(name)


def _available_hint(folder: "StrPath") -> str:
    available = names(folder)
    if not available:
        return "The run has no artifacts."
    rest = ", ... ({} in all)".format(len(available)) if len(available) > 10 else ""
    return "Artifacts: {}{}.".format(", ".join(available[:10]), rest)


def unchanged_names(folder: "StrPath", name: str) -> "list[str]":
    """The source's files that the run left as they were, at or below ``name`` ("": all)."""
    found = source_files.marked(folder) | source_files.unchanged(os.path.join(str(folder), "work"))
    if not name:
        return sorted(found)
    normalized = normalize_name(name)
    return sorted(each for each in found if each == normalized or each.startswith(normalized + "/"))


def names_below(folder: "StrPath", name: str) -> "list[str]":
    """As ``names``, of the folder ``name``; it may be a link to one that the run does not keep."""
    found: "set[str]" = set()
    normalized = normalize_name(name)
    for path in _candidate_paths(str(folder), normalized):
        found.update(_walk_names(path, normalized, within=os.sep))
    return sorted(found)


def _walk_names(folder: str, prefix: str, within: "str | None" = None) -> "Iterator[str]":
    """The names of the files below ``folder``, and behind links to folders in ``within``.

    By default only behind those to folders in ``folder`` itself.
    """
    for name in file_walk.files_below(folder, within=folder if within is None else within):
        if not name.endswith(_PART_SUFFIX):
            yield "/".join(filter(None, (prefix, name)))


_PART_SUFFIX = ".scriptrun-part"


def _copy(source: str, target: str) -> None:
    def write_content(handle: "BinaryIO") -> None:
        with open(source, "rb") as content:
            _copy_stream(content, handle)

    _write(target, write_content)


def _copy_stream(stream: "Readable", handle: "BinaryIO") -> None:
    while True:
        data = stream.read(1 << 20)
        if not data:
            return
        handle.write(data.encode("utf-8") if isinstance(data, str) else data)


def _write(target: str, write_content: "Callable[[BinaryIO], None]") -> None:
    """Let ``write_content`` write a temporary file, then move it to ``target``."""
    parent = os.path.dirname(os.path.abspath(target))
    os.makedirs(parent, exist_ok=True)
    # a short name: the target's own may be as long as names can get
    temporary = os.path.join(parent, unique(16) + _PART_SUFFIX)
    try:
        with open(temporary, "xb") as handle:
            write_content(handle)
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
