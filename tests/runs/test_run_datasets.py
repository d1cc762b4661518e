"""Facts about a run's datasets, which answer for the dataset too."""

from __future__ import annotations

import json
import pickle

import pytest

from scriptrun import Dataset, Workspace
from scriptrun.runs.run_datasets import DatasetFacts


@pytest.fixture
def facts(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    workspace = Workspace.create("w", path=tmp_path / "home")
    store = workspace.get_default_datastore()
    store.upload(tmp_path / "data", "d", show_progress=False)
    made = Dataset.File.from_files((store, "d")).register(workspace, "d", tags={"k": "v"})
    loads = []
    load = lambda: loads.append(1) or made  # noqa: E731
    return DatasetFacts({"id": made.id, "name": None}, load), made, loads


def test_it_is_json_and_loads_the_dataset_only_when_it_is_asked(facts):
    value, made, loads = facts
    assert json.loads(json.dumps(value)) == {"id": made.id, "name": None} and not loads
    assert (value["id"], value.name, value.tags) == (made.id, "d", {"k": "v"})
    assert value.to_path() == ["/a.txt"]


def test_what_a_dataset_has_not_is_an_attribute_error(facts):
    value, _, loads = facts
    with pytest.raises(AttributeError):
        value.nonsense
    loads.clear()
    assert not hasattr(value, "__array__") and not loads
    assert dict(value) == {**value} and pickle.dumps(dict(value))
