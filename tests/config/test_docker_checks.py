"""What is wrong with a container is said before anything is built or pulled."""

from __future__ import annotations

import pytest

from scriptrun import DockerBuildContext, DockerConfiguration, Environment, ScriptRunConfig
from scriptrun.config.docker_checks import problems
from scriptrun.config.reader import ConfigReader
from scriptrun.spec.errors import RunConfigurationException

GOOD = [
    "python",
    "python:3.12-slim",
    "docker.io/library/python:3.12",
    "localhost:5000/team/x:1",
    "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest",
    "quay.io/a/b@sha256:" + "0f" * 32,
    "0123456789ab",
]


def made(**settings):
    environment = Environment("e")
    for name, value in settings.items():
        setattr(environment.docker, name, value)
    return environment.docker


@pytest.mark.parametrize("image", GOOD)
def test_names_of_images(image):
    assert problems(made(base_image=image)) == []


@pytest.mark.parametrize("image", ["My Image", "python:3.12:1", "https://a.io/x", "a/B", "x@y"])
def test_what_is_no_name_of_an_image(image):
    (said,) = problems(made(base_image=image))
    assert repr(image) in said
    assert "docker.io/library/python:3.12" in said


@pytest.mark.parametrize(("size", "good"), [("2g", 1), ("512MB", 1), ("64", 1), ("two", 0)])
def test_sizes_of_shared_memory(size, good):
    assert (problems(made(shm_size=size)) == []) is bool(good)
    job = DockerConfiguration(use_docker=True, shm_size=size)
    assert (problems(made(), job) == []) is bool(good)


@pytest.mark.parametrize(
    ("context", "says"),
    [
        (("svn", "there"), "use 'local' or 'git'"),
        (("git", ""), "requires a location"),
        (("local", "{0}"), "has no Dockerfile"),
        (("git", "https://example.org/x.git"), ""),
    ],
)
def test_build_contexts(tmp_path, context, says):
    kind, place = context
    found = problems(made(build_context=DockerBuildContext(kind, place.format(tmp_path))))
    assert len(found) == bool(says)
    assert says in "".join(found)


def test_a_submission_is_refused_with_all_of_it():
    environment = Environment.from_docker_image("e", "No Image")
    docker = DockerConfiguration(use_docker=True, shm_size="much")
    config = ScriptRunConfig(
        ".", command="true", environment=environment, docker_runtime_config=docker
    )
    said = " ".join(ConfigReader(config).problems())
    assert "'No Image'" in said
    assert "shm_size='much'" in said


def test_options_in_one_line_are_read_as_a_shell_would():
    assert DockerConfiguration(arguments="--cap-add=X -e 'A=b c'").arguments == [
        "--cap-add=X",
        "-e",
        "A=b c",
    ]
    with pytest.raises(RunConfigurationException, match="Unclosed quote"):
        DockerConfiguration(arguments="-e 'A")
