"""Scripts and clients that do what nobody expects: a worker answers each, and lives on."""

from __future__ import annotations

import contextlib
import os

import pytest

from scriptrun.runtime.serving.http import server  # noqa: F401 - runs in the service
from scriptrun.testing.jobs import until

HOST = b"Host: localhost\r\n"
LAST = b"Host: localhost\r\nConnection: close\r\n"


def test_a_bad_query_behind_a_call_of_run(serve):
    served = serve()
    before = served.workers()
    many = b"GET /swagger.json?" + b"&" * 1000 + b" HTTP/1.1\r\n" + LAST + b"\r\n"
    answer = served.raw(b"GET /score HTTP/1.1\r\n" + HOST + b"\r\n" + many)
    assert answer.startswith(b"HTTP/1.1 200 ") and b'\r\n\r\n"{}"HTTP/1.1 400 ' in answer
    assert served.workers() == before


@pytest.mark.parametrize(("body", "status"), [("'text'", 200), ("5", 500), ("None", 500)])
def test_the_body_of_a_response_is_whatever_a_script_sets(body, status, serve):
    served = serve(
        "class Response:\n"
        "    status_code, headers = 200, {}\n"
        f"    def get_data(self): return {body}\n"
        "def init(): pass\n"
        "def run(data): return Response()\n"
    )
    before = served.workers()
    answer = served.post("1")
    assert answer.status == status
    assert answer.body == b"text" if status == 200 else b"unexpected error" in answer.body
    assert served.workers() == before


@pytest.mark.parametrize(
    ("act", "code"), [("pass", 0), ("1 / 0", 1), ("sys.exit(7)", 7), ("sys.exit('no')", 1)]
)
def test_a_child_that_run_forks_answers_nobody(act, code, serve):
    served = serve(
        "import os, sys\n"
        "def init(): pass\n"
        "def run(data):\n"
        "    child = os.fork() if data == 'fork' else None\n"
        "    if child == 0:\n"
        f"        {act}\n"
        "    return [os.WEXITSTATUS(os.waitpid(child, 0)[1])] if child else 'alone'\n"
    )
    before = served.workers()
    for _ in range(3):
        assert served.post("fork").body == b"[%d]" % code
        assert served.post("1").body == b'"alone"'
    assert served.workers() == before
    assert ("ZeroDivisionError" in served.log()) == (act == "1 / 0")
    assert served.stop() == 0


FEW_FILES = """
import os, resource, time
def init():
    limit = len(os.listdir('/proc/self/fd')) + 14
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    print('limit', limit)
def run(data):
    print('called', flush=True)
    while data and not os.path.exists(data):
        time.sleep(0.005)
    return 'done'
"""


def test_workers_answer_again_after_a_lack_of_descriptors(serve, tmp_path):
    served = serve(FEW_FILES, workers=2)
    before, go_on = served.workers(), tmp_path / "go on"
    limit = int(served.log().partition("limit ")[2].split()[0])

    def is_full() -> bool:
        return all(len(os.listdir(f"/proc/{pid}/fd")) >= limit - 1 for pid in before)

    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(contextlib.closing(served.connect())) for _ in before]
        for number, client in enumerate(busy, 1):
            client.request("POST", "/score", str(go_on))
            until(lambda n=number: served.log().count("called") == n)
        with contextlib.ExitStack() as idle:
            for _ in range(2 * limit):
                idle.enter_context(served.socket())
            until(is_full)
        for _ in range(4):
            assert served.request("GET", "/").status == 200, "while run() works"
        go_on.touch()
        assert [client.getresponse().read() for client in busy] == [b'"done"'] * 2
    assert served.post("").json == "done"
    assert served.workers() == before


FEW_CLIENTS = """
from scriptrun.runtime.serving.http import clients
def init():
    clients._CONNECTIONS = 20
def run(data):
    return data
"""


def test_idle_connections_keep_nobody_out(serve):
    served = serve(FEW_CLIENTS)
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(contextlib.closing(served.connect()))
        idle = [stack.enter_context(served.socket()) for _ in range(100)]
        for number in range(5):
            kept.request("POST", "/score", str(number))
            assert kept.getresponse().read() == b'"%d"' % number
            assert served.post("new").json == "new"
        assert idle[0].recv(1) == b"", "the oldest goes first"
