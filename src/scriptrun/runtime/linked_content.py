"""Links in a folder that is kept, when the working directory that they lead into is removed."""

import os
import shutil

from . import disks, file_walk, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from scriptrun.runtime.linked_limit import LinkedLimit

    #: names of files, each with the reason that a warning gives
    Reasons = list[tuple[str, str]]


#: files whose names end so are not listed: they are being written
PART_SUFFIX = ".scriptrun-part"


class LinkedContent:
    """The links below ``root``, whose content is to be there when ``work`` is removed.

    ``keeps_links``: links within ``root`` stay. ``delivered`` are links that are removed;
    ``label`` is the name of ``root`` in messages. With ``only_from_work``, links that lead
    elsewhere than into ``work`` stay as well, as do those that lead out of ``work`` to more than
    ``limit`` allows: they become absolute, and are named in ``uncopied``.
    """

    def __init__(
        self,
        root: str,
        work: str,
        keeps_links: bool,
        delivered: "Container[str]" = (),
        label: str = "",
        only_from_work: bool = False,
        limit: "LinkedLimit | None" = None,
    ) -> None:
        self.unkept: "Reasons" = []
        self.unreadable: "Reasons" = []
        self.uncopied: "Reasons" = []
        self._dropped: "list[str]" = []
        self._root, self._label = root, label
        self._real_root, self._real_work = os.path.realpath(root), os.path.realpath(work)
        self._keeps_links, self._delivered = keeps_links, delivered
        self._only_from_work, self._limit = only_from_work, limit
        self._shared: "set[tuple[int, int]]" = set()

    def keep(self) -> None:
        """Replace the links, and remove special files."""
        folders = [(self._root, self._label)]
        while folders:
            folders += self._keep_folder(*folders.pop())
        self._remove_dropped()

    def _keep_folder(self, folder: str, name: str) -> "list[tuple[str, str]]":
        """Replace the links of one folder; return the folders in it, with their names."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable.append((name, str(error.strerror)))
            return []
        folders = []
        for entry in entries:
            entry_name = "/".join(filter(None, (name, entry.name)))
            if entry.is_symlink():
                self._keep_link(entry.path, entry_name)
            elif entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, entry_name))
            elif not self._only_from_work:
                self._check_file(entry, entry_name)
        return folders

    def _check_file(self, entry: "os.DirEntry[str]", name: str) -> None:
        reason = file_walk.why_no_file(entry.path)
        if reason and entry.is_file(follow_symlinks=False):
            self.unreadable.append((name, reason))
        elif reason:
            self._drop(entry.path, name, reason)

    def keep_link(self, path: str, name: str) -> None:
        """Replace the one link ``path`` by its content, or remove it."""
        self._keep_link(path, name)
        self._remove_dropped()

    def _keep_link(self, path: str, name: str) -> None:
        """Replace the link ``path`` by its content, unless it may stay."""
        if path in self._delivered:
            os.unlink(path)
            return
        target = os.path.realpath(path)
        if self._only_from_work and not file_walk.is_below(target, self._real_work):
            return
        reason = "" if os.path.isdir(path) else file_walk.why_no_file(path)
        reason = reason or file_walk.why_system_folder(target)
        folder = os.path.realpath(os.path.dirname(path))
        if reason:
            self._drop(path, name, reason)
        elif self._keeps_links and file_walk.is_below(target, self._real_root):
            _relink(path, os.path.relpath(target, folder))
        elif file_walk.is_below(folder, target):
            self._drop(path, name, "it leads to a folder that contains it")
        elif self._is_too_large(target):
            _relink(path, target)  # which does not depend on where the link is
            self.uncopied.append((name, self._why_too_large(target)))
        else:
            self._copy(target, path, name)

    def _is_too_large(self, target: str) -> bool:
        """Whether what is outside the working directory is more than may be copied."""
        if self._limit is None or file_walk.is_below(target, self._real_work):
            return False
        size, room = 0, self._limit.room
        for path in _files_at(target):
            size += _size_of(path)
            if size > room:
                return True
        return not self._limit.take(size)

    def _why_too_large(self, target: str) -> str:
        assert self._limit is not None
        return "it leads to {}, {}".format(target, self._limit.reason())

    def _copy(self, target: str, path: str, name: str) -> None:
        temporary = _temporary_beside(path)
        try:
            _relink(path, target)
            if os.path.isdir(target):
                self._copy_folder(target, temporary, name)
            else:
                self._copy_file(target, temporary)
            os.unlink(path)
            os.rename(temporary, path)
        except OSError as error:
            _remove(temporary)
            reason = "it leads to {}, which cannot be copied: {}"
            reason = reason.format(target, error.strerror)
            if file_walk.is_below(target, self._real_work):
                self._drop(path, name, reason)
            else:
                self.uncopied.append((name, reason))

    def _copy_folder(self, source: str, target: str, name: str) -> None:
        """Copy the files below ``source``; the parents of ``target`` are not entered."""
        os.mkdir(target)
        above = file_walk.identities_above(os.path.realpath(os.path.dirname(target)))
        is_from_work = file_walk.is_below(source, self._real_work)

        def leave_out(file_name: str, reason: str) -> None:
            self.unkept.append((os.path.normpath(os.path.join(name, file_name)), reason))

        for file_name in file_walk.files_below(source, leave_out=leave_out, above=above):
            original = os.path.realpath(os.path.join(source, *file_name.split("/")))
            if is_from_work and self._is_too_large(original):
                leave_out(file_name, self._why_too_large(original))
                continue
            copy = os.path.join(target, *file_name.split("/"))
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            try:
                self._copy_file(original, copy)
            except OSError as error:
                if disks.is_about_disk(error):
                    raise
                _remove(copy)
                leave_out(file_name, str(error.strerror))

    def _copy_file(self, source: str, target: str) -> None:
        if self._link_file(os.path.realpath(source), target):
            return
        with files.open_record(source) as content, open(target, "xb") as copy:
            shutil.copyfileobj(content, copy, 1 << 20)
        shutil.copystat(source, target)

    def _link_file(self, source: str, target: str) -> bool:
        """Hard-link a file of the working directory, which no one else has; False if it is not."""
        status = os.stat(source)
        key = status.st_dev, status.st_ino
        if not file_walk.is_below(source, self._real_work):
            return False
        if status.st_nlink > 1 and key not in self._shared:
            return False
        try:
            os.link(source, target)
        except OSError:
            return False
        self._shared.add(key)
        return True

    def _drop(self, path: str, name: str, reason: str) -> None:
        self.unkept.append((name, reason))
        self._dropped.append(path)

    def _remove_dropped(self) -> None:
        """Remove what is named, now that no link is looked at any more that leads to it."""
        while self._dropped:
            try:
                os.unlink(self._dropped.pop())
            except OSError:
                pass  # of a folder that forbids it


def _relink(path: str, target: str) -> None:
    """Let the link ``path`` lead to ``target``."""
    if os.readlink(path) == target:
        return
    temporary = _temporary_beside(path)
    os.symlink(target, temporary)
    os.replace(temporary, path)


def _files_at(target: str) -> "Iterator[str]":
    """The file ``target``, or the files below it that a copy would have."""
    if not os.path.isdir(target):
        yield target
        return
    for name in file_walk.files_below(target):
        yield os.path.join(target, *name.split("/"))


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _temporary_beside(path: str) -> str:
    return os.path.join(os.path.dirname(path), files.unique() + PART_SUFFIX)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)
