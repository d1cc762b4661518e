"""What has no pin is resolved as of the newest pin's day, from indexes that tell days or not."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from index_server import serving
from wheel_making import make_source, make_wheel

from scriptrun.environments.conda import as_of as conda_as_of
from scriptrun.environments.ensure import ensure
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv import as_of, brought, dated_attempt, release_dates, requirements
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.spec.environment import EXACT, NEWEST_PIN, PACKAGES, RELAX, EnvironmentSpec


@pytest.fixture
def index(tmp_path):
    """learn 0.24 is of 2021; numeric of 2020 and 2024; late of 2023 alone."""
    for name, version, day in (
        ("learn", "0.24", "2021-04-28"),
        ("numeric", "1.20", "2020-01-01"),
        ("numeric", "2.0", "2024-06-16"),
        ("late", "1.0", "2023-03-03"),
        ("late", "2.0", "2025-03-03"),
    ):
        needs = ("numeric",) if name == "learn" else ()
        upload(make_wheel(tmp_path / "index" / name, name, version, needs=needs), day)
    with serving(tmp_path / "index", dated=True) as address:
        yield f"http://{address}/"


@pytest.fixture
def python() -> Python:
    return Python("/usr/bin/python3.11", (3, 11), 7)


def upload(path: Path, day: str) -> None:
    """Have the index say that the file was uploaded on ``day``."""
    seconds = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))


def requested(index: str, *lines: str, **fields: object) -> EnvironmentSpec:
    values = {"pins": RELAX, "as_of": NEWEST_PIN, **fields}
    return EnvironmentSpec(PACKAGES, pip=lines, pip_options=(f"--index-url {index}",), **values)


def test_what_has_no_pin_is_of_the_pins_time(index, locks, said):
    ready = ensure(requested(index, "learn==0.24"), locks, said.append)
    assert "numeric==1.20" in ready.lock["requirements"]
    assert ready.lock["as_of"] == "2021-04-28"
    note = "packages without a pin are resolved as of 2021-04-28, the date of learn 0.24."
    assert note in said and note in ready.notes


def test_exact_pins_leave_the_rest_alone(index, locks, said):
    spec = requested(index, "learn==0.24", pins=EXACT, as_of="")
    assert "numeric==2.0" in ensure(spec, locks, said.append).lock["requirements"]
    assert spec.digest() != requested(index, "learn==0.24").digest()


def test_a_package_of_later_has_a_day_of_its_own(index, locks, said):
    lock = ensure(requested(index, "learn==0.24", "late"), locks, said.append).lock
    assert "late==1.0" in lock["requirements"] and "numeric==1.20" in lock["requirements"]


def test_what_had_no_wheel_then_is_built(index, locks, said, tmp_path):
    upload(make_source(tmp_path / "index" / "indigo"), "2020-05-05")
    upload(make_wheel(tmp_path / "index" / "indigo", "indigo", "8"), "2024-05-05")
    ready = ensure(requested(index, "learn==0.24", "indigo"), locks, said.append)
    assert "indigo==7" in ready.lock["requirements"]


def test_what_does_not_build_is_taken_from_a_wheel(index, locks, said, tmp_path):
    upload(make_source(tmp_path / "index" / "indigo", builds=False), "2020-05-05")
    upload(make_wheel(tmp_path / "index" / "indigo", "indigo", "8"), "2024-05-05")
    ready = ensure(requested(index, "learn==0.24", "indigo"), locks, said.append)
    assert "indigo==8" in ready.lock["requirements"]
    assert "numeric==1.20" in ready.lock["requirements"]
    assert any(
        "indigo as of 2025-05-05, as it had no usable release before" in note
        for note in ready.notes
    )


def test_a_dependency_without_wheels_then_has_a_day_of_its_own(index, locks, said, tmp_path):
    make = tmp_path / "index"
    upload(make_wheel(make / "deep", "deep", "1.0", needs=("cython",)), "2020-01-01")
    upload(make_source(make / "cython", name="cython"), "2019-01-01")
    upload(make_wheel(make / "cython", "cython", "9"), "2022-02-02")
    ready = ensure(requested(index, "learn==0.24", "deep"), locks, said.append)
    assert "cython==9" in ready.lock["requirements"]
    assert "numeric==1.20" in ready.lock["requirements"]


def test_compiled_packages_are_never_built():
    releases = {"own": dated_attempt.Release("1.0", None, is_compiled=True)}
    names = dated_attempt.never_built(releases)
    assert {"own", "numpy"} < {*names} and "pyyaml" not in names


def test_the_sdks_packages_choose_a_python_of_their_time(python):
    request = requirements.from_spec(
        EnvironmentSpec(PACKAGES, brought=('numpy<1.19; python_version <= "3.8"', "joblib<=0.14.1"))
    )

    def compile(request, python, flags):
        if python.minor > (3, 8):
            raise uv_tool.UvError("No set of versions satisfies the requirements.")
        return "numpy==1.18.5\n"

    old = python.replace(minor=(3, 8))
    newer = python.replace(minor=(3, 9))
    completed = brought.add(request, python, "", {}, compile, lambda: [newer, old])
    assert (completed.python, completed.text) == (old, "numpy==1.18.5\n")
    assert completed.note == f"Using Python {old.version}, as the SDK's packages did."


def test_another_pin_may_be_the_newest(index, locks, said):
    spec = requested(index, "learn==0.24", "late", as_of="2024-01-01 azureml-core==1.55.0")
    ready = ensure(spec, locks, said.append)
    assert "numeric==1.20" in ready.lock["requirements"]
    assert ready.lock["as_of"] == "2024-01-01"
    older = requested(index, "learn==0.24", as_of="2019-01-01 azureml-core==1.0.6")
    assert ensure(older, locks, said.append).lock["as_of"] == "2021-04-28"


def test_a_day_of_no_pin_counts_only_without_pins(index, locks, said):
    spec = requested(index, "learn==0.24", as_of="2024-12-12 azureml-sdk 1.59")
    assert ensure(spec, locks, said.append).lock["as_of"] == "2021-04-28"
    free = requested(index, "learn", as_of="2024-01-01 azureml-sdk 1.55")
    assert "numeric==1.20" in ensure(free, locks, said.append).lock["requirements"]


def test_what_cannot_be_had_of_the_brought_is_left_out(index, locks, said):
    spec = requested(index, "learn==0.24", brought=("numeric<1.0", "nowhere"))
    ready = ensure(spec, locks, said.append)
    assert any("left out" in note and "nowhere" in note for note in ready.notes)
    assert brought.Completed and as_of.Dated


def test_bounds_of_the_brought_are_dropped_one_by_one(index, locks, said):
    spec = requested(index, "learn==0.24", brought=("numeric<1.0", "late<2"), as_of="")
    ready = ensure(spec, locks, said.append)
    assert "numeric==2.0" in ready.lock["requirements"]
    assert "late==1.0" in ready.lock["requirements"]
    assert "newer than in Azure, as the requirements need it: numeric." in ready.notes


@pytest.mark.parametrize(("needed", "found"), [(">=41", "59.8"), (">=61", "80.0")])
def test_setuptools_is_as_old_as_the_packages_let_it(needed, found, index, locks, said, tmp_path):
    for version in ("59.8", "80.0", "82.0"):
        make_wheel(tmp_path / "index" / "setuptools", "setuptools", version)
    make_wheel(tmp_path / "index" / "user", "user", "1.0", needs=(f"setuptools{needed}",))
    bounds = ("setuptools<81", "setuptools<60; python_version < '3.99'")
    spec = requested(index, "user", brought=bounds, as_of="")
    assert f"setuptools=={found}" in ensure(spec, locks, said.append).lock["requirements"]


def test_setuptools_never_loses_its_bound(index, locks, said, tmp_path):
    make_wheel(tmp_path / "index" / "setuptools", "setuptools", "82.0")
    spec = requested(index, "learn==0.24", brought=("late<2", "setuptools<81"), as_of="")
    ready = ensure(spec, locks, said.append)
    assert "setuptools" not in ready.lock["requirements"]
    assert "late==1.0" in ready.lock["requirements"]
    assert any("left out" in note and "setuptools" in note for note in ready.notes)


def test_the_table_bounds_what_was_released_later():
    assert release_dates.date_of("scikit-learn", "0.24.2").startswith("202")
    assert "numpy<1.21" in release_dates.bounds("2021-05-02")


def test_conda_packages_are_solved_as_of_the_newest_pin():
    asked = []
    records = [
        {"name": "red", "version": "1.0", "build": "0", "timestamp": 1600000000000},
        {"name": "python", "version": "3.9.1", "build": "0"},
    ]

    def solve(specs, newest):
        asked.append((list(specs), newest))
        return {"records": []}

    dated = conda_as_of.resolve(["red=1.0", "blue", "python"], {"records": records}, solve)
    assert asked == [(["red ==1.0", "blue", "python 3.9.*"], "2020-09-14T00:00:00+00:00")]
    assert dated.as_of == "2020-09-13" and "the date of red 1.0" in dated.notes[0]
