"""Images of before 2019: versions of files and models in the workspace, and their old members."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest

from scriptrun.core.model import Model
from scriptrun.core.workspace import Workspace
from scriptrun.dropin.azureml import image_files, images
from scriptrun.dropin.azureml.images import ContainerImage, Image, UnknownImage
from scriptrun.spec.errors import ModelNotFoundException, WebserviceException


@pytest.fixture
def ws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "score.py": "def init(): pass\ndef run(data): return data\n",
        "beside.py": "x = 1\n",
        "env.yml": "name: e\n",
        "schema.json": "{}",
        "data/words/a.txt": "a",
        "data/b.txt": "b",
        "notes.txt": "not part of it",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    workspace = Workspace.create("w")
    for name in ("digits", "words"):
        Model.register(workspace, "notes.txt", name)
    return workspace


def configuration(**more):
    return ContainerImage.image_configuration("score.py", "python", **more)


def content(image):
    return {
        os.path.relpath(os.path.join(folder, name), image.image_location)
        for folder, _, names in os.walk(image.image_location)
        for name in names
    }


def test_its_files_are_copied_when_it_is_created(ws, tmp_path):
    config = configuration(
        conda_file="env.yml",
        schema_file="schema.json",
        dependencies=["data", str(tmp_path / "notes.txt")],
    )
    image = Image.create(ws, "i", ["digits:1"], config)
    assert content(image) == {
        "score.py", "beside.py", "env.yml", "schema.json", "data/words/a.txt", "data/b.txt",
        "notes.txt",
    }  # fmt: skip
    (tmp_path / "score.py").write_text("changed")
    assert "def init" in Path(image.image_location, "score.py").read_text()
    inference = image.inference_config()
    assert (inference.entry_script, inference.source_directory) == (
        "score.py",
        image.image_location,
    )
    assert inference.conda_file == os.path.join(image.image_location, "env.yml")
    assert content(Image.create(ws, "j", [], configuration())) == {"score.py", "beside.py"}


def test_equal_files_are_stored_once(ws, tmp_path):
    first, second = (Image.create(ws, "i", [], configuration()) for _ in range(2))
    assert (first.version, second.version) == (1, 2)
    assert first.image_location == second.image_location
    (tmp_path / "beside.py").write_text("x = 2\n")
    assert Image.create(ws, "i", [], configuration()).image_location != first.image_location
    folder = image_files.folder_of(ws, "x").parent
    assert not list(folder.glob("*.tmp")) and len(list(folder.iterdir())) == 2


def test_all_missing_files_are_named_before_anything_is_written(ws):
    with pytest.raises(WebserviceException) as raised:
        configuration(conda_file="no.yml", dependencies=["gone", "data"])
    assert "no.yml does not exist; gone does not exist" in str(raised.value)
    with pytest.raises(WebserviceException, match=r"nothing\.py does not exist"):
        ContainerImage.image_configuration("nothing.py", "python")
    with pytest.raises(WebserviceException, match="Invalid runtime 'java'"):
        ContainerImage.image_configuration("score.py", "java")
    with pytest.raises(ModelNotFoundException, match="'digit' not found"):
        Image.create(ws, "i", ["digit:1"], configuration())
    assert ws.directory.joinpath("azureml").exists() is False


def test_versions_are_found_by_name_model_tags_and_properties(ws):
    words, digits = Model(ws, "words"), Model(ws, "digits")
    Image.create(ws, "a", [words], configuration(tags={"kind": "x"}, properties={"p": 1}))
    Image.create(ws, "a", [digits], configuration(tags=["onnx"]))
    Image.create(ws, "b", [digits, words], configuration(tags={"kind": "y"}))

    def found(**criteria):
        return [image.id for image in Image.list(ws, **criteria)]

    assert found() == ["a:2", "a:1", "b:1"]
    assert found(image_name="a") == ["a:2", "a:1"] and found(image_name="none") == []
    assert found(model_name="words") == ["a:1", "b:1"] and found(model_id="digits:1")[0] == "a:2"
    assert found(tags=["onnx"]) == ["a:2"] and found(tags=[("kind", "y")]) == ["b:1"]
    assert found(properties={"p": "1"}) == ["a:1"]
    assert Image(ws, "a").version == 2 and Image(ws, id="a:1").id == "a:1"
    assert Image(ws, "a", version="1").models[0].id == "words:1"
    assert Image(ws, "a", tags=["kind"]).version == 1
    for bad in ({"name": "c"}, {"name": "a", "version": 9}, {"id": "a:9"}):
        with pytest.raises(WebserviceException, match="not found in workspace 'w'"):
            Image(ws, **bad)


def test_its_old_members(ws, capsys):
    image = Image.create(ws, "a", [Model(ws, "words")], configuration(description="d"))
    assert type(Image(ws, "a")) is ContainerImage and repr(image).startswith("ContainerImage(")
    assert (image.creation_state, image.image_build_log_uri) == ("Succeeded", None)
    assert image.created_time.tzinfo is datetime.UTC and image.description == "d"
    image.wait_for_creation(show_output=True)
    assert "a:1: Succeeded" in capsys.readouterr().out
    image.add_tags({"x": 1, "y": "2"})
    image.remove_tags(["x"])
    image.add_properties({"p": "1"})
    image.add_properties({"p": "2", "q": "3"})
    again = Image.deserialize(ws, image.serialize())
    assert (again.tags, again.properties) == ({"y": "2"}, {"p": "1", "q": "3"})
    again.update(tags={"z": 0})
    image.update_creation_state()
    assert image.tags == {"z": "0"}
    image.delete()
    assert Image.list(ws) == []


def test_base_classes_make_no_images(ws):
    for use in (Image.image_configuration, UnknownImage.image_configuration):
        with pytest.raises(NotImplementedError, match="Use ContainerImage"):
            use()
    with pytest.raises(NotImplementedError, match="Use ContainerImage"):
        images.ImageConfig().build_create_payload(ws, "a", [])
    assert configuration().create_local_debug_payload(ws, ["words:1"])["models"] == ["words:1"]
