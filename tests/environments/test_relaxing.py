"""Pins that can't be had: refused where they are exact, else relaxed as little as it takes."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wheel_making import make_source, make_wheel

from scriptrun.environments.ensure import ensure
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.spec.environment import AUTO, EXACT, RELAX
from scriptrun.spec.errors import EnvironmentException

#: the Python that every machine has
OWN = "{}.{}".format(*sys.version_info)


@pytest.fixture
def aged(wheels):
    """numeric 1.0 is for Python 3.6 alone; 1.1, 1.2 and 2.0 are for all."""
    make_wheel(wheels, "numeric", "1.0", tag="cp36")
    for version in ("1.1", "1.2", "2.0"):
        make_wheel(wheels, "numeric", version)
    make_wheel(wheels, "learn", "0.9", needs=("numeric<1.2",))
    return wheels


def test_exact_pins_are_refused(request_of, locks, said, aged):
    spec = request_of("numeric==1.0", python=OWN, pins=EXACT)
    with pytest.raises(EnvironmentException, match="numeric"):
        ensure(spec, locks, said.append)


def test_what_can_be_had_exactly_is_not_touched(request_of, locks, said, aged):
    ready = ensure(request_of("numeric==1.2", "red", pins=AUTO), locks, said.append)
    assert "relaxed" not in ready.lock
    assert "numeric==1.2" in ready.lock["requirements"]
    assert not list(Path(ready.sites[0]).glob("scriptrun_old_names*"))


def test_a_pin_is_moved_to_the_lowest_version_that_there_is(request_of, locks, said, aged):
    spec = request_of("numeric==1.0", "red==1.0", "blue", python=OWN, pins=RELAX)
    ready = ensure(spec, locks, said.append)
    assert ready.lock["relaxed"] == {"numeric": ["1.0", "1.1"]}
    assert "red==1.0" in ready.lock["requirements"]
    assert ready.lock["python"].startswith(f"{OWN}.")
    assert "pins relaxed: numeric 1.0 -> 1.1" in ready.notes
    assert "pins relaxed: numeric 1.0 -> 1.1" in said


def test_a_pin_without_any_wheel_is_built_for_the_requested_python(request_of, locks, said, wheels):
    make_source(wheels)
    make_wheel(wheels, "indigo", "8")
    ready = ensure(request_of("indigo==7", python=OWN, pins=AUTO), locks, said.append)
    assert "relaxed" not in ready.lock and "indigo==7" in ready.lock["requirements"]


def test_what_the_user_left_free_stays_free(request_of, locks, said, aged):
    spec = request_of("numeric==1.0", "red", python=OWN, pins=AUTO)
    assert "red==2.0" in ensure(spec, locks, said.append).lock["requirements"]


def test_pins_that_contradict_each_other_give_way_one_at_a_time(request_of, locks, said, aged):
    spec = request_of("numeric==2.0", "learn==0.9", "red==1.0", pins=AUTO)
    with pytest.raises(EnvironmentException):
        ensure(spec.replace(pins=EXACT), locks, said.append)
    make_wheel(aged, "learn", "1.0", needs=("numeric",))
    ready = ensure(spec, locks, said.append)
    assert ready.lock["relaxed"] == {"learn": ["0.9", "1.0"]}


def test_those_that_need_each_other_move_as_little_as_they_can(request_of, locks, said, aged):
    make_wheel(aged, "learn", "1.1", needs=("numeric==1.2",))
    make_wheel(aged, "learn", "2.0", needs=("numeric==2.0",))
    make_wheel(aged, "learn", "1.0", tag="cp36")
    spec = request_of("numeric==1.0", "learn==1.0", "red", python=OWN, pins=AUTO)
    lock = ensure(spec, locks, said.append).lock
    assert lock["relaxed"] == {"numeric": ["1.0", "1.2"], "learn": ["1.0", "1.1"]}
    assert "red==2.0" in lock["requirements"]


def test_what_once_had_a_wheel_is_not_built_for_a_later_python(
    request_of, locks, said, aged, monkeypatch
):
    """Its source rarely builds there; this one has no way to. The machine has one Python."""
    monkeypatch.setattr(interpreter_discovery, "others", list)
    about = b"Metadata-Version: 2.2\nName: numeric\nVersion: 1.0\n"
    with tarfile.open(aged / "numeric-1.0.tar.gz", "w:gz") as file:
        entry = tarfile.TarInfo("numeric-1.0/PKG-INFO")
        entry.size = len(about)
        file.addfile(entry, io.BytesIO(about))
    lock = ensure(request_of("numeric==1.0", pins=AUTO), locks, said.append).lock
    assert lock["relaxed"] == {"numeric": ["1.0", "1.1"]}


def test_a_package_that_went_into_another_is_that(request_of, locks, said, aged):
    make_wheel(aged, "tensorflow_gpu", "1.0", tag="cp36")
    make_wheel(aged, "tensorflow", "2.0")
    spec = request_of("tensorflow-gpu==1.0", python=OWN, pins=AUTO)
    lock = ensure(spec, locks, said.append).lock
    assert lock["relaxed"]["tensorflow"] == ["1.0", "2.0"]
    assert "tensorflow-gpu" in lock["relaxed"]


def test_a_python_that_is_not_here_gives_way_to_the_next(request_of, locks, said, aged):
    spec = request_of("red==2.0", python="3.5", pins=AUTO)
    ready = ensure(spec, locks, said.append)
    asked, given = ready.lock["relaxed"]["python"]
    assert asked == "3.5" and given == ready.lock["python"]


def test_what_no_version_could_mend_is_the_first_error(request_of, locks, said, aged):
    with pytest.raises(EnvironmentException, match="nowhere-to-be-found"):
        ensure(request_of("nowhere-to-be-found==1", pins=AUTO), locks, said.append)


def test_old_names_work_in_what_was_relaxed(request_of, locks, said, aged, tmp_path):
    make_wheel(aged, "numpy", "1.30")
    make_wheel(aged, "joblib", "1.0")
    lines = ("numeric==1.0", "numpy", "joblib")
    (tmp_path / "sklearn" / "externals").mkdir(parents=True)
    (tmp_path / "sklearn" / "externals" / "__init__.py").touch()
    (tmp_path / "sklearn" / "externals" / "six.py").write_text("WHOSE = 'its own'")
    ready = ensure(request_of(*lines, python=OWN, pins=AUTO), locks, said.append)
    code = (
        "import numpy as np, collections, time, inspect\n"
        "assert np.float is float and np.bool is bool and np.object is object\n"
        "from sklearn.externals import joblib, six\n"
        "assert six.WHOSE == 'its own'\n"
        "import joblib as today\n"
        "assert joblib is today\n"
        "assert collections.Mapping is collections.abc.Mapping\n"
        "assert time.clock() >= 0\n"
        "print(inspect.getargspec(lambda a, b=1: 0)[0])\n"
    )
    done = subprocess.run([ready.python, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "['a', 'b']\n", done.stderr
    assert ensure(request_of(*lines, python=OWN, pins=AUTO), locks, said.append).cached


@pytest.mark.parametrize(
    ("line", "name", "version"),
    [
        ("numpy==1.16.2", "numpy", "1.16.2"),
        ("scikit-learn == 0.20.*", "scikit-learn", "0.20"),
        ("torch[extra]~=1.4 ; python_version < '3.9'", "torch", "1.4"),
        ("pandas>=0.25,<1", "pandas", "0.25"),
        ("keras<2.4", "keras", ""),
    ],
)
def test_pins_are_recognised(line, name, version):
    pin = uv_relax_pins.parse_pin(line)
    assert (pin.name, pin.version) == (name, version)


@pytest.mark.parametrize(
    "line", ["numpy", "numpy>=1.2", "numpy!=1.3", "-e .", "a @ file:///x==1", "./x==1"]
)
def test_what_bounds_nothing_is_no_pin(line):
    assert uv_relax_pins.parse_pin(line) is None


@given(st.from_regex(r"[a-z][a-z0-9]{0,5}==\d{1,2}(\.\d{1,2}){0,2}", fullmatch=True))
def test_a_relaxed_pin_still_allows_what_was_asked(line):
    pin = uv_relax_pins.parse_pin(line)
    assert pin.just(pin.version) == line
    assert pin.at_least() == line.replace("==", ">=")
    locked = f"{pin.name}=={pin.version} \\\n    --hash=sha256:00\n"
    assert uv_relax_pins.changed_pins([pin], locked) == {}
