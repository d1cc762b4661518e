"""The names of azureml, for as long as a module's tests run."""

from __future__ import annotations

import importlib
import sys

import pytest


@pytest.fixture(scope="module")
def azureml():
    """``azureml`` can be imported from here until the module's tests are done."""
    finder = importlib.import_module("scriptrun.dropin.finder")
    before = list(sys.meta_path)
    finder.enable()
    yield
    sys.meta_path[:] = before
    for name in [each for each in sys.modules if each.split(".")[0] == "azureml"]:
        del sys.modules[name]
