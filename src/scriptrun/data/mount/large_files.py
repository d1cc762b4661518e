"""Large files of a mount: read in blocks, with read-ahead, and cached as blocks arrive."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from scriptrun.data.datasets.manifest import Row
from scriptrun.data.errors import DatastoreException, NoRanges, Unreachable
from scriptrun.data.mount.answer import OnDisk
from scriptrun.data.mount.block_cache import BLOCK, Blocks
from scriptrun.data.stores.protocol import Store
from scriptrun.data.stores.timeouts import Patience
from scriptrun.spec.values import Value

#: bytes per request at most, and how far to read ahead
CHUNK, AHEAD = 4 << 20, 48 << 20
#: after this many sequential bytes of a file cached on disk: larger requests and read-ahead
_LONG, _LONG_CHUNK, _LONG_AHEAD = 32 << 20, 16 << 20, 128 << 20
#: a read this near to a reader's position continues it (the kernel reorders requests)
_NEAR = 2 << 20
#: sequential readers to track per file
_READERS = 16
#: bytes of blocks to hold in memory when they cannot be cached on disk
_LOOSE = 128 << 20


class Place(Value):
    """A file's row, its store and path there, and its key in the cache ("" if not cached)."""

    row: Row
    store: Store
    path: str
    key: str


class Pools:
    """Threads that download: ``urgent`` for waiting reads, ``ahead`` for read-ahead."""

    def __init__(self) -> None:
        self.now = ThreadPoolExecutor(64, "scriptrun-now")
        self.ahead = ThreadPoolExecutor(8, "scriptrun-ahead")


class Loose:
    """Blocks in memory, shared by all files of a mount; the oldest are dropped."""

    def __init__(self, limit: int = _LOOSE) -> None:
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._most = limit // BLOCK
        self._lock = threading.Lock()

    def put(self, path: str, number: int, data: bytes) -> None:
        """Store a block."""
        with self._lock:
            self._blocks[path, number] = data
            if len(self._blocks) > self._most:
                self._blocks.popitem(last=False)

    def get(self, path: str, number: int) -> bytes | None:
        """The block, or None if it was dropped."""
        with self._lock:
            return self._blocks.get((path, number))


class _Reader:
    """A sequential reader: its position, the bytes read so far, and the next block to plan."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.read = self.planned = 0


class Large:
    """One large file that is being read. ``blocks`` is its cache on disk, if any."""

    def __init__(self, place: Place, blocks: Blocks | None, loose: Loose, pools: Pools) -> None:
        self._place, self._blocks, self._loose, self._pools = place, blocks, loose, pools
        self._size = place.row.size
        self._count = -(-self._size // BLOCK)
        #: the blocks that are being fetched
        self._coming: set[int] = set()
        self._failed: dict[int, DatastoreException] = {}
        self._changed = threading.Condition()
        self._arrived = 0.0
        #: the first and last block of each waiting read
        self._wanted: list[tuple[int, int]] = []
        self._readers: list[_Reader] = []
        self._streaming = False

    def read(self, offset: int, size: int, limit: float) -> bytes | OnDisk:
        """Read bytes. Raises DatastoreException if nothing arrives for ``limit`` seconds."""
        end = min(offset + size, self._size)
        if end <= offset:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        with self._changed:
            reader = self._reader(offset, end)
            if not self._ready(first, last):
                self._wait(first, last, limit)
            self._go_ahead(reader, last + 1)
        return self._get(offset, end, limit)

    def _wait(self, first: int, last: int, limit: float) -> None:
        """Request the blocks, and wait until they are present."""
        began, wanted = time.monotonic(), (first, last)
        self._wanted.append(wanted)
        try:
            while not self._ready(first, last):
                self._raise_failed(first, last)
                self._fetch(first, last + 1, self._pools.now)
                left = max(began, self._arrived) + limit - time.monotonic()
                if left <= 0:
                    raise Unreachable(
                        f"{self._place.store.name} does not send {self._place.path!r}."
                    )
                self._changed.wait(left)
        finally:
            self._wanted.remove(wanted)

    def _reader(self, offset: int, end: int) -> _Reader:
        """The reader whose position is near ``offset``, else a new one."""
        for reader in self._readers:
            if -_NEAR <= offset - reader.end <= _NEAR:
                self._readers.remove(reader)
                break
        else:
            reader = _Reader(end)
            del self._readers[: 1 - _READERS]
        reader.end = max(reader.end, end)
        reader.read += end - offset
        self._readers.append(reader)
        return reader

    def _go_ahead(self, reader: _Reader, after: int) -> None:
        """Request the reader's next blocks: the more it has read in order, the more."""
        chunk, most = CHUNK, AHEAD
        if reader.read > _LONG and self._blocks is not None:
            chunk, most = _LONG_CHUNK, _LONG_AHEAD
        ahead = min(4 * reader.read, most) // BLOCK if reader.read > BLOCK else 0
        begin, stop = max(after, reader.planned), min(self._count, after + ahead)
        if begin < stop and (
            stop == self._count or stop - begin >= min(chunk // BLOCK, ahead // 2)
        ):
            reader.planned = stop
            self._fetch(begin, stop, self._pools.ahead, chunk)

    def _fetch(self, first: int, end: int, pool: ThreadPoolExecutor, chunk: int = CHUNK) -> None:
        """Request the missing blocks from ``first`` up to ``end``."""
        for begin, stop in self._missing(first, end, chunk // BLOCK):
            self._coming.update(range(begin, stop))
            pool.submit(self._bring, begin, stop, pool is self._pools.now)

    def _missing(self, first: int, end: int, most: int) -> Iterator[tuple[int, int]]:
        """Ranges of blocks that are neither present nor requested, each of at most ``most``."""
        begin = first
        for number in range(first, end + 1):
            wanted = number < end and number not in self._coming and not self._is_there(number)
            if begin < number and (not wanted or number - begin == most):
                yield begin, number
                begin = number
            if not wanted:
                begin = number + 1

    def _is_there(self, number: int) -> bool:
        if self._blocks is not None and self._blocks.there[number]:
            return True
        return self._loose.get(self._place.path, number) is not None

    def _ready(self, first: int, last: int) -> bool:
        return all(map(self._is_there, range(first, last + 1)))

    def _raise_failed(self, first: int, last: int) -> None:
        """Raise the blocks' error, if any, only once: the next read tries again."""
        found = next((self._failed[n] for n in range(first, last + 1) if n in self._failed), None)
        if found is not None:
            self._failed = {n: error for n, error in self._failed.items() if error is not found}
            raise found

    def _get(self, offset: int, end: int, limit: float) -> bytes | OnDisk:
        first, last = offset // BLOCK, (end - 1) // BLOCK
        if self._blocks is not None and 0 not in self._blocks.there[first : last + 1]:
            return OnDisk(self._blocks.file, offset, end - offset)
        return b"".join(self._part(number, offset, end, limit) for number in range(first, last + 1))

    def _part(self, number: int, offset: int, end: int, limit: float) -> bytes:
        """The bytes of one block that lie between ``offset`` and ``end``."""
        begin, stop = max(offset, number * BLOCK), min(end, (number + 1) * BLOCK)
        if self._blocks is not None and self._blocks.there[number]:
            return os.pread(self._blocks.descriptor, stop - begin, begin)
        data = self._loose.get(self._place.path, number)
        if data is None:  # it was dropped meanwhile
            return bytes(self.read(begin, stop - begin, limit))
        return data[begin - number * BLOCK : stop - number * BLOCK]

    def _bring(self, first: int, end: int, awaited: bool) -> None:
        """Download blocks; each can be read once it has arrived. Runs in a pool thread."""
        problem: DatastoreException | None = None
        try:
            self._receive(first, end)
        except NoRanges:
            problem = self._whole()
        except DatastoreException as error:
            problem = error
        except Exception as error:
            problem = DatastoreException(f"Cannot read {self._place.path!r}: {error!r}.")
        with self._changed:
            if problem is not None and awaited:
                left = [number for number in range(first, end) if not self._is_there(number)]
                self._failed.update(dict.fromkeys(left, problem))
            if not self._streaming:
                self._coming.difference_update(range(first, end))
            self._changed.notify_all()

    def _receive(self, first: int, end: int) -> None:
        """Download blocks, resuming when the connection breaks."""
        place, patience, stop = self._place, Patience(), min(end * BLOCK, self._size)
        while True:
            while first < end and self._is_there(first):
                first += 1
            if first >= end:
                return
            begin = first * BLOCK
            try:
                pieces = place.store.pieces(place.path, place.row.etag, begin, stop)
                self._take(pieces, first, stop, patience)
                return
            except Unreachable as error:
                if not patience.wait(error.after):
                    raise

    def _take(self, pieces: Iterator[bytes], at: int, stop: int, patience: Patience) -> None:
        """Store arriving pieces as whole blocks, beginning with block ``at``."""
        rest = b""
        for piece in pieces:
            patience.renew()
            begin, size = at * BLOCK, len(rest) + len(piece)
            whole = size if begin + size >= stop else size // BLOCK * BLOCK
            cut = whole - len(rest)
            if whole:
                self._put(at, [rest, memoryview(piece)[:cut]], whole)
            rest = piece[cut:] if whole else rest + piece
            at -= -whole // BLOCK
        if at * BLOCK < stop:
            raise Unreachable(
                f"{self._place.store.name} closed the connection while sending "
                f"{self._place.path!r}."
            )

    def _put(self, first: int, parts: list[bytes | memoryview], size: int) -> None:
        end = first - (-size // BLOCK)
        try:
            if self._blocks is None:
                raise OSError
            self._blocks.write(parts, first * BLOCK)
            self._blocks.has(first, end)
        except OSError:  # the disk is full: keep the blocks in memory
            data = b"".join(parts)
            for number in range(first, end):
                begin = (number - first) * BLOCK
                self._loose.put(self._place.path, number, data[begin : begin + BLOCK])
        with self._changed:
            self._arrived = time.monotonic()
            self._coming.difference_update(range(first, end))
            if any(begin < end and first <= last for begin, last in self._wanted):
                self._changed.notify_all()

    def _whole(self) -> DatastoreException | None:
        """Download the whole file at once, since the server does not support range requests."""
        with self._changed:
            if self._streaming:
                return None
            self._streaming = True
            self._coming.update(range(self._count))
        try:
            pieces = self._place.store.pieces(self._place.path, self._place.row.etag)
            self._take(pieces, 0, self._size, Patience())
        except DatastoreException as error:
            return error
        finally:
            with self._changed:
                self._streaming = False
                self._coming.clear()
                self._changed.notify_all()
        return None
