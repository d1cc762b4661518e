"""HTTP servers that want credentials which are not theirs, that never end, or that make no sense.

Each is a real server on the loopback device. What they do must end with a sentence.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import itertools
import os
import socket
import ssl
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scriptrun import Dataset
from scriptrun.data.cache import transfer
from scriptrun.data.cache.download import RemoteFile
from scriptrun.data.errors import DatastoreException, FileChanged, StoreUnreachable
from scriptrun.data.stores import limits
from scriptrun.data.stores.fsspec import FsspecStore
from scriptrun.data.stores.protocol import FileEntry
from scriptrun.data.stores.web import WebStore
from scriptrun.data.stores.web_connection import _is_same_server, _target
from scriptrun.data.stores.web_headers import retry_after_seconds
from scriptrun.data.stores.web_listing import links
from scriptrun.environments.uv import lock as uv_lock
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.spec.environment import EXACT, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import servers

pytestmark = pytest.mark.faults
SECRET = {"Authorization": "Bearer s3cret", "Cookie": "session=s3cret", "X-Api-Key": "s3cret"}


class Server:
    """Answers each request with the bytes that ``answer(request)`` gives, as long as they are read."""

    def __init__(self, answer, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        self._answer, self._tls = answer, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        if tls is not None:
            self.address = f"https://localhost:{self.port}"
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(65536)
                if not data:
                    return
                head += data
            request = head.decode("latin-1")
            self.requests.append(request)
            for piece in self._answer(request):
                if self.ended.is_set():
                    return
                connection.sendall(piece)

    def close(self) -> None:
        self.ended.set()
        self._listener.close()

    def slowly(self, pieces):
        """The pieces, one at a time, with a pause after each."""
        for piece in pieces:
            yield piece
            self.ended.wait(0.05)


@pytest.fixture
def serve():
    running = []

    def start(answer, tls=None):
        running.append(Server(answer, tls))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def quick(monkeypatch):
    """Stores are waited for no longer than two seconds."""
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "2")


def whole(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def redirect(location: str, code: int = 302) -> bytes:
    return f"HTTP/1.1 {code} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def path_of(request: str) -> str:
    return request.split(" ")[1]


# --- credentials stay with their host


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow_a_redirect_to_another_server(serve, code):
    other = serve(lambda request: [whole(b"a,b", 'ETag: "1"')])
    first = serve(lambda request: [redirect(f"{other.address}{path_of(request)}", code)])
    store = WebStore("web", first.address, SECRET)
    assert store.stat("x.csv").size == 3
    assert store.read("x.csv", 0, 3) == b"a,b"
    assert all("s3cret" in request for request in first.requests)
    assert len(other.requests) == 2
    assert all("s3cret" not in request for request in other.requests)
    assert other.requests[0].startswith("HEAD ") and "Range: bytes=0-2" in other.requests[1]


def test_they_are_not_sent_again_where_a_redirect_comes_back(serve):
    servers_ = {}
    other = serve(lambda request: [redirect(f"{servers_['first'].address}/back")])
    servers_["first"] = first = serve(
        lambda request: [
            whole(b"abc") if path_of(request) == "/back" else redirect(f"{other.address}/x")
        ]
    )
    assert WebStore("web", first.address, SECRET).read("x", 0, 3) == b"abc"
    assert ["s3cret" in request for request in first.requests] == [True, False]


def test_within_one_server_they_are_kept(serve):
    server = serve(
        lambda request: [whole(b"abc") if path_of(request) == "/moved" else redirect("/moved")]
    )
    assert WebStore("web", server.address, SECRET).read("x", 0, 3) == b"abc"
    assert all("Bearer s3cret" in request for request in server.requests)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("http://host/b", True),
        ("http://host:80/b", True),
        ("https://host/b", True),
        ("https://HOST:443/b", True),
        ("http://host:8080/b", False),
        ("https://host:8443/b", False),
        ("http://host.evil/b", False),
        ("http://host@evil/b", False),
        ("http://evil#host", False),
    ],
)
def test_which_server_is_the_same(other, same):
    assert _is_same_server("http://host/a", other) is same


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://host/x", "gopher://x", "javascript:0", "http://[", "data:,x",
     "http://host:99999/", "//[::1"],
)  # fmt: skip
def test_only_http_is_followed(serve, location):
    server = serve(lambda request: [redirect(location)])
    with pytest.raises(DatastoreException, match=r"web: it redirects to an invalid URL"):
        WebStore("web", server.address).stat("x")


def test_nothing_goes_from_tls_to_plain_text():
    assert _target("https://host/a", "http://host/b")[1].startswith("it redirects from https://")
    assert _target("https://host/a", "/b") == ("https://host/b", "")
    assert _target("http://host/a", "https://host/b é") == ("https://host/b%20%E9", "")


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """The server's side of TLS for ``localhost``, which this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=2))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    certificate = tmp_path / "certificate.pem"
    pem = serialization.Encoding.PEM
    certificate.write_bytes(
        signed.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_tls(serve, tls, tmp_path, quick):
    plain = serve(lambda request: [whole(b"abc")])
    body = bytes(range(256)) * 20_000
    server = serve(
        lambda request: (
            [redirect(plain.address)] if "/moved" in request else [whole(body, 'ETag: "1"')]
        ),
        tls,
    )
    store = WebStore("web", server.address, SECRET)
    (path,) = transfer.download([RemoteFile(store, store.stat("x"), "x")], tmp_path / "to", True)
    assert path.read_bytes() == body
    with pytest.raises(
        DatastoreException, match="from https:// to http://, which is not encrypted"
    ):
        store.stat("moved")
    assert plain.requests == []


def test_tls_that_trickles_without_end(serve, tls, quick):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    server = serve(
        lambda request: server.slowly(itertools.chain([head], itertools.repeat(b"y"))), tls
    )
    with pytest.raises(StoreUnreachable, match="timed out"):
        WebStore("web", server.address).read("x", 0, 100_000)


def test_the_library_for_object_stores_keeps_them_too(serve, workspace, monkeypatch):
    pytest.importorskip("obstore")
    from scriptrun import Datastore

    monkeypatch.setenv("SCRIPTRUN_SECRET_KEYS", "AKIA:s3cret")
    entry = ("Last-Modified: Mon, 30 Nov 2026 10:00:00 GMT", 'ETag: "1"')
    other = serve(lambda request: [whole(b"abc", *entry)])
    address = other.address.replace("127.0.0.1", "localhost")
    first = serve(lambda request: [redirect(f"{address}{path_of(request)}")])
    made = Datastore.register_s3(workspace, "s3", "b", endpoint=first.address, secret="keys")
    with contextlib.suppress(DatastoreException):
        made.store.read("x", 0, 3)
    assert first.requests and "AWS4-HMAC-SHA256" in first.requests[0]
    assert all("authorization" not in request.lower() for request in other.requests)


def test_the_login_of_an_index_does_not_follow_a_redirect(serve, tmp_path, monkeypatch):
    """Of uv, which asks the indexes in our place: through the same call as a build's."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    other = serve(lambda request: [whole(b"", "Content-Type: text/html")])
    address = other.address.replace("127.0.0.1", "localhost")
    first = serve(lambda request: [redirect(f"{address}{path_of(request)}")])
    monkeypatch.setenv(
        "UV_DEFAULT_INDEX", first.address.replace("//", "//user:s3cret@") + "/simple"
    )
    (tmp_path / "in").write_text("violet\n")
    said: list[str] = []
    with pytest.raises(EnvironmentException) as caught:
        uv_tool.run(["pip", "compile", "in"], str(tmp_path), said.append, lambda: False)
    assert first.requests and other.requests
    assert all("authorization" not in request.lower() for request in other.requests)
    assert "s3cret" not in "\n".join([*said, str(caught.value)])


@pytest.mark.parametrize("name", ["uv.toml", "pyproject.toml"])
def test_nobodys_settings_in_a_temporary_folder_add_an_index(serve, tmp_path, monkeypatch, name):
    for variable in [variable for variable in os.environ if variable.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    own, theirs = (serve(lambda _: [whole(b"", "Content-Type: text/html")]) for _ in range(2))
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{own.address}/simple")
    table = "[tool.uv]" if name == "pyproject.toml" else ""
    (tmp_path / name).write_text(f'{table}\nextra-index-url = ["{theirs.address}/simple"]\n')
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spec = EnvironmentSpec(kind=PACKAGES, pip=("violet==1",), pins=EXACT)
    request = uv_requirements.from_spec(spec)
    with pytest.raises(EnvironmentException, match="violet"):
        uv_lock.lock_for_version(request, "3.11", (), spec, print, lambda: False)
    assert own.requests and not theirs.requests
    with uv_tool.own_folder("build") as folder, pytest.raises(EnvironmentException):
        (Path(folder) / "in").write_text("violet\n")
        uv_tool.run(["pip", "compile", "in"], folder, print, lambda: False)
    assert not theirs.requests


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    from scriptrun import Workspace

    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    return Workspace.create("hostile", path=tmp_path / "workspace")


# --- what never ends


def test_redirects_without_end(serve):
    numbers = itertools.count()
    server = serve(lambda request: [redirect(f"/{next(numbers)}")])
    with pytest.raises(DatastoreException, match=r"from web: it redirects more than 10 times"):
        WebStore("web", server.address).stat("x")
    assert len(server.requests) == 11


def endless(head: str, piece: bytes):
    yield f"HTTP/1.1 {head}\r\n\r\n".encode()
    yield from itertools.repeat(piece)


def test_a_redirect_with_a_body_without_end(serve):
    server = serve(
        lambda request: (
            [whole(b"abc")]
            if path_of(request) == "/moved"
            else endless("302 Go\r\nLocation: /moved", b"x" * 65536)
        )
    )
    assert WebStore("web", server.address).read("x", 0, 3) == b"abc"


@pytest.mark.parametrize("code", [403, 404, 503])
def test_an_error_with_a_body_without_end(serve, code, quick):
    server = serve(lambda request: endless(f"{code} No", b"x" * 65536))
    with pytest.raises(DatastoreException):
        WebStore("web", server.address).read("x", 0, 3)


def test_an_index_page_without_end(serve):
    row = b'<a href="x">x</a>\n' * 4096
    server = serve(lambda request: endless("200 OK\r\nContent-Type: text/html", row))
    with pytest.raises(DatastoreException, match=r"of web sends an index page of more than 64 MiB"):
        list(WebStore("web", server.address).list())


def test_an_index_page_that_trickles_without_end(serve, quick):
    server = serve(
        lambda request: server.slowly(endless("200 OK\r\nContent-Type: text/html", b"<a "))
    )
    with pytest.raises(StoreUnreachable, match="Cannot read from web: the request timed out"):
        list(WebStore("web", server.address).list())


@pytest.mark.parametrize("page", ["<a " * 2_000_000, '<a href="' * 700_000, "<a href " * 700_000 + "=" * 10_000,
     "<a" + " href" * 1_000_000, "<a " + "x" * 5_000_000, '<a href="' + "a/" * 3_000_000 + '">'])  # fmt: skip
def test_a_page_that_is_made_to_be_slow_to_read(page):
    assert links(page, "http://host/d/") == []


def page(*hrefs: str) -> bytes:
    return whole(
        "".join(f'<a href="{href}">x</a>' for href in hrefs).encode(), "Content-Type: text/html"
    )


def test_folders_without_bottom(serve):
    server = serve(lambda request: [page("again/", "and-again/")])
    with pytest.raises(DatastoreException, match="folders that are nested more than 64 deep"):
        Dataset.File.from_files(f"{server.address}/data/**/*.csv").to_path()
    assert len(server.requests) <= limits.MAX_DEPTH + 3


def test_files_without_end(serve, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_DATA_MAX_FILES", "100")
    server = serve(
        lambda request: [
            page(*(f"{n}.csv" for n in range(1000))) if request[0] == "G" else whole(b"x")
        ]
    )
    with pytest.raises(DatastoreException, match="more than 100 files") as caught:
        list(WebStore("web", server.address).list())
    assert "SCRIPTRUN_DATA_MAX_FILES" in caught.value.hint


def test_a_driver_with_folders_without_bottom(monkeypatch):
    fsspec = pytest.importorskip("fsspec")

    class Bottomless(fsspec.AbstractFileSystem):
        protocol = "bottomless"

        def ls(self, path, detail=True, **_):
            return [
                {"name": f"{path.rstrip('/')}/again", "type": "directory", "size": 0},
                {"name": f"{path.rstrip('/')}/file", "type": "file", "size": 1},
            ]

    fsspec.register_implementation("bottomless", Bottomless, clobber=True)
    store = FsspecStore("dav", "bottomless", "/root", {})
    with pytest.raises(DatastoreException, match="nested more than 64 deep"):
        list(store.list())


def test_headers_and_interim_responses_without_end(serve, quick):
    many = itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
    long = itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-Header: y\r\n" * 1000))
    for answer in (many, long):
        server = serve(lambda request, answer=answer: answer)
        with pytest.raises(StoreUnreachable, match="the connection was lost"):
            WebStore("web", server.address).stat("x")


def test_headers_that_trickle_without_end(serve, quick):
    server = serve(
        lambda request: server.slowly(
            itertools.chain([b"HTTP/1.1 200 OK\r\nX: "], itertools.repeat(b"y"))
        )
    )
    with pytest.raises(StoreUnreachable, match="timed out"):
        WebStore("web", server.address).stat("x")


def test_a_file_that_trickles_without_end(serve, tmp_path, quick):
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nETag: "1"\r\n\r\n'
    server = serve(lambda request: server.slowly(itertools.chain([head], itertools.repeat(b"y"))))
    store = WebStore("web", server.address)
    file = RemoteFile(store, store.stat("x"), "x")
    with pytest.raises(StoreUnreachable, match="timed out"):
        transfer.download([file], tmp_path / "to", True)
    assert list((tmp_path / "to").iterdir()) == []


def test_a_file_without_end(serve, tmp_path):
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    server = serve(
        lambda request: (
            [whole(b"1234567890").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"]
            if request.startswith("HEAD")
            else endless("200 OK\r\nTransfer-Encoding: chunked", chunk)
        )
    )
    store = WebStore("web", server.address)
    file = RemoteFile(store, store.stat("x"), "x")
    with pytest.raises(FileChanged, match="more than the expected 10 bytes"):
        transfer.download([file], tmp_path / "to", True)
    assert list((tmp_path / "to").iterdir()) == []


def test_a_file_that_always_breaks_off_at_the_same_place(serve, quick, tmp_path):
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\nETag: "1"\r\n\r\n'
    server = serve(lambda request: [head, b"x" * (2 << 20)])
    store = WebStore("web", server.address)
    with pytest.raises(StoreUnreachable, match="the connection was lost"):
        transfer.download([RemoteFile(store, store.stat("x"), "x")], tmp_path, True)


# --- what makes no sense


@pytest.mark.parametrize("length", ["1" + "0" * 30, "9" * 5000, str(1 << 63)])
def test_a_length_that_cannot_be(serve, length):
    server = serve(
        lambda request: [f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()]
    )
    with pytest.raises(DatastoreException, match=r"of web announces a file of 1|9.* bytes"):
        WebStore("web", server.address).stat("x")


@pytest.mark.parametrize("length", ["-1", "²", "0x10", "", "1e9", "1, 2"])
def test_a_length_that_is_no_number(serve, length):
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode("latin-1")
    server = serve(lambda request: [head])
    assert WebStore("web", server.address).stat("x").size == -1


@pytest.mark.parametrize("size", [10**15, (1 << 63) - 1])
def test_a_length_that_no_disk_has(serve, tmp_path, size):
    head = f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "1"\r\n\r\n'.encode()
    server = serve(lambda request: [head])
    store = WebStore("web", server.address)
    with pytest.raises(DatastoreException, match=r"but the disk of .* has only .* free"):
        transfer.download([RemoteFile(store, store.stat("x"), "x")], tmp_path / "to", True)
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x00" * 100, b"HTTP/9.9 abc\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500,
     b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * 70_000 + b"\r\n\r\n"],
)  # fmt: skip
def test_an_answer_that_is_none(serve, quick, answer):
    server = serve(lambda request: [answer])
    with pytest.raises(StoreUnreachable, match=r"Cannot read from web: the connection was lost\."):
        WebStore("web", server.address).stat("x")


@pytest.mark.parametrize("answer", [b"zzz\r\n", b"-5\r\nabc", b"f" * 70_000, b"3\r\nabcdef"])
def test_chunks_that_make_no_sense(serve, quick, answer):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = serve(lambda request: [head + answer])
    with pytest.raises(StoreUnreachable, match="the connection was lost"):
        b"".join(WebStore("web", server.address).pieces("x"))


def test_a_bomb_of_gzip_is_not_unpacked(serve, tmp_path):
    bomb = gzip.compress(bytes(100 << 20))
    server = serve(lambda request: [whole(bomb, "Content-Encoding: gzip", 'ETag: "1"')])
    store = WebStore("web", server.address)
    (path,) = transfer.download([RemoteFile(store, store.stat("x"), "x")], tmp_path, True)
    assert path.read_bytes() == bomb
    assert "Accept-Encoding: identity" in server.requests[0]


@pytest.mark.parametrize("seconds", ["1000000000", "9" * 400])
def test_patience_without_end(serve, seconds):
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n".encode()
    server = serve(lambda request: [head])
    with pytest.raises(
        StoreUnreachable, match="the server returned 503 and asks to wait"
    ) as caught:
        WebStore("web", server.address).stat("x")
    assert "longer than SCRIPTRUN_DATA_TIMEOUT" in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "text", ["²", "-5", "soon", "Fri, 99 Foo 99999 99:99:99 GMT", "\x00", "1.5", ""]
)
def test_retry_after_that_is_no_time(text):
    assert retry_after_seconds(text) == 0.0


def test_a_large_file_over_a_slow_line_arrives(monkeypatch, tmp_path):
    """It takes several times the limit, and keeps coming."""
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "1")
    with servers.web() as web:
        web.files["/big.bin"] = bytes(range(256)) * 4096
        store = WebStore("web", web.address)
        entry = store.stat("big.bin")
        web.pause = 0.3
        file = RemoteFile(store, FileEntry("big.bin", entry.size, entry.etag), "big.bin")
        (path,) = transfer.download([file], tmp_path, True)
        assert path.read_bytes() == web.files["/big.bin"]
