"""A run's artifacts: list, locate, store and fetch them (Python 3.6+).

A name is a POSIX path below ``outputs/``, ``logs/``, ``user_logs/`` or ``system_logs/``, or the
name of an upload, which is stored below ``artifacts/``. While a run is active, its outputs and logs
are in its working directory. docs/explanation/formats.md documents the layout.
"""

import os
import posixpath

from scriptrun.runtime.files import unique
from scriptrun.runtime.injob.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, TypeGuard

    from scriptrun.runtime.hints import Place, Readable, Source


#: folders that scripts write in their working directory
WORKED = ("outputs", "logs")
#: folders that scriptrun writes
SYSTEM = ("user_logs", "system_logs")
_UPLOADED = "artifacts"


def names(folder: "Place") -> "list[str]":
    """The names of all artifacts of the run in ``folder``, sorted."""
    found: "set[str]" = set()
    for area in WORKED:
        for base in ("work", ""):
            found.update(_below(os.path.join(str(folder), base, area), area))
    for area in SYSTEM:
        found.update(_below(os.path.join(str(folder), area), area))
    found.update(_below(os.path.join(str(folder), _UPLOADED), ""))
    return sorted(found)


def clean(name: "Place") -> str:
    """``name`` in normal form: ``./outputs/x`` and ``outputs//x`` become ``outputs/x``.

    Raises UserErrorException for a name that is empty or leads out of the run.
    """
    text = os.fspath(name) if hasattr(name, "__fspath__") else name
    if not isinstance(text, str):
        raise UserErrorException("An artifact name must be a string, not {!r}.".format(name))
    text = text.replace("\\", "/") if os.name == "nt" else text
    plain = posixpath.normpath(text) if text else ""
    first = plain.partition("/")[0]
    if plain in ("", ".") or first == ".." or plain.startswith("/") or "\0" in plain:
        raise UserErrorException(
            "Invalid artifact name {!r}.".format(name),
            "Use a relative path without '..', e.g. outputs/model.pkl.",
        )
    if os.name == "nt" and ":" in first:
        raise UserErrorException("Invalid artifact name {!r}.".format(name))
    return plain


def path_of(folder: "Place", name: "Place") -> "str | None":
    """The path of the artifact ``name``, or None if the run has none of that name."""
    plain = clean(name)
    for place in _places(str(folder), plain):
        if os.path.isfile(place):
            return place
    return None


def _places(folder: str, plain: str) -> "Iterator[str]":
    area = plain.partition("/")[0]
    parts = plain.split("/")
    if area in WORKED:
        yield os.path.join(folder, "work", *parts)
    if area in WORKED + SYSTEM:
        yield os.path.join(folder, *parts)
    yield os.path.join(folder, _UPLOADED, *parts)


def place_for(folder: "Place", name: "Place") -> str:
    """The path at which to store an artifact called ``name``."""
    plain = clean(name)
    parts = plain.split("/")
    if parts[0] not in WORKED or len(parts) == 1:
        return os.path.join(str(folder), _UPLOADED, *parts)
    if os.path.isdir(os.path.join(str(folder), "work")):
        return os.path.join(str(folder), "work", *parts)
    return os.path.join(str(folder), *parts)


def store(folder: "Place", name: "Place", source: "Source") -> str:
    """Store ``source`` (a path or an open file) with the run under ``name``; return the name.

    An existing artifact of that name is replaced. Raises UserErrorException if the file is missing.
    """
    plain = clean(name)
    target = place_for(folder, plain)
    if _is_stream(source):
        _write(target, lambda handle: _pour(source, handle))
        return plain
    path = os.fspath(source) if isinstance(source, os.PathLike) else str(source)
    if not os.path.isfile(path):
        what, hint = ("it does not exist", "Check the path.")
        if os.path.isdir(path):
            what, hint = ("it is a folder", "Use upload_folder for folders.")
        message = "Cannot upload {!r} as {!r}: {}.".format(str(path), plain, what)
        raise UserErrorException(message, hint)
    if not (os.path.exists(target) and os.path.samefile(path, target)):
        _copy(path, target)
    return plain


def _is_stream(source: "Source") -> "TypeGuard[Readable]":
    return hasattr(source, "read")


def store_folder(folder: "Place", name: "Place | None", source: "Place") -> "list[str]":
    """Store all files below the folder ``source`` under names that start with ``name``."""
    source = os.fspath(source) if hasattr(source, "__fspath__") else str(source)
    if not os.path.isdir(source):
        raise UserErrorException(
            "{!r} is not a folder.".format(str(source)), "Use upload_file for files."
        )
    prefix = "" if name in (None, "", ".", "./") else clean(name) + "/"
    return [
        store(folder, prefix + below, os.path.join(source, *below.split("/")))
        for below in sorted(_below(source, ""))
    ]


def fetch(folder: "Place", name: "Place", output: "Place | None" = None) -> str:
    """Copy the artifact ``name`` to ``output``; return the path of the copy.

    ``output`` is a file's path or a folder (an existing one, or a path that ends with a
    separator). By default the file goes to the current directory under its base name.
    Raises UserErrorException if the run has no such artifact.
    """
    source = path_of(folder, name)
    if source is None:
        raise UserErrorException(
            "The run has no artifact {!r}.".format(str(name)), _what_there_is(folder)
        )
    last = posixpath.basename(clean(name))
    output = last if output is None else os.fspath(output)
    if os.path.isdir(output) or output.endswith(("/", os.sep)):
        output = os.path.join(output, last)
    _copy(source, output)
    return output


def fetch_all(
    folder: "Place",
    prefix: "str | None" = None,
    output_directory: "Place | None" = None,
    output_paths: "Sequence[Place] | None" = None,
    append_prefix: bool = True,
) -> "list[str]":
    """Copy all artifacts whose names start with ``prefix``; return the paths of the copies.

    Copies keep their names below ``output_directory`` (default: the current directory), without
    the prefix if ``append_prefix`` is False. ``output_paths`` names each copy instead.
    """
    prefix = _prefix(prefix)
    chosen = [name for name in names(folder) if name.startswith(prefix)]
    if output_paths is None:
        output_paths = [name if append_prefix else _without(prefix, name) for name in chosen]
    elif len(output_paths) != len(chosen):
        raise UserErrorException(
            "Got {} output paths for {} artifacts.".format(len(output_paths), len(chosen)),
            "Give one path for each name: {}.".format(", ".join(chosen[:10])),
        )
    base = os.fspath(output_directory or os.curdir)
    return [
        fetch(folder, name, os.path.join(base, os.fspath(output_paths[at])))
        for at, name in enumerate(chosen)
    ]


def _prefix(prefix: "str | None") -> str:
    """``prefix`` without a leading ``./``; its end is left as is."""
    text = "" if prefix is None else str(prefix)
    while text.startswith("./"):
        text = text[2:]
    return "" if text == "." else text


def _without(prefix: str, name: str) -> str:
    """``name`` relative to ``prefix``: whole path components only, and never empty."""
    if prefix and not prefix.endswith("/") and name[len(prefix) : len(prefix) + 1] != "/":
        prefix = posixpath.dirname(prefix)
    return name[len(prefix) :].lstrip("/") or posixpath.basename(name)


def _what_there_is(folder: "Place") -> str:
    there = names(folder)
    if not there:
        return "The run has no artifacts."
    more = ", ... ({} in all)".format(len(there)) if len(there) > 10 else ""
    return "Artifacts: {}{}.".format(", ".join(there[:10]), more)


def _below(place: str, prefix: str) -> "Iterator[str]":
    """The names of the files below ``place``, without following links to folders."""
    for base, _, files in os.walk(place):
        inner = os.path.relpath(base, place).replace(os.sep, "/")
        stem = [part for part in (prefix, "" if inner == "." else inner) if part]
        for name in files:
            if not name.endswith(_UNFINISHED) and os.path.isfile(os.path.join(base, name)):
                yield "/".join(stem + [name])


_UNFINISHED = ".scriptrun-part"


def _copy(source: str, target: str) -> None:
    def pour(handle: "BinaryIO") -> None:
        with open(source, "rb") as origin:
            _pour(origin, handle)

    _write(target, pour)


def _pour(stream: "Readable", handle: "BinaryIO") -> None:
    while True:
        data = stream.read(1 << 20)
        if not data:
            return
        handle.write(data.encode("utf-8") if isinstance(data, str) else data)


def _write(target: str, pour: "Callable[[BinaryIO], None]") -> None:
    """Let ``pour`` write a temporary file, then move it to ``target``."""
    parent = os.path.dirname(os.path.abspath(target))
    os.makedirs(parent, exist_ok=True)
    # a short name: the target's own may be as long as names can get
    temporary = os.path.join(parent, unique(16) + _UNFINISHED)
    try:
        with open(temporary, "xb") as handle:
            pour(handle)
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
