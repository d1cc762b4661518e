"""From an Environment to the request: what is asked of a builder, and what the notes say."""

from __future__ import annotations

import json
import re

import pytest

from scriptrun import (
    CondaDependencies,
    DockerConfiguration,
    Environment,
    RunConfiguration,
    ScriptRunConfig,
)
from scriptrun.config.describe import describe
from scriptrun.config.environments.environment import DEFAULT_GPU_IMAGE
from scriptrun.config.environments.request import environment_spec, problems
from scriptrun.config.environments.sections import ContainerRegistry, DockerBuildContext
from scriptrun.spec.environment import (
    INTERPRETER,
    PACKAGES,
    BuildContext,
    EnvironmentSpec,
    ImageRegistry,
)


def of_pip(*packages, **more):
    made = Environment("e")
    made.python.conda_dependencies = CondaDependencies.create(pip_packages=packages, **more)
    return made


def test_no_environment_is_left_to_the_caller():
    spec = describe(ScriptRunConfig(".", "a.py")).environment
    assert spec == EnvironmentSpec(INTERPRETER, name="default-environment")


def test_a_default_environment_that_was_changed_is_the_users():
    config = ScriptRunConfig(".", "a.py")
    config.run_config.environment.python.conda_dependencies.add_conda_package("numpy")
    spec = describe(config).environment
    assert (spec.kind, spec.conda, spec.channels) == (
        PACKAGES,
        ("numpy",),
        ("anaconda", "conda-forge"),
    )
    dependencies = CondaDependencies.create(python_version="3.9")
    config = ScriptRunConfig(
        ".", run_config=RunConfiguration("a.py", conda_dependencies=dependencies)
    )
    assert describe(config).environment.python == "3.9"


def test_an_environment_by_name_alone_is_built_with_nothing_in_it():
    spec = environment_spec(Environment("x"))
    assert spec == EnvironmentSpec(PACKAGES, name="x")


def test_user_managed_interpreters():
    made = Environment("x")
    made.python.user_managed_dependencies = True
    assert environment_spec(made) == EnvironmentSpec(INTERPRETER, name="x")
    made.python.interpreter_path = "/opt/py/bin/python"
    assert environment_spec(made).interpreter == "/opt/py/bin/python"


def test_the_sdks_packages_go_and_what_they_brought_stays():
    spec = environment_spec(
        of_pip(
            "azureml-core==1.20",
            "azureml_mlflow",
            "azureml-dataset-runtime[fuse]",
            "pandas==1.1",
            "mlflow",
        )
    )
    assert spec.pip == ("pandas==1.1", "mlflow")
    assert "pandas" not in spec.brought and "mlflow-skinny" not in " ".join(spec.brought)
    assert "requests" in spec.brought
    assert any(
        "azureml-core==1.20" in note and "keeping their dependencies: requests" in note
        for note in spec.notes
    )
    assert spec.as_of == "2021-01-11 azureml-core==1.20"
    for line in ("azureml-dataprep[fuse,pandas]", "azureml-dataprep==1.1.31"):
        assert {"pandas", "pyarrow"} <= {
            re.split("[<;]", b)[0] for b in environment_spec(of_pip(line)).brought
        }


def test_lines_and_options_are_kept_apart():
    spec = environment_spec(
        of_pip("--extra-index-url https://x.invalid", "-e /lib", "a==1 --hash=sha256:ff")
    )
    assert spec.pip == ("-e /lib", "a==1 --hash=sha256:ff")
    assert spec.pip_options == ("--extra-index-url https://x.invalid",)


@pytest.mark.parametrize(
    ("package", "version", "noted"),
    [
        ("python=3.7", "3.7", False),
        ("python==3.7.4", "3.7.4", False),
        ("python=3.7.*", "3.7", False),
        ("python=3.8.5=h7579374_1", "3.8.5", False),
        ("python>=3.6,<3.8", ">=3.6,<3.8", False),
        ("conda-forge::python 3.9", "3.9", False),
        ("python", None, False),
        ("python=3.6.2", None, True),
        ("python=3.10.18", None, True),
        ("python=3.8.13", None, False),
        ("python=3.6.2.*", "3.6.2", False),
    ],
)
def test_python_versions(package, version, noted):
    made = Environment("x")
    made.python.conda_dependencies = CondaDependencies.from_dict({"dependencies": [package]})
    spec = environment_spec(made)
    assert spec.python == version
    assert any("to require it" in note for note in spec.notes) is noted


def test_azures_images_are_no_wish_and_the_users_own_are():
    made = Environment("x")
    made.docker.base_image = DEFAULT_GPU_IMAGE
    assert environment_spec(made) == EnvironmentSpec(PACKAGES, name="x")
    own = Environment.from_docker_image("i", "org/image:1")
    spec = environment_spec(own)
    assert (spec.kind, spec.image, spec.container, spec.docker.own) == (
        INTERPRETER, "org/image:1", True, True,
    )  # fmt: skip


def test_a_container_is_wanted_where_either_section_asks():
    asked = Environment("x")
    asked.docker.enabled = True
    asked.docker.shm_size = "8g"
    spec = environment_spec(asked)
    assert spec.container and spec.docker.shm_size == "8g" and not spec.docker.own
    job = DockerConfiguration(use_docker=True, arguments=["--gpus", "all"], shm_size="1g")
    spec = environment_spec(asked, job)
    assert (spec.docker.shm_size, spec.docker.arguments) == ("1g", ("--gpus", "all"))
    config = ScriptRunConfig(".", "a.py", docker_runtime_config=job)
    assert describe(config).docker is True
    assert describe(config).environment.image.startswith("mcr.microsoft.com/azureml/")


def test_dockerfiles_and_contexts_are_recorded(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian\n")
    made = Environment("x")
    made.docker.base_image = None
    made.docker.base_dockerfile = str(tmp_path / "Dockerfile")
    assert environment_spec(made).docker.dockerfile == "FROM debian\n"
    made.docker.base_dockerfile = str(tmp_path / "gone")
    assert "Cannot read" in problems(made)[0]
    context = DockerBuildContext.from_local_directory(None, tmp_path)
    spec = environment_spec(Environment.from_docker_build_context("x", context))
    wanted = BuildContext("local", str(tmp_path), "Dockerfile")
    assert spec.docker.build_context == wanted


def test_no_password_in_what_is_recorded():
    registry = ContainerRegistry(address="r.invalid", username="u", password="top-secret")
    made = Environment.from_docker_image("i", "org/x", registry)
    described = describe(ScriptRunConfig(".", "a.py", environment=made))
    assert described.environment.docker.registry == ImageRegistry("r.invalid", "u")
    assert "top-secret" not in json.dumps(described.run_definition)
    assert "top-secret" not in json.dumps(described.environment.to_dict())
    assert any("password" in note for note in described.notes)


def test_problems_are_told_without_building():
    made = Environment("x")
    made.python.conda_dependencies_file = "gone.yml"
    made.docker.base_dockerfile = "FROM x\n"
    told = problems(made)
    assert len(told) == 2 and "gone.yml" in told[0] and "base_image to None" in told[1]
    made.python.user_managed_dependencies = True
    assert len(problems(made)) == 1


def test_equal_content_has_equal_digests_through_a_file():
    one = of_pip("numpy", python_version="3.9")
    again = Environment.from_dict(one.to_dict()).clone("other")
    assert environment_spec(one).digest() == environment_spec(again).digest()
    assert environment_spec(one).digest() != environment_spec(of_pip("numpy")).digest()


def test_a_base_environment_is_built_upon_and_must_be_there(tmp_path, monkeypatch):
    meta = tmp_path / "base" / "conda-meta"
    meta.mkdir(parents=True)
    for name, version in (("python", "3.10.4"), ("ffmpeg", "6.1"), ("numpy", "1.26.0")):
        (meta / f"{name}.json").write_text(json.dumps({"name": name, "version": version}))
    made = Environment("mine")
    made.python.conda_dependencies.add_conda_package("numpy=1.25")
    made.python.base_conda_environment = str(tmp_path / "base")
    spec = environment_spec(made)
    assert spec.python == "3.10.4"
    assert spec.conda == ("ffmpeg=6.1", "numpy=1.25")
    made.python.base_conda_environment = "nowhere-to-be-found"
    assert "'nowhere-to-be-found'" in problems(made)[0]
    made.python.base_conda_environment = str(tmp_path / "base")
    made.python.user_managed_dependencies = True
    assert environment_spec(made).interpreter == str(tmp_path / "base" / "bin" / "python")
