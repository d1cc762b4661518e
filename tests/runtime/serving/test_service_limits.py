"""Clients that are broken, slow, greedy or many: the service answers, and goes on."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.runtime.serving.http import clients, poller, server  # noqa: F401 - run in the server
from scriptrun.testing.jobs import until

SLEEPER = """
import json, os, time
def init():
    print('loaded')
def run(data):
    print('called with', len(data), 'characters')
    value = json.loads(data)
    wanted = value.get('until') if isinstance(value, dict) else None
    while wanted and not os.path.exists(wanted):
        time.sleep(0.005)
    return value
"""
HOST = b"Host: localhost\r\n"


def statuses(answer: bytes) -> list[int]:
    """The statuses of all responses in what a server sent."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nNo colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b" folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET ftp://localhost/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\n", 400),
        (b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: 1e3\r\n\r\n", 400),
        (b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n", 400),
        (
            b"POST /score HTTP/1.1\r\n" + HOST
            + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400,
        ),
        (
            b"POST /score HTTP/1.1\r\n" + HOST
            + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
        ),
        (b"POST /score HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /score HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /score HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"POST /score HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000, 431),
    ],
)  # fmt: skip
def test_what_is_no_valid_request(request_bytes, status, quiet):
    assert statuses(quiet.raw(request_bytes)) == [status]
    assert quiet.post("1").json == 1


@pytest.fixture(scope="module")
def quiet(tmp_path_factory, job_runtime, served_class):
    """One service for many clients."""
    served = served_class(tmp_path_factory.mktemp("quiet") / "run", job_runtime)
    served.write("score.py", SLEEPER)
    served.start(read_seconds=30.0, body_limit=20 * 2**20).until_state("healthy")
    yield served
    served.end()


def test_old_and_kept_connections(quiet):
    once = quiet.raw(b"GET / HTTP/1.0\r\n" + HOST + b"\r\n")
    assert once.startswith(b"HTTP/1.1 200")
    assert once.endswith(b"Healthy")
    kept = b"GET / HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n"
    assert statuses(quiet.raw(kept + b"GET / HTTP/1.0\r\n" + HOST + b"\r\n")) == [200, 200]
    absolute = b"GET http://localhost/ HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    assert statuses(quiet.raw(absolute)) == [200]


def test_pipelined_requests_are_answered_in_order(quiet):
    def post(number: int, more: bytes = b"") -> bytes:
        body = json.dumps({"number": number}).encode()
        return b"POST /score HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b" % (
            HOST, more, len(body), body,
        )  # fmt: skip

    answer = quiet.raw(b"".join(map(post, range(20))) + post(20, b"Connection: close\r\n"))
    assert statuses(answer) == [200] * 21
    found = [answer.index(b'{"number": %d}' % number) for number in range(21)]
    assert found == sorted(found)


def test_bodies_in_chunks(quiet):
    head = b"POST /score HTTP/1.1\r\n" + HOST + b"Connection: close\r\nTransfer-Encoding: chunked"
    body = b"3;extension\r\n[1,\r\n2\r\n2]\r\n0\r\nTrailer: x\r\n\r\n"
    assert quiet.raw(head + b"\r\n\r\n" + body).endswith(b"[1, 2]")
    with quiet.socket() as client:
        for byte in head + b"\r\n\r\n" + body:
            client.sendall(bytes([byte]))
        assert client.recv(65536).endswith(b"[1, 2]")


def test_expect_100_continue(quiet):
    with quiet.socket() as client:
        client.sendall(
            b"POST /score HTTP/1.1\r\n"
            + HOST
            + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        )
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"7")
        assert client.recv(65536).endswith(b"\r\n\r\n7")


def test_a_large_body(quiet):
    text = json.dumps("x" * 10 * 2**20)
    assert quiet.post(text).body == text.encode()


def test_a_body_above_the_limit_is_refused_unread(serve):
    served = serve(SLEEPER, body_limit=1000)
    assert served.post("[" + "1," * 499 + "1]").status == 413
    head = b"POST /score HTTP/1.1\r\n" + HOST
    huge = head + b"Content-Length: 1000000000\r\n\r\n"
    assert statuses(served.raw(huge)) == [413]
    assert statuses(served.raw(huge + b"x" * 5_000_000)) == [413], "the client can read it"
    endless = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"100\r\n" + b"1" * 256 + b"\r\n"
    assert statuses(served.raw(endless + (b"100\r\n" + b"1" * 256 + b"\r\n") * 3000)) == [413]
    assert statuses(served.raw(head + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\n")) == [
        413
    ]
    expecting = b"Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n"
    assert statuses(served.raw(head + expecting)) == [413]
    assert "called" not in served.log()
    assert served.post("[" + "1," * 400 + "1]").status == 200


def test_a_slow_client_is_hung_up_on(serve):
    served = serve(SLEEPER, read_seconds=0.3)
    head = b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n"
    assert statuses(served.raw(head)) == [408], "in the headers"
    assert statuses(served.raw(head + b"\r\n12")) == [408], "in the body"
    assert served.raw(b"") == b""
    with served.socket() as slow, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        slow.settimeout(0.05)
        answer = b""
        while not answer:
            slow.sendall(b"G")
            with contextlib.suppress(TimeoutError):
                answer = slow.recv(1000)
    until(lambda: answers(served))


def answers(served) -> bool:
    """Whether a request is answered; on a slow machine it may not arrive in time."""
    try:
        return served.post("1").status == 200
    except OSError:
        return False


def test_health_is_answered_while_run_works(serve, tmp_path):
    served = serve(SLEEPER)
    go_on = tmp_path / "go on"
    with contextlib.closing(served.connect()) as busy, contextlib.closing(served.connect()) as kept:
        kept.request("GET", "/")
        kept.getresponse().read()
        busy.request("POST", "/score", json.dumps({"until": str(go_on)}))
        until(lambda: "called" in served.log())
        for _ in range(3):
            assert served.request("GET", "/").body == b"Healthy"
            kept.request("GET", "/")
            assert kept.getresponse().read() == b"Healthy"
        assert statuses(served.raw(b"nonsense\r\n\r\n")) == [400]
        go_on.touch()
        assert busy.getresponse().status == 200
        kept.request("POST", "/score", "5")
        assert kept.getresponse().read() == b"5"


def test_a_client_that_goes_away_while_run_works(serve, tmp_path):
    served = serve(SLEEPER)
    go_on = tmp_path / "go on"
    body = json.dumps({"until": str(go_on)}).encode()
    post = b"POST /score HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (HOST, len(body), body)
    with served.socket() as client:
        client.sendall(post)
        until(lambda: "called" in served.log())
        with served.socket() as queued:  # hangs up before its turn
            queued.sendall(post)
            assert served.request("GET", "/").status == 200
            queued.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert served.request("GET", "/").status == 200
    go_on.touch()
    assert served.post("7").json == 7
    assert served.log().count("called with") in (2, 3)
    assert served.stop() == 0


def test_a_client_that_only_reads_on(quiet):
    with quiet.socket() as client:
        client.sendall(b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\n9")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(65536).endswith(b"\r\n\r\n9")


def test_two_hundred_clients_at_once(quiet):
    failures: list[object] = []

    def call(number: int) -> None:
        try:
            with contextlib.closing(quiet.connect()) as connection:
                for turn in range(5):
                    connection.request("POST", "/score", json.dumps([number, turn]))
                    assert json.loads(connection.getresponse().read()) == [number, turn]
        except Exception as problem:
            failures.append(problem)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_client_that_does_not_read(quiet):
    text = json.dumps("x" * 8 * 2**20)
    with quiet.socket() as client:
        head = f"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n\r\n"
        client.sendall(head.encode() + text.encode())
        until(lambda: f"called with {len(text)}" in quiet.log())
        assert quiet.post("3").json == 3
        received = b""
        while len(received) < len(text):
            received += client.recv(2**20)
    assert received.endswith(text[-100:].encode())


def test_the_log_has_a_line_for_each_request(quiet):
    quiet.request("GET", "/some/page")
    until(lambda: "GET /some/page 404 0." in quiet.log())
    quiet.raw(b"\x1b[31m\r\n\r\n")
    until(lambda: "invalid request 400\n" in quiet.log())
    assert "\x1b" not in quiet.log()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.text(max_size=200),
    chunk=st.integers(1, 50),
    headers=st.dictionaries(
        st.from_regex(r"x-[a-z0-9]{1,10}", fullmatch=True),
        st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f")),
        max_size=5,
    ),
)
def test_any_body_and_headers_arrive(quiet, text, chunk, headers):
    body = json.dumps(text).encode()
    parts = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    encoded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    lines = [f"{name}: {value}".encode("latin-1") for name, value in headers.items()]
    head = [b"POST /score HTTP/1.1", b"Host: localhost", b"Connection: close", *lines]
    answer = quiet.raw(b"\r\n".join([*head, b"Transfer-Encoding: chunked", b"", encoded]))
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == text


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=300))
def test_no_bytes_harm_the_server(quiet, data):
    before = quiet.workers()
    send(quiet, data)
    assert quiet.request("GET", "/").status == 200
    assert (quiet.workers(), quiet.state()["restarts"]) == (before, 0)


NAMES = ("Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Content-Type")
VALUES = ("localhost", "chunked", "0", "3", "close", "keep-alive", "100-continue", "text/plain")
TARGETS = ("/", "/score", "/swagger.json", "*", "/score?a=[", "/swagger.json?version=3", "//x?&&=")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("GET", "POST", "HEAD", "OPTIONS", "PUT")), st.sampled_from(TARGETS),
            st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=4),
            st.binary(max_size=20),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_no_requests_harm_the_server(quiet, requests):
    before = quiet.workers()
    for method, target, headers, body in requests:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        send(quiet, "\r\n".join([*lines, "Host: localhost", "", ""]).encode() + body)
    pipelined = [f"{m} {t} HTTP/1.1\r\nHost: localhost\r\n\r\n" for m, t, _, _ in requests]
    send(quiet, "".join(pipelined).encode())
    assert quiet.request("GET", "/").status == 200
    assert (quiet.workers(), quiet.state()["restarts"]) == (before, 0)


def send(quiet, data: bytes) -> None:
    """Send ``data``, and read until the server hangs up."""
    with quiet.socket() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65536):
                pass
