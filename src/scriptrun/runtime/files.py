"""Write files atomically (Python 3.6+)."""

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.hints import StrPath


def unique(digits: int = 12) -> str:
    """``digits`` random hexadecimal digits, without importing uuid."""
    return os.urandom((digits + 1) // 2).hex()[:digits]


def write_atomic(path: "StrPath", data: bytes, mode: int = 0o644) -> None:
    """Write ``data`` to ``path`` by a rename: readers see the old file or the new one."""
    temporary = "{}.{}.tmp".format(path, unique())
    try:
        _write_new(temporary, data, mode)
        os.replace(temporary, path)
    except BaseException:
        _unlink_quietly(temporary)
        raise


def publish(path: "StrPath", data: bytes, mode: int = 0o644) -> bool:
    """Write ``data`` to ``path`` unless it exists already: the first writer wins.

    Returns whether this call wrote it. Uses a hard link, which is atomic on NFS and Lustre too.
    """
    temporary = "{}.{}.tmp".format(path, unique())
    try:
        _write_new(temporary, data, mode)
        os.link(temporary, path)
        return True
    except FileExistsError:
        return False
    finally:
        _unlink_quietly(temporary)


def to_json(value: object) -> bytes:
    """``value`` as indented UTF-8 JSON bytes."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def read_json(path: "StrPath") -> "Any":
    """The JSON value in ``path``, or None if the file is missing or invalid."""
    try:
        with open(path, "rb") as handle:
            return json.loads(handle.read().decode("utf-8", "surrogatepass"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _write_new(path: str, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)


def _unlink_quietly(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
