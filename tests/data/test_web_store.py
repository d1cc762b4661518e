"""Files behind addresses, from a plain HTTP server that also misbehaves."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import servers

from scriptrun import Dataset, Datastore
from scriptrun.data.cache.download import resuming_pieces
from scriptrun.data.errors import (
    DatasetExecutionError,
    DatasetValidationError,
    DatastoreException,
    FileChanged,
)
from scriptrun.data.stores.web import WebStore
from scriptrun.data.stores.web_listing import links
from scriptrun.testing.stores import ODD

BODY = bytes(range(256)) * 20_000


@pytest.fixture
def store(web):
    web.files = {"/d/a%20b%25.bin": BODY, "/x.csv": b"a,b\n1,2\n"}
    return WebStore("web", web.address)


def test_a_file_and_a_range_of_it(store, web):
    entry = store.stat("d/a b%.bin")
    assert entry.size == len(BODY) and entry.etag
    assert b"".join(store.pieces("d/a b%.bin", entry.etag)) == BODY
    assert store.read("d/a b%.bin", 1000, 1010, entry.etag) == BODY[1000:1010]
    web.ranges = False
    assert store.read("d/a b%.bin", 1000, 1010) == BODY[1000:1010]
    assert store.stat("nothing") is None


@pytest.mark.parametrize("ranges", [True, False])
def test_a_dropped_connection_goes_on_where_it_stopped(store, web, ranges):
    web.ranges = ranges
    web.drops = [3_000_000, 100, 0, 1]
    etag = store.stat("d/a b%.bin").etag
    assert b"".join(resuming_pieces(store, "d/a b%.bin", etag)) == BODY
    assert len([line for line in web.seen if line.startswith("GET")]) == 5


def test_a_file_that_changes_between_two_tries_is_not_mixed(store, web):
    etag = store.stat("d/a b%.bin").etag
    web.drops = [2_000_000]
    pieces = resuming_pieces(store, "d/a b%.bin", etag)
    next(pieces)
    web.files["/d/a%20b%25.bin"] = BODY[::-1]
    with pytest.raises(FileChanged, match="has changed"):
        list(pieces)


def test_a_busy_server_is_asked_again(store, web):
    web.answers = [429, 503, 500]
    assert store.read("x.csv", 0, 3) == b"a,b"
    assert len(web.seen) == 4


@pytest.mark.parametrize(
    ("answers", "words"),
    [([403], "denied access"), ([418], "returned 418"), ([503] * 99, "returned 503")],
)
def test_refusals_are_sentences(store, web, answers, words, monkeypatch):
    for _ in servers.limits(monkeypatch):
        web.answers = list(answers)
        with pytest.raises(DatastoreException) as caught:
            store.read("x.csv", 0, 3)
        if words in str(caught.value):
            break
    assert words in str(caught.value)


def test_a_server_that_is_not_there_is_said_at_once():
    with pytest.raises(DatastoreException, match="connection refused"):
        WebStore("gone", "http://127.0.0.1:1").stat("x")


def test_addresses_in_a_dataset(store, web, workspace, tmp_path):
    other = workspace.get_default_datastore()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    other.upload(tmp_path / "in", "in", show_progress=False)
    web.files["/x.csv?plain=1"] = b"1,2"
    mixed = Dataset.File.from_files([(other, "in/*"), f"{web.address}/x.csv?plain=1"])
    assert "HEAD /x.csv?plain=1" in web.seen
    host = web.address.removeprefix("http://")
    kept = mixed.register(workspace, "mixed")
    assert kept.to_path() == [f"/http/{host}/x.csv", "/workspaceblobstore/in/a.txt"]
    one, _ = Dataset.get_by_name(workspace, "mixed").download(tmp_path / "out")
    assert Path(one).read_text() == "1,2"
    web.files["/x.csv?plain=1"] = b"1,3"
    with pytest.raises(DatasetExecutionError, match=r"x\.csv(.|\n)*version 1 of 'mixed'"):
        kept.download(tmp_path / "again")


def test_a_datastore_of_addresses(web, store, workspace, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRET_WEB", "Bearer abc")
    made = Datastore.register_http(workspace, "web", web.address, secret="web")
    assert Dataset.File.from_files((made, "x.csv")).to_path() == ["/x.csv"]
    assert web.authorization == "Bearer abc"
    with pytest.raises(DatastoreException, match="does not list its files"):
        Dataset.File.from_files((made, "*.csv"))
    with pytest.raises(DatasetValidationError, match=r"No files found at y\.csv in web"):
        Dataset.File.from_files((made, "y.csv"))
    with pytest.raises(DatastoreException, match="is read-only"):
        made.upload_files([__file__], show_progress=False)
    with pytest.raises(DatastoreException, match="in plain text"):
        Datastore.register_http(workspace, "bad", "https://u:pw@host/")


@pytest.fixture
def indexed(tmp_path):
    """A server of the standard library over a folder, whose index pages it makes."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    folder = tmp_path / "served"
    for path in (*ODD, "mnist/train/a.gz", "mnist/b.gz", "mnist/readme", "z"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_folders_are_listed_where_the_server_has_index_pages(indexed, workspace, tmp_path):
    far = Datastore.register_http(workspace, "far", indexed)
    found = list(far.store.list())
    wanted = sorted([*ODD, "mnist/train/a.gz", "mnist/b.gz", "mnist/readme", "z"])
    assert [each.path for each in found] == wanted
    assert all(each.etag and each.size == len(each.path.encode()) for each in found)
    assert far.store.stat("mnist") is None and far.store.stat("mnist/b.gz")
    zipped = Dataset.File.from_files((far, "mnist/**/*.gz")).register(workspace, "zipped")
    assert zipped.to_path() == ["/b.gz", "/train/a.gz"]
    assert Dataset.File.from_files((far, "mnist")).to_path() == ["/b.gz", "/readme", "/train/a.gz"]
    assert Dataset.File.from_files(f"{indexed}/mnist/*").to_path() == ["/b.gz", "/readme"]
    one, _ = zipped.download(tmp_path / "out")
    assert Path(one).read_text() == "mnist/b.gz"


PAGE = """<html><head><base2></head><body><h1>Index of /d%20x</h1>
<a href="?C=N;O=D">Name</a> <a href="/">Parent</a> <a href="../">up</a>
<A HREF="b%20%25.txt">b</A> <a href="/d%20x/a/">a/</a> <a href="./c#part">c</a> <a name="x">no</a>
<a href="http://other/d%20x/e">e</a> <a href="deep/er">deeper</a> <a href="%2e%2e/f">f</a>
<a href="javascript:void(0)">s</a> <a href="b%20%25.txt">again</a>
<a class="x" href='q&amp;r.gz'>q</a> <a href=plain.bin>p</a> <abbr href="no">n</abbr> unfinished <a href="""


def test_only_what_lies_right_in_the_folder_counts():
    assert links(PAGE, "http://host/d%20x/") == ["a/", "b %.txt", "c", "plain.bin", "q&r.gz"]
