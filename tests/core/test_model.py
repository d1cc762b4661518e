"""Registered models: versions, content, tags, and where they came from."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import Dataset, InferenceConfig, Model, Run, Workspace
from scriptrun.config.services.deployment import AksServiceDeploymentConfiguration
from scriptrun.core.model_metadata import ResourceConfiguration
from scriptrun.spec.errors import (
    ModelNotFoundException,
    UserErrorException,
    WebserviceException,
)
from scriptrun.store import blobs
from scriptrun.testing.jobs import Bench

TRAINS = """
import os
os.makedirs('outputs/net/deep', exist_ok=True)
open('outputs/model.pkl', 'w').write('weights')
open('outputs/net/a.txt', 'w').write('a')
open('outputs/net/deep/b.txt', 'w').write('b')
"""


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("models", path=tmp_path / "home")


@pytest.fixture
def weights(tmp_path):
    place = tmp_path / "model.pkl"
    place.write_bytes(b"weights")
    return place


@pytest.fixture
def trained(tmp_path):
    return Bench(tmp_path / "bench").run(TRAINS)


def content(workspace):
    folder = workspace.directory / "models" / ".content"
    return sorted(each.name for each in folder.glob("??/*"))


def test_versions_count_and_equal_content_is_kept_once(workspace, weights):
    made = [Model.register(workspace, weights, "digits") for _ in range(3)]
    assert [model.version for model in made] == [1, 2, 3]
    assert len(content(workspace)) == 1
    assert Model(workspace, "digits").version == 3
    assert Model(workspace, id="digits:2").id == "digits:2"
    assert Model(workspace, "digits", version="1").version == 1
    assert workspace.models["digits"].version == 3


def test_a_version_is_fixed_when_the_file_changes_later(workspace, weights, tmp_path):
    Model.register(workspace, weights, "digits")
    weights.write_bytes(b"other")
    Model.register(workspace, str(weights), "digits")
    first = Model(workspace, "digits", version=1).download(tmp_path / "a")
    second = Model(workspace, "digits").download(tmp_path / "b")
    assert Path(first).read_bytes() == b"weights"
    assert Path(second).read_bytes() == b"other"


def test_downloads_go_over_nothing_unless_told(workspace, weights, tmp_path):
    model = Model.register(workspace, weights, "digits")
    target = tmp_path / "here"
    assert model.download(target) == str(target / "model.pkl")
    (target / "model.pkl").write_text("mine")
    with pytest.raises(UserErrorException, match=r"model\.pkl' already exists"):
        model.download(target)
    assert (target / "model.pkl").read_text() == "mine"
    model.download(target, exist_ok=True)
    assert (target / "model.pkl").read_bytes() == b"weights"


def test_a_folder_keeps_its_shape_and_child_paths_choose(workspace, tmp_path):
    net = tmp_path / "net"
    (net / "deep").mkdir(parents=True)
    (net / "a b.txt").write_text("a")
    (net / "deep" / "ü%20.txt").write_text("b")
    whole = Model.register(workspace, net, "net")
    place = tmp_path / "out"
    assert whole.download(place) == str(place / "net")
    assert (place / "net" / "deep" / "ü%20.txt").read_text() == "b"
    part = Model.register(workspace, net, "net", child_paths=["deep/ü%20.txt"])
    assert [file["path"] for file in part.files] == ["net/deep/ü%20.txt"]


def test_the_path_of_a_model_can_be_opened_by_its_own_name(workspace, weights):
    Model.register(workspace, weights, "digits")
    path = Model.get_model_path("digits", _workspace=workspace)
    assert path.endswith("/model.pkl")
    assert Path(path).read_bytes() == b"weights"


def test_a_copied_workspace_has_paths_of_its_own_models(workspace, weights, tmp_path):
    Model.register(workspace, weights, "digits")
    path = Model.get_model_path("digits", _workspace=workspace)
    copied = Workspace(shutil.copytree(tmp_path / "home", tmp_path / "copied"))
    other = Path(Model.get_model_path("digits", _workspace=copied))
    assert other.resolve().is_relative_to(tmp_path / "copied")
    assert Path(path).resolve().is_relative_to(tmp_path / "home")
    os.rename(tmp_path / "home", tmp_path / "moved")
    moved = Model.get_model_path("digits", _workspace=Workspace(tmp_path / "moved"))
    assert (Path(moved).read_bytes(), other.read_bytes()) == (b"weights", b"weights")


def _remove_and(make):
    def change(path):
        path.unlink()
        make(path)

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_remove_and(lambda path: path.symlink_to("/etc/hostname")), id="another link"),
        pytest.param(_remove_and(lambda path: path.write_text("other")), id="a file"),
        pytest.param(_remove_and(lambda path: path.mkdir()), id="a folder"),
        pytest.param(_remove_and(lambda path: None), id="nothing"),
        pytest.param(lambda path: path.with_name("more.txt").write_text("x"), id="one more"),
    ],
)
def test_what_was_changed_in_the_cache_is_never_a_models_file(workspace, trained, change):
    trained.register_model("net", model_path="outputs/net")
    folder = Path(Model.get_model_path("net", _workspace=trained.workspace))
    change(folder / "deep" / "b.txt")
    assert Model.get_model_path("net", _workspace=trained.workspace) == str(folder)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"a.txt", "deep/b.txt"}
    assert (folder / "deep" / "b.txt").read_text() == "b"


def test_a_folder_in_the_place_of_content_is_replaced(workspace, weights):
    Model.register(workspace, weights, "digits")
    (name,) = content(workspace)
    path = blobs.path_of(workspace.directory / "models" / ".content", name)
    path.unlink()
    path.mkdir()
    Model.register(workspace, weights, "digits")
    assert path.read_bytes() == b"weights"


def test_tags_are_texts_and_can_be_changed_later(workspace, weights):
    model = Model.register(workspace, weights, "digits", tags={"area": 1}, properties={"p": "1"})
    model.add_tags({"best": True})
    model.remove_tags(["area"])
    model.add_properties({"p": "2", "q": "3"})
    again = Model(workspace, "digits")
    assert again.tags == {"best": "True"}
    assert again.properties == {"p": "1", "q": "3"}
    model.update(description="for mail", tags={"z": "1"})
    assert Model(workspace, "digits").description == "for mail"
    assert Model(workspace, "digits").tags == {"z": "1"}


def test_lists_are_narrowed_down(workspace, weights):
    for number in range(3):
        Model.register(workspace, weights, "a", tags={"n": number, "even": number % 2 == 0})
    Model.register(workspace, weights, "b", model_framework=Model.Framework.SCIKITLEARN)

    def found(**by):
        return [model.id for model in Model.list(workspace, **by)]

    assert found() == ["a:3", "a:2", "a:1", "b:1"]
    assert found(latest=True) == ["a:3", "b:1"]
    assert found(name="a", tags=["n"]) == ["a:3", "a:2", "a:1"]
    assert found(tags=[["n", "1"]]) == ["a:2"]
    assert found(tags={"even": True}) == ["a:3", "a:1"]
    assert found(tags="n", latest=True) == ["a:3"]
    assert found(model_framework="ScikitLearn") == ["b:1"]
    assert Model(workspace, "a", tags=[("n", 0)]).version == 1
    with pytest.raises(UserErrorException, match="No version"):
        Model(workspace, "a", tags=["missing"])


def test_a_run_registers_a_file_or_a_folder_of_its_outputs(trained, tmp_path):
    model = trained.register_model("net", "./outputs/net", tags={"by": "test"})
    assert model.run_id == trained.id and model.experiment_name == "bench"
    assert isinstance(model.run, Run) and model.run.id == trained.id
    place = model.download(tmp_path / "got")
    assert (tmp_path / "got" / "net" / "deep" / "b.txt").read_text() == "b"
    assert place.endswith("/net")
    single = trained.register_model(model_name="pickle", model_path="outputs/model.pkl")
    assert [file["path"] for file in single.files] == ["model.pkl"]
    assert [each.id for each in Model.list(trained.workspace, run_id=trained.id)] == [
        "net:1",
        "pickle:1",
    ]


def test_a_link_to_a_folder_is_registered_with_its_files(workspace, tmp_path):
    code = (
        "import os\nos.makedirs('outputs/v1')\nopen('outputs/v1/m', 'w').write('one')\n"
        "os.symlink('v1', 'outputs/latest')\n"
        "from azureml.core import Run\n"
        "Run.get_context().register_model('inside', 'outputs/latest')\n"
    )
    run = Bench(tmp_path / "bench").run(code)
    model = run.register_model("net", "outputs/latest")
    assert [file["path"] for file in model.files] == ["latest/m"]
    inside = Model(run.workspace, "inside")
    assert [file["path"] for file in inside.files] == ["latest/m"]
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "latest").symlink_to(run.path / "outputs" / "v1")
    (tmp_path / "saved" / "gone").symlink_to("nowhere")
    with pytest.warns(UserWarning, match="gone .its target nowhere does not exist"):
        model = Model.register(workspace, tmp_path / "saved", "kept")
    assert [file["path"] for file in model.files] == ["saved/latest/m"]
    place = model.download(tmp_path / "got")
    assert (Path(place) / "latest" / "m").read_text() == "one"


def test_what_a_run_lacks_is_a_sentence_that_names_what_it_has(trained):
    with pytest.raises(UserErrorException, match=r"no file or folder 'outputs/gone'"):
        trained.register_model("m", "outputs/gone")
    with pytest.raises(UserErrorException, match=r"model\.pkl"):
        trained.register_model("outputs-of-none")
    assert not Model.list(trained.workspace)


def test_the_datasets_it_came_from_are_found_again(workspace, weights, tmp_path):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.csv").write_text("1")
    store = workspace.get_default_datastore()
    store.upload(str(tmp_path / "rows"), "rows", show_progress=False)
    data = Dataset.File.from_files((store, "rows")).register(workspace, "rows")
    model = Model.register(workspace, weights, "digits", datasets=[("training data", data)])
    kept = Model(workspace, "digits").datasets["training data"]
    assert [(each.name, each.version) for each in kept] == [("rows", 1)]
    assert [each.id for each in Model.list(workspace, dataset_id=data.id)] == [model.id]
    model.update(sample_input_dataset=data, resource_configuration=ResourceConfiguration(gpu=1))
    again = Model(workspace, "digits")
    assert again.sample_input_dataset.id == data.id and again.sample_output_dataset is None
    assert again.resource_configuration.gpu == 1 and again.description is None
    plain = Dataset.File.from_files((store, "rows"))
    other = Model.register(workspace, weights, "other", datasets=[("test", plain)])
    with pytest.warns(UserWarning, match="test of model other:1: Dataset with ID"):
        assert other.datasets == {"test": []}
    with pytest.raises(UserErrorException, match=r"datasets must be .label, dataset. pairs"):
        Model.register(workspace, weights, "digits", datasets=["rows"])


def test_deleting_a_version_keeps_what_others_share(workspace, weights, tmp_path):
    for _ in range(2):
        Model.register(workspace, weights, "digits")
    alone = tmp_path / "alone"
    alone.write_text("alone")
    Model.register(workspace, alone, "digits").delete()
    Model(workspace, "digits", version=1).delete()
    assert len(content(workspace)) == 1
    assert Path(Model(workspace, "digits").download(tmp_path / "d")).read_bytes() == b"weights"
    with pytest.raises(UserErrorException, match=r"no version 1\.\s+Versions: 2"):
        Model(workspace, "digits", version=1)


def test_wrong_asks_are_sentences(workspace, weights, tmp_path):
    with pytest.raises(UserErrorException, match=r"(?s)Model .none. not found.*Models: none"):
        Model(workspace, "none")
    with pytest.raises(UserErrorException, match="does not exist"):
        Model.register(workspace, tmp_path / "gone", "digits")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserErrorException, match="is an empty folder"):
        Model.register(workspace, tmp_path / "empty", "digits")
    with pytest.raises(UserErrorException, match="Invalid model name"):
        Model.register(workspace, weights, "../digits")
    with pytest.raises(UserErrorException, match="must be a number"):
        Model(workspace, "digits", version="latest")
    Model.register(workspace, weights, "digits")
    with pytest.raises(NotImplementedError, match="Measure the service"):
        Model.profile(workspace, "p", [Model(workspace, "digits")], InferenceConfig("s.py"), None)
    with pytest.raises(NotImplementedError, match=r"use model\.download"):
        Model(workspace, "digits").get_sas_urls()


def test_a_missing_model_is_v1s_error_of_services(workspace, weights):
    Model.register(workspace, weights, "digits", tags=["onnx"])
    assert Model(workspace, "digits").tags == {"onnx": ""}
    for ask in (
        {"name": "none"},
        {"name": "digits", "version": 7},
        {"name": "digits", "tags": "x"},
    ):
        with pytest.raises(ModelNotFoundException) as raised:
            Model(workspace, **ask)
        assert isinstance(raised.value, WebserviceException) and raised.value.hint


def test_what_would_be_deployed_is_printed(workspace, weights, capsys):
    model = Model.register(workspace, weights, "digits")
    config = AksServiceDeploymentConfiguration(num_replicas=2)
    Model.print_configuration([model], InferenceConfig("score.py"), config, "my-aks")
    shown = capsys.readouterr().out
    assert "Models: digits:1" in shown and "'score.py'" in shown
    assert "Deployment target: my-aks" in shown and "num_replicas: 2" in shown
    Model.print_configuration([], None, None, None)
    assert "this machine" in capsys.readouterr().out


@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.binary(max_size=2000), max_size=4))
def test_content_comes_back_by_its_digest(tmp_path_factory, pieces):
    root = tmp_path_factory.mktemp("blobs")
    source = root / "source"
    source.write_bytes(b"".join(pieces))
    digest, size = blobs.put(root / "kept", source)
    assert blobs.path_of(root / "kept", digest).read_bytes() == source.read_bytes()
    assert size == source.stat().st_size
    assert blobs.put(root / "kept", source) == (digest, size)
    assert not list((root / "kept").glob("*.tmp"))


def test_a_large_file_is_kept_whole_with_its_digest(tmp_path):
    data = bytes(range(256)) * (80 << 10) + b"odd end"
    (tmp_path / "large.bin").write_bytes(data)
    digest, size = blobs.put(tmp_path / "kept", tmp_path / "large.bin")
    assert (digest, size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert blobs.path_of(tmp_path / "kept", digest).read_bytes() == data
