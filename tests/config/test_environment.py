"""Environment: how it is made, compared, kept in directories and registered."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import CondaDependencies, Environment
from scriptrun.config.environments.sections import ContainerRegistry, DockerBuildContext
from scriptrun.spec.errors import (
    EnvironmentException,
    RunConfigurationException,
    UserErrorException,
)

DATA = Path(__file__).parent / "data"


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    (tmp_path / "lib").mkdir()
    path.write_text("--extra-index-url https://example.invalid/simple\nnumpy==1.20\n-e ./lib\n")
    return path


def test_from_pip_requirements(requirements, tmp_path):
    made = Environment.from_pip_requirements("sklearn", requirements, pip_version="20.2")
    conda = made.python.conda_dependencies
    assert conda.pip_packages == ["numpy==1.20", f"-e {tmp_path / 'lib'}"]
    assert conda.pip_options == ["--extra-index-url https://example.invalid/simple"]
    assert "pip=20.2" in conda.conda_packages
    assert not made.python.user_managed_dependencies


def test_from_conda_specification(tmp_path):
    CondaDependencies.create(python_version="3.9", pip_packages=["x"]).save(tmp_path / "env.yml")
    made = Environment.from_conda_specification(name="c", file_path=str(tmp_path / "env.yml"))
    assert made.python.conda_dependencies.get_python_version() == "3.9"


def test_images_and_dockerfiles(requirements, tmp_path):
    registry = ContainerRegistry(address="r.invalid", username="u", password="p")
    image = Environment.from_docker_image("i", "org/image:1", registry)
    assert image.docker.base_image == "org/image:1" and image.python.user_managed_dependencies
    assert image.docker.base_image_registry.address == "r.invalid"
    added = Environment.from_docker_image("i", "org/image:1", pip_requirements=requirements)
    assert not added.python.user_managed_dependencies
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN true\n")
    of_path = Environment.from_dockerfile("d", tmp_path / "Dockerfile")
    of_text = Environment.from_dockerfile("d", "FROM debian\nRUN true\n")
    assert of_path == of_text and of_path.docker.base_image is None
    with pytest.raises(EnvironmentException, match="No such file"):
        Environment.from_dockerfile("d", tmp_path / "None")
    with pytest.raises(UserErrorException, match="both"):
        Environment.from_docker_image("i", "x", None, requirements, requirements)
    context = DockerBuildContext.from_local_directory(None, tmp_path, "docker/Dockerfile")
    built = Environment.from_docker_build_context("b", context)
    assert Environment.from_dict(built.to_dict()) == built
    assert built.docker.build_context.location == str(tmp_path)


def test_a_conda_environment_that_is_there(tmp_path, monkeypatch):
    meta = tmp_path / "envs" / "here" / "conda-meta"
    meta.mkdir(parents=True)
    told = {"version": "3.10.4", "channel": "https://conda.anaconda.org/conda-forge/linux-64"}
    for name in ("python", "ffmpeg"):
        (meta / f"{name}.json").write_text(json.dumps({"name": name, "build": "h0_0", **told}))
    monkeypatch.setenv("MAMBA_ROOT_PREFIX", str(tmp_path))
    made = Environment.from_existing_conda_environment("mine", "here")
    conda = made.python.conda_dependencies
    assert conda.get_python_version() == "3.10.4"
    assert conda.conda_packages == ["ffmpeg=3.10.4", "python=3.10.4"]
    assert conda.conda_channels == ["conda-forge"]
    assert Environment.from_existing_conda_environment("mine", "gone") is None


def test_setting_a_conda_file_reads_it(tmp_path, monkeypatch):
    CondaDependencies.create(pip_packages=["x"]).save(tmp_path / "env.yml")
    monkeypatch.chdir(tmp_path)
    made = Environment("e")
    made.python.conda_dependencies_file = "env.yml"
    assert "x" in made.python.conda_dependencies.pip_packages
    made.python.conda_dependencies_file = "gone.yml"
    assert made.python.missing_file.endswith("gone.yml")


def test_equal_by_content_whatever_the_name(requirements):
    one = Environment.from_pip_requirements("one", requirements)
    other = one.clone("other")
    other.version = "7"
    assert one == other
    other.environment_variables["A"] = "1"
    assert one != other and "A" not in one.environment_variables
    assert Environment("a") != Environment.from_docker_image("a", "x")
    assert Environment("a") != "a"


def test_a_clone_has_no_version():
    made = Environment("a", version="3")
    assert (made.clone("b").name, made.clone("b").version, made.version) == ("b", None, "3")


def test_the_directory_is_the_sdks(tmp_path):
    made = Environment("myenv")
    made.save_to_directory(tmp_path / "env")
    for name in ("azureml_environment.json", "conda_dependencies.yml"):
        assert (tmp_path / "env" / name).read_text() == (DATA / name).read_text().rstrip() + (
            "\n" if name.endswith("yml") else ""
        )
    made.python.conda_dependencies.add_pip_package("x")
    with pytest.raises(UserErrorException, match="already exists"):
        made.save_to_directory(tmp_path / "env")
    made.save_to_directory(tmp_path / "env", overwrite=True)
    again = Environment.load_from_directory(tmp_path / "env")
    assert again == made and again.name == "myenv"
    with pytest.raises(UserErrorException, match="Cannot read"):
        Environment.load_from_directory(tmp_path)


def test_a_bad_definition_tells_all_that_is_wrong():
    with pytest.raises(RunConfigurationException) as caught:
        Environment.from_dict({"nme": "x", "docker": {"shmsize": 1}, "python": []}, "env.json")
    assert caught.value.reasons == (
        "env.json: nme: unknown key; did you mean 'name'?",
        "env.json: docker.shmsize: unknown key; did you mean 'shmSize'?",
        "env.json: python: expected a mapping, not a list",
    )


def test_a_password_stays_out_of_what_is_registered():
    registry = ContainerRegistry(address="r.invalid", username="u", password="secret")
    made = Environment.from_docker_image("i", "org/x", registry)
    assert "secret" not in json.dumps(made.to_dict())


class Shelf:
    """As much of a workspace as an Environment speaks to."""

    def __init__(self):
        self.kept = []

    def register_environment(self, environment):
        self.kept.append(environment.name)
        return environment


@pytest.mark.parametrize(
    "name", ["AzureML-Mine", "azureml-sklearn-1.5", "scriptrun-sklearn", "", None]
)
def test_reserved_and_missing_names_are_not_registered(name):
    shelf = Shelf()
    with pytest.raises(UserErrorException):
        Environment(name).register(shelf)
    assert not shelf.kept
    Environment("mine").register(shelf)
    assert shelf.kept == ["mine"]


def test_labels_are_refused_but_for_the_latest():
    with pytest.raises(UserErrorException, match="label 'prod'"):
        Environment.get(None, "x", label="prod")


NAMES = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=12)
TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)


@st.composite
def environments(draw):
    made = Environment(draw(NAMES))
    made.environment_variables = draw(st.dictionaries(NAMES, TEXT, max_size=3))
    conda = made.python.conda_dependencies
    for each in draw(st.lists(NAMES, max_size=3)):
        conda.add_pip_package(each)
    for each in draw(st.lists(NAMES, max_size=3)):
        conda.add_conda_package(each)
    made.python.user_managed_dependencies = draw(st.booleans())
    made.python.interpreter_path = draw(TEXT.filter(bool))
    made.docker.enabled = draw(st.booleans())
    made.docker.base_image = draw(st.none() | TEXT)
    made.docker.base_dockerfile = draw(st.none() | TEXT)
    made.docker.arguments = draw(st.lists(TEXT, max_size=3))
    return made


@given(environments())
@settings(max_examples=60, deadline=None)
def test_dict_round_trip(made):
    again = Environment.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert (again.name, again.version) == (made.name, made.version)
