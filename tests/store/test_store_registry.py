from __future__ import annotations

import builtins
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import yaml_file
from scriptrun.store.registry import NamedValues, Registry
from scriptrun.testing.jobs import PATIENCE

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=VALUES)
def test_any_value_comes_back_with_and_without_the_copy(value, tmp_path_factory):
    path = tmp_path_factory.mktemp("values") / "value.yaml"
    assert yaml_file.create(path, value)
    assert yaml_file.read(path) == value
    (path.parent / ".value.yaml.json").unlink()
    assert yaml_file.read(path) == value


@settings(max_examples=200, deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_name_is_one_safe_file_name(name):
    encoded = yaml_file.file_name(name)
    assert yaml_file.name_from_file(encoded) == name
    assert not set('/\\:*?"<>|\0') & set(encoded)
    assert encoded not in (".", "..")


def test_versions(tmp_path):
    registry = Registry(tmp_path / "environments")
    assert registry.names() == []
    assert registry.versions("sklearn") == []
    assert registry.add("sklearn", {"packages": ("a", "b")}) == 1
    assert registry.add("sklearn", {"packages": ["a", "b"]}) == 1, "unchanged keeps its version"
    assert registry.add("sklearn", {"packages": ["a"]}) == 2
    assert registry.add("sklearn", {"packages": ["a", "b"]}) == 3, "only the latest is compared"
    assert registry.get("sklearn") == {"packages": ["a", "b"]}
    assert registry.get("sklearn", 2) == {"packages": ["a"]}
    for number in range(4, 12):
        registry.add("sklearn", {"n": number})
    assert registry.versions("sklearn")[-1] == 11
    assert registry.get("sklearn") == {"n": 11}
    with pytest.raises(WorkspaceException, match="version 12"):
        registry.get("sklearn", 12)
    with pytest.raises(WorkspaceException, match="'other' not found"):
        registry.get("other")


@pytest.mark.parametrize(
    "name", ["../../escape", "/etc/passwd", "..", ".", "a/b", "CON", "é ü", "x."]
)
def test_no_name_escapes(tmp_path, name):
    registry, shelf = Registry(tmp_path / "r" / "registry"), NamedValues(tmp_path / "r" / "shelf")
    registry.add(name, {"a": 1})
    shelf.put(name, {"a": 2})
    assert registry.names() == [name]
    assert shelf.names() == [name]
    assert shelf.get(name) == {"a": 2}
    assert {path.name for path in tmp_path.iterdir()} == {"r"}
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"registry", "shelf"}


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_names_that_cannot_be(tmp_path, name):
    with pytest.raises(WorkspaceException, match="Invalid name"):
        Registry(tmp_path).add(name, {})


def test_what_is_edited_by_hand_counts_at_once(tmp_path):
    registry = Registry(tmp_path)
    registry.add("e", {"python": "3.11"})
    path = tmp_path / "e" / "1.yaml"
    path.write_text("# mine\npython: '3.12'\ncreated: 2020-01-01\n")
    assert registry.get("e") == {"python": "3.12", "created": "2020-01-01"}
    assert registry.get("e") == {"python": "3.12", "created": "2020-01-01"}
    (tmp_path / "e" / "7.yaml").write_text("a: 1\n")
    assert registry.add("e", {"a": 2}) == 8
    (tmp_path / "e" / "notes.txt").write_text("not a version")
    assert registry.versions("e") == [1, 7, 8]


def test_warm_reads_need_no_yaml(tmp_path, monkeypatch):
    registry = Registry(tmp_path)
    registry.add("e", {"a": 1})
    whole = builtins.__import__

    def no_yaml(name, *rest, **more):
        assert name != "yaml"
        return whole(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_yaml)
    assert registry.get("e") == {"a": 1}
    assert registry.add("e", {"a": 1}) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", r"1\.yaml, line 3: invalid YAML"),
        ("- a\n- b\n", "expected a mapping .*, not a list"),
        ("just text", "not the value 'just text'"),
        ("a: !!python/object:os.system x\n", "line 1: invalid YAML"),
    ],
)
def test_broken_yaml_is_a_sentence_with_its_line(tmp_path, text, said):
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "1.yaml").write_text(text)
    with pytest.raises(WorkspaceException, match=said):
        Registry(tmp_path).get("e")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "c.yaml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(WorkspaceException, match=r"c\.yaml"):
        NamedValues(tmp_path).get("c")


def test_a_copy_that_is_damaged_or_foreign_is_not_believed(tmp_path):
    shelf = NamedValues(tmp_path)
    shelf.put("gpu", {"partition": "a"})
    copy = tmp_path / ".gpu.yaml.json"
    for rubbish in ("", "[]", '{"of": [0, 0, 0], "value": {"partition": "b"}}', '{"of": null}'):
        copy.write_text(rubbish)
        assert shelf.get("gpu") == {"partition": "a"}
        assert json.loads(copy.read_text())["value"] == {"partition": "a"}


def test_a_shelf_keeps_one_value_a_name(tmp_path):
    shelf = NamedValues(tmp_path / "compute")
    assert shelf.names() == []
    assert shelf.get("gpu") is None
    shelf.remove("gpu")
    shelf.put("gpu", {"nodes": 1})
    shelf.put("gpu", {"nodes": 2})
    assert shelf.get("gpu") == {"nodes": 2}
    shelf.remove("gpu")
    assert shelf.get("gpu") is None
    assert list((tmp_path / "compute").iterdir()) == []


def _add_some(root: Path, writer: int, answers) -> None:
    registry = Registry(root)
    answers.put([registry.add("e", {"by": writer, "n": n}) for n in range(10)])


def test_many_writers_each_get_versions_of_their_own(tmp_path):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    children = [context.Process(target=_add_some, args=(tmp_path, n, answers)) for n in range(4)]
    for child in children:
        child.start()
    numbers = [number for _ in children for number in answers.get(timeout=PATIENCE)]
    for child in children:
        child.join()
    assert sorted(numbers) == list(range(1, 41))
    assert Registry(tmp_path).versions("e") == list(range(1, 41))
    assert [name for name in os.listdir(tmp_path / "e") if name.endswith(".tmp")] == []


def test_a_copy_whose_value_was_damaged_is_not_believed(tmp_path):
    path = tmp_path / "a.yaml"
    yaml_file.replace(path, {"partition": "gpu"})
    copy = tmp_path / ".a.yaml.json"
    copy.write_text(copy.read_text().replace("gpu", "cpu"))
    assert not yaml_file.is_copy_whole(path, {"partition": "gpu"})
    assert yaml_file.read(path) == {"partition": "gpu"}
    assert yaml_file.is_copy_whole(path, {"partition": "gpu"})
