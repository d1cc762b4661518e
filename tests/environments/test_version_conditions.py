"""Conditions on a Python version."""

import pytest

from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter import version_ranges


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
        assert interpreter_discovery.fits(text, tuple(map(int, version.split(".")))) == (
            version in fitting
        )


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", ">=3.8 or so", "<=>3", ">=" + "9" * 5000],
    ids=lambda text: text[:20] or "empty",
)
def test_what_is_no_condition(text):
    assert version_ranges.parse(text) is None and not interpreter_discovery.is_version(text)


def test_the_own_python_comes_first_and_then_the_newest():
    own = interpreter_discovery.running_minor()
    assert interpreter_discovery.choose(">=3.6")[0].minor == own
    other = (
        interpreter_discovery.choose(f"!={own[0]}.{own[1]}.*")[0]
        if interpreter_discovery.others()
        else None
    )
    assert other is None or other.minor == max(
        each.minor for each in interpreter_discovery.others()
    )
