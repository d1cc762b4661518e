"""Values behave as dataclasses do, and what is loaded later is the module itself."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.job import Distribution, JobSpec, Target
from scriptrun.spec.job_data import JobData
from scriptrun.spec.later import later
from scriptrun.spec.values import Value, fresh, names_of, replace, types_of


class Point(Value):
    x: int
    y: int = 2
    tags: list[str] = fresh(default_factory=list)


class Open(Value, frozen=False):
    x: int = 0


class Deeper(Point):
    z: int = 3


def test_fields_come_by_place_by_name_and_by_default():
    assert Point(1) == Point(x=1, y=2, tags=[])
    assert Deeper(1, 2, [], 4).z == 4
    assert Point(1).tags is not Point(1).tags


@pytest.mark.parametrize(
    "make", [lambda: Point(), lambda: Point(1, x=1), lambda: Point(1, q=2), lambda: Open(1, 2)]
)
def test_wrong_fields_are_refused(make):
    with pytest.raises(TypeError):
        make()


def test_frozen_unless_it_says_otherwise():
    with pytest.raises(AttributeError, match="is immutable"):
        Point(1).x = 2
    opened = Open()
    opened.x = 5
    assert opened == Open(5) != Open(6)
    with pytest.raises(TypeError):
        hash(opened)
    assert hash(Target("a", "B", (), ())) == hash(Target("a", "B", (), ()))


def test_equal_only_to_its_own_kind():
    assert Point(1) != Deeper(1)
    assert Open(1) != (1,)


def test_dataclasses_functions_work_on_them():
    point = Point(1, tags=["a"])
    assert dataclasses.replace(point, y=9) == Point(1, 9, ["a"]) == point.replace(y=9)
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "tags": ["a"]} == point.as_dict()
    assert [each.name for each in dataclasses.fields(Deeper)] == ["x", "y", "tags", "z"]
    assert names_of(Deeper) == ("x", "y", "tags", "z")

    @dataclasses.dataclass
    class Real:
        a: int = 1

    assert names_of(Real) == ("a",)
    assert types_of(Real) == {"a": "int"}
    assert types_of(Deeper) == {"x": "int", "y": "int", "tags": "list[str]", "z": "int"}
    assert replace(Real(), a=2) == Real(2)
    assert replace(point, y=9) == point.replace(y=9)


class Named(NamedTuple):
    a: int
    b: str = "x"


def test_named_tuples_in_a_value_stay_named():
    assert Point(Named(1, "z"), 2, [Point(3)]).as_dict() == {
        "x": Named(1, "z"),
        "y": 2,
        "tags": [{"x": 3, "y": 2, "tags": []}],
    }
    assert Point(Named(1)).as_dict()["x"].b == "x"


def test_repr_can_be_read():
    assert repr(Point(1)) == "Point(x=1, y=2, tags=[])"


texts = st.text(max_size=20)

# as earlier versions wrote them
PIN = {
    "type": "file", "id": "i", "name": "mnist", "version": 3, "files": 1, "bytes": 2000,
    "manifest": "ab" * 32, "roots": [{"datastore": "d"}], "definition": {"sources": []},
}  # fmt: skip
INPUT = {
    "name": "digits", "kind": "file", "mode": "mount", "path_on_compute": None,
    "variables": ["OLD"], "overwrite": False, "what": "FileDataset(...)", "dataset": PIN,
}  # fmt: skip
REFERENCE = {
    "name": "r", "kind": "reference", "mode": "mount", "path_on_compute": None, "overwrite": True,
    "variables": [], "datastore": "d", "path": "x", "what": "x of d",
}  # fmt: skip
OUTPUT = {
    "name": "out", "mode": "upload", "datastore": "d", "path": "x/{run-id}", "source": "/o",
    "overwrite": True, "source_globs": ["*.txt"],
    "registration": {"name": "n", "description": None, "tags": {"a": "b"}},
}  # fmt: skip
DOCKER = {
    "own": False, "shm_size": "2g", "shared_volumes": True, "arguments": ["--gpus", "all"],
    "platform": {"os": "Linux", "architecture": "amd64"},
}  # fmt: skip
MORE_DOCKER = {
    "build_context": {"type": "git", "path": "https://x", "dockerfile": "Dockerfile"},
    "registry": {"address": "r.io", "username": None}, "nodes": "podman", "own": True,
}  # fmt: skip


@given(
    arguments=st.lists(texts).map(tuple),
    variables=st.dictionaries(texts, texts),
    nodes=st.integers(1, 9),
    limit=st.none() | st.floats(0, 1e6),
    pip=st.lists(texts).map(tuple),
)
def test_a_job_survives_json(arguments, variables, nodes, limit, pip):
    job = JobSpec(
        "e_1_a",
        "e",
        "w",
        "2026-01-01T00:00:00Z",
        arguments=arguments,
        variables=variables,
        distribution=Distribution("mpi", nodes),
        max_run_duration_seconds=limit,
        environment=EnvironmentSpec("packages", pip=pip),
    )
    assert JobSpec.from_dict(json.loads(json.dumps(job.to_dict()))) == job


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retry", {}),
        ("retry", {"limit": 2, "on": ["preempted", "exit:75"]}),
        ("resources", {}),
        ("resources", {"cpus": 2, "gpus": 0, "memory": 1 << 30}),
        ("resources", {"gpus": 4, "gpu_binding": "process"}),
        ("data", {}),
        ("data", {"variables": {"A": "/a"}}),
        ("data", {"inputs": [], "outputs": []}),
        ("data", {"variables": {"A": "/a"}, "inputs": [INPUT, REFERENCE], "outputs": [OUTPUT]}),
    ],
)
def test_what_job_json_holds_has_the_same_keys_as_ever(name, value):
    facts = {"id": "e_1_a", "experiment": "e", "workspace": "w", "created": "c", name: value}
    job = JobSpec.from_dict(facts)
    written = json.loads(json.dumps(job.to_dict()))
    assert written[name] == value
    assert JobSpec.from_dict(written) == job


def test_inputs_come_before_outputs_and_only_pinned_ones_have_pins():
    data = JobData.from_dict({"inputs": [INPUT, REFERENCE], "outputs": [OUTPUT]})
    assert [each.name for each in data.items] == ["digits", "r", "out"] and data.has_items
    assert [pin.name for pin in data.pins] == ["mnist"]
    assert not JobData(variables={"A": "/a"}).has_items


@pytest.mark.parametrize("more", [{}, {"dockerfile": "FROM x"}, {"packages": "conda"}, MORE_DOCKER])
def test_a_container_is_written_with_the_same_keys_as_ever(more):
    docker = {**DOCKER, **more}
    spec = EnvironmentSpec.from_dict({"kind": "image", "container": True, "docker": docker})
    assert json.loads(json.dumps(spec.to_dict()))["docker"] == docker
    assert EnvironmentSpec.from_dict(spec.to_dict()) == spec
    assert EnvironmentSpec().to_dict()["docker"] == {}


def test_a_newer_format_is_told():
    with pytest.raises(ValueError, match="format 99"):
        JobSpec.from_dict({"format": 99})


def test_a_request_is_its_content():
    one = EnvironmentSpec("packages", name="a", version="1", notes=("x",), pip=("six",))
    assert one.digest() == one.replace(name="b", version=None, notes=()).digest()
    assert one.digest() != one.replace(pip=("six==1.0",)).digest()


def test_later_loads_at_first_use():
    module = later("json.tool")
    assert module.main.__module__ == "json.tool"
    code = (
        "import sys; from scriptrun.spec.later import later; m = later('wave')\n"
        "assert 'wave' not in sys.modules; m.open; assert 'wave' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
