"""Large files of a mount: read in blocks, with read-ahead, and cached as blocks arrive."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from scriptrun.data.datasets.manifest import ManifestRow
from scriptrun.data.errors import DatastoreException, NoRanges, StoreUnreachable
from scriptrun.data.mount.answer import DiskRange
from scriptrun.data.mount.block_cache import BLOCK, BlockFile
from scriptrun.data.stores.protocol import Store
from scriptrun.data.stores.timeouts import Backoff
from scriptrun.spec.values import Value

#: bytes per request at most, and how far to read ahead
CHUNK, AHEAD = 4 << 20, 48 << 20
#: after this many sequential bytes of a file cached on disk: larger requests and read-ahead
_LONG, _LONG_CHUNK, _LONG_AHEAD = 32 << 20, 16 << 20, 128 << 20
#: a read this near to a reader's position continues it (the kernel reorders requests)
_NEAR = 2 << 20
#: sequential readers to track per file
_MAX_READERS = 16
#: bytes of blocks to hold in memory when they cannot be cached on disk
_MEMORY_LIMIT = 128 << 20


class FileLocation(Value):
    """A file's row, its store and path there, and its key in the cache ("" if not cached)."""

    row: ManifestRow
    store: Store
    path: str
    key: str


class FetchPools:
    """Threads that download: ``urgent`` for waiting reads, ``ahead`` for read-ahead."""

    def __init__(self) -> None:
        self.urgent = ThreadPoolExecutor(64, "scriptrun-now")
        self.ahead = ThreadPoolExecutor(8, "scriptrun-ahead")


class MemoryBlocks:
    """Blocks in memory, shared by all files of a mount; the oldest are dropped."""

    def __init__(self, limit: int = _MEMORY_LIMIT) -> None:
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._max_blocks = limit // BLOCK
        self._lock = threading.Lock()

    def put(self, path: str, number: int, data: bytes) -> None:
        """Store a block."""
        with self._lock:
            self._blocks[path, number] = data
            if len(self._blocks) > self._max_blocks:
                self._blocks.popitem(last=False)

    def get(self, path: str, number: int) -> bytes | None:
        """The block, or None if it was dropped."""
        with self._lock:
            return self._blocks.get((path, number))


class _SequentialReader:
    """A sequential reader: its position, the bytes read so far, and the next block to plan."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.bytes_read = self.planned_until = 0


class LargeFile:
    """One large file that is being read. ``blocks`` is its cache on disk, if any."""

    def __init__(
        self,
        location: FileLocation,
        blocks: BlockFile | None,
        memory: MemoryBlocks,
        pools: FetchPools,
    ) -> None:
        self._location, self._blocks, self._memory, self._pools = location, blocks, memory, pools
        self._size = location.row.size
        self._block_count = -(-self._size // BLOCK)
        #: the blocks that are being fetched
        self._in_flight: set[int] = set()
        self._errors: dict[int, DatastoreException] = {}
        self._condition = threading.Condition()
        self._last_arrival = 0.0
        #: the first and last block of each waiting read
        self._waiting_reads: list[tuple[int, int]] = []
        self._readers: list[_SequentialReader] = []
        self._streaming = False

    def read(self, offset: int, size: int, limit: float) -> bytes | DiskRange:
        """Read bytes. Raises DatastoreException if nothing arrives for ``limit`` seconds."""
        end = min(offset + size, self._size)
        if end <= offset:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        with self._condition:
            reader = self._find_reader(offset, end)
            if not self._are_present(first, last):
                self._wait(first, last, limit)
            self._read_ahead(reader, last + 1)
        return self._collect(offset, end, limit)

    def _wait(self, first: int, last: int, limit: float) -> None:
        """Request the blocks, and wait until they are present."""
        start, block_range = time.monotonic(), (first, last)
        self._waiting_reads.append(block_range)
        try:
            while not self._are_present(first, last):
                self._raise_failed(first, last)
                self._fetch(first, last + 1, self._pools.urgent)
                remaining = max(start, self._last_arrival) + limit - time.monotonic()
                if remaining <= 0:
                    raise StoreUnreachable(
                        f"{self._location.store.name} does not send {self._location.path!r}."
                    )
                self._condition.wait(remaining)
        finally:
            self._waiting_reads.remove(block_range)

    def _find_reader(self, offset: int, end: int) -> _SequentialReader:
        """The reader whose position is near ``offset``, else a new one."""
        for reader in self._readers:
            if -_NEAR <= offset - reader.end <= _NEAR:
                self._readers.remove(reader)
                break
        else:
            reader = _SequentialReader(end)
            del self._readers[: 1 - _MAX_READERS]
        reader.end = max(reader.end, end)
        reader.bytes_read += end - offset
        self._readers.append(reader)
        return reader

    def _read_ahead(self, reader: _SequentialReader, next_block: int) -> None:
        """Request the reader's next blocks: the more it has read in order, the more."""
        chunk, ahead_limit = CHUNK, AHEAD
        if reader.bytes_read > _LONG and self._blocks is not None:
            chunk, ahead_limit = _LONG_CHUNK, _LONG_AHEAD
        ahead = min(4 * reader.bytes_read, ahead_limit) // BLOCK if reader.bytes_read > BLOCK else 0
        begin, stop = (
            max(next_block, reader.planned_until),
            min(self._block_count, next_block + ahead),
        )
        if begin < stop and (
            stop == self._block_count or stop - begin >= min(chunk // BLOCK, ahead // 2)
        ):
            reader.planned_until = stop
            self._fetch(begin, stop, self._pools.ahead, chunk)

    def _fetch(self, first: int, end: int, pool: ThreadPoolExecutor, chunk: int = CHUNK) -> None:
        """Request the missing blocks from ``first`` up to ``end``."""
        for begin, stop in self._missing_ranges(first, end, chunk // BLOCK):
            self._in_flight.update(range(begin, stop))
            pool.submit(self._fetch_range, begin, stop, pool is self._pools.urgent)

    def _missing_ranges(self, first: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
        """Ranges of blocks that are neither present nor requested, each of at most ``limit``."""
        begin = first
        for number in range(first, end + 1):
            is_missing = (
                number < end and number not in self._in_flight and not self._is_present(number)
            )
            if begin < number and (not is_missing or number - begin == limit):
                yield begin, number
                begin = number
            if not is_missing:
                begin = number + 1

    def _is_present(self, number: int) -> bool:
        if self._blocks is not None and self._blocks.present[number]:
            return True
        return self._memory.get(self._location.path, number) is not None

    def _are_present(self, first: int, last: int) -> bool:
        return all(map(self._is_present, range(first, last + 1)))

    def _raise_failed(self, first: int, last: int) -> None:
        """Raise the blocks' error, if any, only once: the next read tries again."""
        failure = next((self._errors[n] for n in range(first, last + 1) if n in self._errors), None)
        if failure is not None:
            self._errors = {n: error for n, error in self._errors.items() if error is not failure}
            raise failure

    def _collect(self, offset: int, end: int, limit: float) -> bytes | DiskRange:
        first, last = offset // BLOCK, (end - 1) // BLOCK
        if self._blocks is not None and 0 not in self._blocks.present[first : last + 1]:
            return DiskRange(self._blocks.file, offset, end - offset)
        return b"".join(
            self._block_bytes(number, offset, end, limit) for number in range(first, last + 1)
        )

    def _block_bytes(self, number: int, offset: int, end: int, limit: float) -> bytes:
        """The bytes of one block that lie between ``offset`` and ``end``."""
        begin, stop = max(offset, number * BLOCK), min(end, (number + 1) * BLOCK)
        if self._blocks is not None and self._blocks.present[number]:
            return os.pread(self._blocks.descriptor, stop - begin, begin)
        data = self._memory.get(self._location.path, number)
        if data is None:  # it was dropped meanwhile
            return bytes(self.read(begin, stop - begin, limit))
        return data[begin - number * BLOCK : stop - number * BLOCK]

    def _fetch_range(self, first: int, end: int, is_awaited: bool) -> None:
        """Download blocks; each can be read once it has arrived. Runs in a pool thread."""
        problem: DatastoreException | None = None
        try:
            self._receive(first, end)
        except NoRanges:
            problem = self._fetch_whole_file()
        except DatastoreException as error:
            problem = error
        except Exception as error:
            problem = DatastoreException(f"Cannot read {self._location.path!r}: {error!r}.")
        with self._condition:
            if problem is not None and is_awaited:
                missing = [number for number in range(first, end) if not self._is_present(number)]
                self._errors.update(dict.fromkeys(missing, problem))
            if not self._streaming:
                self._in_flight.difference_update(range(first, end))
            self._condition.notify_all()

    def _receive(self, first: int, end: int) -> None:
        """Download blocks, resuming when the connection breaks."""
        location, backoff, stop = self._location, Backoff(), min(end * BLOCK, self._size)
        while True:
            while first < end and self._is_present(first):
                first += 1
            if first >= end:
                return
            begin = first * BLOCK
            try:
                pieces = location.store.pieces(location.path, location.row.etag, begin, stop)
                self._store_pieces(pieces, first, stop, backoff)
                return
            except StoreUnreachable as error:
                if not backoff.wait(error.retry_after):
                    raise

    def _store_pieces(
        self, pieces: Iterator[bytes], number: int, stop: int, backoff: Backoff
    ) -> None:
        """Store arriving pieces as whole blocks, beginning with block ``number``."""
        rest = b""
        for piece in pieces:
            backoff.reset()
            begin, size = number * BLOCK, len(rest) + len(piece)
            whole_size = size if begin + size >= stop else size // BLOCK * BLOCK
            cut = whole_size - len(rest)
            if whole_size:
                self._store_blocks(number, [rest, memoryview(piece)[:cut]], whole_size)
            rest = piece[cut:] if whole_size else rest + piece
            number -= -whole_size // BLOCK
        if number * BLOCK < stop:
            raise StoreUnreachable(
                f"{self._location.store.name} closed the connection while sending "
                f"{self._location.path!r}."
            )

    def _store_blocks(self, first: int, parts: list[bytes | memoryview], size: int) -> None:
        end = first - (-size // BLOCK)
        try:
            if self._blocks is None:
                raise OSError
            self._blocks.write(parts, first * BLOCK)
            self._blocks.mark_present(first, end)
        except OSError:  # the disk is full: keep the blocks in memory
            data = b"".join(parts)
            for number in range(first, end):
                begin = (number - first) * BLOCK
                self._memory.put(self._location.path, number, data[begin : begin + BLOCK])
        with self._condition:
            self._last_arrival = time.monotonic()
            self._in_flight.difference_update(range(first, end))
            if any(begin < end and first <= last for begin, last in self._waiting_reads):
                self._condition.notify_all()

    def _fetch_whole_file(self) -> DatastoreException | None:
        """Download the whole file at once, since the server does not support range requests."""
        with self._condition:
            if self._streaming:
                return None
            self._streaming = True
            self._in_flight.update(range(self._block_count))
        try:
            pieces = self._location.store.pieces(self._location.path, self._location.row.etag)
            self._store_pieces(pieces, 0, self._size, Backoff())
        except DatastoreException as error:
            return error
        finally:
            with self._condition:
                self._streaming = False
                self._in_flight.clear()
                self._condition.notify_all()
        return None
