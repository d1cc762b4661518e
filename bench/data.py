"""Datasets: a million files registered, and 10,000 small ones downloaded, beside rclone."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import timing
from scriptrun import Dataset, Datastore, Workspace

sys.path.insert(0, str(timing.ROOT / "tests" / "data"))
import servers

FILES = 1_000_000
#: bytes of JSON lines
LINES = 90_000_000
SMALL, SIZE = 10_000, 16 << 10

HUGE, PIECE = 2 << 30, 1 << 20
#: in a process of its own, for its memory
DOWNLOAD = """
import json, resource, sys, time
from scriptrun import Dataset, Workspace
data = Dataset.get_by_name(Workspace(sys.argv[1]), "huge")
began = time.perf_counter()
data.download(sys.argv[2], overwrite=True)
taken = time.perf_counter() - began
print(json.dumps([taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
#: in a process of its own, for its memory
REGISTER = """
import json, resource, sys, time
from scriptrun import Dataset, Datastore, Workspace
workspace, folder = Workspace(sys.argv[1]), sys.argv[2]
store = Datastore.register_local(workspace, "many", folder, overwrite=True)
began = time.perf_counter()
assert sum(1 for _ in store.store.list()) == int(sys.argv[3])
listed = time.perf_counter()
Dataset.File.from_files((store, "**/*.jpg")).register(workspace, "many", create_new_version=True)
registered = time.perf_counter()
Dataset.get_by_name(workspace, "many").pin(workspace)
opened = time.perf_counter()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([listed - began, registered - listed, opened - registered, memory]))
"""


def measure() -> list[dict[str, object]]:
    """A million files on a local datastore; then 10,000 from Blob and from S3."""
    with timing.own_places(memory=True) as place:
        os.environ["SCRIPTRUN_SECRETS"] = str(place / "secrets")
        rows = [*json_lines(place), *million(place)]
        for kind, server in (("Blob", blob), ("S3", s3)):
            with server(place / kind) as (store, remote):
                rows.append(downloads(kind, place, store, remote))
                if kind == "S3":
                    rows.append(by_aws(rows[-1], place, store))
        return [*rows, *huge(place)]


def huge(place: Path) -> list[dict[str, object]]:
    """One large file from a real Ceph gateway in memory, beside rclone."""
    (place / "ceph").mkdir()
    (place / "source").mkdir()
    key, _, secret = servers.S3_KEYS.partition(":")
    options = f"provider=Other,access_key_id={key},secret_access_key={secret}"
    with open(place / "source" / "huge.bin", "wb") as file:
        block = os.urandom(PIECE)
        for _ in range(HUGE // PIECE):
            file.write(block)
    with servers.ceph(place / "ceph") as address:
        store = Datastore.register_s3(
            Workspace(place), "ceph", "shared", endpoint=address, secret="bench"
        )
        store.upload(place / "source", "huge", show_progress=False)
        shutil.rmtree(place / "source")
        Dataset.File.from_files((store, "huge")).register(Workspace(place), "huge")
        memory: list[float] = []

        def ours() -> float:
            words = [sys.executable, "-c", DOWNLOAD, str(place), str(place / "out")]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE)
            shutil.rmtree(place / "out")
            taken, used = json.loads(done.stdout)
            memory.append(used)
            return float(taken)

        def theirs() -> float:
            remote = f":s3,{options},endpoint='{address}':shared/huge"
            words = [os.environ.get("RCLONE", "rclone"), "copy", "--config", "/dev/null"]
            began = time.perf_counter()
            subprocess.run([*words, remote, str(place / "out")], check=True)
            taken = time.perf_counter() - began
            shutil.rmtree(place / "out")
            return taken

        found = timing.alternate({"ours": ours, "rclone": theirs}, 3)
    return [
        timing.row(
            "one file of 2 GiB", found["ours"], "s", "rclone copy", found["rclone"], "ratio 1.1"
        ),
        timing.row("memory for it", max(memory), "MiB", "the limit", 200, "ratio 1"),
    ]


def json_lines(place: Path) -> list[dict[str, object]]:
    """A table of JSON lines with numbers that float64 would round, beside pandas, which does."""
    import pandas

    path, chance = place / "long.jsonl", random.Random(1)
    with open(path, "w") as file:
        while file.tell() < LINES:
            row = {
                "id": 2**60 + chance.getrandbits(40),
                "share": chance.random(),
                "name": f"user {chance.getrandbits(20)}",
                "ok": chance.random() < 0.5,
                "when": f"2020-01-{chance.randint(1, 28):02}T10:00:00",
                "amount": chance.choice([1.5, None, 3, 2**53 + 1]),
            }
            file.write(json.dumps(row) + "\n")
    table = Dataset.Tabular.from_json_lines_files(str(path))

    def once(read: Callable[[], object]) -> float:
        began = time.perf_counter()
        read()
        return time.perf_counter() - began

    found = timing.alternate(
        {
            "ours": lambda: once(table.to_arrow),
            "pandas": lambda: once(lambda: pandas.read_json(path, lines=True)),
        }
    )
    path.unlink()
    name = f"{LINES // 1_000_000} MB of JSON lines, exactly"
    return [timing.row(name, found["ours"], "s", "pandas.read_json", found["pandas"], "ratio 1.5")]


def million(place: Path) -> list[dict[str, object]]:
    """Registering and opening, each beside listing the same files."""
    for number in range(1000):
        folder = place / "many" / f"class_{number:04}"
        folder.mkdir(parents=True)
        for each in range(FILES // 1000):
            os.close(os.open(folder / f"image_{each:06}.jpg", os.O_CREAT | os.O_WRONLY))
    Workspace.create("bench", path=place)
    words = [str(place), str(place / "many"), str(FILES)]
    done = subprocess.run([sys.executable, "-c", REGISTER, *words], stdout=subprocess.PIPE)
    listed, registered, opened, memory = json.loads(done.stdout)
    shutil.rmtree(place / "many")
    against = f"listing {FILES:,} files"
    return [
        timing.row("registering them", registered, "s", against, listed, "+ 30 s"),
        timing.row("opening the version", opened, "s", against, listed, "1 s"),
        timing.row("memory for both", memory, "MiB", "the limit", 500, "500 MiB"),
    ]


@contextlib.contextmanager
def blob(place: Path) -> Iterator[tuple[object, list[str]]]:
    """A datastore on Azurite, and the words by which rclone finds the same container."""
    place.mkdir()
    with servers.azurite(place) as address:
        servers.make_container(address, "bench")
        store = Datastore.register_azure_blob_container(
            Workspace(place.parent),
            "blob",
            "bench",
            servers.ACCOUNT,
            account_key=servers.ACCOUNT_KEY,
            endpoint=address,
        )
        remote = f":azureblob,use_emulator=true,endpoint='{address}':bench/small"
        yield store, [remote]


@contextlib.contextmanager
def s3(place: Path) -> Iterator[tuple[object, list[str]]]:
    """A datastore on rclone's S3 server, and the words by which rclone finds the same bucket."""
    (place / "bench").mkdir(parents=True)
    os.environ["SCRIPTRUN_SECRET_BENCH"] = servers.S3_KEYS
    key, _, secret = servers.S3_KEYS.partition(":")
    with servers.s3(place) as address:
        store = Datastore.register_s3(
            Workspace(place.parent), "s3", "bench", endpoint=address, secret="bench"
        )
        options = f"provider=Other,access_key_id={key},secret_access_key={secret}"
        yield store, [f":s3,{options},endpoint='{address}':bench/small"]


def downloads(kind: str, place: Path, store: object, remote: list[str]) -> dict[str, object]:
    """A registered dataset of small files to a fresh folder, and the same by rclone."""
    source = place / f"source-{kind}"
    source.mkdir()
    for number in range(SMALL):
        (source / f"{number:05}.bin").write_bytes(os.urandom(SIZE))
    store.upload(source, "small", show_progress=False)
    data = Dataset.File.from_files((store, "small")).register(store.workspace, f"small-{kind}")
    fresh = (place / f"out-{kind}-{number}" for number in itertools.count())
    rclone = [os.environ.get("RCLONE", "rclone"), "copy", "--config", "/dev/null"]
    best = ["--transfers", "32", "--checkers", "32", "--no-traverse", "--fast-list"]

    def ours(target: Path) -> None:
        assert len(data.download(target)) == SMALL

    def theirs(target: Path) -> None:
        subprocess.run([*rclone, *best, *remote, str(target)], check=True)

    found = timing.alternate({"ours": timed(ours, fresh), "rclone": timed(theirs, fresh)})
    name = f"10,000 files of 16 KiB from {kind}"
    return timing.row(name, found["ours"], "s", "rclone copy", found["rclone"], "ratio 1")


def by_aws(ours: dict[str, object], place: Path, store: Any) -> dict[str, object]:
    """The row ``ours`` beside AWS's own command on the same files, once: it takes a minute."""
    key, _, secret = servers.S3_KEYS.partition(":")
    keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1"}
    words = [str(timing.references() / "aws"), "s3", "cp", "--recursive", "--only-show-errors"]
    words += ["--endpoint-url", store.settings["endpoint"], "s3://bench/small", str(place / "aws")]
    taken = timing.seconds(words, env={**os.environ, **keys})
    shutil.rmtree(place / "aws")
    return timing.row(str(ours["name"]), float(str(ours["value"])), "s", "aws s3 cp", taken)


def timed(work: Callable[[Path], None], fresh: Iterator[Path]) -> Callable[[], float]:
    """How long ``work`` takes on a folder of its own, which is removed afterwards."""

    def once() -> float:
        target = next(fresh)
        began = time.perf_counter()
        work(target)
        taken = time.perf_counter() - began
        shutil.rmtree(target)
        return taken

    return once
