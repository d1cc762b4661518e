"""Names that come from elsewhere, joined to a folder here (Python 3.6+).

A login node, a store, an archive or a manifest names files. Below the folder that they belong to,
and nowhere else, such a name may be written. Symbolic links on the way are not followed.

On POSIX systems ``write`` and ``open_file`` hold each folder on the way open and refuse a link when
they open the next, so nobody can swap a folder for a link in between. Elsewhere, and with ``join``,
the folders are checked right before: whoever may write in them at that moment can still win.
"""

import os
import stat

from scriptrun.runtime.files import sync_handle, unique
from scriptrun.runtime.injob.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from scriptrun.runtime.hints import StrPath

#: what file systems allow, in bytes: one name, and a whole path
MAX_PART, MAX_NAME = 255, 4096
#: folders within folders: far below what programs that walk or remove them can take
MAX_DEPTH = 256
_IS_WINDOWS = os.name == "nt"
_HAS_DIR_FD = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_CLOEXEC, _BINARY = getattr(os, "O_CLOEXEC", 0), getattr(os, "O_BINARY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _CLOEXEC


class ForeignNameRefused(UserErrorException):
    """A name from elsewhere leads out of its folder, or cannot be the name of a file."""


def leads_out(name: object) -> str:
    """Why ``name``, with slashes between its parts, may lie outside its folder; "" if it cannot."""
    if not isinstance(name, str):
        return "is not text"
    if not name or name[0] == "/":
        return "is an absolute path" if name else "is empty"
    forbidden = "\0\\:" if _IS_WINDOWS else "\0"
    for character in forbidden:
        if character in name:
            return "contains the character {!r}".format(character)
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return "has the part {!r}".format(part)
    return ""


def problem(name: object) -> str:
    """Why ``name`` cannot name a file below some folder here, or ""."""
    reason = leads_out(name)
    if reason:
        return reason
    try:
        encoded = os.fsencode(str(name))
    except UnicodeEncodeError:
        return "contains characters that no file name here can have"
    parts = encoded.split(b"/")
    if len(encoded) > MAX_NAME or max(map(len, parts)) > MAX_PART:
        return "is too long"
    if len(parts) > MAX_DEPTH:
        return "is nested more than {} folders deep".format(MAX_DEPTH)
    return ""


def check(name: object, origin: str) -> "list[str]":
    """The parts of ``name``. ``origin``, as in "Host 'login'", begins the error's sentence."""
    reason = problem(name)
    if reason:
        raise _refused(name, origin, reason)
    return str(name).split("/")


def join(folder: "StrPath", name: object, origin: str) -> str:
    """The path of ``name`` below ``folder``.

    Raises ForeignNameRefused for a name that leads out, also by way of a symbolic link below
    ``folder``. ``folder`` may be a link. So may an existing file at the path: replace it.
    """
    path = os.fspath(folder)
    parts = check(name, origin)
    for part in parts[:-1]:
        path = os.path.join(path, part)
        if os.path.islink(path):
            raise _through_link(name, origin, path)
    return os.path.join(path, parts[-1])


def write(
    folder: "StrPath",
    name: object,
    fill: "Callable[[BinaryIO], bool | None]",
    origin: str,
    mode: int = 0o666,
) -> bool:
    """Let ``fill`` write the file ``name`` below ``folder``: complete and durable, or not at all.

    Existing files are replaced, links too. If ``fill`` returns False nothing changes; returns
    whether it was written. Raises ForeignNameRefused, or OSError if it cannot be written.
    """
    with _Parent(folder, name, origin) as parent:
        temporary = "{}.tmp".format(unique(16))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with open(parent.open(temporary, flags, mode), "wb") as handle:
                is_kept = fill(handle) is not False
                handle.flush()
                if is_kept:
                    sync_handle(handle.fileno())
            if is_kept:
                parent.replace(temporary)
                return True
            parent.unlink(temporary)
            return False
        except BaseException:
            parent.unlink(temporary)
            raise


def open_file(folder: "StrPath", name: object, flags: int, origin: str, mode: int = 0o666) -> int:
    """A descriptor of ``name`` below ``folder``, opened with ``flags``; never through a link."""
    with _Parent(folder, name, origin) as parent:
        return parent.open(parent.name, flags, mode)


class _Parent:
    """The folder that holds a foreign name, created if it is missing, and held open if possible."""

    def __init__(self, folder: "StrPath", name: object, origin: str) -> None:
        parts = check(name, origin)
        self.name = parts[-1]
        self._full_name, self._origin = name, origin
        self._path = os.fspath(folder)
        self._handle = -1
        if _HAS_DIR_FD:
            self._handle = _open_folder(self._path)
        else:
            os.makedirs(self._path, exist_ok=True)
        try:
            for part in parts[:-1]:
                self._enter(part)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "_Parent":
        return self

    def __exit__(self, *_: object) -> None:
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def open(self, name: str, flags: int, mode: int) -> int:
        """Open a file of this folder."""
        flags |= _NO_FOLLOW | _CLOEXEC | _BINARY
        try:
            if self._handle >= 0:
                return os.open(name, flags, mode, dir_fd=self._handle)
            if os.path.islink(self._inner(name)):
                raise _through_link(self._full_name, self._origin, self._inner(name))
            return os.open(self._inner(name), flags, mode)
        except OSError:
            if self._is_link(name):
                path = self._inner(name)
                raise _through_link(self._full_name, self._origin, path) from None
            raise

    def replace(self, temporary: str) -> None:
        """Give ``temporary`` its final name."""
        if self._handle >= 0:
            os.replace(temporary, self.name, src_dir_fd=self._handle, dst_dir_fd=self._handle)
            sync_handle(self._handle)
        else:
            os.replace(self._inner(temporary), self._inner(self.name))

    def unlink(self, name: str) -> None:
        """Remove a file of this folder if it is there."""
        try:
            if self._handle >= 0:
                os.unlink(name, dir_fd=self._handle)
            else:
                os.unlink(self._inner(name))
        except OSError:
            pass

    def _enter(self, part: str) -> None:
        inner = self._inner(part)
        try:
            if self._handle >= 0:
                deeper = self._open_inner(part)
                os.close(self._handle)
                self._handle = deeper
            elif not os.path.isdir(inner):
                os.mkdir(inner)
        except OSError:
            if self._is_link(part):
                raise _through_link(self._full_name, self._origin, inner) from None
            raise
        if self._handle < 0 and self._is_link(part):
            raise _through_link(self._full_name, self._origin, inner)
        self._path = inner

    def _open_inner(self, part: str) -> int:
        """The folder ``part`` of this one, opened; it is created if it is missing."""
        try:
            return os.open(part, _FOLDER | _NO_FOLLOW, dir_fd=self._handle)
        except FileNotFoundError:
            try:
                os.mkdir(part, dir_fd=self._handle)
            except FileExistsError:
                pass  # another process has just made it
            return os.open(part, _FOLDER | _NO_FOLLOW, dir_fd=self._handle)

    def _is_link(self, name: str) -> bool:
        try:
            if self._handle >= 0:
                status = os.stat(name, dir_fd=self._handle, follow_symlinks=False)
            else:
                status = os.lstat(self._inner(name))
        except OSError:
            return False
        return stat.S_ISLNK(status.st_mode)

    def _inner(self, name: str) -> str:
        return os.path.join(self._path, name)


def _open_folder(path: str) -> int:
    try:
        return os.open(path, _FOLDER)
    except FileNotFoundError:
        os.makedirs(path, exist_ok=True)
        return os.open(path, _FOLDER)


def _refused(name: object, origin: str, reason: str) -> ForeignNameRefused:
    return ForeignNameRefused(
        "{} names a file {}, which {}: it is not written.".format(origin, _shown(name), reason),
        "A name from elsewhere must be a relative path without '..' that stays in its folder.",
    )


def _through_link(name: object, origin: str, path: str) -> ForeignNameRefused:
    return ForeignNameRefused(
        "{} names a file {}, which leads through the symbolic link {!r}: it is not written.".format(
            origin, _shown(name), path
        ),
        "Links are not followed there. Remove the link, or choose another folder.",
    )


def _shown(name: object) -> str:
    text = repr(name)
    return text if len(text) <= 120 else text[:100] + "... ({:,} characters)".format(len(text))
