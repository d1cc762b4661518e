"""``exec --check`` goes on behind cells that are not Python, and knows Python 2."""

from __future__ import annotations

import json

import pytest

from scriptrun.dropin import scan
from scriptrun.spec.errors import UserErrorException

USE = "from azureml.core import LinkedService\nLinkedService.create()"


@pytest.mark.parametrize(
    ("cell", "is_skipped"),
    [
        ("%%bash\necho hi", False),
        ("%%sql\nselect 1", False),
        ("%sh\nls -l /dbfs", False),
        ("%sql select 1 from x", False),
        ("!ls | grep '", False),
        ("print 'two'", True),
        ("x = (", True),
        ("az ml run submit --x", True),
        ("x = 1\0", True),
        ("<table>", True),
    ],
)
def test_the_cells_behind_one_that_is_not_python_are_checked(tmp_path, cell, is_skipped):
    path = tmp_path / "a.ipynb"
    cells = [{"cell_type": "code", "source": text} for text in (cell, USE)]
    path.write_text(json.dumps({"cells": cells}))
    found = scan.check(str(path))
    assert found[-1].name == "azureml.core.LinkedService" and "cell 2" in found[-1].place
    if is_skipped:
        assert found[0].name == "not valid Python"
        assert found[0].instead.startswith("Skipped this cell: ")


@pytest.mark.parametrize(
    "text",
    ["print 'a'\n", "try:\n    f()\nexcept IOError, e:\n    pass\n", "raise ValueError, 'x'\n",
     "exec 'x = 1'\n"],
)  # fmt: skip
def test_a_script_of_python_2_is_named(tmp_path, text):
    path = tmp_path / "two.py"
    path.write_text(text)
    with pytest.raises(UserErrorException, match="Convert it to Python 3 first"):
        scan.check(str(path))


def test_other_invalid_python_is_not_called_python_2(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("x = (\n")
    with pytest.raises(UserErrorException, match="not valid Python") as caught:
        scan.check(str(path))
    assert caught.value.hint == ""


def test_calls_that_only_raise_are_listed(tmp_path):
    path = tmp_path / "deploy.py"
    path.write_text(
        "from azureml.core.model import Model\n"
        "profile = Model.profile(ws, 'p', [m], config, data)\n"
        "endpoint.create_version('v2', models=[m])\n"
        "frame.profile()\n"
        "package.get_container_registry()\n"
    )
    found = [(usage.place.rpartition(":")[2], usage.name) for usage in scan.check(str(path))]
    assert found == [
        ("2", "Model.profile()"), ("3", ".create_version()"), ("5", ".get_container_registry()"),
    ]  # fmt: skip
