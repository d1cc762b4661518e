"""One look at a source: its folders, links, warnings, and what the last look was."""

from __future__ import annotations

import itertools
import os
import socket
import stat
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.store import filesystem_kind
from scriptrun.store.snapshots import folder, preview, stat_cache, symlinks, unchanged, warnings
from scriptrun.store.snapshots.ignore import rules_for


def _source(tmp_path, *names: str) -> bytes:
    root = tmp_path / "source"
    root.mkdir()
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return os.fsencode(root)


def _listed(source: bytes, path: bytes = b"", **more) -> folder.Listing:
    return folder.list_folder(source, path, rules_for(source), **more)


def test_a_folder_is_sorted_by_name_in_bytes(tmp_path):
    source = _source(tmp_path, "b", "a/x", "Z", "ä", "empty/")
    seen = _listed(source)
    assert [name for name, _ in seen.files] == [b"Z", b"b", "ä".encode()]
    assert seen.folders == [b"a", b"empty"]
    assert (seen.ignored, seen.environment) == ([], None)


def test_what_is_left_out_has_its_reason_and_folders_end_in_a_slash(tmp_path):
    source = _source(tmp_path, "x.log", "log/a", "kept")
    Path(os.fsdecode(source), ".gitignore").write_text("*.log\nlog/\n")
    seen = _listed(source)
    assert seen.ignored == [b"log/", b"x.log"]
    assert {name: why.line for name, why in seen.reasons.items()} == {b"log/": 2, b"x.log": 1}
    assert [name for name, _ in seen.files] == [b".gitignore", b"kept"]


def test_of_an_environment_nothing_else_is_told(tmp_path):
    source = _source(tmp_path, "env/pyvenv.cfg", "env/bin/python")
    seen = _listed(source, b"env")
    assert seen.environment is not None
    assert (seen.files, seen.folders, seen.ignored) == ([], [], [])


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        _listed(_source(tmp_path), b"gone")


def test_decisions_under_the_same_rules_are_taken_over_and_under_others_are_not(tmp_path):
    source = _source(tmp_path, "a", "b")
    stamp = _listed(source).rules.stamp
    taken = _listed(source, decisions=folder.Decisions(stamp, {b"a"}, None))
    assert taken.ignored == [b"a"]
    anew = _listed(source, decisions=folder.Decisions("other", {b"a"}, None))
    assert anew.ignored == []


def test_the_look_of_a_link_out_of_the_source_changes_with_its_file(tmp_path):
    source = _source(tmp_path)
    there = tmp_path / "there.txt"
    there.write_text("one")
    os.symlink(there, source + b"/link")
    before = _listed(source).files[0][1]
    there.write_text("longer")
    after = _listed(source).files[0][1]
    assert before != after
    assert (before[1], after[1]) == (3, 6)
    assert stat.S_ISLNK(after[0])
    there.unlink()
    assert _listed(source).files[0][1] not in (before, after)


def test_an_untrusted_look_equals_none_of_a_file(tmp_path):
    source = _source(tmp_path, "a")
    assert _listed(source).files[0][1] != folder.UNTRUSTED
    assert folder.is_settled(folder.UNTRUSTED)
    os.utime(source + b"/a", (2**32, 2**32))
    assert not folder.is_settled(_listed(source).files[0][1]), "a time to come is not past"


PATHS = st.lists(st.sampled_from([b"a", b"b", b"a.b", b"a-b", b"a0", b"\xff"]), max_size=3)


@given(paths=st.lists(PATHS.map(b"/".join), max_size=12))
def test_in_walk_order_a_folder_comes_before_what_is_in_it(paths):
    ordered = sorted(paths, key=folder.walk_order)
    for earlier, later in itertools.pairwise(ordered):
        assert not earlier.startswith(later + b"/")
    for parent in paths:
        for child in paths:
            if child.startswith(parent + b"/"):
                assert ordered.index(parent) < ordered.index(child)


def test_a_walk_takes_the_first_folder_next(tmp_path):
    source = _source(tmp_path, "a/c/", "a/b/", "d/")
    stack = [(b"", rules_for(source))]
    walked = []
    while stack:
        path, above = stack.pop()
        walked.append(path)
        folder.push_folders(stack, folder.list_folder(source, path, above))
    assert walked == [b"", b"a", b"a/b", b"a/c", b"d"]
    assert walked == sorted(walked, key=folder.walk_order)


@pytest.mark.parametrize(
    ("where", "target", "kept"),
    [
        (b"link", b"a", b"a"),
        (b"d/link", b"../a", b"../a"),
        (b"link", b"gone", b"gone"),
        (b"d/link", b"SOURCE/a", b"../a"),
        (b"link", b"SOURCE/d", b"d"),
        (b"link", b"SOURCE", b"."),
        (b"d/link", b"../../source/a", b"../a"),
        (b"link", b"/no/such/place", b"/no/such/place"),
        (b"link", b"..", b"OUTSIDE"),
        (b"link", b"OUTSIDE/other", b"OUTSIDE/other"),
    ],
)
def test_links_that_stay_links(tmp_path, where, target, kept):
    source = _source(tmp_path, "a", "d/")
    (tmp_path / "other").mkdir()

    def real(text: bytes) -> bytes:
        return text.replace(b"SOURCE", source).replace(b"OUTSIDE", os.path.dirname(source))

    os.symlink(real(target), source + b"/" + where)
    assert symlinks.read(source, where) == symlinks.Kept(real(kept))


def test_a_link_out_to_a_file_stands_for_the_file_also_through_other_links(tmp_path):
    source = _source(tmp_path)
    (tmp_path / "real.bin").write_bytes(b"x")
    (tmp_path / "step").symlink_to("real.bin")
    os.symlink(b"../step", source + b"/link")
    found = symlinks.read(source, b"link")
    assert found == symlinks.Followed(os.fsencode(tmp_path / "real.bin"))


def test_a_link_in_a_circle_is_kept(tmp_path):
    source = _source(tmp_path)
    os.symlink(b"link", source + b"/link")
    assert symlinks.read(source, b"link") == symlinks.Kept(b"link")
    assert "link" in preview.inspect(source).files


def test_what_is_no_link_is_an_error(tmp_path):
    with pytest.raises(OSError):
        symlinks.read(_source(tmp_path, "a"), b"a")


def test_a_preview_names_sizes_reasons_and_warnings(tmp_path):
    source = _source(tmp_path, "train.py", "sub/deep/x", ".env", "env/pyvenv.cfg", ".git/config")
    root = Path(os.fsdecode(source))
    (root / "pipe").unlink(missing_ok=True)
    os.mkfifo(root / "pipe")
    (tmp_path / "big.bin").write_bytes(b"12345")
    (root / "big").symlink_to(tmp_path / "big.bin")
    (root / "home").symlink_to(tmp_path)
    seen = preview.inspect(source)
    assert seen.files == {"train.py": 8, "sub/deep/x": 10, ".env": 4, "big": 5, "home": 0}
    assert seen.size == 27
    assert set(seen.ignored) == {"env/", ".git/"}
    assert seen.failed == {}
    assert sum(".env" in each for each in seen.warnings) == 1
    assert sum("home" in each for each in seen.warnings) == 1
    assert sum("pipe" in each for each in seen.warnings) == 1
    assert len(seen.warnings) == 3


def test_a_preview_of_nothing_is_empty_and_a_missing_folder_too(tmp_path):
    for source in (_source(tmp_path), os.fsencode(tmp_path / "gone")):
        seen = preview.inspect(source)
        assert (seen.files, seen.ignored, seen.size, seen.warnings) == ({}, {}, 0, [])


def test_a_folder_that_cannot_be_read_is_named_with_its_reason(tmp_path):
    source = _source(tmp_path, "open", "shut/x")
    os.chmod(source + b"/shut", 0)
    if os.access(source + b"/shut", os.R_OK):
        pytest.skip("only as a user whom permissions bind")
    seen = preview.inspect(source)
    os.chmod(source + b"/shut", 0o700)
    assert set(seen.failed) == {b"shut"}
    assert set(seen.files) == {"open"}


def test_a_path_is_left_out_for_its_own_reason_or_that_of_a_folder_above(tmp_path):
    source = _source(tmp_path, "logs/deep/x", "env/conda-meta/h", "a/b.tmp", "a/.gitignore")
    root = Path(os.fsdecode(source))
    (root / ".gitignore").write_text("logs/\n")
    (root / "a" / ".gitignore").write_text("*.tmp\n")
    assert preview.why_ignored(source, b"logs/deep/x").rule == "logs/"
    assert preview.why_ignored(source, b"a/b.tmp").file == "a/.gitignore"
    assert preview.why_ignored(source, b"env/conda-meta/h") is not None
    for path in (b"a/.gitignore", b"a", b"gone", b"gone/deeper"):
        assert preview.why_ignored(source, path) is None


@pytest.mark.parametrize(
    "name",
    "id_rsa ID_RSA server.pem x.key .env .env.local .netrc credentials.json secrets.yaml "
    "service-account-3.json api_key.txt private-key deploy_rsa .pypirc kubeconfig".split(),
)
def test_names_of_keys_and_passwords(name):
    assert warnings.looks_secret(name.encode())


@pytest.mark.parametrize(
    "name",
    "train.py id_rsa.pub .env.example .envrc cacert.pem credentials.py secrets.json.sample "
    "keyboard tokens.txt environment.yml .env.template monkey".split(),
)
def test_names_that_only_resemble_them(name):
    assert not warnings.looks_secret(name.encode())


@pytest.mark.parametrize("count", [0, 1, 10, 11, 25])
def test_ten_names_are_shown_and_the_others_counted(count):
    paths = [b"d%d/x.pem" % number for number in range(count)]
    said = warnings.secret_like([b"fine.py", *paths])
    assert len(said) == min(count, 10) + (count > 10)
    assert [each.split(" ")[0] for each in said[:10]] == [p.decode() for p in paths[:10]]
    if count > 10:
        assert str(count - 10) in said[-1]
    links = warnings.outside_links(paths)
    assert len(links) == (count > 0) == len(warnings.special_files(paths))
    if count > 10:
        assert f"{count - 10} more" in links[0]


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (2_000_000_000, "2.0 GB"),
        (3 * 10**12, "3.0 TB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_amounts_for_people(size, shown):
    assert warnings.format_size(size) == shown


def test_a_name_of_other_bytes_is_shown_with_digits():
    assert warnings.format_path("ä".encode() + b"\xff") == "ä\\xff"


def test_a_large_snapshot_names_the_folders_that_make_it_large():
    sums = warnings.FolderTotals()
    sums.add(b"", [(b"a", 10)])
    sums.add(b"data/images", [(b"a", warnings.MANY_BYTES)])
    sums.add(b"data/images/deep/deeper", [(b"a", 500), (b"b", 500)])
    sums.add(b"models", [(b"a", 5_000_000), (b"b", 0), (b"c", 0)])
    sums.add(b"src", [(b"a", 4_000_000)])
    sums.add(b"tiny", [(b"a", 5)])
    sums.add(b"empty", [])
    assert (sums.files, sums.size) == (9, warnings.MANY_BYTES + 9_001_015)
    (said,) = sums.warnings()
    assert said.index("data/images/") < said.index("models/") < said.index("src/")
    assert "tiny/" not in said
    assert "empty/" not in said
    assert "data/ (" not in said, "it is large only by data/images"
    assert "3 files" in said.partition("data/images/")[2]


def test_of_many_files_those_folders_are_named_that_hold_most():
    sums = warnings.FolderTotals()
    sums.add(b"few", [(b"a", 1_000_000)] * 50)
    assert sums.warnings() == []
    sums.add(b"many", [(b"a", 0)] * warnings.MANY_FILES)
    sums.add(b"", [(b"a", 0)] * 100)
    (said,) = sums.warnings()
    assert (
        said.index("many/") < said.index("files outside of folders (100 files") < said.index("few/")
    )


def test_large_files_beside_the_folders_are_named():
    sums = warnings.FolderTotals()
    sums.add(b"empty", [])
    sums.add(b"src", [(b"a.py", 1000)])
    sums.add(b"", [(b"run.py", 10), (b"data.bin", 3_000_000_000), (b"old.bin", 100_000_000)])
    (said,) = sums.warnings()
    assert "4 files, 3.1 GB; largest: data.bin (3.0 GB), old.bin (100.0 MB). Use" in said


def test_a_large_file_among_small_ones_is_named():
    sums = warnings.FolderTotals()
    sums.add(b"data/raw/deep", [(b"model.bin", 3_000_000_000)])
    sums.add(b"data/raw", [(b"%d" % number, 10) for number in range(50)])
    sums.add(b"parts", [(b"a", 200_000_000), (b"b", 200_000_000)])
    (said,) = sums.warnings()
    assert "data/raw/ (51 files, 3.0 GB, most of it deep/model.bin), parts/ (2 files, 400.0" in said


def test_many_files_beside_the_folders_are_named_together():
    sums = warnings.FolderTotals()
    sums.add(b"", [(b"%d" % number, 1_000_000) for number in range(1000)])
    (said,) = sums.warnings()
    assert "largest: files outside of folders (1,000 files, 1.0 GB)." in said


BYTES = st.binary(max_size=6)
LOOKS = st.tuples(*[st.integers(0, 2**62)] * 5)
RECORDS = st.builds(
    stat_cache.Record, BYTES, st.text(max_size=5), BYTES, st.frozensets(BYTES, max_size=3), BYTES
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(records=st.lists(RECORDS, max_size=5), cut=st.integers(0, 400))
def test_what_is_written_comes_back_and_a_cut_file_ends_early(records, cut, tmp_path_factory):
    path = tmp_path_factory.mktemp("stat") / "below" / "x.stat"
    writer = stat_cache.StatCacheWriter(path)
    for each in records:
        writer.add(each)
    writer.finish(("digest", 1, 2, (), ("pack",)))

    def read() -> tuple[list, tuple | None]:
        with stat_cache.StatCacheReader(path) as reader:
            found = list(iter(reader.next, None))
            return found, reader.closing()

    assert read() == (records, ("digest", 1, 2, (), ("pack",)))
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole) - 1)])
    found, closing = read()
    assert found == records[: len(found)]
    assert closing is None


def test_a_record_whose_check_fails_ends_the_reading(tmp_path):
    path = tmp_path / "x.stat"
    writer = stat_cache.StatCacheWriter(path)
    for name in (b"a", b"b"):
        writer.add(stat_cache.Record(name, "s", b"", frozenset(), b""))
    writer.finish(("end",))
    data = bytearray(path.read_bytes())
    head = len(b"scriptrun stat 2\n")
    length = struct.unpack_from("<I", data, head)[0]
    data[head + 8 + length + 8] ^= 0xFF  # the first byte of the second record
    path.write_bytes(data)
    with stat_cache.StatCacheReader(path) as reader:
        assert reader.next().path == b"a"
        assert reader.next() is None
        assert reader.closing() is None


@pytest.mark.parametrize("content", [b"", b"scriptrun stat 1\n", b"rubbish", b"scriptrun stat 2\n"])
def test_an_absent_or_foreign_cache_is_empty(tmp_path, content):
    path = tmp_path / "x.stat"
    for _ in range(2):
        with stat_cache.StatCacheReader(path) as reader:
            assert reader.next() is None
            assert reader.closing() is None
        path.write_bytes(content)


def test_discarding_leaves_the_old_cache_and_nothing_else(tmp_path):
    path = tmp_path / "x.stat"
    first = stat_cache.StatCacheWriter(path)
    first.finish(("old",))
    before = path.read_bytes()
    second = stat_cache.StatCacheWriter(path)
    second.add(stat_cache.Record(b"a", "", b"", frozenset(), b""))
    second.discard()
    second.finish(("new",))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    writer = stat_cache.StatCacheWriter(tmp_path / "file" / "x.stat")
    writer.add(stat_cache.Record(b"a", "", b"", frozenset(), b""))
    writer.finish(("end",))
    assert not (tmp_path / "file").is_dir()


def test_each_source_and_store_has_a_cache_of_its_own(tmp_path, own_places):
    files = {
        stat_cache.cache_file(Path(store), source)
        for store in ("/s", "/s/t")
        for source in (b"/a", b"/a/b", b"\xff")
    }
    assert len(files) == 6
    assert {each.parent for each in files} == {own_places / "cache" / "stat"}


def _cached(source: bytes, path: Path) -> unchanged.SnapshotResult:
    """Write the cache that a snapshot of ``source`` leaves."""
    writer = stat_cache.StatCacheWriter(path)
    stack = [(b"", rules_for(source))]
    while stack:
        here, above = stack.pop()
        seen = folder.list_folder(source, here, above)
        if seen.environment is None:
            look = stat_cache.appearance(seen)
            left_out = frozenset(seen.ignored)
            writer.add(stat_cache.Record(here, seen.rules.stamp, look, left_out, b""))
            folder.push_folders(stack, seen)
    taken = unchanged.SnapshotResult("digest", 2, 3, ("warned",), ("pack",))
    writer.finish(("digest", 2, 3, ("warned",), ("pack",)))
    return taken


CHANGES = {
    "content": lambda root: (root / "a").write_text("other"),
    "new file": lambda root: (root / "d" / "new").write_text(""),
    "new folder": lambda root: (root / "d" / "e").mkdir(),
    "gone": lambda root: (root / "d" / "b").unlink(),
    "gone folder": lambda root: (root / "empty").rmdir(),
    "mode": lambda root: (root / "a").chmod(0o700),
    "renamed": lambda root: (root / "a").rename(root / "a2"),
    "file to folder": lambda root: ((root / "a").unlink(), (root / "a").mkdir()),
    "rules": lambda root: (root / ".amlignore").write_text("d\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_source_is_unchanged_until_something_changes(tmp_path, change):
    source = _source(tmp_path, "a", "d/b", "empty/", "env/pyvenv.cfg")
    cache = tmp_path / "x.stat"
    assert unchanged.find_unchanged(source, cache) is None
    taken = _cached(source, cache)
    assert unchanged.find_unchanged(source, cache) == taken
    Path(os.fsdecode(source), "env", "more").write_text("of no account")
    assert unchanged.find_unchanged(source, cache) == taken
    change(Path(os.fsdecode(source)))
    assert unchanged.find_unchanged(source, cache) is None


def test_a_cut_cache_says_nothing_is_unchanged(tmp_path):
    source = _source(tmp_path, "a")
    cache = tmp_path / "x.stat"
    _cached(source, cache)
    cache.write_bytes(cache.read_bytes()[:-1])
    assert unchanged.find_unchanged(source, cache) is None


def test_a_source_that_is_gone_is_not_unchanged(tmp_path):
    source = _source(tmp_path, "a")
    cache = tmp_path / "x.stat"
    _cached(source, cache)
    os.rename(source, source + b"2")
    assert unchanged.find_unchanged(source, cache) is None


def test_touching_marks_what_is_there_as_used_now(tmp_path):
    path = tmp_path / "a"
    assert not unchanged.mark_used(str(path))
    path.write_text("")
    os.utime(path, (1, 1))
    assert unchanged.mark_used(str(path))
    assert path.stat().st_mtime > 1_000_000


def test_a_socket_is_unusual(tmp_path, monkeypatch):
    source = _source(tmp_path)
    monkeypatch.chdir(os.fsdecode(source))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.sock")
        seen = preview.inspect(source)
    assert seen.files == {}
    assert "s.sock" in seen.warnings[0]


def _kinds(path: Path) -> list[str]:
    """What mountinfo says of the mount that holds ``path``: found by its device number."""
    number = os.stat(path).st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split(" ")
        if words[2] == device:
            found.append(words[words.index("-") + 1])
    return found


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="only on Linux")
def test_where_this_machine_keeps_files_is_known_by_its_kind(tmp_path):
    kinds = set(_kinds(tmp_path))
    if len(kinds) != 1:
        pytest.skip("this machine has no single mount for its temporary files")
    shared = {"nfs", "nfs4", "cifs", "lustre", "9p", "ceph", "fuse.sshfs", "virtiofs"}
    assert filesystem_kind.is_shared(tmp_path / "x") is bool(kinds & shared)
    (tmp_path / "link").symlink_to("/dev/shm")
    if os.path.ismount("/dev/shm"):
        assert not filesystem_kind.is_shared(tmp_path / "link" / "x"), "a link counts as its goal"
    assert not filesystem_kind.is_shared(
        "/proc/../dev/shm/x" if os.path.ismount("/dev/shm") else "/dev/x"
    )
