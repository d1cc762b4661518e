from __future__ import annotations

import os
import sys

import pytest

from scriptrun.environments import ensure, import_check
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec

SCRIPT = b"""
from __future__ import annotations
import os.path, numpy as np
import sklearn.linear_model
from PIL import Image
from . import sibling
from .more import thing
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import pandas
else:
    import polars
try:
    import ujson as json
except ImportError:
    import json
try:
    import strict_one
except ValueError:
    pass
def late():
    import torch
    with open("x"):
        from scipy import stats
class C:
    import yaml
if True:
    import first
elif x:
    import second
"""


def test_top_level_names_of_what_must_be_there():
    assert import_check.script_imports(SCRIPT) == set(
        "__future__ os numpy sklearn PIL typing polars json strict_one torch scipy yaml "
        "first second".split()
    )


@pytest.mark.parametrize(
    "source", [b"print 'two'\nimport numpy", b"\x00", b"\xff\xfe", b"def (", b"(" * 5000, b""]
)
def test_what_is_no_python_3_imports_nothing(source):
    assert import_check.script_imports(source) == set()


def test_imports_beside_the_deepest_nesting_are_found():
    source = b"import numpy\n" + b"x = " + b"-" * 1500 + b"1\nimport torch\n"
    assert import_check.script_imports(source) in ({"numpy", "torch"}, set())
    sums = b"import numpy\nx = " + b" + ".join([b"1"] * 1500) + b"\n"
    assert import_check.script_imports(sums) in ({"numpy"}, set())


def test_a_declared_encoding_is_read():
    assert import_check.script_imports(
        "# -*- coding: latin-1 -*-\n# é\nimport red".encode("latin-1")
    ) == {"red"}


def test_of_what_is_built_the_directories_decide(request_of, locks, said):
    ready = ensure.ensure(request_of("blue"), locks, said.append)
    wanted = {"red", "blue", "sklearn", "os", "scriptrun", "azureml", "distutils"}
    assert import_check.missing(wanted, ready) == ["sklearn"]
    site = ready.sites[0]
    os.mkdir(os.path.join(site, "namespace"))
    open(os.path.join(site, "fast.cpython-311-x86_64-linux-gnu.so"), "w").close()
    with open(os.path.join(site, "elsewhere.pth"), "w") as pth:
        pth.write(f"{os.path.dirname(locks)}/src\nimport os\n")
    os.makedirs(os.path.join(os.path.dirname(locks), "src", "linked"))
    assert import_check.missing({"namespace", "fast", "linked", "fas"}, ready) == ["fas"]


def test_of_an_interpreter_too(locks, said):
    spec = EnvironmentSpec(INTERPRETER, interpreter=sys.executable)
    ready = ensure.ensure(spec, locks, said.append)
    assert import_check.missing({"pytest", "yaml", "_pytest", "no_such_module"}, ready) == [
        "no_such_module"
    ]


def test_an_editable_install_counts(tmp_path, locks, said):
    spec = EnvironmentSpec(INTERPRETER, interpreter=sys.executable)
    ready = ensure.ensure(spec, locks, said.append)
    site = tmp_path / "site"
    site.mkdir()
    (site / "__editable___mine_1_finder.py").write_text("MAPPING = {'mine': '/src/mine'}\n")
    ready = type(ready)(**{**vars(ready), "sites": (str(site),)})
    assert import_check.missing({"mine", "min"}, ready) == ["min"]


@pytest.mark.parametrize(
    ("pip", "wanted", "missing"),
    [
        (("scikit-learn==1.3", "PyYAML"), {"sklearn", "yaml", "numpy", "joblib"}, []),
        (("scikit_learn",), {"sklearn", "torch"}, ["torch"]),
        (("opencv-python-headless",), {"cv2", "PIL"}, ["PIL"]),
        (("torchvision[extra]>=0.1 ; python_version>'3'",), {"torch", "PIL"}, []),
        (("git+https://example.org/anything",), {"whatever"}, []),
        ((), {"numpy", "sys"}, ["numpy"]),
    ],
)
def test_before_it_is_built_the_names_decide(pip, wanted, missing):
    assert import_check.missing(wanted, EnvironmentSpec("packages", pip=pip)) == missing


def test_conda_names_count_before_the_build():
    spec = EnvironmentSpec("packages", conda=("pytorch=1.6", "scikit-learn"))
    assert import_check.missing({"torch", "sklearn", "bs4"}, spec) == ["bs4"]
