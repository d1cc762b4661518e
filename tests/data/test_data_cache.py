"""The machine's cache of files: what it keeps, what it lets go, and the folders laid out of it."""

from __future__ import annotations

import os
import threading
import time

import pytest
import servers

from scriptrun import Dataset
from scriptrun.data.cache import files as cache_files
from scriptrun.data.cache.files import Cache
from scriptrun.data.cache.layout import Layout
from scriptrun.data.datasets import content as dataset_content
from scriptrun.data.errors import DatastoreException, FileChanged
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.testing.jobs import PATIENCE


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def fixed(workspace):
    """``fixed(path)`` is the content of a dataset, fixed as a job's record has it."""

    def make(path):
        pin = Dataset.File.from_files(path).pin(workspace)
        return dataset_content.from_facts(pin, pin["definition"], workspace)

    return make


def names(folder):
    found = {}
    for place, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def test_two_versions_share_what_is_the_same(web, cache, fixed):
    web.files |= {"/a": b"A", "/b": b"B", "/c": b"C"}
    one = fixed([f"{web.address}/{name}" for name in "ab"])
    two = fixed([f"{web.address}/{name}" for name in "bc"])
    first, second = Layout(one, cache).lay_out(), Layout(two, cache).lay_out()
    assert names(first.folder) == {"a": b"A", "b": b"B"}
    assert names(second.folder) == {"b": b"B", "c": b"C"}
    assert web.seen.count("GET /b") == 1
    assert cache.total_size() == 3


def test_what_is_in_use_stays_and_the_longest_unused_goes_first(web, cache, fixed):
    web.files |= {f"/{name}": name.encode() * 1000 for name in "abc"}
    laid = {}
    for name in "abc":
        laid[name] = Layout(fixed(f"{web.address}/{name}"), cache).lay_out()
        time.sleep(0.02)
    laid["b"].release()
    laid["c"].release()
    assert Cache(cache.folder, limit=3000).make_room(1) == 1000
    assert not laid["b"].folder.exists() and laid["c"].folder.exists()
    assert Cache(cache.folder, limit=0).make_room(0) == 1000
    assert names(laid["a"].folder) == {"a": b"a" * 1000}
    laid["a"].release()
    assert cache.clear() == 1000 and cache.total_size() == 0


def test_a_layout_is_completed_where_it_broke_off(web, cache, fixed):
    web.files |= {f"/{n}": b"x" for n in range(6)}
    content = fixed([f"{web.address}/{n}" for n in range(6)])
    web.files.pop("/5")
    layout = Layout(content, cache)
    with pytest.raises(DatastoreException, match="'5'"):
        layout.lay_out()
    assert not layout.is_complete()
    web.files["/5"] = b"x"
    before = len(web.seen)
    assert len(names(Layout(content, cache).lay_out().folder)) == 6
    assert len([each for each in web.seen[before:] if each.startswith("GET")]) < 6


def test_files_that_a_power_cut_left_short_are_fetched_again(web, cache, fixed):
    web.files |= {f"/{n}": b"xyz" for n in range(3)}
    content = fixed([f"{web.address}/{n}" for n in range(3)])
    layout = Layout(content, cache)
    layout.lay_out().release()
    (layout.path / "done").unlink()
    shorter = layout.folder / "1"
    status = shorter.stat()
    shorter.chmod(0o644)
    shorter.write_bytes(b"")
    os.utime(shorter, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert names(Layout(content, cache).lay_out().folder) == dict.fromkeys("012", b"xyz")


def test_twenty_at_once_fetch_once(web, cache, fixed):
    web.files["/a"] = b"A" * 100_000
    content = fixed(f"{web.address}/a")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(Layout(content, cache).lay_out()))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20 and web.seen.count("GET /a") == 1
    assert sorted(each.fetched for each in found) == [0] * 19 + [1]


def test_connections_that_break_do_not_matter(web, cache, fixed):
    data = os.urandom(3_000_000)
    web.files["/a"] = data
    content = fixed(f"{web.address}/a")
    web.drops += [10, 1_000_000, 2_500_000]
    assert names(Layout(content, cache).lay_out().folder) == {"a": data}


def test_a_file_of_another_content_is_never_kept(web, cache, fixed):
    web.files["/a"] = b"one"
    content = fixed(f"{web.address}/a")
    web.files["/a"] = b"two"
    with pytest.raises(FileChanged):
        Layout(content, cache).lay_out()
    assert cache.total_size() == 0


def test_what_has_no_etag_is_the_runs_own(foreign_store, cache, fixed, fill):
    fill(foreign_store.store, {"a": "A"})
    content = fixed((foreign_store, "a"))
    first = Layout(content, cache, private_key="run 1")
    laid = first.lay_out()
    assert first.folder != Layout(content, cache, private_key="run 2").folder
    laid.release()
    assert not laid.folder.exists()


def test_a_file_and_a_folder_of_one_name_are_refused(web, cache, fixed):
    web.files |= {"/a": b"A", "/a/b": b"B"}
    content = fixed([f"{web.address}/a", f"{web.address}/a/b"])
    with pytest.raises(DatastoreException, match="both a file and a folder"):
        Layout(content, cache).lay_out()


def test_local_files_are_linked_and_looked_at_again(local_store, cache, fixed, fill):
    fill(local_store.store, {"d/a b.txt": "A", "d/\u00e9%.txt": "B"})
    content = fixed((local_store, "d"))
    laid = Layout(content, cache).lay_out()
    assert names(laid.folder) == {"a b.txt": b"A", "\u00e9%.txt": b"B"}
    assert all(os.path.islink(laid.folder / name) for name in ("a b.txt", "\u00e9%.txt"))
    assert cache.total_size() == 0
    fill(local_store.store, {"d/a b.txt": "changed"})
    with pytest.raises(FileChanged, match="a b"):
        Layout(content, cache).lay_out()


def test_mending_takes_away_what_a_script_did(web, cache, fixed):
    web.files |= {"/a": b"A", "/b": b"B"}
    content = fixed([f"{web.address}/a", f"{web.address}/b"])
    layout = Layout(content, cache)
    laid = layout.lay_out()
    assert layout.repair() == []
    os.chmod(laid.folder, 0o755)
    os.chmod(laid.folder / "a", 0o644)
    (laid.folder / "a").write_text("X")
    (laid.folder / "new").write_text("X")
    (laid.folder / "link").symlink_to("/etc")
    assert sorted(layout.repair()) == ["a", "link", "new"]
    assert os.path.exists("/etc/passwd")
    assert names(Layout(content, cache).lay_out().folder) == {"a": b"A", "b": b"B"}


@pytest.mark.parametrize("made", ["link", "file", "folder", "more"])
def test_what_was_changed_before_a_run_is_not_seen_by_it(local_store, cache, fixed, fill, made):
    fill(local_store.store, {"d/a.txt": "a", "d/b.txt": "b"})
    layout = Layout(fixed((local_store, "d")), cache)
    folder = layout.lay_out().folder
    before = names(folder)
    os.chmod(folder, 0o755)
    changed = folder / ("more" if made == "more" else "a.txt")
    if made != "more":
        changed.unlink()
    if made == "link":
        changed.symlink_to(folder / "b.txt")
    elif made == "folder":
        changed.mkdir()
    else:
        changed.write_text("x")
    assert layout.lay_out().folder == folder
    assert names(folder) == before
    assert os.path.islink(folder / "a.txt")


@pytest.mark.parametrize("made", ["link", "more"])
def test_downloads_that_were_changed_before_a_run_come_again(web, cache, fixed, tmp_path, made):
    web.files |= {"/a": b"A", "/b": b"B"}
    layout = Layout(fixed([f"{web.address}/a", f"{web.address}/b"]), cache)
    folder = layout.lay_out().folder
    os.chmod(folder, 0o755)
    if made == "link":
        forged = tmp_path / "forged"
        forged.write_bytes(b"X")
        os.utime(forged, ns=(0, cache_files.FIXED_MTIME))
        (folder / "a").unlink()
        (folder / "a").symlink_to(forged)
    else:
        (folder / "more").write_text("x")
    assert names(layout.lay_out().folder) == {"a": b"A", "b": b"B"}


def test_what_is_larger_than_the_disk_is_a_sentence(web, cache, fixed):
    web.files["/a"] = b"A"
    content = fixed(f"{web.address}/a")
    layout = Layout(content, cache)
    huge = [row._replace(size=1 << 60) for row in content.rows()]
    with pytest.raises(DatastoreException, match="more bytes in the data cache, but the disk"):
        layout._fetch(huge, None)


def test_what_a_mount_has_read_is_not_fetched_again(web, cache, fixed, tmp_path):
    if dataset_mount.available():
        servers.missing("FUSE: " + dataset_mount.available())
    web.files |= {"/a": b"A" * 1000, "/b": b"B"}
    content = fixed([f"{web.address}/a", f"{web.address}/b"])
    with dataset_mount.mount(content, tmp_path / "mount", cache.folder, PATIENCE):
        assert (tmp_path / "mount" / "a").read_bytes() == b"A" * 1000
        assert (tmp_path / "mount" / "b").read_bytes() == b"B"
    before = sum(each.startswith("GET") for each in web.seen)
    assert len(names(Layout(content, cache).lay_out().folder)) == 2
    assert sum(each.startswith("GET") for each in web.seen) == before


def test_keys_tell_stores_apart():
    keys = {
        cache_files.cache_key(origin, path, etag, size)
        for origin in ("s3", "blob")
        for path in ("a", "b")
        for etag in ("1", "2")
        for size in (1, 2)
    }
    assert len(keys) == 16


def _damage(path, kind):
    """Damage a cached file and set its time back, as a bad disk would."""
    status = path.stat()
    path.chmod(0o644)
    content = path.read_bytes()
    with open(path, "r+b") as file:
        if kind == "flipped":
            file.write(bytes([content[0] ^ 1]))
        else:
            file.truncate({"truncated": len(content) // 2, "emptied": 0}.get(kind))
            file.write({"appended": content + b"x"}.get(kind, b""))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(0o444)


damaged_in_each_way = pytest.mark.parametrize(
    "kind", ["flipped", "truncated", "emptied", "appended"]
)


@damaged_in_each_way
def test_what_is_damaged_in_the_cache_is_fetched_again(web, cache, fixed, kind):
    web.files |= {"/a": b"A" * 100, "/b": b"B" * 100, "/c": b"C"}
    contents = [fixed([f"{web.address}/{name}" for name in names]) for names in ("ab", "ac")]
    Layout(contents[0], cache).lay_out().release()
    seen = list(web.seen)
    again = Layout(contents[0], cache).lay_out()
    assert (again.fetched, web.seen) == (0, seen)
    again.release()
    _damage(again.folder / "a", kind)
    laid = Layout(contents[0], cache).lay_out()
    assert names(laid.folder) == {"a": b"A" * 100, "b": b"B" * 100}
    assert laid.fetched == 1
    laid.release()
    _damage(laid.folder / "a", kind)
    other = Layout(contents[1], cache).lay_out()
    assert names(other.folder) == {"a": b"A" * 100, "c": b"C"}
    assert other.fetched == 2
    other.release()


def test_another_link_to_a_file_is_no_damage(web, cache, fixed):
    web.files |= {"/a": b"A", "/b": b"B", "/c": b"C"}
    one, two = (fixed([f"{web.address}/{name}" for name in names]) for names in ("ab", "ac"))
    for content in (one, two, one, two):
        Layout(content, cache).lay_out().release()
    assert [web.seen.count(f"GET /{name}") for name in "abc"] == [1, 1, 1]


def test_a_frozen_file_knows_its_content(tmp_path):
    path = tmp_path / "file"
    for content in (b"", b"x", os.urandom(3_000_000)):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        with open(path, "rb") as file:
            assert not cache_files.is_whole(file), "not frozen yet"
        cache_files.freeze(path)
        with open(path, "rb") as file:
            assert cache_files.is_whole(file) and cache_files.is_whole(file, len(content))
            assert not cache_files.is_whole(file, len(content) + 1)
    os.utime(path, ns=(0, cache_files.FIXED_MTIME))
    with open(path, "rb") as file:
        assert cache_files.is_whole(file), "a file system without nanoseconds keeps no checksum"


@damaged_in_each_way
@pytest.mark.parametrize("size", [1000, 2_000_000])
def test_a_mount_does_not_read_what_is_damaged(web, cache, fixed, tmp_path, kind, size):
    if dataset_mount.available():
        servers.missing("FUSE: " + dataset_mount.available())
    web.files |= {"/a": b"A" * size}
    content = fixed(f"{web.address}/a")
    Layout(content, cache).lay_out().release()
    (cached,) = (cache.folder / "files").glob("??/*")
    _damage(cached, kind)
    with dataset_mount.mount(content, tmp_path / "mount", cache.folder, PATIENCE):
        assert (tmp_path / "mount" / "a").read_bytes() == b"A" * size
