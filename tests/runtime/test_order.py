"""The launcher's order as JSON: what an engine writes is what the launcher reads."""

from __future__ import annotations

import json

import pytest

from scriptrun.runtime import order as orders
from scriptrun.runtime.order import Attempt, LaunchOrder

PLACES = {"folder": "/run", "workspace": "/ws", "store": "/ws/store", "runtime": "/ws/kit"}


def read(value, **more):
    return LaunchOrder.from_json(json.loads(json.dumps({**value, **more})))


def test_an_order_is_read_as_it_was_written():
    order = LaunchOrder(**PLACES, nodes=2, environ={"A": "b"}, tool=("python", "-P"), keep=(3, 4))
    again = read(order.to_json())
    assert again.to_json() == json.loads(json.dumps(order.to_json()))
    assert (again.folder, again.nodes, again.environ) == ("/run", 2, {"A": "b"})


def test_what_is_not_said_has_its_default():
    order = read({**PLACES, "schema": orders.SCHEMA})
    assert (order.attempt, order.node, order.nodes, order.ticket) == (1, 0, 1, None)


@pytest.mark.parametrize("more", [{"schema": orders.SCHEMA + 1}, {"schema": None}, {"colour": 1}])
def test_what_another_scriptrun_wrote_is_refused(more):
    with pytest.raises(ValueError, match="another scriptrun wrote"):
        read(LaunchOrder(**PLACES).to_json(), **more)


def test_an_order_needs_its_places_and_takes_no_others():
    with pytest.raises(TypeError, match="store"):
        LaunchOrder(folder="/run", workspace="/ws", runtime="/ws/kit")
    with pytest.raises(TypeError, match="colour"):
        LaunchOrder(**PLACES, colour="red")


def test_a_place_may_be_named_by_a_variable(monkeypatch):
    monkeypatch.setenv("NODEID", "3")
    monkeypatch.setenv("HEAD", "10.0.0.1")
    order = read(LaunchOrder(**PLACES).to_json(), node="$NODEID", nodes="4", head="$HEAD")
    assert (order.node, order.nodes, order.head) == (3, 4, "10.0.0.1")


def test_a_task_of_an_array_has_what_is_its_own():
    value = {**PLACES, "schema": orders.SCHEMA, "runs": [{"attempt": 1}, {"attempt": 2}]}
    assert LaunchOrder.from_json(value, 1).attempt == 2
    assert "runs" in value


def test_another_node_is_seen_with_what_is_its_own():
    here = Attempt(LaunchOrder(**PLACES, nodes=2, python="/a", devices="0"))
    here.brought = {"DATA": "/a/data"}
    there = Attempt(LaunchOrder(**PLACES, nodes=2, node=1, python="/b"))
    there.brought = {"DATA": "/b/data"}
    seen = here.for_node(1, there.node_values())
    assert (seen.order.node, seen.order.python, seen.order.devices) == (1, "/b", "0")
    assert seen.brought == {"DATA": "/b/data"}
    assert here.order.python == "/a"
