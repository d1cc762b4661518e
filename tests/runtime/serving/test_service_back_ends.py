"""Which server answers, and what only uvicorn's needs: limits that it does not have itself."""

from __future__ import annotations

import contextlib
import socket

import pytest
import uvicorn

from scriptrun.runtime.serving.http import (  # noqa: F401 - run in the server
    asyncio_clients,
    choice,
    uvicorn_server,
)
from scriptrun.testing.jobs import until

HOST = b"Host: localhost\r\n"
CHUNKED = b"POST /score HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
WAITS = """
import json, os, time
def init():
    print('loaded')
def run(data):
    print('called', data)
    while not os.path.exists('go on'):
        time.sleep(0.005)
    return data
"""


@pytest.mark.parametrize("back_end", [""])
def test_uvicorn_answers_where_it_is_installed(serve):
    served = serve()
    assert served.state()["server"] == "uvicorn"
    assert served.post("1").json == "1"
    assert "warning" not in served.log()


@pytest.mark.parametrize(
    ("module", "why"),
    [
        ("__version__ = '0.29.9'", "version 0.29.9 is too old: 0.30 or newer is needed"),
        ("raise OSError('no disk')", "OSError: no disk"),
        ("import missing_package", "No module named 'missing_package'"),
        ("__version__ = '1.0'", "AttributeError"),
    ],
)
@pytest.mark.parametrize("back_end", [""])
def test_one_that_cannot_be_used_is_not(module, why, new_service):
    served = new_service()
    served.write("uvicorn.py", module)
    served.start().until_state("healthy")
    assert served.state()["server"] == "standard"
    assert served.post("1").json == "1"
    lines = [line for line in served.log().splitlines() if "uvicorn" in line]
    assert len(lines) == 1
    assert why in lines[0]
    assert lines[0].endswith("the standard server answers")


@pytest.mark.parametrize("back_end", [""])
def test_a_variable_that_names_no_server(new_service):
    served = new_service().start(environ={"SCRIPTRUN_SERVER": "flask"}).until_state("healthy")
    assert "SCRIPTRUN_SERVER must be standard or uvicorn, not 'flask'" in served.log()


def test_the_oldest_version_is_that_of_the_extra():
    assert tuple(map(int, uvicorn.__version__.split(".")[:2])) >= uvicorn_server.OLDEST


@pytest.fixture
def back_end() -> str:
    return "uvicorn"


def test_endless_trailers_are_refused(serve):
    served = serve()
    with served.socket() as client:
        client.sendall(CHUNKED + b"1\r\n1\r\n0\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(20_000):
                client.sendall(b"X-Trailer: value\r\n" * 100)
        with contextlib.suppress(ConnectionError):
            assert client.recv(100).startswith(b"HTTP/1.1 431")
    until(lambda: " 431" in served.log())
    assert served.post("1").json == "1"


def test_what_follows_a_request_waits_outside(serve):
    served = serve(WAITS)
    with served.socket() as client:
        client.sendall(b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\n1")
        until(lambda: "called" in served.log())
        client.settimeout(0.2)
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionError):
            client.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"X: ")
            while sent < 200 * 2**20:
                sent += client.send(b"x" * 2**16)
        assert sent < 200 * 2**20, "the server stops reading"
        (served.work / "go on").touch()
    assert served.request("GET", "/").status == 200


def test_clients_above_the_number_wait(serve):
    served = serve()
    clients: list[socket.socket] = []
    try:
        while len(clients) < 1000:
            clients.append(served.socket())
        clients.append(served.socket())
        clients[-1].sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        clients[-1].settimeout(0.3)
        with pytest.raises(TimeoutError):
            clients[-1].recv(1)
        clients.pop(0).close()
        clients[-1].settimeout(60)
        assert clients[-1].recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for client in clients:
            client.close()
