"""The parts of a mount without the kernel: its tree, what it keeps, its reader and operations."""

from __future__ import annotations

import errno
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun import Dataset
from scriptrun.data.datasets import manifest
from scriptrun.data.datasets.manifest import Manifest, ManifestRow
from scriptrun.data.errors import DatastoreException, FileChanged
from scriptrun.data.mount import block_cache, plan
from scriptrun.data.mount.block_cache import BLOCK, MountCache, cache_key
from scriptrun.data.mount.operations import ReadOnlyFiles
from scriptrun.data.mount.reader import MountReader
from scriptrun.data.mount.tree import ManifestTree

few = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def tree_of(folder, paths):
    rows = [ManifestRow(path, len(path), "e") for path in sorted(paths)]
    return ManifestTree(
        Manifest(manifest.manifest_path(folder, manifest.write(folder, rows).digest))
    )


names = st.text("ab-0.", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
trees = st.sets(st.lists(names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12)


def shown(paths, folder):
    """What a folder holds: names, and whether each is a folder."""
    prefix = f"{folder}/" if folder else ""
    found = {}
    for path in sorted(paths):
        if path.startswith(prefix):
            name, slash, _ = path[len(prefix) :].partition("/")
            found[name] = bool(slash) or found.get(name, False)
    return found


@few
@given(trees)
def test_any_list_of_files_is_shown_as_folders(tmp_path_factory, paths):
    tree = tree_of(tmp_path_factory.mktemp("tree"), paths)
    folders = {"", *(p.rpartition("/")[0] for p in paths)}
    for folder in folders:
        listed = [(child.name, child.row is None) for child in tree.children(folder)]
        assert len(listed) == len(dict(listed))
        assert dict(listed) == shown(paths, folder)
    for path in paths:
        child = tree.find(path)
        is_folder = any(other.startswith(f"{path}/") for other in paths)
        assert child.name == path.rpartition("/")[2]
        assert (child.row is None) is is_folder
        if not is_folder:
            assert child.row.path == path


@few
@given(trees, names)
def test_what_is_not_listed_is_not_there(tmp_path_factory, paths, path):
    tree = tree_of(tmp_path_factory.mktemp("tree"), paths)
    expected = path in paths or any(other.startswith(f"{path}/") for other in paths)
    assert (tree.find(path) is not None) is expected


def test_the_files_that_follow_are_of_the_same_folder(tmp_path):
    tree = tree_of(tmp_path, ["a/1", "a/2", "a/3/x", "a/4", "b/5", "c"])

    def after(path, count=9):
        return [row.path for row in tree.following(path, count)]

    assert after("a/1") == ["a/2", "a/4"]
    assert after("a/1", 1) == ["a/2"]
    assert after("a/4") == after("c") == after("b/5") == []
    assert after("a/0") == ["a/1", "a/2", "a/4"]


def test_a_tree_of_several_blocks_is_found_whole(tmp_path):
    paths = [f"d{n % 3}/f{n:05}" for n in range(10_000)]
    tree = tree_of(tmp_path, paths)
    assert [child.name for child in tree.children("")] == ["d0", "d1", "d2"]
    assert sum(1 for _ in tree.children("d1")) == sum(1 for p in paths if p.startswith("d1/"))
    for path in (paths[0], paths[4095], paths[4096], paths[-1]):
        assert tree.find(path).row.path == path
    assert tree.find("d1/f00000") is None


def test_a_tree_of_nothing_is_an_empty_folder(tmp_path):
    tree = tree_of(tmp_path, [])
    assert tree.find("").row is None
    assert list(tree.children("")) == []
    assert tree.find("a") is None


# what is kept


def test_keys_differ_where_anything_does():
    keys = {
        cache_key(*words)
        for words in [
            ("s", "p", "e", 1),
            ("t", "p", "e", 1),
            ("s", "q", "e", 1),
            ("s", "p", "f", 1),
            ("s", "p", "e", 2),
            ("s", "pe", "", 1),
        ]
    }
    assert len(keys) == 6


@pytest.fixture
def keep(tmp_path):
    return MountCache(str(tmp_path / "cache"))


def test_a_whole_file_is_kept_and_read_again(keep):
    assert keep.open("ab" * 32, 7) is None
    keep.save("ab" * 32, b"content")
    with keep.open("ab" * 32, 7) as file:
        assert file.read() == b"content"
    keep.save("", b"content")
    assert keep.open("", 7) is None


def test_a_file_of_another_size_is_not_the_one_that_was_kept(keep):
    keep.save("ab" * 32, b"content")
    with keep.open("ab" * 32, 7) as file:
        assert file.read() == b"content"
    assert keep.open("ab" * 32, 8) is None
    assert keep.open("ab" * 32, 7) is None, "it was removed: the next read downloads it"


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    none = MountCache("")
    none.save("ab" * 32, b"content")
    assert none.open("ab" * 32, 7) is None
    assert none.blocks("ab" * 32, 10) is None
    assert list(tmp_path.iterdir()) == []


def test_no_half_file_is_left_where_the_cache_is_full(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_DATA_CACHE_SIZE", "10B")
    full = MountCache(str(tmp_path / "cache"))
    with pytest.raises(OSError) as caught:
        full.save("ab" * 32, b"x" * 100)
    assert caught.value.errno == errno.ENOSPC
    assert full.open("ab" * 32, 100) is None
    assert list((tmp_path / "cache").rglob("*.part")) == []


@few
@given(st.permutations(range(4)), st.integers(1, BLOCK))
def test_blocks_in_any_order_become_the_whole_file(tmp_path_factory, order, last):
    keep = MountCache(str(tmp_path_factory.mktemp("cache")))
    data = os.urandom(3 * BLOCK + last)
    blocks = keep.blocks("cd" * 32, len(data))
    assert blocks.count == 4
    for done, number in enumerate(order):
        assert keep.open("cd" * 32, len(data)) is None
        piece = data[number * BLOCK : (number + 1) * BLOCK]
        blocks.write([piece[:7], memoryview(piece)[7:]], number * BLOCK)
        blocks.mark_present(number, number + 1)
        assert sum(blocks.present) == done + 1
    with keep.open("cd" * 32, len(data)) as file:
        assert file.read() == data


def test_blocks_that_are_there_are_seen_by_the_next(keep):
    blocks = keep.blocks("ef" * 32, 2 * BLOCK)
    blocks.write([b"x" * BLOCK], BLOCK)
    blocks.mark_present(1, 2)
    again = keep.blocks("ef" * 32, 2 * BLOCK)
    assert list(again.present) == [0, 1]
    assert os.pread(again.descriptor, 3, BLOCK) == b"xxx"
    assert keep.open("ef" * 32, 2 * BLOCK) is None


def test_a_block_that_was_written_counts_only_once_it_is_noted(keep):
    blocks = keep.blocks("01" * 32, 2 * BLOCK)
    blocks.write([b"x" * BLOCK], 0)
    assert list(keep.blocks("01" * 32, 2 * BLOCK).present) == [0, 0]


def test_a_map_of_another_file_is_not_believed(keep, tmp_path):
    blocks = keep.blocks("23" * 32, 2 * BLOCK)
    blocks.write([b"x" * BLOCK], 0)
    blocks.mark_present(0, 1)
    (path,) = (p for p in (tmp_path / "cache" / "blocks").iterdir() if p.suffix != ".map")
    path.unlink()
    assert list(keep.blocks("23" * 32, 2 * BLOCK).present) == [0, 0]


def test_room_is_given_back_to_nobody_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_DATA_CACHE_SIZE", "1kB")
    room = block_cache.CacheBudget(str(tmp_path))
    with room.reserve(600):
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "x").write_bytes(b"x" * 600)
        with pytest.raises(OSError), room.reserve(600):
            pass


# a folder of this machine, read through a mount's parts


@pytest.fixture
def parts(workspace, fill, tmp_path):
    """The datastore, and the tree and reader of what a dataset of it lists."""
    datastore = workspace.get_default_datastore()
    big = bytes(range(256)) * 8192
    fill(datastore.store, {"d/a.txt": "hello", "d/deep/b": "", "d/big": big, "other": "x"})
    dataset = Dataset.File.from_files((datastore, "d"))
    listed, roots = plan.manifest_for(dataset._content, tmp_path / "listed")
    tree = ManifestTree(listed)
    reader = MountReader(roots, MountCache(""), 60.0, tree.following)
    return datastore, tree, reader, big


@pytest.fixture
def files(parts):
    """The operations as the kernel would call them, and the troubles that were told."""
    told = []
    made = ReadOnlyFiles(parts[1], parts[2], 1.5, lambda: None, lambda *words: told.append(words))
    return made, told


def test_a_plan_survives_being_a_value(workspace, fill, tmp_path):
    datastore = workspace.get_default_datastore()
    fill(datastore.store, {"a/b": "1"})
    content = Dataset.File.from_files((datastore, "a"))._content
    _, roots = plan.manifest_for(content, tmp_path)
    made = plan.MountPlan("/m", roots, "x.manifest", "/cache", 7.5)
    again = plan.from_value(made.value())
    assert again.value() == made.value()
    assert [plan.store_identity(root) for root in again.roots] == [
        plan.store_identity(r) for r in roots
    ]
    assert again.roots[0].store_ref.store().stat("a/b").size == 1


def test_any_range_of_a_file_is_read(parts):
    _, tree, reader, big = parts
    row = tree.find("big").row
    for offset, size in [(0, 10), (1000, 1 << 20), (len(big) - 5, 99), (len(big), 9), (1 << 40, 9)]:
        assert bytes(reader.read(row, offset, size)) == big[offset : offset + size]
    small = tree.find("a.txt").row
    assert bytes(reader.read(small, 1, 3)) == b"ell"
    assert bytes(reader.read(tree.find("deep/b").row, 0, 9)) == b""


@pytest.mark.parametrize("name", ["a.txt", "big"])
def test_a_file_that_changed_is_not_read_as_the_old_one(parts, name):
    datastore, tree, reader, _ = parts
    os.utime(datastore.store.folder / "d" / name, ns=(1, 1))
    with pytest.raises(FileChanged):
        reader.read(tree.find(name).row, 0, 9)


@pytest.mark.parametrize("name", ["a.txt", "big"])
def test_a_file_that_is_gone_is_a_datastores_error(parts, name):
    datastore, tree, reader, _ = parts
    (datastore.store.folder / "d" / name).unlink()
    with pytest.raises(DatastoreException) as caught:
        reader.read(tree.find(name).row, 0, 9)
    assert name in str(caught.value)


def test_attributes_say_that_nothing_can_be_written(files):
    operations, _ = files
    file, folder = operations.getattr("/a.txt"), operations.getattr("/deep")
    assert stat.S_ISREG(file["st_mode"])
    assert stat.S_ISDIR(folder["st_mode"])
    assert file["st_size"] == 5
    assert (file["st_mode"] | folder["st_mode"]) & 0o222 == 0
    assert stat.S_ISDIR(operations.getattr("/")["st_mode"])


def test_a_folder_is_listed_and_a_file_is_none(files):
    operations, told = files
    assert [name for name, _, _ in operations.readdir("/", 0)] == [
        ".",
        "..",
        "a.txt",
        "big",
        "deep",
    ]
    for path, number in [("/a.txt", errno.ENOTDIR), ("/gone", errno.ENOENT)]:
        with pytest.raises(OSError) as caught:
            list(operations.readdir(path, 0))
        assert caught.value.errno == number
    assert told == []


@pytest.mark.parametrize("path", ["/gone", "/a.txt/x", "/deep/a.txt", "/other", "/dee"])
def test_what_is_not_there_is_said_to_be(files, path):
    operations, told = files
    with pytest.raises(OSError) as caught:
        operations.getattr(path)
    assert caught.value.errno == errno.ENOENT
    assert told == []


def test_trouble_is_an_io_error_that_is_told(files, parts):
    operations, told = files
    os.utime(parts[0].store.folder / "d" / "a.txt", ns=(1, 1))
    with pytest.raises(OSError) as caught:
        operations.read_buf("/a.txt", None, 9, 0, 0)
    assert caught.value.errno == errno.EIO
    ((row, error),) = told
    assert (row.path, type(error)) == ("a.txt", FileChanged)
    with pytest.raises(OSError) as caught:
        operations.read_buf("/deep", None, 9, 0, 0)
    assert caught.value.errno == errno.EISDIR
