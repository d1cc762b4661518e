"""Cells as Python: what runs, what is scanned and what is rewritten agree with IPython itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager, leading_empty_lines

from scriptrun.dropin.notebook import syntax
from scriptrun.migration.code import notebooks

CELLS = [
    "!ls\n! ls -l\nx = !ls\nx = ! ls\na, b = !echo 1 2\n!!ls",
    "d['k'] = !ls\nx.y = !ls\nz: str = !ls",
    "!echo {var} $var\nx = %env A\n%env A=1\n%set_env B 2",
    "%time x = f()\n%timeit -n 2 f()\n%matplotlib inline;\nplt.plot(x);",
    "%%time\nx = 1\n!ls",
    "\n\n%%time\nx=1",
    "# the training script\n%%writefile a.py\nimport x\n!not a command\n",
    "%%capture out\n!ls",
    "print?\n?print\na.b??\nnp.*load*?\n%time?\n?\nx[0]?",
    "if x:\n    !pip install y\n    z = 1\nelse:\n    %cd z",
    "for i in y:\n\t!echo $i",
    "!echo a \\\n  b \\\n  c\nx = 1",
    "%pip install \\\n  a \\\n  b\nx = 1",
    "s = '''\n%time\n!ls\n'''\n!ls",
    "f(a,\n  b)\n!ls\nx = {\n 'a': 1,\n}",
    "y = 5 \\\n% 3",
    "x = 1 # don't\n!ls  # (\nz = \"it's\"\n!ls",
    "pip install x",
    "# why\npip install x\nimport os",
    "cd data\nls -la\nls\nx = 1",
    "import os\nconda install -y x",
    "  !ls\n  x = 1",
    "%%bash\necho hi",
    "%%R -i df\nplot(df)",
    "%%!\nls",
    "def f():\n    '''doc'''\n    y = !ls\n    return y",
    "async def f():\n    !ls\nawait f()",
    "@dec\ndef f():\n    pass\n!ls",
    "!cd a; ls # no\nx = %sql select 1\nf'{a}'",
    "!python x.py --a '{\"b\": 1}'",
    "!",
    "",
    "\n",
    "# only",
]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_the_python_that_ipython_makes_of_it(cell):
    manager = TransformerManager()
    manager.cleanup_transforms.remove(leading_empty_lines)
    manager.cleanup_transforms.append(syntax.prepare)
    ours, theirs = syntax.to_calls(cell), manager.transform_cell(cell)
    assert code_lines(ours) == code_lines(theirs)
    if syntax.cell_magic(cell.split("\n")) is None:  # errors name the cell's own lines
        assert len(theirs.rstrip().splitlines()) == len(ours.rstrip().splitlines())


def code_lines(text):
    return [line for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


@pytest.mark.parametrize("cell", [cell for cell in CELLS if not cell.startswith(" ")])
def test_what_is_scanned_and_rewritten_is_python_of_the_same_length(cell):
    text, is_valid = syntax.mask(cell)
    assert is_valid
    assert [len(line) for line in text.split("\n")] == [len(line) for line in cell.split("\n")]
    assert "\r".join(text.split("\n")) == "\r".join(
        line.removesuffix("\r") for line in syntax.mask(cell.replace("\n", "\r\n"))[0].split("\n")
    )


def test_statements_that_are_timed_are_seen():
    text, _ = syntax.mask("%time x = azureml.Run()\nif x:\n    %timeit -n 3 f(x)")
    assert [line.split(";")[1] for line in text.splitlines() if ";" in line] == [
        "x = azureml.Run()",
        "f(x)",
    ]
    assert syntax.mask("%%capture out\nx = 1")[0].strip() == "x = 1"
    assert syntax.mask("%%bash\nx = 1")[0].strip() == ""


def test_names_in_masked_lines_are_known_to_the_migration():
    cell = "!echo {name} $other\nx = 1"
    assert notebooks.hidden_names(cell, syntax.mask(cell)[0]) == {"name", "other"}


def test_what_is_not_python_stays_so():
    assert syntax.mask("!ls\nprint 'two'") == ("   \n           ", False)
    assert syntax.to_calls("print 'two'") == "print 'two'"


@given(st.text(alphabet="%!?ab=\n '\"", max_size=30))
def test_python_is_left_as_it_is(text):
    source = f"x = {text!r}\ns = '''\n%time\n!ls\n'''\n"
    assert syntax.to_calls(source) == source
    assert syntax.mask(source) == (source, True)
