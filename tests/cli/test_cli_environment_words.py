"""What the command line says of environments."""

import argparse

import pytest

from scriptrun.cli.options import environment as environment_options
from scriptrun.spec.errors import UserErrorException


def parsed(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--environment")
    environment_options.arguments(parser.add_argument)
    return parser.parse_args(words)


def test_one_source_at_a_time():
    assert environment_options.check_sources(parsed("--uv-project", ".")) == ["--uv-project"]
    assert (
        environment_options.check_sources(parsed()) == []
        and environment_options.load(parsed()) is None
    )
    with pytest.raises(
        UserErrorException, match="--conda and --pixi-project cannot be used together"
    ):
        environment_options.check_sources(parsed("--conda", "e.yml", "--pixi-project", "."))
    with pytest.raises(UserErrorException, match="require --uv-project"):
        environment_options.check_sources(parsed("--requirements", "r.txt", "--group", "dev"))


def test_a_file_gives_the_environment_its_name(tmp_path):
    (tmp_path / "train.txt").write_text("six\n")
    made = environment_options.load(parsed("--requirements", str(tmp_path / "train.txt")))
    assert made.name == "train" and made.python.conda_dependencies.pip_packages == ["six"]
    with pytest.raises(UserErrorException, match=r"pixi\.lock' does not exist"):
        environment_options.load(parsed("--pixi-project", f"{tmp_path}:gpu"))
    with pytest.raises(UserErrorException, match=r"pyproject\.toml' does not exist"):
        environment_options.load(parsed("--uv-project", str(tmp_path), "--group", "dev"))
