"""The page on migrating names every parameter that an Estimator takes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from scriptrun.dropin.azureml import estimators

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "migrating.md").read_text("utf-8")
TABLE = PAGE[PAGE.index("## Each parameter") : PAGE.index("And around it")]


@pytest.mark.parametrize("name", ["Estimator", "PyTorch", "TensorFlow", "Chainer", "SKLearn"])
def test_every_parameter_stands_in_the_table(name):
    left = "\n".join(line.split("|")[1] for line in TABLE.splitlines() if line.startswith("|"))
    taken = set(inspect.signature(getattr(estimators, name)).parameters) - {
        "self",
        "args",
        "kwargs",
    }
    assert len(taken) > 15
    assert taken <= set(re.findall(r"\w+", left)), taken - set(re.findall(r"\w+", left))
