"""``exec --check`` over damaged and real-like notebooks and old scripts: it says what it skips."""

from __future__ import annotations

import json

import pytest

from scriptrun.dropin import scan
from scriptrun.spec.errors import UserErrorException

#: what every notebook below has behind the damage, and what is found of it
LAST = "from azureml.core import LinkedService\nLinkedService.create()"
NAME = "azureml.core.LinkedService"


def code(source, **more):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], **more}


def examine(tmp_path, *cells, **notebook):
    """What is found in a notebook: unsupported names by place, and what was skipped."""
    path = tmp_path / "n.ipynb"
    cells = [code(cell) if isinstance(cell, str | list) else cell for cell in cells]
    path.write_text(json.dumps({"nbformat": 4, "cells": [*cells, code(LAST)], **notebook}))
    found = scan.examine(str(path))
    place = f"{path}, cell "
    unsupported = [(each.place.removeprefix(place), each.name) for each in found.unsupported]
    return unsupported, [(each.place.removeprefix(place), each.reason) for each in found.skipped]


@pytest.mark.parametrize(
    ("source", "magic"),
    [
        ("%%bash\npip install azureml-sdk && (", "bash"),
        ("%%sh\nfor x in *; do echo $x; done", "sh"),
        ("%%sql\nselect * from t where a = 'b", "sql"),
        ("%%R\nx <- c(1, 2)", "R"),
        ("%%script node\nlet x = 1;", "script"),
        ("%%javascript\nalert('x')", "javascript"),
        ("%%cython\ncdef int x", "cython"),
        ("%%python2\nprint 1", "python2"),
        ("%sh pip install azureml-sdk", "sh"),
        ("%sh\nls -la | grep x", "sh"),
        ("%sql\nselect 1", "sql"),
        ("%fs ls /mnt", "fs"),
        ("%scala\nval x = 1", "scala"),
        ("%r\nlibrary(x)", "r"),
        ("# a comment\n\n%%bash\nls", "bash"),
        (["%%bash\n", "ls\n"], "bash"),
    ],
)
def test_a_cell_of_another_language_is_skipped_and_named(tmp_path, source, magic):
    found = examine(tmp_path, source)
    assert found == ([("2:1", NAME)], [("1", f"%%{magic} is not Python")])


@pytest.mark.parametrize(
    "source",
    [
        "!pip install --upgrade azureml-sdk[notebooks,automl]",
        "! ls\nx = !cat a.txt\n%matplotlib inline",
        "pip install azureml-sdk",
        "%load_ext autoreload\n%autoreload 2",
        "run?\n?run\nrun??",
        "%md\n# A title\nand 'text",
        "%%html\n<b>it's</b>",
        "%%writefile score.sh\nfor x in *; do",
        "%%capture out\nx = 1",
        "%%time\nx = 1",
        "",
        "   \n# only a comment",
        "await f()\nasync with g() as h: pass",
        "if True:\n    !ls\n    %cd ..",
        "    x = 1\n    y = 2",
        "x = '\\d'\nassert (x, 'always true')",
        "%python\nx = 1",
    ],
)
def test_ipythons_own_syntax_is_python(tmp_path, source):
    assert examine(tmp_path, source) == ([("2:1", NAME)], [])


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("print 'two'", 1),
        ("x = 1\nexcept_ = (\n", 2),
        ("def f(:\n  pass", 1),
        ("<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other", 1),
        ("az ml workspace create --name x", 1),
        ("[Workspace] = {", 1),
        ("x = 1\n\ty = 2", 2),
        ("a\0b", 1),
        ("\ud800 = 1", 1),
        ("“x” = 1", 1),
        ("select * from t", 1),
    ],
)
def test_a_cell_that_is_no_python_is_reported_and_the_rest_is_checked(tmp_path, source, line):
    unsupported, skipped = examine(tmp_path, source)
    assert unsupported == [(f"1:{line}", "not valid Python"), ("2:1", NAME)]
    assert skipped == []


def test_the_imports_of_a_broken_cell_are_checked(tmp_path):
    source = "from azureml.core import LinkedService, Run\nprint 'x'\nimport azureml.nowhere"
    unsupported, _ = examine(tmp_path, source)
    assert unsupported == [
        ("1:2", "not valid Python"),
        ("1:1", NAME),
        ("1:3", "azureml.nowhere"),
        ("2:1", NAME),
    ]


def test_a_cell_of_a_python_of_its_own_is_checked(tmp_path):
    unsupported, _ = examine(tmp_path, f"%%python3\n{LAST}", f"%%python\nx = 1\n{LAST}")
    assert unsupported == [("1:2", NAME), ("2:3", NAME), ("3:1", NAME)]


def test_a_cell_that_is_nested_too_deeply_does_not_end_it(tmp_path):
    unsupported, _ = examine(tmp_path, "x = " + "(" * 5000 + ")" * 5000)
    assert [place for place, _ in unsupported][-1] == "2:1"
    assert unsupported[0][1] in ("not valid Python", "nested too deeply to be parsed")


@pytest.mark.parametrize(
    "cell",
    [
        code(None),
        code(3),
        code([1, 2]),
        code(["x = 1\n", None]),
        {"cell_type": "code", "source": "x", "metadata": {"tags": 3}},
        {"cell_type": "code", "source": "x", "metadata": "none"},
        "a text",
        None,
        7,
    ],
)
def test_a_malformed_cell_is_skipped_and_named(tmp_path, cell):
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown"}, cell, code(LAST)]}))
    found = scan.examine(str(path))
    assert found.skipped == [(f"{path}, cell 1", "it is malformed")]
    assert [each.name for each in found.unsupported] == [NAME]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"cells": 3}', '{"cells": null}', '{"cells"', "<html>", "null"]
)
def test_what_is_no_notebook_is_a_sentence(tmp_path, text):
    path = tmp_path / "n.ipynb"
    path.write_text(text)
    with pytest.raises(UserErrorException, match="is not a Python notebook"):
        scan.examine(str(path))


def test_a_notebook_of_another_language_is_refused_even_if_damaged(tmp_path):
    metadata = {"kernelspec": {"language": "R"}}
    with pytest.raises(UserErrorException, match="its language is R"):
        examine(tmp_path, None, metadata=metadata)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("print 'hello'\n", "line 1 is Python 2 (print 'hello')"),
        ("import os\nprint >>f, 1\n", None),
        ("try:\n    pass\nexcept ValueError, error:\n    pass\n", "line 3 is Python 2"),
        ("raise ValueError, 'x'\n", "line 1 is Python 2"),
        ("exec 'x = 1'\n", "line 1 is Python 2"),
        ("x = 0777\n", "line 1 is Python 2"),
        ("if 1 <> 2:\n    pass\n", "line 1 is Python 2"),
        ("x = `y`\n", "line 1 is Python 2"),
        ("x = ur'y'\n", "line 1 is Python 2"),
        ("import azureml\nfor x in y:\n    print x\n", "line 3 is Python 2 (print x)"),
    ],
)
def test_a_script_of_python_2_is_a_sentence_with_what_to_do(tmp_path, text, line):
    path = tmp_path / "old.py"
    path.write_text(text)
    if line is None:  # valid in Python 3, where it fails when it runs
        assert scan.check(str(path)) == []
        return
    with pytest.raises(UserErrorException) as caught:
        scan.check(str(path))
    assert caught.value.message.startswith(f"{path} is not valid Python 3: {line}")
    assert "2to3 -w" in caught.value.hint


@pytest.mark.parametrize("text", ["x = (\n", "def f(:\n", "a b\n"])
def test_another_mistake_is_not_called_python_2(tmp_path, text):
    path = tmp_path / "old.py"
    path.write_text(text)
    with pytest.raises(UserErrorException, match="is not valid Python: ") as caught:
        scan.check(str(path))
    assert "Python 2" not in caught.value.message
