"""Requests from bytes, in whatever pieces they arrive; and responses as bytes."""

from __future__ import annotations

import http.client
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime.serving.errors import Refused
from scriptrun.runtime.serving.http import access_log, connection, messages, parser
from scriptrun.runtime.serving.http.messages import Request, Response


def test_a_head():
    request = parser.parse_head(
        b"POST /score?a=1#x HTTP/1.1\r\nHOST: a\r\nX-One:\t two \r\nx-one: three"
    )
    assert (request.method, request.path, request.query) == ("POST", "/score", "a=1")
    assert request.headers == [("host", "a"), ("x-one", "two"), ("x-one", "three")]
    assert request.header("x-one") == "two"
    assert request.header("missing") is None
    assert parser.parse_head(b"OPTIONS * HTTP/1.0\r\nHost: a").version == "1.0"


@given(st.binary(max_size=200))
def test_any_head_is_a_request_or_refused(data):
    try:
        request = parser.parse_head(data)
        parser.Framing(request)
    except Refused as problem:
        assert problem.status in (400, 431, 501, 505)
    else:
        assert not set("\r\n\0") & set(request.path + request.query)


@given(st.lists(st.binary(min_size=1, max_size=40)), st.integers(1, 20))
def test_chunks_in_any_pieces(parts, size):
    data = b"".join(b"%X;x=y\r\n%b\r\n" % (len(part), part) for part in parts)
    data += b"0\r\nTrailer: 1\r\n\r\nREST"
    chunks, buffer = parser.Chunks(10_000), bytearray()
    for start in range(0, len(data), size):
        buffer += data[start : start + size]
        chunks.feed(buffer)
    assert chunks.done
    assert bytes(chunks.body) == b"".join(parts)
    assert bytes(buffer) == b"REST"


@given(st.binary(max_size=200))
def test_any_chunks_end_within_the_limit(data):
    chunks = parser.Chunks(50)
    try:
        chunks.feed(bytearray(data))
    except Refused:
        pass
    assert len(chunks.body) <= 50


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"5\r\n", 413), (b"1\r\nab", 400), (b"-1\r\n", 400), (b"x" * 2000, 400), (b"\r\n", 400),
     (b"0\r\n" + b"T: x\r\n" * 9000, 431), (b"1" * 16 + b"\r\n", 400)],
)  # fmt: skip
def test_chunks_that_are_refused(data, status):
    with pytest.raises(Refused) as caught:
        parser.Chunks(4).feed(bytearray(data + b"\r\n\r\n"))
    assert caught.value.status == status


class Bytes:
    """What http.client reads a response from."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self.data)


@given(st.binary(max_size=100), st.sampled_from([200, 201, 204, 304, 404, 500, 599]), st.booleans())
def test_responses_read_back(body, status, is_last):
    response = Response(status, body, messages.TEXT, [("x-own", "\u00e4")])
    data = connection.serialize(response, is_last, False, connection.Date().header(), False)
    read = http.client.HTTPResponse(Bytes(data))
    read.begin()
    assert read.status == status
    assert read.read() == (b"" if status in (204, 304) else body)
    assert read.getheader("x-own") == "\u00e4"
    assert read.getheader("date").endswith(" GMT")
    assert read.will_close == is_last


def test_a_line_for_each_request():
    reader, writer = os.pipe()
    log = access_log.AccessLog(writer)
    log.flush()
    log.add(Request("GET", "/" + "\u00e4" * 500), 404, 0.0)
    log.add(None, 400, 0.0)
    log.flush()
    first, second = os.read(reader, 10_000).decode("ascii").splitlines()
    assert first.startswith("GET /\\xe4")
    assert len(first) < 1000
    assert second == "invalid request 400"
    for descriptor in (reader, writer):
        os.close(descriptor)
    log.add(None, 400, 0.0)
    log.flush()  # a full disk or a closed log does no harm


def test_only_new_clients_are_asked_to_continue():
    for version, expected in (("1.1", True), ("1.0", False)):
        headers = [("host", "a"), ("expect", "100-continue")]
        request = Request("POST", "/score", headers=headers, version=version)
        assert parser.Framing(request).expects_continue is expected


def test_a_log_does_not_grow_for_ever(tmp_path):
    with open(tmp_path / "log", "wb") as file:
        log = access_log.AccessLog(file.fileno(), limit=100)
        for _ in range(50):
            log.add(Request("GET", "/score"), 200, 0.0)
            log.flush()
    lines = (tmp_path / "log").read_text().splitlines()
    assert 2 < len(lines) < 8
    assert lines[-1] == "note: the log is large; this worker's further requests are not logged"
