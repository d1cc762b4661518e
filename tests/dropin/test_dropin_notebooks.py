"""Notebooks without Jupyter: what is Python runs, what is IPython's is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.spec.errors import UserErrorException


def notebook(path, *sources):
    cells = [{"cell_type": "markdown", "source": ["# a title"]}]
    cells += [{"cell_type": "code", "source": text.splitlines(True)} for text in sources]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": cells})
    )
    return path


def run(path):
    return subprocess.run(
        [sys.executable, "-m", "scriptrun", "exec", path.name if path.parent.name == "" else path],
        capture_output=True,
        text=True,
    )


def test_a_tutorial_runs_from_its_own_directory(tmp_path):
    path = notebook(
        tmp_path / "tutorial" / "train.ipynb",
        "%matplotlib inline\nimport os\nfrom azureml.core import Workspace, Experiment, ScriptRunConfig",
        "!pip install azureml-sdk\nws = Workspace.create('here')\nfolder = './scripts'\n"
        "os.makedirs(folder, exist_ok=True)",
        "%%writefile $folder/train.py\nfrom azureml.core import Run\nRun.get_context().log('n', 3)\n",
        "%%time\nsrc = ScriptRunConfig(source_directory=folder, script='train.py')\n"
        "run = Experiment(ws, 'nb').submit(src)\nrun.wait_for_completion();",
        "run.get_metrics()",
    )
    done = run(path)
    assert done.returncode == 0, done.stderr
    assert "{'n': 3}" in done.stdout
    assert "cell 2: skipped !pip install azureml-sdk" in done.stderr
    assert (path.parent / ".scriptrun").is_dir()


def test_a_failing_cell_ends_it_and_shows_its_line(tmp_path):
    path = notebook(tmp_path / "bad.ipynb", "a = 1", "b = 2\nprint(a / 0)", "print('not reached')")
    done = run(path)
    assert done.returncode == 1
    assert "cell 2" in done.stderr and "print(a / 0)" in done.stderr
    assert "not reached" not in done.stdout


def test_lines_of_ipython_keep_their_place():
    source = "if True:\n    !ls\n    x = 1\nfiles = !ls\nprint?\n?print\ny = 5 % 3"
    space = {}
    exec(notebook_cells.to_python(source), space)
    assert (space["x"], space["y"], space["files"]) == (1, 2, None)
    assert notebook_cells.to_python(source).count("\n") == source.count("\n")


def test_cells_of_other_languages_are_passed_over(tmp_path):
    path = notebook(tmp_path / "a.ipynb", "%%html\n<b>x</b>", "%load_ext x", "print('goes on')")
    done = run(path)
    assert done.stdout == "goes on\n"
    assert "cell 1: skipped %%html" in done.stderr
    assert "cell 2: skipped %load_ext x" in done.stderr
    assert notebook_cells.to_python("%%bash\nrm -rf /\n").strip() == ""


SHELL = """
import os
folder = "made here"
names = ["a", "b"]
!mkdir "$folder"
for name in names:
    !echo {name.upper()} \\
        again > "{folder}/{name}.txt"
found = !ls "{folder}"
print("found", found)
def inside(word):
    !echo in {word}
inside("function")
%env COLOUR = blue
!echo "$COLOUR ${COLOUR%lue} $HOME" > "{folder}/c.txt"
%time total = sum(range(4))
here = %pwd
%cd "{folder}"
print(total, here == os.path.dirname(os.getcwd()), open("a.txt").read().split())
!false
!{sys.executable} -m pip install nothing
"""


def test_shell_lines_and_magics_are_done_as_jupyter_does(tmp_path):
    path = notebook(
        tmp_path / "shell.ipynb",
        f"import sys\n{SHELL}",
        "%%bash\ncat c.txt\necho end >> c.txt",
        "%%timeit -n 1\nprint('python')",
        "%matplotlib inline\nos.environ['MPLBACKEND']",
        "import asyncio\nawait asyncio.sleep(0, 'awaited')",
    )
    done = run(path)
    assert done.returncode == 0, done.stderr
    home = os.environ["HOME"]
    assert done.stdout.splitlines() == [
        *("found ['a.txt', 'b.txt']", "in function", "6 True ['A', 'again']"),
        *(f"blue b {home}", "python", "'agg'", "'awaited'"),
    ]
    assert "!false exited with code 1" in done.stderr
    assert "skipped !{sys.executable} -m pip install nothing" in done.stderr


def test_another_notebook_and_a_script_are_run(tmp_path):
    notebook(tmp_path / "common.ipynb", "shared = 5")
    (tmp_path / "part.py").write_text(
        "import sys\nwords = sys.argv[1:]\nassert __name__ == '__main__'\n"
    )
    path = notebook(
        tmp_path / "main.ipynb",
        "x = 'two words'\n%run common.ipynb\n%run ./part.py one \"$x\"\nprint(shared, words)",
    )
    done = run(path)
    assert done.stdout == "5 ['one', 'two words']\n", done.stderr


@given(st.text(alphabet="%!?ab=\n '\"", max_size=30))
def test_python_is_left_as_it_is(text):
    source = f"x = {text!r}\ns = '''\n%time\n!ls\n'''\n"
    assert notebook_cells.to_python(source) == source


def test_variables_in_the_name_of_a_written_file(tmp_path, capsys):
    notebook_cells._write_file("%%file {d}/a.py", "1", {"d": tmp_path})
    notebook_cells._write_file("%%writefile -a $d/a.py", "2\n", {"d": tmp_path})
    assert (tmp_path / "a.py").read_text() == "1\n2\n"


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_what_is_no_notebook_is_refused(tmp_path, text):
    (tmp_path / "x.ipynb").write_text(text)
    with pytest.raises(UserErrorException, match="is not a notebook"):
        notebook_cells.cells(str(tmp_path / "x.ipynb"))


def test_a_script_that_was_made_of_a_notebook(tmp_path):
    """``jupyter nbconvert`` writes IPython's own lines as calls."""
    (tmp_path / "made.py").write_text(
        "where = 'src'\n"
        "get_ipython().run_line_magic('matplotlib', 'inline')\n"
        "get_ipython().magic('env COLOUR=red')\n"
        "get_ipython().system('mkdir {where}')\n"
        "get_ipython().run_cell_magic('writefile', '$where/train.py', 'print(1)\\n')\n"
        "print(get_ipython().getoutput('cat $where/train.py; echo $COLOUR'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "scriptrun", "exec", "made.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "Writing src/train.py\n['print(1)', 'red']\n", done.stderr
