"""Ctrl-C while files move: it ends soon, half a file is never seen, and what is told is true."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import uuid

import pytest
import servers

from scriptrun import Datastore
from scriptrun.data.cache import transfer
from scriptrun.data.cache.transfer import RemoteFile
from scriptrun.data.errors import DatastoreException
from scriptrun.testing.jobs import PATIENCE

GIVE_A_MOMENT = transfer._give_a_moment


class Pressed:
    """A watch that presses Ctrl-C at the first bytes, and goes on once that has ended the work."""

    def __init__(self, monkeypatch):
        self.bytes = 0
        self._heard = threading.Event()
        monkeypatch.setattr(transfer, "_give_a_moment", self._hear)
        self._press = iter([True])  # once, whichever thread comes first
        self._lock = threading.Lock()

    def __call__(self, files, size):
        with self._lock:
            self.bytes += size
            if next(self._press, False):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        if not self._heard.wait(PATIENCE):
            raise TimeoutError("Ctrl-C does not reach the work")

    def _hear(self, *words):
        self._heard.set()
        GIVE_A_MOMENT(*words)


def big(tmp_path, megabytes=64):
    path = tmp_path / "big"
    with open(path, "wb") as file:
        file.truncate(megabytes << 20)
    return path


def test_an_upload_of_one_large_file_ends(datastore, tmp_path, monkeypatch):
    watch = Pressed(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        transfer.upload(datastore.store, [(big(tmp_path), "up")], "", False, False, watch)
    assert watch.bytes < 64 << 20
    if datastore.name != "foreign":  # whose driver may show half a file
        assert datastore.store.stat("up") is None


def test_a_download_of_one_large_file_ends(s3_store, tmp_path, monkeypatch):
    with open(big(tmp_path), "rb") as file:
        entry = s3_store.store.write("big", file)
    watch = Pressed(monkeypatch)
    incoming = [RemoteFile(s3_store.store, entry, "down")]
    with pytest.raises(KeyboardInterrupt):
        transfer.download(incoming, tmp_path / "target", False, on_progress=watch)
    assert not (tmp_path / "target" / "down").exists()


def test_bytes_that_were_sent_in_vain_do_not_count(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRET_NOBODY", servers.S3_KEYS)
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "1")
    told = []
    with servers.deaf() as host:
        address = f"http://{host}"
        gone = Datastore.register_s3(workspace, "gone", "b", endpoint=address, secret="nobody")
        with pytest.raises(DatastoreException):
            transfer.put(gone.store, big(tmp_path, 1), "up", new=True, on_bytes=told.append)
    assert any(told) and sum(told) == 0


class Silent:
    """A server that takes connections and answers nothing; the first presses Ctrl-C."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._taken = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        with contextlib.suppress(OSError):
            while True:
                self._taken.append(self._socket.accept())
                if len(self._taken) == 1:
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def close(self):
        self._socket.close()
        for connection, _ in self._taken:
            connection.close()


@pytest.mark.parametrize("deed", ["list", "upload"])
def test_a_server_that_says_nothing_is_not_waited_for(workspace, tmp_path, monkeypatch, deed):
    """The request is still under way when Ctrl-C has ended the call."""
    monkeypatch.setenv("SCRIPTRUN_SECRET_NOBODY", servers.S3_KEYS)
    with contextlib.closing(Silent()) as server:
        name, address = uuid.uuid4().hex, server.address
        found = Datastore.register_s3(workspace, name, "b", endpoint=address, secret="nobody")
        with pytest.raises(KeyboardInterrupt):
            if deed == "list":
                list(found.store.list("x"))
            else:
                transfer.upload(found.store, [(big(tmp_path, 1), "up")], "", True, False)
        waiting = {each.name for each in threading.enumerate()}
        assert {"list": "scriptrun-call", "upload": "scriptrun-data"}[deed] in waiting
