"""Writing files so that a reader sees all or nothing (Python 3.6 and newer)."""

import json
import os


def unique(digits=12):
    """``digits`` random hexadecimal digits (the module uuid costs more than it is worth here)."""
    return os.urandom((digits + 1) // 2).hex()[:digits]


def write_atomic(path, data, mode=0o644):
    """Write ``data`` (bytes) at ``path`` by a rename: a reader sees the old file or the new one."""
    temporary = "{}.{}.tmp".format(path, unique())
    try:
        _write_new(temporary, data, mode)
        os.replace(temporary, path)
    except BaseException:
        _unlink_quietly(temporary)
        raise


def publish(path, data, mode=0o644):
    """Write ``data`` (bytes) at ``path`` unless something stands there: the first one stands.

    True if it was this call's. Uses an exclusive link, which NFS and Lustre keep.
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


def to_json(value):
    """``value`` as indented UTF-8 JSON bytes."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def read_json(path):
    """The JSON value in ``path``, or None where there is no such file or it is no JSON."""
    try:
        with open(path, "rb") as handle:
            return json.loads(handle.read().decode("utf-8", "surrogatepass"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _write_new(path, data, mode):
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)


def _unlink_quietly(path):
    try:
        os.unlink(path)
    except OSError:
        pass
