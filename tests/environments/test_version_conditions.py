"""Conditions on a Python version."""

import pytest

from scriptrun.environments import pythons, version_conditions


@pytest.mark.parametrize(
    ("text", "fitting", "others"),
    [
        (">=3.9,<3.12", ["3.9.0", "3.11.7"], ["3.8.18", "3.12.0"]),
        ("~=3.10", ["3.10.1", "3.13.0"], ["3.9.9"]),
        ("~=3.10.2", ["3.10.9"], ["3.11.0", "3.10.1"]),
        ("==3.8.*", ["3.8.18"], ["3.9.0"]),
        (">3.8, !=3.9.*", ["3.8.1", "3.10.0"], ["3.9.5", "3.8.0"]),
        ("==3.8.13", ["3.8.13"], ["3.8.14"]),
    ],
)
def test_which_versions_fit(text, fitting, others):
    for version in (*fitting, *others):
        assert pythons.fits(text, tuple(map(int, version.split(".")))) == (version in fitting)


@pytest.mark.parametrize("text", ["", "tomorrow", ">=3.8 or so", "<=>3"])
def test_what_is_no_condition(text):
    assert version_conditions.parse(text) is None and not pythons.is_version(text)


def test_the_own_python_comes_first_and_then_the_newest():
    own = pythons.interpreters_minor()
    assert pythons.choose(">=3.6")[0].minor == own
    other = pythons.choose(f"!={own[0]}.{own[1]}.*")[0] if pythons.others() else None
    assert other is None or other.minor == max(each.minor for each in pythons.others())
