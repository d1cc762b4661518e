"""Mounting: a dataset read through FUSE, beside a plain download and ``rclone mount``.

The server is a real Ceph gateway in memory; a folder of 100,000 names is served by rclone, over a
directory. Of a second reading both sides' pages may be in the kernel's cache, as in an epoch; those
of many small files are dropped between their readings.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import timing
from scriptrun import Dataset, Datastore, Workspace
from scriptrun.data.mount import mount

sys.path.insert(0, str(timing.ROOT / "tests" / "data"))
import servers

RCLONE = shutil.which("rclone", path=str(Path(sys.executable).parent)) or "rclone"
BIG, HUGE, PIECE = 1 << 30, 2 << 30, 1 << 20
SMALL, SIZE = 2_000, 20_000
READS, NAMES, REPEATS = 1_000, 100_000, 5


def measure() -> list[dict[str, object]]:
    """Rows on large files, small ones, random reads, folders and the first byte."""
    with timing.own_places(memory=True) as place:
        os.environ["SCRIPTRUN_SECRETS"] = str(place / "secrets")
        os.environ["SCRIPTRUN_SECRET_BENCH"] = servers.S3_KEYS
        workspace = Workspace.create("mount", path=place)
        (place / "ceph").mkdir()
        with servers.ceph(place / "ceph") as address:
            store = Datastore.register_s3(
                workspace, "s3", "shared", endpoint=address, secret="bench"
            )
            put(store, place)
            rows = [*large(store, place), *small(store, place, address)]
            rows += [*scattered(store, place, address), first_byte(store, place)]
        return [*rows, names(workspace, place)]


def put(store: object, place: Path) -> None:
    """The files, on the server."""
    block = os.urandom(PIECE)
    source = place / "source"
    for name, size in (("big", BIG), ("huge", HUGE)):
        source.mkdir()
        with open(source / f"{name}.bin", "wb") as file:
            for _ in range(size // PIECE):
                file.write(block)
        store.upload(source, name, show_progress=False)
        shutil.rmtree(source)
    source.mkdir()
    for number in range(SMALL):
        (source / f"{number:05}.bin").write_bytes(os.urandom(SIZE))
    store.upload(source, "small", show_progress=False)
    shutil.rmtree(source)


@contextlib.contextmanager
def mounted(data: object, place: Path, cache: Path) -> Iterator[Path]:
    """The dataset's folder."""
    with mount.mount(data._content, place, cache) as found:
        yield Path(found.mountpoint)


@contextlib.contextmanager
def by_rclone(remote: str, place: Path, cache: Path) -> Iterator[Path]:
    """The same by ``rclone mount`` with its full cache."""
    place.mkdir(exist_ok=True)
    words = ["mount", remote, str(place), "--config", "/dev/null", "--vfs-cache-mode", "full"]
    words += ["--cache-dir", str(cache), "--read-only", "--allow-non-empty"]
    process = subprocess.Popen([RCLONE, *words], stderr=subprocess.DEVNULL)
    try:
        while not os.path.ismount(place):
            time.sleep(0.02)
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
        process.terminate()
        process.wait(60)


def remote(address: str, path: str) -> str:
    """How rclone names a folder of the bucket."""
    key, _, secret = servers.S3_KEYS.partition(":")
    options = f"provider=Other,access_key_id={key},secret_access_key={secret}"
    return f":s3,{options},endpoint='{address}':shared/{path}"


def large(store: object, place: Path) -> list[dict[str, object]]:
    """A gigabyte through the mount, first and again, beside a download and a plain file."""
    data = Dataset.File.from_files((store, "big/big.bin"))
    figures: dict[str, list[float]] = {name: [] for name in ("down", "plain", "first", "again")}
    for _ in range(REPEATS + 1):
        figures["down"].append(timed(lambda: data.download(place / "down", overwrite=True)))
        figures["plain"] += thrice(place / "down" / "big.bin")[1:]
        shutil.rmtree(place / "down")
        cache = place / "cache-big"
        with mounted(data, place / "m", cache) as folder:
            times = thrice(folder / "big.bin")
        figures["first"].append(times[0])
        figures["again"] += times[1:]
        shutil.rmtree(cache)
    found = {name: median(times[1:]) for name, times in figures.items()}
    name = "1 GiB read through the mount"
    return [
        timing.row(name, found["first"], "s", "a download", found["down"], "ratio 1.25"),
        timing.row("... again", found["again"], "s", "a plain file", found["plain"], "ratio 2"),
    ]


def thrice(path: Path) -> list[float]:
    """How long each of three readings of a gigabyte takes."""
    return [timed(lambda: sequential(path, BIG)) for _ in range(3)]


def small(store: object, place: Path, address: str) -> list[dict[str, object]]:
    """Small files, the second time, beside rclone's mount with its full cache."""
    data = Dataset.File.from_files((store, "small/*.bin"))
    with mounted(data, place / "m", place / "cache-s") as folder:
        first = timed(lambda: every(folder))
        again = [timed(lambda: (drop(), every(folder))) for _ in range(3)]
    with by_rclone(remote(address, "small"), place / "r", place / "rcache") as folder:
        other = timed(lambda: every(folder))
        theirs = [timed(lambda: (drop(), every(folder))) for _ in range(3)]
    against = "rclone mount, full cache"
    name = f"{SMALL:,} files of 20 kB"
    return [
        timing.row(f"{name}, first time", first, "s", against, other, ""),
        timing.row(f"{name}, again", median(again), "s", against, median(theirs), "ratio 0.5"),
    ]


def scattered(store: object, place: Path, address: str) -> list[dict[str, object]]:
    """Random 4 KiB reads of the gigabyte."""
    data = Dataset.File.from_files((store, "big/big.bin"))
    with mounted(data, place / "m", place / "cache-r") as folder:
        ours = timed(lambda: at_random(folder / "big.bin"))
    with by_rclone(remote(address, "big"), place / "r", place / "rcache2") as folder:
        theirs = timed(lambda: at_random(folder / "big.bin"))
    return [timing.row(f"{READS:,} random reads of 4 KiB", ours, "s", "rclone mount", theirs, "")]


def first_byte(store: object, place: Path) -> dict[str, object]:
    """The first byte of a large file, beside reading all of it."""
    data = Dataset.File.from_files((store, "huge/huge.bin"))
    times = []
    for number in range(REPEATS):
        with mounted(data, place / "m", place / f"cache-f{number}") as folder:
            times.append(timed(lambda folder=folder: head(folder / "huge.bin")))
    with mounted(data, place / "m", place / "cache-f9") as folder:
        whole = timed(lambda: sequential(folder / "huge.bin", HUGE))
    return timing.row(
        "the first byte of 2 GiB", median(times), "s", "all of it", whole, "ratio 0.1"
    )


def names(workspace: Workspace, place: Path) -> dict[str, object]:
    """Listing a folder of many names."""
    folder = place / "s3" / "shared" / "names"
    folder.mkdir(parents=True)
    for number in range(NAMES):
        (folder / f"{number:06}").touch()
    with servers.s3(place / "s3") as address:
        store = Datastore.register_s3(
            workspace, "names", "shared", endpoint=address, secret="bench"
        )
        data = Dataset.File.from_files((store, "names/**")).register(workspace, "names")
        with mounted(data, place / "m", place / "cache-n") as shown:
            ours = timed(lambda: listed(shown))
        with by_rclone(remote(address, "names"), place / "r", place / "rcache3") as shown:
            theirs = timed(lambda: listed(shown))
    return timing.row(f"listing {NAMES:,} names", ours, "s", "rclone mount", theirs, "")


def listed(folder: Path) -> None:
    """All names of a folder, with their kinds."""
    with os.scandir(folder) as entries:
        assert sum(1 for _ in entries) == NAMES


def sequential(path: Path, expected: int) -> None:
    """Read all of a file."""
    size = 0
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            size += len(piece)
    assert size == expected


def head(path: Path) -> None:
    """Read a file's first byte."""
    with open(path, "rb", buffering=0) as file:
        assert len(file.read(1)) == 1


def at_random(path: Path) -> None:
    """Read here and there."""
    places = random.Random(1)
    with open(path, "rb", buffering=0) as file:
        for _ in range(READS):
            assert len(os.pread(file.fileno(), 4096, places.randrange(BIG - 4096))) == 4096


def every(folder: Path) -> None:
    """Read all files of a folder."""
    for path in sorted(folder.iterdir()):
        assert len(path.read_bytes()) == SIZE


def drop() -> None:
    """Let the kernel forget what it has cached, where that is allowed."""
    with contextlib.suppress(OSError):
        Path("/proc/sys/vm/drop_caches").write_text("1")


def timed(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(values: list[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]
