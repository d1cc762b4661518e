"""Snapshots whose content in the store was damaged: they are made whole from the source."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from scriptrun.runtime import workdir
from scriptrun.spec.errors import SnapshotException
from scriptrun.store.file_stamp import stamp_of
from scriptrun.store.snapshots import bundle, check, contents, snapshots, stamps, stat_cache

BIG = b"0123456789abcdef" * (1 << 17)


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    (folder / "below").mkdir(parents=True)
    (folder / "train.py").write_text("print('train')\n")
    (folder / "below/data.txt").write_text("data\n")
    (folder / "big").write_bytes(BIG)
    return folder


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def one(store: Path, pattern: str) -> Path:
    (path,) = store.glob(pattern)
    return path


def restored(store: Path, digest: str, target: Path) -> dict[str, bytes]:
    snapshots.restore(store, digest, target)
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "pattern", ["packs/*.pack", "packs/*.index", "objects/??/*", "manifests/??/*"]
)
def test_a_folder_in_a_files_place_is_replaced(source, store, tmp_path, pattern):
    digest = snapshots.take(store, source).digest
    for path in store.glob(pattern):
        path.unlink()
        (path / "more").mkdir(parents=True)
    assert snapshots.take(store, source).digest == digest
    assert restored(store, digest, tmp_path / "back") == {
        "train.py": b"print('train')\n",
        "below/data.txt": b"data\n",
        "big": BIG,
    }


def test_a_file_in_a_folders_place_is_named(source, store):
    store.mkdir()
    (store / "manifests").write_text("")
    with pytest.raises(SnapshotException, match="store/manifests: File exists"):
        snapshots.take(store, source)


@pytest.mark.parametrize("pattern", ["packs/*.pack", "objects/??/*", "manifests/??/*"])
def test_an_unchanged_source_is_read_again(source, store, tmp_path, pattern):
    digest = snapshots.take(store, source).digest
    for path in store.glob(pattern):
        flip(path)
    assert snapshots.take(store, source).digest == digest
    assert restored(store, digest, tmp_path / "back") == {
        "train.py": b"print('train')\n",
        "below/data.txt": b"data\n",
        "big": BIG,
    }


def test_a_store_that_is_whole_is_not_read_again(source, store):
    digest = snapshots.take(store, source).digest
    cache = stat_cache.cache_file(store, os.fsencode(os.path.realpath(source)))
    assert stamps.are_unchanged(cache, digest)
    assert not stamps.are_unchanged(cache, "0" * 64)
    os.utime(one(store, "packs/*.pack"), (1, 1))
    assert not stamps.are_unchanged(cache)
    assert snapshots.take(store, source).digest == digest
    assert stamps.are_unchanged(cache, digest)
    assert len(list(store.glob("packs/*.pack"))) == 1


@pytest.mark.parametrize("note", [b"", b"[]", b"{", b'{"files": 3}', b'{"files": {"a": 1}}'])
def test_a_note_that_says_nothing_counts_as_none(tmp_path, note):
    (tmp_path / "cache.stamps").write_bytes(note)
    assert not stamps.are_unchanged(tmp_path / "cache")


def test_whether_a_manifest_is_whole(source, store):
    digest = snapshots.take(store, source).digest
    path = workdir.manifest_path(store, digest)
    assert stamps.is_manifest_whole(path, digest)
    flip(Path(path))
    assert not stamps.is_manifest_whole(path, digest)
    assert not stamps.is_manifest_whole(path + "x", digest)


@pytest.mark.parametrize(
    ("name", "pattern"), [("train.py", "packs/*.pack"), ("big", "objects/??/*")]
)
def test_a_single_file_is_compared_as_well(source, store, name, pattern):
    digest = snapshots.take(store, source).digest
    assert contents.read(store, digest, [name], 1 << 30)[name] == (source / name).read_bytes()
    assert contents.read(store, digest, [name], 3) == {name: None}
    path = one(store, pattern)
    path.write_bytes(b"?" * path.stat().st_size)
    with pytest.raises(SnapshotException, match="is damaged") as problem:
        contents.read(store, digest, [name], 1 << 30)
    assert str(path) in str(problem.value)


def test_a_stamp_changes_with_any_change_in_place(tmp_path):
    """Even one that keeps the size and sets the modification time back."""
    path = tmp_path / "file"
    path.write_text("a")
    before, status = stamp_of(path), path.stat()
    assert stamp_of(path) == before
    with open(path, "r+") as file:
        file.write("b")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    while stamp_of(path)[-1] == before[-1]:  # within one tick of the file system's clock
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stamp_of(path)[:-1] == before[:-1]


def damages(store: Path) -> list[check.SnapshotDamage]:
    return list(check.SnapshotCheck(store).damages())


def test_all_snapshots_are_checked(source, store):
    first = snapshots.take(store, source).digest
    (source / "train.py").write_text("print('other')\n")
    second = snapshots.take(store, source).digest
    whole = check.SnapshotCheck(store)
    assert list(whole.damages()) == []
    sizes = len(BIG) + len("print('train')\n") + len("print('other')\n") + len("data\n")
    assert (whole.snapshots, whole.size) == (2, sizes), "what both have is read once"
    flip(one(store, "objects/??/*"))
    found = damages(store)
    assert {damage.path for damage in found} == {str(one(store, "objects/??/*"))}
    assert [damage.meaning for damage in found] == [
        f"File 'big' of snapshot {digest[:16]} is lost." for digest in sorted((first, second))
    ]
    one(store, "objects/??/*").unlink()
    assert [damage.problem for damage in damages(store)] == ["is missing"] * 2


@pytest.mark.parametrize("ending", ["", ".places"])
def test_a_damaged_list_of_a_snapshot_is_named(source, store, ending):
    digest = snapshots.take(store, source).digest
    path = Path(workdir.manifest_path(store, digest) + ending)
    path.write_bytes(b"?\n")
    (damage,) = damages(store)
    assert str(path) in damage.problem
    assert damage.meaning == f"Snapshot {digest[:16]} cannot be used."
    Path(workdir.manifest_path(store, digest)).unlink()
    assert damages(store) == [], "a snapshot that was removed is not damaged"


@pytest.mark.parametrize(
    "pattern", ["packs/*.pack", "packs/*.index", "objects/??/*", "manifests/??/*"]
)
def test_parts_of_a_snapshot_that_are_damaged_count_as_missing(source, store, pattern):
    """So that a cluster's login node asks for them again."""
    digest = snapshots.take(store, source).digest
    parts = bundle.parts(store, digest)
    for _ in range(2):
        assert bundle.missing(store, parts) == []
    damaged = [path for path in store.glob(pattern) if path.suffix != ".places"]
    for path in damaged:
        flip(path)
    missing = bundle.missing(store, parts)
    assert {str(path.relative_to(store)) for path in damaged} <= {*missing}
    for path in damaged:
        path.write_bytes(b"")
    assert {str(path.relative_to(store)) for path in damaged} <= {*bundle.missing(store, parts)}
    shutil.rmtree(store)
    assert bundle.missing(store, parts) == parts
