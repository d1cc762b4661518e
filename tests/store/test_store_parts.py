"""The files that make up a snapshot: written whole, read one by one, sent to another store."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.runtime import foreign_names, workdir
from scriptrun.spec.errors import SnapshotException
from scriptrun.store.snapshots import (
    bundle,
    contents,
    folder,
    pack_index,
    packs,
    publish,
    read_file,
    snapshots,
    stat_cache,
    take,
)


def _sha(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def source(tmp_path) -> bytes:
    (tmp_path / "source").mkdir()
    return os.fsencode(tmp_path / "source")


def _packed(store: Path, *pieces: bytes) -> str:
    """The name of a new pack that holds ``pieces``."""
    writer = packs.PackWriter(store)
    for each in pieces:
        writer.add(each)
    writer.finish()
    writer.publish()
    writer.publish_index()
    (name,) = writer.used
    return name


def _find(store: Path, data: bytes) -> bytes | None:
    known = pack_index.PackIndex(store)
    try:
        return known.find(hashlib.sha256(data).digest())
    finally:
        known.close()


def test_what_packs_hold_is_found_at_its_place(store):
    first = _packed(store, b"abc", b"de")
    second = _packed(store, b"f")
    assert _find(store, b"abc") == f"{first} 0".encode()
    assert _find(store, b"de") == f"{first} 3".encode()
    assert _find(store, b"f") == f"{second} 0".encode()
    assert _find(store, b"g") is None


def test_a_store_without_packs_knows_nothing_and_keeps_no_cache(store, own_places):
    assert _find(store, b"a") is None
    (store / "packs").mkdir(parents=True)
    assert _find(store, b"a") is None
    assert not list(own_places.rglob("*.sqlite"))


def test_packs_that_come_and_go_are_seen(store):
    first = _packed(store, b"one")
    assert _find(store, b"one") is not None
    second = _packed(store, b"two")
    assert _find(store, b"two") == f"{second} 0".encode()
    (store / "packs" / f"{first}.index").unlink()
    assert _find(store, b"one") is None
    assert _find(store, b"two") is not None


@pytest.mark.parametrize("rubbish", [b"no database at all" * 300, b"", b"SQLite format 3\0" * 300])
def test_a_damaged_cache_is_made_anew(store, own_places, rubbish):
    name = _packed(store, b"one")
    assert _find(store, b"one") is not None
    (cache,) = own_places.rglob("*.packs.sqlite")
    cache.write_bytes(rubbish)
    assert _find(store, b"one") == f"{name} 0".encode()


def test_an_index_cut_off_gives_its_whole_entries(store):
    name = _packed(store, b"one", b"two")
    index = store / "packs" / f"{name}.index"
    index.write_bytes(index.read_bytes()[:-3])
    assert _find(store, b"one") is not None
    assert _find(store, b"two") is None


def test_after_closing_nothing_is_found(store):
    _packed(store, b"one")
    known = pack_index.PackIndex(store)
    known.close()
    assert known.find(hashlib.sha256(b"one").digest()) is not None, "it had not been opened"
    known.close()
    assert known.find(hashlib.sha256(b"one").digest()) is None


def test_content_of_two_snapshots_is_packed_once(store):
    first = _packed(store, b"same")
    writer = packs.PackWriter(store)
    assert writer.add(b"same") == (_sha(b"same"), f"{first} 0".encode())
    assert writer.add(b"") == (_sha(b""), b"-")
    assert (writer.has_pack, writer.used) == (False, {first})
    new = writer.add(b"other")
    assert writer.add(b"other") == new
    assert writer.has_pack
    writer.discard()
    assert {path.name for path in (store / "packs").iterdir()} == {
        f"{first}.pack",
        f"{first}.index",
    }


def test_content_whose_pack_is_gone_is_packed_again(store):
    first = _packed(store, b"same")
    (store / "packs" / f"{first}.pack").unlink()
    writer = packs.PackWriter(store)
    assert not writer.has(f"{first} 0".encode(), b"", 4)
    _, place = writer.add(b"same")
    assert not place.startswith(first.encode())
    writer.discard()


def _publication(store: Path, data: bytes) -> tuple[publish.Publication, packs.PackWriter]:
    writer = packs.PackWriter(store)
    made = publish.Publication(store)
    digest, place = writer.add(data)
    made.write(b"f %s %d a\n" % (digest, len(data)), place + b"\n")
    return made, writer


def test_a_publication_is_named_by_its_manifests_digest(store):
    made, writer = _publication(store, b"hello")
    digest, used, ours = made.publish(writer)
    manifest = Path(workdir.manifest_path(store, digest))
    assert hashlib.sha256(manifest.read_bytes()).hexdigest() == digest
    assert (used, ours) == (writer.used, True)
    assert publish.packs_of(store, digest) == used
    assert [each[1] for each in workdir.entries(store, digest)] == [b"a"]
    assert not list(store.rglob("*.tmp"))


def test_of_two_that_publish_the_same_the_first_stands(store):
    one, one_packs = _publication(store, b"hello")
    two, two_packs = _publication(store, b"hello")
    first = one.publish(one_packs)
    second = two.publish(two_packs)
    assert second == (first[0], first[1], False)
    assert {path.stem for path in (store / "packs").iterdir()} == first[1]
    assert not list(store.rglob("*.tmp"))


def test_a_snapshot_that_lost_its_pack_is_published_anew(store):
    one, one_packs = _publication(store, b"hello")
    digest, lost, _ = one.publish(one_packs)
    for name in lost:
        (store / "packs" / f"{name}.pack").unlink()
    two, two_packs = _publication(store, b"hello")
    again, used, ours = two.publish(two_packs)
    assert (again, ours) == (digest, True)
    assert used.isdisjoint(lost)
    assert contents.read(store, digest, ["a"], 100) == {"a": b"hello"}


def test_a_publication_that_is_discarded_leaves_nothing(store):
    made, writer = _publication(store, b"hello")
    made.discard()
    writer.discard()
    made.discard()
    assert [path for path in store.rglob("*") if path.is_file()] == []


def test_of_no_snapshot_there_are_no_packs(store):
    assert publish.packs_of(store, "0" * 64) is None
    made = publish.Publication(store)
    digest, used, _ = made.publish(packs.PackWriter(store))
    assert (used, publish.packs_of(store, digest)) == (set(), set())


def _one(store: Path, source: bytes, name: bytes) -> stat_cache.FileRecord:
    """The record of the file ``name``, read into the store."""
    found = os.lstat(source + b"/" + name)
    writer = packs.PackWriter(store)
    try:
        return read_file.store_file(writer, source, name, folder.signature_of(found))
    finally:
        writer.finish()
        writer.publish()


def test_files_are_read_with_their_bit_and_their_digest(store, source):
    for name, data, mode in [(b"a", b"text", 0o644), (b"run", b"#!", 0o755), (b"none", b"", 0o600)]:
        path = Path(os.fsdecode(source + b"/" + name))
        path.write_bytes(data)
        path.chmod(mode)
        taken = _one(store, source, name)
        kind = b"x" if mode & 0o100 else b"f"
        assert (taken[0], taken[2]) == (
            name,
            b"%s %s %d %s\n" % (kind, _sha(data), len(data), name),
        )
        assert (taken[3] == b"-\n") is (data == b"")
        assert taken[1] == folder.UNTRUSTED, "it was written a moment ago"


@pytest.mark.parametrize("size", [packs.LARGE - 1, packs.LARGE, packs.LARGE + 1])
def test_large_files_are_kept_by_themselves(store, source, size):
    Path(os.fsdecode(source), "big").write_bytes(b"x" * size)
    taken = _one(store, source, b"big")
    alone = Path(workdir.object_path(store, _sha(b"x" * size).decode()))
    assert taken[2].split(b" ")[2] == b"%d" % size
    assert (taken[3] == b"-\n") is (size >= packs.LARGE) is alone.exists()


@pytest.mark.parametrize("now", [b"", b"shorter", b"much longer than it was before"])
def test_a_file_that_changes_is_kept_as_it_was_read(store, source, now):
    path = Path(os.fsdecode(source), "a")
    path.write_bytes(b"at first so")
    look = folder.signature_of(path.lstat())
    path.write_bytes(now)
    writer = packs.PackWriter(store)
    taken = read_file.store_file(writer, source, b"a", look)
    writer.finish()
    writer.publish()
    assert taken[1] == folder.UNTRUSTED
    assert taken[2] == b"f %s %d a\n" % (_sha(now), len(now))


def test_links_pipes_and_what_is_gone(store, source, tmp_path):
    os.symlink(b"a\nb", source + b"/new\nline")
    taken = _one(store, source, b"new\nline")
    assert (taken[2], taken[3]) == (b"l new\\nline\0a\\nb\n", b"")
    (tmp_path / "there").write_bytes(b"outside")
    os.symlink(os.fsencode(tmp_path / "there"), source + b"/out")
    assert _one(store, source, b"out")[2] == b"f %s 7 out\n" % _sha(b"outside")
    os.mkfifo(source + b"/pipe")
    with pytest.raises(read_file.SpecialFile):
        _one(store, source, b"pipe")
    look = folder.signature_of(os.lstat(source))
    for kind in (0o100644, 0o120777):
        with pytest.raises(FileNotFoundError):
            read_file.store_file(packs.PackWriter(store), source, b"gone", (kind, *look[1:]))
    with pytest.raises(read_file.UnreadableFile):  # it was a file and is a folder now
        os.mkdir(source + b"/folder")
        read_file.store_file(packs.PackWriter(store), source, b"folder", (0o100644, 10, 0, 0, 0))


def _taken(store: Path, source: bytes, tmp_path: Path):
    return take.SnapshotBuilder(store, source, tmp_path / "cache.stat").run()


def test_taking_twice_reads_the_same_and_keeps_one_pack(store, source, tmp_path):
    root = Path(os.fsdecode(source))
    (root / "sub").mkdir()
    (root / "sub" / "a").write_text("a")
    (root / "b").write_text("bb")
    first = _taken(store, source, tmp_path)
    assert (first.files, first.size, first.warnings) == (2, 3, ())
    assert _taken(store, source, tmp_path) == first
    (root / "c").write_text("bb")
    third = _taken(store, source, tmp_path)
    assert third.packs == first.packs, "its content was there"
    assert third.digest != first.digest
    assert (third.files, third.size) == (3, 5)


def test_taking_without_the_cache_gives_the_same_snapshot(store, source, tmp_path):
    Path(os.fsdecode(source), "a").write_text("a")
    first = _taken(store, source, tmp_path)
    (tmp_path / "cache.stat").write_bytes(b"rubbish")
    assert _taken(store, source, tmp_path).digest == first.digest
    other = take.SnapshotBuilder(tmp_path / "other", source, tmp_path / "other.stat").run()
    assert other.digest == first.digest, "a snapshot is named by its content alone"


def test_taking_warns_of_keys_pipes_and_links_out(store, source, tmp_path):
    root = Path(os.fsdecode(source))
    (root / ".env").write_text("")
    (root / "home").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    taken = _taken(store, source, tmp_path)
    assert len(taken.warnings) == 3
    for name in (".env", "home", "pipe"):
        assert any(name in each for each in taken.warnings)


def test_a_source_of_nothing_is_a_snapshot_too(store, source, tmp_path):
    taken = _taken(store, source, tmp_path)
    assert (taken.files, taken.packs) == (0, ())
    assert list(workdir.entries(store, taken.digest)) == []


def test_what_cannot_be_read_fails_the_taking_and_leaves_nothing(store, source, tmp_path):
    root = Path(os.fsdecode(source))
    (root / "ok").write_text("ok")
    (root / "shut").write_text("x")
    (root / "shut").chmod(0)
    if os.access(root / "shut", os.R_OK):
        pytest.skip("only as a user whom permissions bind")
    taking = take.SnapshotBuilder(store, source, tmp_path / "cache.stat")
    assert taking.run() is None
    assert set(taking.failed) == {b"shut"}
    assert [path for path in store.rglob("*") if path.is_file()] == []


NAMES = st.binary(min_size=1, max_size=5).filter(
    lambda name: b"/" not in name and b"\0" not in name and name[:1] != b"."
)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(files=st.dictionaries(NAMES, st.binary(max_size=9), max_size=5), limit=st.integers(0, 9))
def test_single_files_are_read_as_they_were_taken(files, limit, tmp_path_factory):
    base = tmp_path_factory.mktemp("read")
    source = base / "source"
    source.mkdir()
    for name, data in files.items():
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_bytes(data)
    taken = snapshots.take(base / "store", source)
    wanted = [os.fsdecode(name) for name in files]
    read = contents.read(base / "store", taken.digest, [*wanted, "gone", "."], limit)
    short = {os.fsdecode(n): d if len(d) <= limit else None for n, d in files.items()}
    assert read == short


def _snapshot(tmp_path: Path, store: Path) -> str:
    source = tmp_path / "mixed"
    (source / "sub").mkdir(parents=True)
    (source / "a").write_text("alpha")
    (source / "sub" / "b").write_text("beta")
    (source / "empty").write_text("")
    (source / "link").symlink_to("a")
    (source / "big").write_bytes(b"z" * packs.LARGE)
    return snapshots.take(store, source).digest


def test_folders_and_links_are_no_files_to_read(tmp_path, store):
    digest = _snapshot(tmp_path, store)
    found = contents.read(store, digest, {"sub", "link", "a", "sub/b", "big", "empty"}, 1000)
    assert found == {"a": b"alpha", "sub/b": b"beta", "big": None, "empty": b""}
    assert contents.read(store, digest, {"big"}, 1 << 21) == {"big": b"z" * packs.LARGE}


@pytest.mark.parametrize("what", ["manifest", "places", "pack"])
def test_a_snapshot_that_lacks_a_part_is_an_error(tmp_path, store, what):
    digest = _snapshot(tmp_path, store)
    manifest = workdir.manifest_path(store, digest)
    (pack,) = (store / "packs").glob("*.pack")
    Path({"manifest": manifest, "places": manifest + ".places", "pack": pack}[what]).unlink()
    with pytest.raises(SnapshotException):
        contents.read(store, digest, {"a", "sub/b"}, 1000)


def _send(store: Path, names: list[str], other: Path) -> None:
    for name in names:
        with open(store / name, "rb") as handle:
            bundle.store_part(other, name, handle)


def test_the_parts_of_a_snapshot_make_it_whole_elsewhere(tmp_path, store):
    digest = _snapshot(tmp_path, store)
    other = tmp_path / "other"
    parts = bundle.parts(store, digest)
    assert len(parts) == len(set(parts)) == 5, "pack and index, one large file, places, manifest"
    assert parts[-1] == os.path.relpath(workdir.manifest_path(store, digest), store)
    assert bundle.missing(other, parts) == parts
    _send(store, parts, other)
    assert bundle.missing(other, parts) == []
    assert not list(other.rglob("*.tmp"))
    workdir.materialise(other, digest, tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "b").read_text() == "beta"
    assert (tmp_path / "out" / "big").stat().st_size == packs.LARGE


def test_a_tar_of_the_parts_holds_them_under_a_prefix(tmp_path, store):
    digest = _snapshot(tmp_path, store)
    parts = bundle.parts(store, digest)
    stream = io.BytesIO()
    bundle.pack(stream, store, parts, "snapshots/")
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        members = {each.name: tar.extractfile(each).read() for each in tar}
    assert members == {f"snapshots/{name}": (store / name).read_bytes() for name in parts}


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../out", "", ".", "packs/.."])
def test_no_part_is_taken_in_outside_of_the_store(tmp_path, store, name):
    store.mkdir()
    with pytest.raises(foreign_names.ForeignNameRefused, match="The archive names a file"):
        bundle.store_part(store, name, io.BytesIO(b"x"))
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert list(store.iterdir()) == []


def test_a_part_that_comes_again_replaces_the_first(store):
    for data in (b"one", b"two" * (1 << 20)):
        bundle.store_part(store, "packs/x.pack", io.BytesIO(data))
        assert (store / "packs" / "x.pack").read_bytes() == data


def test_parts_of_no_snapshot(store):
    with pytest.raises(workdir.SnapshotDamaged):
        bundle.parts(store, "0" * 64)


@pytest.mark.parametrize("rest", [b"", b"scriptrun snap", b"scriptrun snapshot 1\nf 12"])
@pytest.mark.parametrize("what", ["manifest", "places", "pack", "index"])
def test_what_a_power_cut_left_short_is_stored_again(store, what, rest):
    one, one_packs = _publication(store, b"hello")
    digest, (name,), _ = one.publish(one_packs)
    manifest = workdir.manifest_path(store, digest)
    paths = {"manifest": manifest, "places": manifest + ".places"}
    path = Path(paths.get(what) or store / "packs" / f"{name}.{what}")
    path.chmod(0o644)
    path.write_bytes(rest[:4] if what == "pack" else rest)
    two, two_packs = _publication(store, b"hello")
    assert two.publish(two_packs)[0] == digest
    assert contents.read(store, digest, ["a"], 100) == {"a": b"hello"}


def test_a_large_file_that_a_power_cut_left_short_is_stored_again(store, source):
    path = Path(os.fsdecode(source), "large")
    path.write_bytes(b"x" * packs.LARGE)
    first = snapshots.take(store, path.parent)
    (stored,) = (store / "objects").glob("*/*")
    os.truncate(stored, 0)
    assert snapshots.take(store, path.parent).digest == first.digest
    assert stored.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("head", [b"", b"\0" * 21, b"scriptrun snapshot"])
def test_a_manifest_without_a_head_is_damaged_and_not_newer(store, head):
    one, one_packs = _publication(store, b"hello")
    digest, _, _ = one.publish(one_packs)
    Path(workdir.manifest_path(store, digest)).write_bytes(head)
    with pytest.raises(workdir.SnapshotDamaged, match="is damaged"):
        list(workdir.entries(store, digest))
