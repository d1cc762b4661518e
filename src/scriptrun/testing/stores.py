"""The shared suites that every kind of storage passes against the real thing.

A store's author (``scriptrun.data.stores.protocol.Store``) subclasses ``StoreSuite`` in a test
module and gives it a ``store`` fixture, an empty one for each test::

    class TestMine(StoreSuite):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore("mine", ...)

A store that can only be read subclasses ``ReadingSuite``, with ``put``, which places a file there
by other means. Needs pytest.
"""

# ruff: noqa: D102 (the name of a case says what it promises)

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from scriptrun.data.cache import download as cache_download
from scriptrun.data.cache import partial, transfer
from scriptrun.data.cache.download import RemoteFile
from scriptrun.data.errors import DatastoreException, FileChanged, FileExists, FileMissing, NoRanges
from scriptrun.data.stores.protocol import FileEntry, Store

#: names that some part of a chain of tools gets wrong, in the order of their paths
ODD = [
    "a.txt",
    "d-e.txt",
    "d/.hidden",
    "d/100%.txt",
    "d/Z.txt",
    "d/a b.txt",
    "d/a+b&c.txt",
    "d/x#y?z",
    "d/~t[1].txt",
    "d/ü%20x.txt",
    "d/日本.txt",
    "da/x",
]


class ReadingSuite:
    """What every store does that can be read. Overwrite ``store`` and ``put``."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test, empty."""
        raise NotImplementedError

    def put(self, store: Store, path: str, data: bytes) -> FileEntry:
        """Place a file in the store."""
        raise NotImplementedError

    def test_any_name_is_read(self, store: Store) -> None:
        for name in ODD:
            self.put(store, name, name.encode())
        for name in ODD:
            entry = store.stat(name)
            assert entry is not None and entry.path == name
            assert entry.etag and entry.size == len(name.encode())
            assert b"".join(store.pieces(name, entry.etag)) == name.encode()

    def test_what_is_missing_is_said(self, store: Store) -> None:
        assert store.stat("x/y") is None
        with pytest.raises(FileMissing, match=rf"'x/y' not found in {store.name}"):
            b"".join(store.pieces("x/y"))
        with pytest.raises(FileMissing):
            store.read("x/y", 0, 1)

    def test_ranges(self, store: Store) -> None:
        etag = self.put(store, "r", b"0123456789").etag
        assert store.read("r", 2, 5, etag) == b"234"
        assert store.read("r", 8, 50) == b"89"
        assert store.read("r", 3, 3) == b""
        try:
            assert b"".join(store.pieces("r", etag, 2, 5)) == b"234"
            assert b"".join(store.pieces("r", etag, 7)) == b"789"
        except NoRanges:
            pass  # it says so, and whole files are read then

    def test_an_empty_file(self, store: Store, tmp_path: Path) -> None:
        entry = self.put(store, "empty", b"")
        assert entry.size == 0 and b"".join(store.pieces("empty", entry.etag)) == b""
        transfer.fetch(RemoteFile(store, entry, "empty"), tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == b""

    def test_a_file_that_changed_is_not_read_as_the_old_one(
        self, store: Store, tmp_path: Path
    ) -> None:
        old, new = self.put(store, "f", b"old!"), self.put(store, "f", b"newer")
        assert old.etag != new.etag
        for read in (
            lambda: b"".join(store.pieces("f", old.etag)),
            lambda: store.read("f", 0, 2, old.etag),
            lambda: transfer.fetch(RemoteFile(store, old, "f"), tmp_path / "to" / "f"),
        ):
            with pytest.raises(FileChanged, match=rf"'f' in {store.name} has changed"):
                read()
        assert store.read("f", 0, 5, new.etag) == b"newer"
        assert not list((tmp_path / "to").iterdir())

    def test_a_large_file_in_blocks(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cache_download, "BLOCK", 1 << 20)
        monkeypatch.setattr(cache_download, "LARGE", 2 << 20)
        data = random.Random(1).randbytes((17 << 20) + 1)
        entry = self.put(store, "large", data)
        sizes: list[int] = []
        target = tmp_path / "to" / "out"
        transfer.fetch(RemoteFile(store, entry, "large"), target, on_bytes=sizes.append)
        assert target.read_bytes() == data
        assert list(target.parent.iterdir()) == [target]
        assert sum(sizes) >= len(data) == entry.size

    def test_what_broke_off_goes_on(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cache_download, "BLOCK", 1 << 20)
        monkeypatch.setattr(cache_download, "LARGE", 2 << 20)
        data = random.Random(2).randbytes(6 << 20)
        incoming = RemoteFile(store, self.put(store, "large", data), "large")
        sizes: list[int] = []

        def stop(size: int) -> None:
            sizes.append(size)
            if sum(sizes) > 4 << 20:
                raise cache_download.TransferStopped

        part = tmp_path / "its.part"
        with pytest.raises(cache_download.TransferStopped):
            transfer.fetch(incoming, tmp_path / "out", part, stop)
        assert not (tmp_path / "out").exists()
        has_log = partial.block_list_path(part).exists()
        resumed_sizes: list[int] = []
        transfer.fetch(incoming, tmp_path / "out", part, resumed_sizes.append)
        assert (tmp_path / "out").read_bytes() == data
        assert not part.exists() and not partial.block_list_path(part).exists()
        if has_log:
            assert resumed_sizes[0] > 0  # what was there, before anything has arrived


class StoreSuite(ReadingSuite):
    """What every store does that can be listed and written too. Overwrite ``store``."""

    #: files that are listed at once: more than one page, where the store has pages of some 1,000
    listed = 60

    def put(self, store: Store, path: str, data: bytes) -> FileEntry:
        return store.write(path, io.BytesIO(data))

    def test_lists_come_whole_and_in_order(self, store: Store) -> None:
        for name in reversed(ODD):
            self.put(store, name, name.encode())
        assert [entry.path for entry in store.list()] == ODD
        assert [entry.path for entry in store.list("d")] == [n for n in ODD if n[:2] == "d/"]
        assert list(store.list("nothing")) == []
        for entry in store.list():
            status = store.stat(entry.path)
            assert status is not None and status.etag == entry.etag and status.size == entry.size

    def test_a_list_of_several_pages(self, store: Store, tmp_path: Path) -> None:
        names = [f"many/{number:04}" for number in range(self.listed)]
        (tmp_path / "one").write_bytes(b"x")
        transfer.upload(store, [(tmp_path / "one", name) for name in names], "many", True, False)
        assert [entry.path for entry in store.list("many")] == names

    def test_only_what_is_left_of_a_file_is_written(self, store: Store) -> None:
        for size in (10, (9 << 20) + 3):
            data = random.Random(size).randbytes(size)
            file = io.BytesIO(data)
            file.seek(4)
            entry = store.write("rest", file)
            assert entry.size == size - 4
            assert b"".join(store.pieces("rest", entry.etag)) == data[4:]

    def test_what_is_new_replaces_nothing(self, store: Store) -> None:
        store.write("n", io.BytesIO(b"first"), new=True)
        if self.heeds_new:
            with pytest.raises(FileExists, match=rf"'n' already exists in {store.name}"):
                store.write("n", io.BytesIO(b"second"), new=True)
            assert store.read("n", 0, 9) == b"first"
        assert store.write("n", io.BytesIO(b"third")).size == 5

    #: whether ``write(new=True)`` is heeded by the server
    heeds_new = True

    def test_deleting(self, store: Store) -> None:
        self.put(store, "gone", b"x")
        store.delete("gone")
        store.delete("gone")
        assert store.stat("gone") is None and list(store.list()) == []

    def test_writers_at_once(self, store: Store) -> None:
        contents = [bytes([number]) * 50_000 for number in range(6)]
        transfer.in_parallel(lambda content: self.put(store, "same", content), contents, 6)
        entry = store.stat("same")
        assert entry is not None
        assert b"".join(store.pieces("same", entry.etag)) in contents

    def test_trees_up_and_down(self, store: Store, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.mkdir()
        pairs = []
        for number in range(40):
            path = source / str(number)
            path.write_text(str(number))
            pairs.append((path, f"up/{number % 4}/f {number}"))
        assert transfer.upload(store, pairs, "up", False, False) == 40
        (source / "0").write_text("changed")
        assert transfer.upload(store, pairs, "up", False, False) == 0
        incoming = [RemoteFile(store, entry, entry.path) for entry in store.list("up/1")]
        paths = transfer.download(incoming, tmp_path / "back", False)
        assert sorted(int(path.read_text()) for path in paths) == list(range(1, 40, 4))
        assert transfer.upload(store, pairs[:1], "up", True, False) == 1
        assert store.read("up/0/f 0", 0, 9) == b"changed"


def refused(store: Store, *secrets: str) -> str:
    """What a store says that must refuse to be read; none of ``secrets`` is in it."""
    with pytest.raises(DatastoreException) as error:
        store.stat("x")
    message = f"{error.value!r} {error.value}"
    assert store.name in message and not any(secret in message for secret in secrets)
    return message
