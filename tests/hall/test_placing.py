"""What a run says of the environment that it was given."""

from __future__ import annotations

import pytest

from scriptrun import Environment, ScriptRunConfig, placing
from scriptrun.config import planning


def notes(requirement):
    environment = Environment("lib")
    environment.python.conda_dependencies.add_pip_package(requirement)
    described = planning.describe(ScriptRunConfig(".", "train.py", environment=environment))
    return " ".join(placing.placed(described, None)[1])


@pytest.mark.parametrize("text", ["{0}", "{0}[extra]", "lib @ file://{0}", "{0} ; os_name == 'nt'"])
def test_a_directory_is_said_to_be_installed_once(tmp_path, text):
    assert f"{tmp_path} is installed as it is" in notes(text.format(tmp_path))


def test_an_editable_one_is_said_to_change_under_the_run(tmp_path):
    assert "later changes of it reach this run" in notes(f"-e {tmp_path}")


@pytest.mark.parametrize(
    "text", ["six", "six==1.0", "/no/such/place", "lib @ https://a.io/lib.zip"]
)
def test_all_others_are_worth_no_word(text):
    assert "later changes" not in notes(text)
