"""The files below a folder, those behind links to folders included (Python 3.6+)."""

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Tuple

    from scriptrun.runtime.hints import StrPath

    #: gets the name of each unreadable or special file, and the reason
    LeaveOut = Callable[[str, str], object]
    Identity = Tuple[int, int]


#: links to folders that are followed within one path: more would be a maze, not a layout
_MAX_LINKS = 4
#: what is below them is not content
_SYSTEM_FOLDERS = ("/proc", "/sys", "/dev")
#: a disk in memory, where scripts write
_SHARED_MEMORY = "/dev/shm"
#: how many names a message lists
_MAX_LISTED = 10


def files_below(
    folder: "StrPath",
    within: "StrPath | None" = None,
    leave_out: "LeaveOut | None" = None,
    above: "tuple[Identity, ...]" = (),
) -> "Iterator[str]":
    """The names of the files below ``folder``, relative to it, with ``/`` between parts.

    A link to a folder is followed unless it leads to a folder that contains it or one of the
    system's, or out of the folder ``within``. With ``leave_out``, it is called with the name of
    each that is not a file, cannot be read or leads out to a parent of ``folder``, and the reason.
    ``above``: identities of further folders that are not entered.
    """
    root = os.path.realpath(str(folder))
    boundary = None if within is None else os.path.realpath(str(within))
    try:
        containing = identities_above(root)
    except OSError:
        return
    walk = _Walk(boundary, leave_out, containing[1:] + above)
    walk.enter(root, "", containing[:1], 0)
    while walk.folders:
        for name in walk.files_of_next():
            yield name


class _Walk(object):
    """A walk: ``folders`` are still to be read, each as (path, prefix, identities above, links).

    ``containing``: identities of the parents of the walk's own folder.
    """

    def __init__(
        self,
        within: "str | None",
        leave_out: "LeaveOut | None",
        containing: "tuple[Identity, ...]",
    ) -> None:
        self.folders: "list[tuple[str, str, tuple[Identity, ...], int]]" = []
        self._within, self._leave_out, self._containing = within, leave_out, containing

    def enter(self, path: str, prefix: str, above: "tuple[Identity, ...]", links: int) -> None:
        """Read the folder ``path`` later."""
        self.folders.append((path, prefix, above, links))

    def files_of_next(self) -> "Iterator[str]":
        """The files of the next folder; the folders in it are entered."""
        path, prefix, above, links = self.folders.pop()
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            self._refuse(prefix.rstrip("/") or ".", str(error.strerror))
            return
        for entry in entries:
            name = prefix + entry.name
            if _is_kind(entry.is_dir):
                self._enter_folder(entry, name, above, links)
                continue
            is_file = self._leave_out is None and _is_kind(entry.is_file)
            reason = "" if is_file else why_no_file(entry.path)
            if reason:
                self._refuse(name, reason)
            else:
                yield name

    def _enter_folder(
        self, entry: "os.DirEntry[str]", name: str, above: "tuple[Identity, ...]", links: int
    ) -> None:
        is_link = entry.is_symlink()
        target = os.path.realpath(entry.path) if is_link else entry.path
        if is_link and self._within and not is_below(target, self._within):
            return
        try:
            own = identity(entry.path)
        except OSError as error:
            self._refuse(name, str(error.strerror))
            return
        if own in above:
            return
        links += is_link
        reason = self._why_not_followed(target, own, links) if is_link else ""
        if reason:
            self._refuse(name, reason)
        else:
            self.enter(entry.path, name + "/", above + (own,), links)

    def _why_not_followed(self, target: str, own: "Identity", links: int) -> str:
        if own in self._containing:
            return "it leads to a folder that contains it"
        if links > _MAX_LINKS:
            return "it is behind more than {} links".format(_MAX_LINKS)
        return why_system_folder(target)

    def _refuse(self, name: str, reason: str) -> None:
        if self._leave_out is not None:
            self._leave_out(name, reason)


def _is_kind(test: "Callable[[], bool]") -> bool:
    try:
        return test()
    except OSError:
        return False


def identity(path: str) -> "Identity":
    """What identifies a folder on this machine."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def identities_above(folder: str) -> "tuple[Identity, ...]":
    """The identities of ``folder`` (a real path) and of all folders that contain it."""
    found = [identity(folder)]
    while os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
        found.append(identity(folder))
    return tuple(found)


def is_below(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or below it; both are real paths."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def why_system_folder(target: str) -> str:
    """Why the real path ``target`` is not followed if it is in the system's folders; else ""."""
    is_system = any(is_below(target, folder) for folder in _SYSTEM_FOLDERS)
    if is_system and not is_below(target, _SHARED_MEMORY):
        return "it leads to {}, which belongs to the system".format(target)
    return ""


def why_no_file(path: str) -> str:
    """Why ``path`` cannot be read as a file or a link to one; "" if it can."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "it is a loop of links"
        if error.errno == errno.ENOENT and os.path.islink(path):
            return "its target {} does not exist".format(os.readlink(path))
        return str(error.strerror)
    if not stat.S_ISREG(mode):
        return _kind_of(mode)
    return "" if os.access(path, os.R_OK) else "its permissions forbid reading it"


def _kind_of(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISSOCK, "socket"), (stat.S_ISFIFO, "named pipe"))
    names = [name for is_kind, name in kinds if is_kind(mode)] or ["device"]
    return "it is a {}".format(names[0])


def describe(left_out: "list[tuple[str, str]]") -> str:
    """The names and their reasons for a message of one line, the first ten of them."""
    listed = ["{} ({})".format(name, reason) for name, reason in left_out[:_MAX_LISTED]]
    more = len(left_out) - len(listed)
    return _on_one_line(", ".join(listed)) + (" and {} more".format(more) if more else "")


def _on_one_line(text: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
