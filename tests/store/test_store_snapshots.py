from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.runtime import workdir
from scriptrun.spec.errors import SnapshotException
from scriptrun.store import paths
from scriptrun.store.snapshots import packs, snapshots
from scriptrun.testing.jobs import PATIENCE


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "ws" / ".scriptrun" / "snapshots"


def _age(folder: Path, seconds: float = 60.0) -> None:
    """Let the times of all files be old, as they are in a tree that nobody is working on.

    The change time cannot be set, so wait until it is no longer fresh.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            then = time.time() - seconds
            os.utime(os.path.join(parent, name), (then, then), follow_symlinks=False)
    time.sleep(0.06)


def _stored(store: Path) -> dict[str, int]:
    return {
        str(path.relative_to(store)): path.stat().st_size
        for kind in ("packs", "objects")
        for path in (store / kind).rglob("*")
        if path.is_file()
    }


def _tree(folder: Path) -> dict[bytes, object]:
    """All that counts in a folder: kinds, contents, executable bits, links."""
    found: dict[bytes, object] = {}
    root = os.fsencode(folder)
    for parent, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = os.path.join(parent, name)
            key = os.path.relpath(path, root)
            if os.path.islink(path):
                found[key] = ("link", os.readlink(path))
            elif os.path.isdir(path):
                found[key] = "folder"
            else:
                with open(path, "rb") as handle:
                    found[key] = (handle.read(), bool(os.stat(path).st_mode & 0o100))
    return found


def test_everything_comes_back(source, store, tmp_path):
    (source / "train.py").write_text("print(1)")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "empty").mkdir()
    (source / "deep/er").mkdir(parents=True)
    (source / "deep/er/nothing").write_bytes(b"")
    (source / "deep/link").symlink_to("er/nothing")
    (source / "back\\slash\nnewline").write_text("odd")
    (source / "数据 é.txt").write_text("x")
    with open(os.fsencode(source) + b"/\xff\xfe.bin", "wb") as handle:
        handle.write(b"no utf-8")
    (source / "big.bin").write_bytes(random.Random(1).randbytes(3 << 20))
    taken = snapshots.take(store, source)
    snapshots.restore(store, taken.digest, tmp_path / "back")
    assert _tree(tmp_path / "back") == _tree(source)
    assert taken.size == sum(
        each[1].stat().st_size for each in enumerate(source.rglob("*")) if each[1].is_file() and not each[1].is_symlink()
    )  # fmt: skip
    assert taken.files == 8
    assert taken.warnings == ()


def test_the_working_directory_is_the_users_own(source, store, tmp_path):
    (source / "a.txt").write_text("a")
    (source / "big").write_bytes(b"b" * (2 << 20))
    taken = snapshots.take(store, source)
    for name in ("one", "two"):
        workdir.materialise(store, taken.digest, tmp_path / name)
    for name in ("a.txt", "big"):
        path = tmp_path / "one" / name
        assert path.stat().st_nlink == 1
        with path.open("ab") as handle:
            handle.write(b"!")
        assert (tmp_path / "two" / name).read_bytes() == (source / name).read_bytes()


def test_the_same_tree_has_the_same_digest_anywhere(source, store, tmp_path):
    for name in ("b", "a", "Z", "é", "a.b/c", "a b/d"):
        path = source / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    first = snapshots.take(store, source).digest
    shutil.copytree(source, tmp_path / "copy")
    shutil.rmtree(paths.cache_root())
    assert snapshots.take(tmp_path / "other store", tmp_path / "copy").digest == first
    (source / "a").chmod(0o755)
    assert snapshots.take(store, source).digest != first


def test_an_unchanged_tree_is_not_read_and_nothing_is_written(source, store):
    for number in range(5):
        (source / f"{number}.py").write_text(str(number))
    _age(source)
    first = snapshots.take(store, source)
    before = _stored(store)
    opened: list[str] = []

    watching = [True]  # a hook cannot be taken out again

    def hook(event: str, args: tuple[object, ...]) -> None:
        if watching and event == "open" and isinstance(args[0], str | bytes):
            path = os.fsdecode(args[0])
            if path.startswith(str(source)):
                opened.append(path)

    sys.addaudithook(hook)
    assert snapshots.take(store, source) == first
    assert opened == []
    assert _stored(store) == before
    (source / "3.py").write_text("three")
    changed = snapshots.take(store, source)
    assert changed.digest != first.digest
    watching.clear()
    assert {Path(path).name for path in opened} == {"3.py"}


def test_a_change_within_the_same_instant_is_seen(source, store):
    path = source / "same.txt"
    for number in range(20):
        path.write_text(f"{number:04}")
        then = (1_700_000_000, 1_700_000_000)
        os.utime(path, then)  # same size, same modification time, same inode
        digest = snapshots.take(store, source).digest
        kept = next(entry for entry in snapshots.manifest(store, digest) if entry.kind == "file")
        assert kept.digest == packs.hashlib.sha256(f"{number:04}".encode()).hexdigest()


def test_content_is_kept_once(source, store, tmp_path):
    rng = random.Random(2)
    contents = [rng.randbytes(5000) for _ in range(20)] + [rng.randbytes(2 << 20)]
    for number, content in enumerate(contents):
        (source / f"{number}").write_bytes(content)
        (source / f"twin{number}").write_bytes(content)
    _age(source)
    snapshots.take(store, source)
    size = sum(_stored(store).values())
    assert size < 1.02 * sum(map(len, contents))
    (source / "sub").mkdir()
    for number in range(len(contents)):
        (source / f"{number}").rename(source / "sub" / f"moved{number}")
    (source / "new").write_text("new")
    snapshots.take(store, source)
    assert sum(_stored(store).values()) < size + 200
    shutil.rmtree(paths.cache_root())  # as on another machine
    shutil.copytree(source, tmp_path / "copy")
    (tmp_path / "copy" / "newer").write_text("newer")
    taken = snapshots.take(store, tmp_path / "copy")
    assert sum(_stored(store).values()) < size + 400
    snapshots.restore(store, taken.digest, tmp_path / "back")
    assert _tree(tmp_path / "back") == _tree(tmp_path / "copy")


NAMES = st.sampled_from(["a", "b", "c", "train.py", "ü", ".amlignore"])
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.lists(NAMES, min_size=1, max_size=3), st.binary(max_size=6)),
        st.tuples(st.just("remove"), st.lists(NAMES, min_size=1, max_size=2), st.just(b"")),
        st.tuples(st.just("ignore"), st.just([".amlignore"]), st.sampled_from([b"a\n", b"b/\n", b"*.py\n!a/train.py\n"])),
        st.tuples(st.just("pause"), st.just(["a"]), st.just(b"")),
        st.tuples(st.just("chmod"), st.lists(NAMES, min_size=1, max_size=2), st.just(b"")),
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rounds=st.lists(EDITS, min_size=2, max_size=4))
def test_with_a_cache_the_snapshot_is_what_it_is_without(rounds, tmp_path_factory):
    """The stat cache is never believed wrongly, whatever is edited in between."""
    root = tmp_path_factory.mktemp("edits")
    source = root / "source"
    source.mkdir()
    for number, edits in enumerate(rounds):
        for kind, names, content in edits:
            _edit(source.joinpath(*names), kind, content)
        cached = snapshots.take(root / "store", source)
        shutil.copytree(source, root / f"fresh{number}")
        assert snapshots.take(root / "fresh store", root / f"fresh{number}").digest == cached.digest
        assert snapshots.take(root / "store", source).digest == cached.digest


def _edit(path: Path, kind: str, content: bytes) -> None:
    try:
        if kind in ("write", "ignore"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        elif kind == "remove" and path.is_dir():
            shutil.rmtree(path)
        elif kind == "remove":
            path.unlink()
        elif kind == "chmod" and path.is_file():
            path.chmod(0o755)
        elif kind == "pause":
            time.sleep(0.06)
    except OSError:
        pass


def test_links(source, store, tmp_path):
    outside = tmp_path / "shared"
    outside.mkdir()
    (outside / "lib.py").write_text("shared = 1")
    (outside / "lib.py").chmod(0o755)
    (source / "sub").mkdir()
    (source / "sub/real").write_text("real")
    (source / "inside").symlink_to("sub/real")
    (source / "sub/up").symlink_to("../sub/real")
    (source / "absolute").symlink_to(source / "sub/real")
    (source / "by its own name").symlink_to("../source/sub")
    (source / "lib.py").symlink_to("../shared/lib.py")
    (source / "data").symlink_to(outside)
    (source / "dangling").symlink_to("nowhere")
    (source / "loop").symlink_to("loop")
    (source / "self").symlink_to(".")
    taken = snapshots.take(store, source)
    assert [warning for warning in taken.warnings if "data" in warning]
    assert snapshots.inspect(source).warnings == list(taken.warnings)
    back = tmp_path / "elsewhere" / "back"
    snapshots.restore(store, taken.digest, back)
    shutil.rmtree(source)
    for name in ("inside", "sub/up", "absolute", "by its own name/real"):
        assert (back / name).read_text() == "real", name
        assert (back / name).resolve().is_relative_to(back)
    assert not (back / "lib.py").is_symlink()
    assert os.access(back / "lib.py", os.X_OK)
    assert (back / "lib.py").read_text() == "shared = 1"
    assert os.readlink(back / "data") == str(outside.resolve())
    assert os.readlink(back / "dangling") == "nowhere"
    assert os.readlink(back / "self") == "."
    assert os.readlink(back / "loop") == "loop"


def test_a_file_that_a_link_leads_to_counts_as_content(source, store, tmp_path):
    outside = tmp_path / "shared.py"
    outside.write_text("one")
    (source / "shared.py").symlink_to(outside)
    _age(tmp_path)
    first = snapshots.take(store, source)
    assert snapshots.take(store, source) == first
    outside.write_text("two")
    second = snapshots.take(store, source)
    snapshots.restore(store, second.digest, tmp_path / "back")
    assert (tmp_path / "back/shared.py").read_text() == "two"


def test_sockets_and_pipes_are_left_out_with_a_warning(source, store, monkeypatch):
    os.mkfifo(source / "pipe")
    monkeypatch.chdir(source)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
        (source / "train.py").write_text("x")
        _age(source)
        for _ in range(2):
            taken = snapshots.take(store, source)
            assert taken.files == 1
            assert "pipe, sock: ignored, not a regular file" in taken.warnings[0]


def test_keys_are_named(source, store):
    for name in ("id_rsa", "server.pem", "conf/.env", "credentials.json", "train.py", "keys.py",
                 ".env.example", "monkey.py"):  # fmt: skip
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("x")
    warned = snapshots.take(store, source).warnings
    assert len(warned) == 4
    assert {warning.split(" ")[0] for warning in warned} == {
        "id_rsa", "server.pem", "conf/.env", "credentials.json"
    }  # fmt: skip
    assert snapshots.take(store, source).warnings == warned
    (source / ".amlignore").write_text("id_rsa\n*.pem\n.env\ncredentials.json\n")
    assert snapshots.take(store, source).warnings == ()


def test_one_warning_for_many_files_names_the_largest_folders(source, store):
    for folder, count in (("data/images", 1500), ("src", 400), ("notes", 150)):
        (source / folder).mkdir(parents=True)
        for number in range(count):
            (source / folder / f"{number}").write_bytes(b"")
    (warning,) = snapshots.take(store, source).warnings
    assert "2,050 files" in warning
    assert warning.index("data/images/ (1,500 files") < warning.index("src/ (400 files")
    assert "data/ (" not in warning
    assert snapshots.inspect(source).warnings == [warning]


def test_a_large_file_is_warned_of_and_taken(source, store):
    (source / "weights").mkdir()
    with open(source / "weights/model.bin", "wb") as handle:
        handle.truncate(301_000_000)
    taken = snapshots.take(store, source)
    assert "weights/ (1 file, 301.0 MB)" in taken.warnings[0]
    assert taken.size == 301_000_000


AS_NOBODY = """
import fcntl, os, sqlite3, sys
from scriptrun.spec.errors import SnapshotException
from scriptrun.store.snapshots import preview as inspecting; from scriptrun.store.snapshots import snapshots; from scriptrun.store.snapshots import take as taking
if os.geteuid() == 0:
    os.setgroups([]); os.setegid(65534); os.seteuid(65534)
try:
    snapshots.take(sys.argv[1], sys.argv[2])
except SnapshotException as error:
    print(error)
"""


def _take_as_nobody(store: Path, source: Path) -> str:
    """Root may read everything: what others meet is tried as another user."""
    for folder in [store.parents[2], *store.parents[2].parents]:
        if os.geteuid() == 0 and not folder.stat().st_mode & 0o005:
            pytest.skip(f"another user cannot enter {folder}")
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, store, source],
        capture_output=True,
        text=True,
        env={**os.environ, "SCRIPTRUN_CACHE": str(store.parents[2] / "no-cache")},
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def open_folders(source, store, tmp_path):
    """Folders that another user may enter and write to."""
    for folder in [tmp_path, *tmp_path.parents]:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    store.mkdir(parents=True)
    store.chmod(0o777)


@pytest.mark.usefixtures("open_folders")
def test_what_cannot_be_read_is_named_all_at_once(source, store):
    (source / "locked").mkdir()
    for number in range(12):
        (source / f"{number:02}.csv").write_text("x")
        (source / f"{number:02}.csv").chmod(0)
    (source / "fine.py").write_text("x")
    (source / "locked").chmod(0)
    said = _take_as_nobody(store, source)
    (source / "locked").chmod(0o755)
    assert "13 paths in the source directory" in said
    assert "00.csv: Permission denied" in said
    assert "and 3 more" in said
    assert ".amlignore" in said
    assert [path for path in store.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("open_folders")
def test_a_read_only_workspace_is_a_sentence(source, store):
    (source / "a").write_text("x")
    store.chmod(0o555)
    said = _take_as_nobody(store, source)
    assert "Cannot write" in said
    assert "Permission denied" in said


def test_a_full_disk_is_a_sentence_and_leaves_nothing(source, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", full], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        for number in range(40):
            (source / f"{number}").write_bytes(random.Random(number).randbytes(100_000))
        with pytest.raises(SnapshotException, match="is full"):
            snapshots.take(full / "snapshots", source)
        assert [path for path in full.rglob("*") if path.is_file()] == []
        (source / "big").write_bytes(random.Random(1).randbytes(5 << 20))
        (source / ".amlignore").write_text("[0-9]*\n")
        with pytest.raises(SnapshotException, match="is full"):
            snapshots.take(full / "snapshots", source)
        assert [path for path in full.rglob("*") if path.is_file()] == []
        (source / ".amlignore").write_text("big\n[1-9]*\n")
        assert snapshots.take(full / "snapshots", source).files == 2
    finally:
        subprocess.run(["umount", full], check=True)


def _take_in_child(store: Path, source: Path, answers) -> None:
    answers.put(snapshots.take(store, source).digest)


def test_many_at_once_keep_the_content_once(source, store, tmp_path):
    size = 0
    for number in range(300):
        content = random.Random(number).randbytes(2000)
        (source / f"{number}").write_bytes(content)
        size += len(content)
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    children = [
        context.Process(target=_take_in_child, args=(store, source, answers)) for _ in range(6)
    ]
    for child in children:
        child.start()
    digests = {answers.get(timeout=PATIENCE) for _ in children}
    for child in children:
        child.join()
    assert len(digests) == 1
    assert sum(_stored(store).values()) < 1.1 * size
    snapshots.restore(store, digests.pop(), tmp_path / "back")
    assert _tree(tmp_path / "back") == _tree(source)


@pytest.mark.faults
def test_killed_at_any_moment_no_half_snapshot_stands(source, store, tmp_path):
    rng = random.Random()
    seed = rng.randrange(10**6)
    print("seed", seed)
    rng.seed(seed)
    for number in range(400):
        (source / f"{number}").write_bytes(rng.randbytes(20_000))
    (source / "big").write_bytes(rng.randbytes(8 << 20))
    script = "import sys; from scriptrun.store.snapshots import snapshots; print(1, flush=True); snapshots.take(*sys.argv[1:])"
    for _ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", script, store, source], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.read(2)
        time.sleep(rng.random() * 0.06)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        for path in store.glob("manifests/??/*"):
            if len(path.name) == 64:
                snapshots.restore(store, path.name, tmp_path / "probe")
                assert _tree(tmp_path / "probe") == _tree(source)
                shutil.rmtree(tmp_path / "probe")
        (source / f"{rng.randrange(400)}").write_bytes(rng.randbytes(20_000))
        for path in list(store.glob("manifests/??/*")):
            path.unlink()
    taken = snapshots.take(store, source)
    snapshots.restore(store, taken.digest, tmp_path / "back")
    assert _tree(tmp_path / "back") == _tree(source)


def test_what_is_kept_is_what_was_hashed_while_a_file_changes(source, store, tmp_path):
    stop = threading.Event()
    path = source / "log.txt"
    path.write_text("start\n")

    def scribble() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with path.open("a") as handle:
                handle.write("x" * (number % 5000))
            if number % 50 == 0:
                path.write_text("")

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        digests = {snapshots.take(store, source).digest for _ in range(20)}
    finally:
        stop.set()
        writer.join()
    for digest in digests:
        snapshots.restore(store, digest, tmp_path / digest)
        (entry,) = snapshots.manifest(store, digest)
        content = (tmp_path / digest / "log.txt").read_bytes()
        assert packs.hashlib.sha256(content).hexdigest() == entry.digest
        assert len(content) == entry.size


@pytest.mark.parametrize("gone", ["packs", "manifests", "objects", "indexes", "cache"])
def test_a_store_that_lost_something_is_made_whole(source, store, tmp_path, gone):
    for number in range(10):
        (source / f"{number}").write_text(f"content {number}")
    (source / "big").write_bytes(b"x" * (2 << 20))
    _age(source)
    first = snapshots.take(store, source)
    if gone == "cache":
        for path in paths.cache_root().rglob("*.stat"):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"rubbish")
    elif gone == "indexes":
        for path in store.rglob("*.index"):
            path.unlink()
    else:
        shutil.rmtree(store / gone)
    (source / "0").write_text("changed" if gone == "objects" else "content 0")
    taken = snapshots.take(store, source)
    assert (taken.digest == first.digest) == (gone != "objects")
    snapshots.restore(store, taken.digest, tmp_path / "back")
    assert _tree(tmp_path / "back") == _tree(source)


def test_a_cache_that_cannot_be_written_is_no_error(source, store, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "file" / "below"))
    (source / "a").write_text("x")
    assert snapshots.take(store, source) == snapshots.take(store, source)


def test_a_missing_or_cut_off_snapshot_is_a_sentence(source, store, tmp_path):
    with pytest.raises(SnapshotException, match="is missing from"):
        snapshots.restore(store, "0" * 64, tmp_path / "back")
    (source / "a").write_text("x" * 100)
    digest = snapshots.take(store, source).digest
    for path in store.glob("packs/*.pack"):
        os.truncate(path, 50)
    with pytest.raises(SnapshotException, match="is damaged"):
        snapshots.restore(store, digest, tmp_path / "back")
    (tmp_path / "back/a").touch()
    with pytest.raises(SnapshotException, match="already exists"):
        snapshots.restore(store, digest, tmp_path / "back")


def test_inspect_agrees_with_take_and_writes_nothing(source, store, tmp_path):
    (source / "a").write_text("abc")
    (source / "sub").mkdir()
    (source / "sub/b").write_text("de")
    (source / "sub/__pycache__").mkdir()
    seen = snapshots.inspect(source)
    assert seen.files == {"a": 3, "sub/b": 2}
    assert seen.size == 5
    assert list(seen.ignored) == ["sub/__pycache__/"]
    assert not paths.cache_root().exists()
    taken = snapshots.take(store, source)
    assert (taken.files, taken.size) == (2, 5)
    assert [entry.path for entry in snapshots.manifest(store, taken.digest)] == [
        "a",
        "sub",
        "sub/b",
    ]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_stays_flat(tmp_path):
    """Ten times the files, and about the same memory at the highest."""
    script = (
        "import sys; from scriptrun.store.snapshots import snapshots; snapshots.take(*sys.argv[1:]);"
        "print(next(x.split()[1] for x in open('/proc/self/status') if x.startswith('VmHWM')))"
    )
    used = []
    for count in (20, 200):
        source = tmp_path / f"source{count}"
        for number in range(count):
            (source / f"folder with quite a long name {number}").mkdir(parents=True)
            for name in range(100):
                (source / f"folder with quite a long name {number}" / f"{name}").write_text(
                    f"{number} {name}"
                )
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", script, tmp_path / "store", source],
                capture_output=True,
                check=True,
            )
        used.append(int(done.stdout))
    assert used[1] < used[0] + 6_000  # kB
