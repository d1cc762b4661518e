"""The limits of time for clients, with the thread that looks at them in the test's hand."""

from __future__ import annotations

import socket
import time

import pytest

from scriptrun.runtime.serving.access import Access
from scriptrun.runtime.serving.entry_script import EntryScript
from scriptrun.runtime.serving.http import clients, connection
from scriptrun.runtime.serving.http.access_log import AccessLog
from scriptrun.runtime.serving.order import ServiceOrder
from scriptrun.runtime.serving.service import Service
from scriptrun.testing.jobs import until

HEAD = b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def listener():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        made.setblocking(False)
        yield made


@pytest.fixture
def client(listener):
    with socket.create_connection(listener.getsockname()) as made:
        yield made


def owner(listener: socket.socket, read_seconds: float) -> clients.Clients:
    order = ServiceOrder(read_seconds=read_seconds)
    service = Service(order, EntryScript(lambda: None, lambda data: data), Access(order, {}))
    made = clients.Clients(listener, service, AccessLog(-1))
    made.listen()
    return made


def receive(owner: clients.Clients, count: int) -> connection.Connection:
    """The only connection, once so many bytes of its body have arrived."""

    def has_come() -> bool:
        owner.turn(0)
        found = list(owner._connections.values())
        return bool(found) and found[0].state == connection.BODY and found[0].size() >= count

    until(has_come)
    return next(iter(owner._connections.values()))


def test_time_in_which_nobody_looks_is_not_the_clients(listener, client):
    owned = owner(listener, 3.0)
    client.sendall(HEAD + b"1")
    receive(owned, 1)
    time.sleep(3.5)  # what a run() that holds Python's lock does
    owned.turn(0)
    client.sendall(b"2" * 99_999)
    until(lambda: owned.turn(0) or owned.jobs)
    assert len(owned.jobs[0].request.body) == 100_000


def test_a_body_that_goes_on_arriving_has_longer(listener, client):
    owned = owner(listener, 1000.0)
    client.sendall(HEAD)
    deadline = receive(owned, 0).deadline = owned.now + 10.0
    client.sendall(b"1" * clients.LEAST_RATE)
    assert receive(owned, clients.LEAST_RATE).deadline == pytest.approx(deadline + 1.0)
    client.sendall(b"1" * 50_000)
    found = receive(owned, clients.LEAST_RATE + 50_000)
    assert found.deadline == pytest.approx(deadline + 1.0 + 50_000 / clients.LEAST_RATE)
    found.deadline = owned.now + 999.9
    client.sendall(b"1" * 20_000)
    assert receive(owned, clients.LEAST_RATE + 70_000).deadline <= owned.now + 1000.0


def test_blank_lines_are_no_request(listener, client):
    owned = owner(listener, 1000.0)
    client.sendall(b"\r\n")
    until(lambda: owned.turn(0) or owned._connections)
    [found] = owned._connections.values()
    deadline = found.deadline
    for _ in range(3):
        client.sendall(b"\r\n")
        owned.turn(0.05)
    assert found.deadline == deadline <= owned.now + 5.0
