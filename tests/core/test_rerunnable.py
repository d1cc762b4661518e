"""Reruns from Python: what they get from values of all types."""

from __future__ import annotations

import enum
from pathlib import PurePosixPath

import numpy as np
import pytest

from scriptrun.core import rerunnable
from scriptrun.spec.errors import RunConfigurationException, UserErrorException
from scriptrun.testing.jobs import Bench


class Opt(str, enum.Enum):  # noqa: UP042 - str() of a member is "Opt.ADAM"
    ADAM = "adam"


class Size(enum.IntEnum):
    LARGE = 3


def test_values_are_written_as_a_submission_writes_them(tmp_path):
    values = [Opt.ADAM, Size.LARGE, np.float64(0.5), np.array(2), PurePosixPath("a"), "x"]
    bench = Bench(tmp_path)
    run = bench.submit("print()", ["--a", 1])
    assert isinstance(run, rerunnable.Rerunnable)
    variables = {"A": Opt.ADAM, "N": None, "S": Size.LARGE, "F": np.float64(0.5)}
    again = run.rerun(["--b", *values], environment_variables=variables, tags={"a": 1, "b": None})
    for each in (run, again):
        each.wait_for_completion()
    texts = ["adam", "3", "0.5", "2", "a", "x"]
    assert again.job.arguments == ("--a", "1", "--b", *texts)
    assert again.job.variables == {**run.job.variables, "A": "adam", "N": "", "S": "3", "F": "0.5"}
    assert again.job.tags == {"a": "1", "b": None}
    for wrong in ({"arguments": "--lr 1"}, {"remove_arguments": "fast"}):
        with pytest.raises(UserErrorException, match="must be a list, not a string"):
            run.rerun(**wrong)
    with pytest.raises(RunConfigurationException, match=r"arguments\[1\] is of type list"):
        run.rerun(["--layers", [1, 2]])
