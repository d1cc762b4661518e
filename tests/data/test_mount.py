"""Real FUSE mounts of datasets on Azurite, S3 and a misbehaving HTTP server."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import io
import mmap
import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import servers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun import Dataset, Datastore, Workspace
from scriptrun.data.cache import files as cache_files
from scriptrun.data.errors import DatastoreException
from scriptrun.data.mount import answer as mount_answer
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.data.mount import system_table
from scriptrun.testing.jobs import PATIENCE, until

pytestmark = [
    pytest.mark.stores,
    pytest.mark.skipif(sys.platform != "linux", reason="only on Linux there is FUSE"),
]

FILES = {
    "a.txt": b"first",
    "empty": b"",
    "deep/er/b c.txt": b"two words",
    "deep/\u00fc %20+&.bin": bytes(range(256)) * 50,
    "deep/.hidden": b"leading dot",
}
BIG = random.Random(7).randbytes(24 << 20)


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path):
    yield
    places = [each.mountpoint for each in system_table.our_mounts()]
    left = [place for place in places if place.startswith(f"{tmp_path}/")]
    for place in left:
        system_table.unmount(place)
    assert not left


@pytest.fixture
def mounted(tmp_path):
    """Mount a dataset; all is unmounted at the end."""
    made = []

    def mount(dataset, name="here", **more):
        more = {"time_limit": PATIENCE, **more}
        found = dataset_mount.mount(dataset._content, tmp_path / name, **more)
        made.append(found)
        return found, Path(found.mountpoint)

    yield mount
    for each in made:
        each.close()


@pytest.fixture(params=["blob_store", "s3_store"])
def far(request, fill):
    store = request.getfixturevalue(request.param)
    fill(store.store, FILES)
    return store


def below(place):
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


def test_the_folder_holds_what_the_dataset_lists(far, mounted):
    _, place = mounted(Dataset.File.from_files((far, "**")))
    assert below(place) == FILES
    assert sorted(os.listdir(place / "deep")) == sorted([".hidden", "er", "\u00fc %20+&.bin"])
    assert (place / "deep" / "er").is_dir() and not (place / "gone").exists()
    assert (place / "deep" / ".hidden").stat().st_size == len(b"leading dot")


def test_a_registered_version_and_a_choice_of_its_files(far, workspace, mounted):
    whole = Dataset.File.from_files((far, "**")).register(workspace, "files")
    _, place = mounted(whole.take(2))
    assert len(below(place)) == 2


def test_nothing_can_be_written(far, mounted):
    _, place = mounted(Dataset.File.from_files((far, "**")))
    for attempt in (
        lambda: (place / "new").write_text("x"),
        lambda: (place / "a.txt").write_text("x"),
        lambda: (place / "a.txt").unlink(),
        lambda: (place / "folder").mkdir(),
        lambda: os.rename(place / "a.txt", place / "b.txt"),
    ):
        with pytest.raises(OSError) as refused:
            attempt()
        assert refused.value.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
    assert (place / "a.txt").read_bytes() == b"first"


@pytest.fixture(scope="module")
def filled(tmp_path_factory, azurite):
    """``filled(workspace)`` is a datastore on a container that all tests here share, filled once."""
    container = f"c{uuid.uuid4().hex[:12]}"
    servers.make_container(azurite, container)

    def registered(workspace):
        key = {"account_key": servers.ACCOUNT_KEY, "endpoint": azurite}
        return Datastore.register_azure_blob_container(
            workspace, "filled", container, servers.ACCOUNT, **key
        )

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SCRIPTRUN_SECRETS", str(tmp_path_factory.mktemp("filled") / "secrets"))
        first = Workspace.create("filled", path=tmp_path_factory.mktemp("filled"))
        for name, data in (("big.bin", BIG), ("small.bin", BIG[:20_000])):
            registered(first).store.write(name, io.BytesIO(data))
    return registered


@pytest.fixture
def big(workspace, filled):
    return Dataset.File.from_files((filled(workspace), "*.bin"))


def test_large_files_in_any_order(big, mounted, tmp_path):
    _, place = mounted(big, cache=tmp_path / "cache")
    with open(place / "big.bin", "rb", buffering=0) as file:
        assert os.pread(file.fileno(), 10, len(BIG) - 5) == BIG[-5:]
        assert os.pread(file.fileno(), 100, 12 << 20) == BIG[12 << 20 : (12 << 20) + 100]
        assert file.read() == BIG or file.seek(0) == 0
    assert (place / "big.bin").read_bytes() == BIG
    with (
        open(place / "big.bin", "rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as seen,
    ):
        assert seen[5 << 20 : (5 << 20) + 10] == BIG[5 << 20 : (5 << 20) + 10]


LIBRARIES = """
import sys
from scriptrun.data.mount import fuse_library; from scriptrun.data.mount import mount
print(fuse_library.load().fuse_version_major, flush=True)
"""


@pytest.mark.parametrize(
    ("major", "names"), [(3, ["libfuse3.so.4", "libfuse3.so.3"]), (2, ["libfuse.so.2"])]
)
def test_each_libfuse_serves_a_large_file(big, mounted, tmp_path, monkeypatch, major, names):
    found = next((name for name in names if loads(name)), "")
    if not found:
        pytest.skip(f"this machine has no libfuse {major}")
    if major == 2:  # it is taken only when it is asked for
        monkeypatch.setenv("FUSE_LIBRARY_PATH", found)
    done = subprocess.run([sys.executable, "-c", LIBRARIES], stdout=subprocess.PIPE, text=True)
    assert done.stdout == f"{major}\n"
    _, place = mounted(big, cache=tmp_path / "cache")
    assert (place / "big.bin").read_bytes() == BIG
    again, place = mounted(big, "again", cache=tmp_path / "cache")
    with open(place / "big.bin", "rb") as file:  # from the cache: the kernel takes it from there
        assert file.read() == BIG
        assert os.pread(file.fileno(), 100, len(BIG) - 50) == BIG[-50:]
    assert not again.problem()


def loads(name):
    with contextlib.suppress(OSError):
        return bool(ctypes.CDLL(name))
    return False


def test_a_file_stays_open_until_its_answer_is_sent(tmp_path):
    (tmp_path / "f").write_bytes(b"0123456789")
    answers, place = mount_answer.ReplyWriter(), ctypes.c_void_p()
    answer = ctypes.pointer(place)
    found = mount_answer.DiskRange(io.FileIO(tmp_path / "f"), 3, 4)
    number = found.file.fileno()
    answers.write(answer, found)
    assert bytes(found) == b"3456"
    del found
    vector = mount_answer._BufferVector.from_address(place.value)
    assert os.pread(vector.descriptor, vector.size, vector.position) == b"3456"
    with ThreadPoolExecutor(1) as other:
        other.submit(answers.write, answer, b"of another thread").result()
    assert os.fstat(number).st_size == 10
    answers.write(answer, b"more")
    with pytest.raises(OSError):
        os.fstat(number)


def test_many_readers_at_once(big, mounted, tmp_path):
    _, place = mounted(big, cache=tmp_path / "cache")

    def read(number):
        start = number * (len(BIG) // 16)
        with open(place / "big.bin", "rb") as file:
            file.seek(start)
            return file.read(100_000) == BIG[start : start + 100_000]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(16)))


@pytest.fixture(scope="module")
def standing(tmp_path_factory, filled):
    """A mount that stands for many examples: its mount point."""
    root = tmp_path_factory.mktemp("standing")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SCRIPTRUN_SECRETS", str(root / "secrets"))
        data = Dataset.File.from_files((filled(Workspace.create("w", path=root)), "*.bin"))
        with dataset_mount.mount(
            data._content, root / "here", root / "cache", time_limit=PATIENCE
        ) as found:
            yield Path(found.mountpoint)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, len(BIG)), st.integers(0, 3 << 20)), max_size=6))
def test_any_range_is_right(standing, reads):
    with open(standing / "big.bin", "rb", buffering=0) as file:
        for start, length in reads:
            assert os.pread(file.fileno(), length, start) == BIG[start : start + length]


def test_what_was_read_once_is_not_asked_for_again(web, workspace, mounted, tmp_path):
    web.files = {"/big": BIG[: 6 << 20], "/small": b"x" * 1000}
    far = Datastore.register_http(workspace, "far", web.address)
    data = Dataset.File.from_files([(far, "big"), (far, "small")])
    _, place = mounted(data, cache=tmp_path / "cache")
    assert (place / "big").read_bytes() == BIG[: 6 << 20]
    assert (place / "small").read_bytes() == b"x" * 1000
    asked = len([line for line in web.seen if line.startswith("GET")])
    _, again = mounted(data, "again", cache=tmp_path / "cache")
    assert (again / "big").read_bytes() == BIG[: 6 << 20]
    assert (again / "small").read_bytes() == b"x" * 1000
    assert len([line for line in web.seen if line.startswith("GET")]) == asked


def test_the_cache_keeps_its_limit(web, workspace, mounted, tmp_path, monkeypatch):
    """What does not fit is read all the same; what a mount reads from is not taken away."""
    monkeypatch.setenv("SCRIPTRUN_DATA_CACHE_SIZE", "8MB")
    body = BIG[: 12 << 20]
    web.files = {"/big": body, **{f"/{n}": bytes([n]) * 500_000 for n in range(20)}}
    far = Datastore.register_http(workspace, "far", web.address)
    data = Dataset.File.from_files([(far, "big"), *((far, str(n)) for n in range(20))])
    cache = cache_files.Cache(tmp_path / "cache")
    _, place = mounted(data, cache=cache.folder)
    for _ in range(2):
        assert all((place / str(n)).read_bytes() == bytes([n]) * 500_000 for n in range(20))
        with open(place / "big", "rb") as file:
            assert file.read(3 << 20) == body[: 3 << 20]
    assert 4_000_000 < cache.total_size() <= 8_100_000
    assert (place / "big").read_bytes() == body
    assert cache.total_size() <= 8_100_000


def test_blocks_without_their_map_are_fetched_anew(web, workspace, mounted, tmp_path):
    web.files = {"/big": BIG[: 4 << 20]}
    far = Datastore.register_http(workspace, "far", web.address)
    data = Dataset.File.from_files((far, "big"))
    found, place = mounted(data, cache=tmp_path / "cache")
    with open(place / "big", "rb") as file:
        assert file.read(100) == BIG[:100]
    cache = cache_files.Cache(tmp_path / "cache")
    assert cache.clear() == 0, "a mount reads from it"
    found.close()
    (part,) = (tmp_path / "cache" / "blocks").glob("*.map")
    kept = part.read_bytes()
    assert b"\1" in kept and cache.clear() > 0 and not part.exists()
    part.write_bytes(kept)  # as a cleaner of disks may leave it
    _, again = mounted(data, "again", cache=tmp_path / "cache")
    assert (again / "big").read_bytes() == BIG[: 4 << 20]


def test_a_store_that_goes_away_is_an_io_error_in_time(web, workspace, mounted, tmp_path):
    web.files = {"/big": BIG[: 6 << 20]}
    far = Datastore.register_http(workspace, "far", web.address)
    told = []
    found, place = mounted(
        Dataset.File.from_files((far, "big")), time_limit=2.0, on_problem=told.append
    )
    web.silent = True
    with pytest.raises(OSError) as raised:
        (place / "big").read_bytes()
    assert raised.value.errno == errno.EIO
    until(lambda: told, "nothing was told")
    assert "far" in told[0]
    web.silent = False
    assert not found.problem()


def test_a_file_that_changed_is_an_io_error_that_is_told(blob_store, fill, workspace, mounted):
    fill(blob_store.store, {"a.txt": "as it was"})
    kept = Dataset.File.from_files((blob_store, "*.txt")).register(workspace, "kept")
    fill(blob_store.store, {"a.txt": "changed!!"})
    told = []
    _, place = mounted(kept, on_problem=told.append)
    with pytest.raises(OSError):
        (place / "a.txt").read_bytes()
    until(lambda: told, "nothing was told")
    assert "a.txt" in told[0] and "changed" in told[0]


def test_trouble_that_passes_is_not_noticed(web, workspace, mounted):
    web.files = {"/a": b"content", "/big": BIG[: 5 << 20]}
    far = Datastore.register_http(workspace, "far", web.address)
    found, place = mounted(Dataset.File.from_files([(far, "a"), (far, "big")]))
    web.answers, web.drops = [503, 429], [3]
    assert (place / "a").read_bytes() == b"content"
    web.answers, web.drops = [500], [0, 5000, 700_000, 1]
    assert (place / "big").read_bytes() == BIG[: 5 << 20]
    assert not web.drops and not found.problems


def test_the_process_that_serves_it_may_die(big, mounted):
    found, place = mounted(big)
    assert (place / "small.bin").read_bytes() == BIG[:20_000]
    os.kill(found.pid, signal.SIGKILL)
    until(lambda: found.problem(), "its end was not seen")
    assert "signal 9" in found.problem()
    with pytest.raises(OSError):
        (place / "big.bin").read_bytes()
    cleared = dataset_mount.clear_stale()
    if found.mountpoint not in cleared:  # whoever else on this machine looked first
        assert not os.path.ismount(place)
    assert os.listdir(place) == []


def test_it_is_unmounted_when_the_one_who_mounted_dies(big, tmp_path, workspace):
    kept = big.register(workspace, "kept")
    code = (
        "import sys, time\nfrom scriptrun import Dataset, Workspace\n"
        "from scriptrun.data.mount import mount\n"
        f"ws = Workspace({str(workspace.root)!r})\n"
        f"content = Dataset.get_by_name(ws, {kept.name!r})._content\n"
        f"found = mount.mount(content, {str(tmp_path / 'there')!r})\n"
        "print('mounted', flush=True)\ntime.sleep(3600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "mounted\n"
    place = tmp_path / "there"
    assert (place / "small.bin").read_bytes() == BIG[:20_000]
    child.kill()
    child.wait()
    child.stdout.close()
    until(lambda: not os.path.ismount(place), "it is still mounted")


#: in a name space of its own: the test's folder and a /dev/fuse that all may open, then another user,
#: who may read everything (for an interpreter below /root) and mount nothing
AS_NOBODY = """
mount --bind "$1" /mnt && { [ "$(stat -c %a /dev/fuse)" = 666 ] ||
    { mknod -m 666 /mnt/fuse c 10 229 && mount --bind /mnt/fuse /dev/fuse; }; } &&
cd /mnt/home && exec setpriv --reuid 65534 --regid 65534 --clear-groups \\
    --inh-caps +dac_read_search --ambient-caps +dac_read_search \\
    env HOME=/mnt/home TMPDIR=/mnt/home "$2" -c "$3" "$4"
"""
MOUNT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from scriptrun import Dataset, Datastore, Workspace
from scriptrun.data.mount import mount
assert mount.available() == ""
far = Datastore.register_http(Workspace.create("mine", path="ws"), "far", sys.argv[1])
data = Dataset.File.from_files([(far, "big"), (far, "small")])
first = mount.mount(data._content, "first", cache="cache")
print([len(path.read_bytes()) for path in sorted(Path("first").rglob("*")) if path.is_file()])
os.kill(first.pid, signal.SIGKILL)
os.waitpid(first.pid, 0)
print([Path(place).name for place in mount.clear_stale()], os.listdir("first"))
with mount.mount(data._content, "second", cache="cache"):
    print([line.split("user_id=")[1][:5] for line in open("/proc/mounts") if "/second " in line])
print([line for line in open("/proc/mounts") if "/second " in line])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="all these tests run as a normal user anyway")
def test_a_normal_user_mounts_and_clears_away(web, tmp_path):
    web.files = {"/big": BIG[: 6 << 20], "/small": b"x" * 1000}
    home = tmp_path / "nobody" / "home"
    home.mkdir(parents=True)
    os.chown(home, 65534, 65534)
    words = ["unshare", "--mount", "sh", "-c", AS_NOBODY, "sh", home.parent, sys.executable]
    said = subprocess.run(
        [*words, MOUNT_AND_DIE, web.address], capture_output=True, text=True, timeout=PATIENCE
    )
    assert said.stdout.splitlines() == ["[6291456, 1000]", "['first'] []", "['65534']", "[]"], said


def test_closing_with_a_file_open_does_not_wait(big, mounted):
    found, place = mounted(big)
    file = open(place / "big.bin", "rb")  # noqa: SIM115
    file.read(10)
    closing = threading.Thread(target=found.close)
    closing.start()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert not os.path.ismount(place)
    with contextlib.suppress(OSError):  # its file system is gone
        file.close()


def test_a_place_that_is_not_empty_is_refused(big, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(DatastoreException, match="is not empty"):
        dataset_mount.mount(big._content, tmp_path / "full")
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_many_files_in_one_folder(tmp_path, workspace, mounted):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(1000):
        (folder / f"{number:05d}.txt").write_text(str(number))
    local = Datastore.register_local(workspace, "local", folder)
    _, place = mounted(Dataset.File.from_files((local, "**")))
    names = os.listdir(place)
    assert len(names) == 1000
    assert (place / "00999.txt").read_text() == "999"
