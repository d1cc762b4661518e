"""The FUSE file system: the kernel's requests, answered from a tree and a reader."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator

from scriptrun.data.datasets.manifest import ManifestRow
from scriptrun.data.errors import DatastoreException
from scriptrun.data.mount import fuse_library
from scriptrun.data.mount.answer import ReplyWriter, allow_splicing
from scriptrun.data.mount.reader import MountReader
from scriptrun.data.mount.tree import Tree, TreeEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.data.mount.answer import Connection, Reply

    #: the fields of ``struct stat``, as numbers
    Attributes = dict[str, int]
    T = TypeVar("T")

#: seconds that the kernel caches attributes: mounted files never change
_FOREVER = 86400.0
#: looked-up files to remember
_MAX_REMEMBERED = 100_000
#: bytes per request of the kernel, at most: what fits in one pipe with a header
REQUEST = 512 << 10
#: threads that answer the kernel, at most
_THREADS = 64


class ReadOnlyFiles:
    """The operations for mfusepy. Calls ``on_ready`` once mounted, ``on_error`` on errors."""

    use_ns = True

    def __init__(
        self,
        tree: Tree,
        reader: MountReader,
        modified: float,
        on_ready: Callable[[], None],
        on_error: Callable[[ManifestRow | None, DatastoreException], None],
    ) -> None:
        self._tree, self._reader, self._on_ready, self._on_error = tree, reader, on_ready, on_error
        owner = {"st_uid": os.getuid(), "st_gid": os.getgid()}
        times = dict.fromkeys(("st_mtime", "st_ctime", "st_atime"), int(modified * 1e9))
        self._common = {**owner, **times, "st_nlink": 1}
        self._folder = {**self._common, "st_mode": stat.S_IFDIR | 0o555, "st_nlink": 2}
        self._replies = ReplyWriter()
        self._recent: dict[str, TreeEntry] = {}
        self._older: dict[str, TreeEntry] = {}

    def init_with_config(self, conn_info: Connection, config_3: object) -> None:
        """Configure the kernel connection once it is established."""
        conn_info.max_background, conn_info.congestion_threshold = 64, 48
        conn_info.max_read = REQUEST  # libfuse 3 requires the option's value here too
        allow_splicing(conn_info)
        self._on_ready()

    def getattr(self, path: str, fh: int | None = None) -> Attributes:
        """A file's or folder's attributes."""
        return self._attributes(self._find(path[1:]))

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, Attributes, int]]:
        """The entries of a folder."""
        folder = path[1:]
        if self._find(folder).row is not None:
            raise OSError(errno.ENOTDIR, path)
        yield ".", self._folder, 0
        yield "..", self._folder, 0
        for child in self._guard(lambda: list(self._tree.children(folder)), None):
            self._remember(f"{folder}/{child.name}" if folder else child.name, child)
            yield child.name, self._attributes(child), 0

    def open(self, path: str, flags: int) -> int:
        """Tell the kernel to skip open requests, and to keep its page cache."""
        raise OSError(errno.ENOSYS, path)

    def read_buf(self, path: str, reply: Reply, size: int, offset: int, fh: int) -> int:
        """Read a range of a file; the kernel itself reads what is cached on disk."""
        row = self._find(path[1:]).row
        if row is None:
            raise OSError(errno.EISDIR, path)
        data = self._guard(lambda: self._reader.read(row, offset, size), row)
        self._replies.write(reply, data)
        return 0

    def _find(self, path: str) -> TreeEntry:
        child = self._recent.get(path) or self._older.get(path)
        if child is None:
            child = self._guard(lambda: self._look_up(path), None)
            if child is None:
                raise OSError(errno.ENOENT, path)
            self._remember(path, child)
        return child

    def _look_up(self, path: str) -> TreeEntry | None:
        child = self._tree.find(path)
        if child is None or child.row is None or child.row.size >= 0:
            return child
        entry = self._reader.stat(child.row)  # a store that does not list sizes
        size = entry.size if entry is not None else 0
        return TreeEntry(child.name, child.row._replace(size=max(0, size)))

    def _remember(self, path: str, child: TreeEntry) -> None:
        self._recent[path] = child
        if len(self._recent) > _MAX_REMEMBERED:
            self._older, self._recent = self._recent, {}

    def _attributes(self, child: TreeEntry) -> Attributes:
        if child.row is None:
            return self._folder
        size = child.row.size
        return {
            **self._common,
            "st_mode": stat.S_IFREG | 0o444,
            "st_size": size,
            "st_blocks": -(-size // 512),
        }

    def _guard(self, work: Callable[[], T], row: ManifestRow | None) -> T:
        """Call ``work``; report a store's error and turn it into an I/O error for the script."""
        try:
            return work()
        except DatastoreException as error:
            self._on_error(row, error)
            raise OSError(errno.EIO, str(error)) from None
        except OSError as error:
            if error.errno is None:
                raise OSError(errno.EIO, str(error)) from None
            raise


def serve(files: ReadOnlyFiles, mountpoint: str, name: str) -> None:
    """Mount and serve until unmounted. Raises RuntimeError if mounting fails.

    ``name`` is the source shown in the system's list of mounts.
    """
    library = fuse_library.load()
    version = library.fuse_version_major, library.fuse_version_minor
    options: dict[str, object] = {
        "foreground": True,
        "ro": True,
        "nosuid": True,
        "nodev": True,
        "kernel_cache": True,
        "attr_timeout": _FOREVER,
        "entry_timeout": _FOREVER,
        "negative_timeout": _FOREVER,
        "max_read": REQUEST,
        "fsname": name,
        "subtype": "scriptrun",
    }
    if version >= (3, 2):
        options["max_idle_threads"] = _THREADS
    if version >= (3, 12):
        options["max_threads"] = _THREADS
    library.FUSE(files, mountpoint, **options)
