"""What exceeds the system's limits is refused before anything is submitted."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import HyperDriveConfig, RandomParameterSampling, ScriptRunConfig, choice
from scriptrun.config import process_limits
from scriptrun.config.reader import ConfigReader
from scriptrun.config.sweeps import search_space

LONG = "x" * 131_072
NUL = "a NUL character"


def problems(**values):
    variables = values.pop("variables", {})
    config = ScriptRunConfig(".", **{"script": "a.py", **values})
    config.run_config.environment_variables = variables
    return ConfigReader(config).problems()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a\0", NUL),
        ("\ud800", r"lone surrogate '\\ud800'"),
        ("a\udfff", r"lone surrogate '\\udfff'"),
        (LONG, "131,072 bytes, more than the limit of 131,0"),
        ("ä" * 65_536, "131,072 bytes"),
    ],
    ids=["nul", "surrogate", "other-surrogate", "long", "long-in-bytes"],
)
def test_each_is_named_and_all_at_once(text, problem):
    found = problems(arguments=["fine", text, text], variables={"A": text, "B": "fine"})
    assert [message.split(" ", 1)[0] for message in found] == [
        "arguments[1]",
        "arguments[2]",
        "environment",
    ]
    assert "environment variable 'A'" in found[2]
    assert all(re.search(problem, message) for message in found)


def test_commands_and_texts_of_arguments():
    assert problems(script=None, command="echo \0") == [
        "command contains a NUL character, which the system does not allow"
    ]
    assert problems(script=None, command=["echo", "\ud800"])[0].startswith("command[1]")
    assert problems(arguments="a 'b\0'")[0].startswith("arguments[1]")
    assert problems(variables={"\ud800": "x"})[0].startswith("environment variable '\\ud800'")
    assert problems(variables={"": "x", "a=b": "x", "c\0": "y"}) == [
        f"invalid variable name {name!r} in run_config.environment_variables"
        for name in ("", "a=b", "c\0")
    ]


def test_what_a_process_can_be_given():
    longest = LONG[1:]
    assert problems(arguments=[longest, "\udcff", "", "é"], variables={"A": longest[2:]}) == []
    assert problems(variables={"A": longest[1:]}) != []


@given(st.text(max_size=20))
@settings(max_examples=40, deadline=None)
def test_the_system_agrees(text):
    try:
        subprocess.run([sys.executable, "-S", "-c", "", text], check=True, close_fds=False)
        is_possible = True
    except ValueError:  # a NUL, or a surrogate
        is_possible = False
    assert (process_limits.argument_problems("x", text) == []) == is_possible


def test_all_together():
    assert process_limits.total_problems(["x"] * 10, {"A": "b"}) == []
    (found,) = process_limits.total_problems(["x" * 100_000] * 80, {"A": "b"})
    assert "in total, more than the limit of" in found


def test_options_of_sweeps():
    found = search_space.problems({"--a": choice(1, "x\0", ["\ud800"]), "b\0": choice(1)})
    assert found == [
        "parameter 'b\\x00' contains a NUL character, which the system does not allow",
        "parameter '--a': choice[1] contains a NUL character, which the system does not allow",
        "parameter '--a': choice[2] contains the lone surrogate '\\ud800', which the system "
        "does not allow",
    ]
    sweep = HyperDriveConfig(
        run_config=ScriptRunConfig(".", "a.py"),
        hyperparameter_sampling=RandomParameterSampling({"--a": choice("x")}),
        primary_metric_name="m",
        primary_metric_goal="minimize",
        max_total_runs=2,
    )
    assert sweep.problems() == []


def test_bytes_of_the_command_line_are_no_surrogates():
    assert process_limits.argument_problems("x", os.fsdecode(b"caf\xe9")) == []
