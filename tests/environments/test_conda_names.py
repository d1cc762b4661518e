from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from scriptrun.environments.conda import pypi_names


@pytest.mark.parametrize(
    ("conda", "pip"),
    [
        ("numpy", "numpy"),
        ("numpy=1.16", "numpy==1.16.*"),
        ("numpy=1.16.*", "numpy==1.16.*"),
        ("numpy=1.16*", "numpy==1.16.*"),
        ("numpy==1.16.2", "numpy==1.16.2"),
        ("numpy[version='>=1.16,<2']", "numpy>=1.16,<2"),
        ('conda-forge::numpy[build=*_0, version="1.16.*"]', "numpy==1.16.*"),
        ("numpy[version=1.16.2]", "numpy==1.16.2"),
        ("numpy[build=*mkl*]", "numpy"),
        ("numpy=1.16[build=*mkl*]", "numpy==1.16.*"),
        ("numpy 1.16.2", "numpy==1.16.2"),
        ("numpy 1.16.2 py37_0", "numpy==1.16.2"),
        ("numpy=1.16.2=py37h7e9f1db_0", "numpy==1.16.2.*"),
        ("pandas>=0.21.0,<=0.23.4", "pandas>=0.21.0,<=0.23.4"),
        ("pandas >=0.21, <0.24", "pandas>=0.21,<0.24"),
        ("numpy!=1.17.*", "numpy!=1.17.*"),
        ("numpy=*", "numpy"),
        ("conda-forge::lightgbm=3.1", "lightgbm==3.1.*"),
        ("conda-forge/linux-64::numpy", "numpy"),
        ("scikit-learn=0.20.*", "scikit-learn==0.20.*"),
        ("Scikit-Learn=0.20", "scikit-learn==0.20.*"),
        ("pytorch=1.6.0", "torch==1.6.0.*"),
        ("pytorch=1.6.0=py3.7_cuda10.1", "torch==1.6.0.*"),
        ("py-xgboost<=0.90", "xgboost<=0.90"),
        ("opencv==4.5.1", "opencv-python-headless==4.5.1.*"),
        ("tensorflow-gpu>=2.3", "tensorflow>=2.3"),
    ],
)
def test_a_conda_spec_means_the_same_to_pip(conda, pip):
    translation = pypi_names.translate([conda])
    assert translation.requirements == (pip,)
    assert translation.unknown == translation.problems == ()
    Requirement(pip)


def test_python_and_what_wheels_bring_along_are_no_requirements():
    translation = pypi_names.translate(
        ["python=3.6.2", "cudatoolkit=9.0", "mkl", "numpy", "_libgcc_mutex=0.1=main"]
    )
    assert translation.python == "3.6.2"
    assert translation.requirements == ("numpy",)
    assert "cudatoolkit, mkl, _libgcc_mutex" in translation.notes[1]


def test_all_unknown_packages_are_listed_at_once():
    translation = pypi_names.translate(["r-base=4.1", "numpy", "gcc_linux-64", "ffmpeg"])
    assert translation.unknown == ("r-base=4.1", "gcc_linux-64", "ffmpeg")
    text = pypi_names.unknown_packages_problem(translation.unknown)
    assert "'r-base=4.1', 'gcc_linux-64', 'ffmpeg'" in text


@pytest.mark.parametrize("spec", ["numpy>1.2|<1.0", "", "=1.2", "numpy==abc", "numpy >= "])
def test_what_cannot_be_said_is_a_trouble_and_not_dropped(spec):
    translation = pypi_names.translate([spec])
    assert translation.requirements == ()
    assert f"'{spec.strip()}'" in translation.problems[0]


@given(st.lists(st.integers(0, 99), min_size=2, max_size=3), st.integers(0, 99))
def test_one_equals_sign_means_that_line_of_releases(parts, more):
    text = ".".join(map(str, parts))
    requirement = Requirement(pypi_names.translate([f"numpy={text}"]).requirements[0])
    assert requirement.specifier.contains(Version(text))
    assert requirement.specifier.contains(Version(f"{text}.{more}"))
    above = ".".join(map(str, [*parts[:-1], parts[-1] + 1]))
    assert not requirement.specifier.contains(Version(above))


@given(st.text(max_size=30))
def test_no_text_whatever_raises(text):
    translation = pypi_names.translate([text])
    for requirement in translation.requirements:
        Requirement(requirement)


def test_the_old_curated_environments_are_understood():
    facts = Path(__file__).parents[2] / "src/scriptrun/config/environments/curated_definitions"
    specs = {
        spec
        for path in facts.rglob("*.json")
        for spec in _conda_specs(json.loads(path.read_text("utf-8")))
    }
    translation = pypi_names.translate(sorted(specs))
    assert translation.problems == ()
    for requirement in translation.requirements:
        Requirement(requirement)


def _conda_specs(value: object) -> list[str]:
    if isinstance(value, dict):
        own = value.get("conda")
        found = [spec for spec in own if isinstance(spec, str)] if isinstance(own, list) else []
        return found + [spec for each in value.values() for spec in _conda_specs(each)]
    return (
        [spec for each in value for spec in _conda_specs(each)] if isinstance(value, list) else []
    )
