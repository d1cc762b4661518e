"""Stores that misbehave, disks that are full, and downloads that are killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import servers

from scriptrun import Datastore
from scriptrun.data.cache import download as cache_download
from scriptrun.data.cache import partial, transfer
from scriptrun.data.cache.download import RemoteFile
from scriptrun.data.errors import DatastoreException, FileChanged, FileMissing, StoreUnreachable
from scriptrun.data.stores import timeouts
from scriptrun.testing.jobs import PATIENCE

BODY = os.urandom(6 << 20)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(cache_download, "BLOCK", 1 << 20)
    monkeypatch.setattr(cache_download, "LARGE", 2 << 20)


@pytest.fixture(params=["http", "s3"])
def far(request, web, workspace):
    """The misbehaving server as an HTTP datastore, and as a bucket."""
    web.files = {"/b/big": BODY, "/b/small": b"0123456789" * 1000}
    if request.param == "http":
        return Datastore.register_http(workspace, "far", f"{web.address}/b").store
    return Datastore.register_s3(workspace, "far", "b", endpoint=web.address, anonymous=True).store


def incoming(store, path):
    return RemoteFile(store, store.stat(path), path)


def anew(workspace, each):
    """The file in its store as it is opened now: some heed only the limit that they find then."""
    return each._replace(store=Datastore.get(workspace, "far").store)


@pytest.mark.parametrize("path", ["big", "small"])
@pytest.mark.parametrize("trouble", ["dropped", "busy"])
def test_trouble_that_passes_is_not_noticed(far, web, tmp_path, path, trouble):
    each = incoming(far, path)
    if trouble == "dropped":
        web.drops = [0, 5000, 700_000, 1] if path == "big" else [0, 5000, 1]
    else:
        web.answers = [503, 429, 500, 503]
    cache_download.fetch(each, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == web.files[f"/b/{path}"]
    assert not web.drops and not web.answers


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_stays_busy_is_named(far, web, workspace, tmp_path, code, monkeypatch):
    each, named = incoming(far, "small"), rf"in far|from far(.|\n)*{code}"
    web.answers = [code] * 9999
    for _ in servers.limits(monkeypatch):
        with pytest.raises(StoreUnreachable) as caught:
            cache_download.fetch(anew(workspace, each), tmp_path / "out")
        if re.search(named, str(caught.value)):
            break
    assert re.search(named, str(caught.value))
    assert not list(tmp_path.glob("*out*"))


def test_a_server_that_says_when_is_asked_then(web, workspace, tmp_path, monkeypatch):
    web.files = {"/small": b"x"}
    store = Datastore.register_http(workspace, "far", web.address).store
    web.answers, web.retry_after = [429], "30"
    slept = []
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=slept.append)
    monkeypatch.setattr(timeouts, "time", clock)
    assert store.read("small", 0, 1) == b"x"
    assert slept == [30]


def test_a_slow_store_is_waited_for_while_something_comes(web, workspace, tmp_path, monkeypatch):
    """In all it takes longer than the limit; where load makes one pause that long, it says nothing."""
    web.files, address = {"/b/slow": BODY[:800_000]}, web.address
    Datastore.register_http(workspace, "web", f"{address}/b")
    Datastore.register_s3(workspace, "s3", "b", endpoint=address, anonymous=True)

    def get(name):
        store = Datastore.get(workspace, name).store
        try:
            cache_download.fetch(incoming(store, "slow"), tmp_path / name)
        except DatastoreException as error:
            return error
        return (tmp_path / name).read_bytes() == BODY[:800_000]

    for scale in (1, 5, 25):
        monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", str(3 * scale))
        web.pause = 0.45 * scale
        web.seen.clear()
        with ThreadPoolExecutor(2) as pool:
            came = list(pool.map(get, ("web", "s3")))
        if came == [True, True] and web.seen.count("GET /b/slow") == 2:
            break
    assert came == [True, True]
    assert web.seen.count("GET /b/slow") == 2


def test_a_server_that_goes_silent_is_given_up(far, web, workspace, tmp_path, monkeypatch):
    each = incoming(far, "big")
    web.silent = True
    with monkeypatch.context() as short:
        short.setenv("SCRIPTRUN_DATA_TIMEOUT", "2")
        with pytest.raises(DatastoreException, match=r"far(.|\n)*(timed out|lost|unreachable)"):
            cache_download.fetch(anew(workspace, each), tmp_path / "out")
    web.silent = False
    cache_download.fetch(each, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == BODY


def test_blocks_of_two_versions_are_never_mixed(far, web, tmp_path):
    each = incoming(far, "big")

    def change(_: int) -> None:
        web.files["/b/big"] = BODY[::-1]

    with pytest.raises(FileChanged, match="'big' in far has changed"):
        cache_download.fetch(each, tmp_path / "to" / "out", on_bytes=change)
    assert not list((tmp_path / "to").iterdir())


def test_an_object_that_is_deleted_midway_is_named(far, web, tmp_path):
    each = incoming(far, "big")
    with pytest.raises(FileMissing, match="'big' not found in far"):
        cache_download.fetch(
            each, tmp_path / "to" / "out", on_bytes=lambda _: web.files.pop("/b/big", None)
        )
    assert not list((tmp_path / "to").iterdir())


def test_what_came_before_the_store_went_away_is_kept(far, web, workspace, tmp_path, monkeypatch):
    web.files["/b/big"] = BODY * 3
    each = incoming(far, "big")
    came: list[int] = []

    def told(size):
        came.append(size)
        if sum(came) > 3 << 20:
            web.answers = [503] * 9999

    with monkeypatch.context() as short:
        for limit in servers.limits(short):
            web.answers = []
            came.clear()
            place = tmp_path / str(limit) / "out"
            with pytest.raises(StoreUnreachable):
                cache_download.fetch(anew(workspace, each), place, on_bytes=told)
            if sum(came) > 3 << 20:
                break
    web.answers = []
    again = []
    cache_download.fetch(each, place, on_bytes=again.append)
    assert place.read_bytes() == BODY * 3
    assert again[0] >= 1 << 20


def test_a_part_of_another_version_is_not_gone_on_with(far, web, tmp_path):
    each = incoming(far, "big")
    part = tmp_path / "its.part"

    def stop(_: int) -> None:
        raise cache_download.TransferStopped

    with pytest.raises(cache_download.TransferStopped):
        cache_download.fetch(each, tmp_path / "out", part, stop)
    web.files["/b/big"] = BODY[::-1]
    cache_download.fetch(incoming(far, "big"), tmp_path / "out", part)
    assert (tmp_path / "out").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("header", ["Content-MD5", "Repr-Digest", "Digest"])
def test_content_that_is_not_as_announced_is_refused(web, workspace, tmp_path, header):
    wrong = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "Digest": "md5=1B2M2Y8AsgTpgAmY7PhCfg=="}
    wrong["Repr-Digest"] = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    web.files, web.headers = {"/small": b"x" * 100}, {header: wrong[header]}
    store = Datastore.register_http(workspace, "far", web.address).store
    with pytest.raises(DatastoreException, match=r"'small' from far"):
        cache_download.fetch(incoming(store, "small"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    web.files["/small"] = b""
    cache_download.fetch(incoming(store, "small"), tmp_path / "out")


def test_a_full_disk_is_a_sentence(far, tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount).returncode != 0:
        pytest.skip("only as root, who may mount a small disk")
    try:
        with pytest.raises(DatastoreException, match=r"is full|has only .* free"):
            cache_download.fetch(incoming(far, "big"), place / "out")
        assert not list(place.iterdir())
    finally:
        subprocess.run(["umount", str(place)], check=True)


KILLED = """
import sys, threading
from scriptrun.data.cache import download as fetching
from scriptrun.data.stores.web import WebStore
fetching.BLOCK, fetching.LARGE = 1 << 20, 2 << 20
store = WebStore("far", sys.argv[1])
came, first = [], threading.Lock()
def told(size):
    came.append(size)
    if sum(came) > 3 << 20:
        if first.acquire(blocking=False):
            print("half", flush=True)
        sys.stdin.read()
from pathlib import Path
fetching.fetch(fetching.RemoteFile(store, store.stat("big"), "big"), Path(sys.argv[2]), on_bytes=told)
"""


def test_a_killed_download_goes_on(web, workspace, tmp_path):
    web.files = {"/big": BODY}
    place = tmp_path / "to" / "out"
    words = [sys.executable, "-c", KILLED, web.address, str(place)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"half\n"
    (part,) = place.parent.glob(".*.part")
    assert partial.is_in_use(part)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not partial.is_in_use(part) and not place.exists()
    store = Datastore.register_http(workspace, "far", web.address).store
    again = []
    cache_download.fetch(incoming(store, "big"), place, on_bytes=again.append)
    assert place.read_bytes() == BODY and again[0] >= 1 << 20
    assert list(place.parent.iterdir()) == [place]


KILLED_BETWEEN = """
import os, pathlib, signal, sys
from scriptrun.data.cache import transfer
from scriptrun.data.cache.download import RemoteFile
from scriptrun.data.stores.local import LocalStore
def kill(event, words):
    if event == "os.rename" and str(words[1]).endswith("small"):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
store = LocalStore("here", pathlib.Path(sys.argv[1]))
files = [RemoteFile(store, store.stat("small"), "below/small")]
transfer.download(files, pathlib.Path(sys.argv[2]), False)
"""


def test_what_a_killed_download_left_is_removed_by_the_next(workspace, tmp_path):
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "small").write_bytes(b"content")
    target = tmp_path / "to"
    words = [sys.executable, "-c", KILLED_BETWEEN, str(tmp_path / "from"), str(target)]
    assert subprocess.run(words, timeout=PATIENCE).returncode == -signal.SIGKILL
    assert any(path.is_file() for path in target.rglob("*"))
    store = Datastore.register_local(workspace, "here", tmp_path / "from").store
    each = incoming(store, "small")._replace(path="below/small")
    assert transfer.download([each], target, False) == [target / "below" / "small"]
    assert sorted(target.rglob("*")) == [target / "below", target / "below" / "small"]


def test_an_upload_is_tried_again(web, far, tmp_path):
    if far.name == "far" and not hasattr(far, "_opener"):
        pytest.skip("only on a store that can be written")
    (tmp_path / "up").write_bytes(b"content")
    web.answers = [503, 503]
    assert transfer.put(far, tmp_path / "up", "new").size == 7
    assert web.files["/b/new"] == b"content"


SECRET = "sv=2021&sig=TopSecret123"


@pytest.mark.parametrize("trouble", ["gone", "refused", "busy", "missing"])
def test_no_error_holds_a_secret(web, workspace, trouble, monkeypatch, caplog):
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "1")
    monkeypatch.setenv("SCRIPTRUN_SECRET_SAS", SECRET)
    monkeypatch.setenv("SCRIPTRUN_SECRET_PAIR", "AccessKeyOpen:TopSecret123")
    web.answers = {"refused": [403] * 9999, "busy": [503] * 9999}.get(trouble, [])
    with servers.deaf() as host:
        address = f"http://{host}" if trouble == "gone" else web.address
        far = [
            Datastore.register_s3(workspace, "far1", "b", endpoint=address, secret="pair"),
            Datastore.register_http(workspace, "far2", address, secret="sas"),
        ]
        errors = []
        for each in far:
            with pytest.raises(DatastoreException) as caught:
                b"".join(each.store.pieces("x"))
            errors.append(caught)
    for each, caught in zip(far, errors, strict=True):
        chain = [caught.value, caught.value.__cause__]
        shown = caught.value.__suppress_context__ or caught.value.__context__ is None
        said = f"{chain!r} {caught.value} {each!r} {each.store!r} {caplog.text}"
        assert shown and "TopSecret" not in said and each.name in str(caught.value)


def test_the_first_error_ends_work_in_parallel_and_is_raised():
    """Not the Stopped of those at work then; what was not begun stays so."""
    began, halt = [], threading.Event()

    def work(number):
        began.append(number)
        if number == 5:
            raise DatastoreException("the fifth")
        if number > 5 and halt.wait(PATIENCE):
            raise cache_download.TransferStopped

    with pytest.raises(DatastoreException, match="the fifth"):
        transfer.in_parallel(work, list(range(1000)), 4, halt)
    assert set(range(6)) <= set(began) and len(began) <= 9


def test_a_link_in_the_target_is_not_followed_in_any_folder(local_store, fill, tmp_path):
    fill(local_store.store, {"a/1": "x", "a/2": "x", "b/c/1": "x"})
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "b").symlink_to(tmp_path / "elsewhere")
    files = [incoming(local_store.store, path) for path in ("a/1", "a/2", "b/c/1")]
    with pytest.raises(DatastoreException, match="b/c/1' is outside"):
        transfer.download(files, tmp_path / "out", False)
    assert not list((tmp_path / "elsewhere").iterdir()) and not (tmp_path / "out" / "a").exists()
