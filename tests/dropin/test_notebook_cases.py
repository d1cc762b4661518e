"""More that real notebooks hold: what each cell does in IPython, and in the small shell."""

from __future__ import annotations

import subprocess

import pytest
from notebook_runs import BOTH, notebook, run

from scriptrun.dropin.notebook import script_cells
from scriptrun.dropin.notebook.notes import Notes


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))


#: cells, and a part of what each prints; "" for nothing to look for
SAME_IN_BOTH = {
    "x = %time 1 + 1\nprint('kept', x)": "kept 2",
    "%time 40 + 2": "\n42\n",
    "%time y = 3\nprint('y is', y)": "y is 3",
    "%%time\n'value of a timed cell'": "'value of a timed cell'\n",
    "%timeit -n1 -r1 y": "",
    "%%capture --no-stdout --no-stderr\nprint('shown all the same')": "shown all the same",
    "%%capture c --no-stderr\nprint('hidden')": "",
    "print(repr(c.stdout))": "'hidden\\n'",
    "import os\nos.makedirs('deep/er')\n%cd -q deep/er\nprint('in', os.path.basename(os.getcwd()))": (
        "in er"
    ),
    "%cd -\nprint('again', os.path.basename(os.getcwd()) != 'er')": "again True",
    "files = %sx ls\nprint('files', 'deep' in files)": "files True",
    "%system echo by system": "['by system']",
    "%%sx\necho by a cell": "['by a cell']",
    "%%!\necho by a mark": "['by a mark']",
    "%%bash --out o --err e\necho out; echo err >&2": "",
    "o, e": r"('out\n', 'err\n')",
    '%%bash -s one "two words"\necho "$1 and $2"': "one and two words",
    "%%bash --no-raise-error\nexit 3": "",
    "%%script false --no-raise-error\nnothing": "",
    "%%script nosuchprogram\nx": "",
    "%%perl\nprint 'by perl';": "by perl",
    "print('the end')": "the end",
}


@BOTH
def test_a_cell_does_the_same_in_both_shells(tmp_path, ipython):
    done = run(notebook(tmp_path / "all.ipynb", *SAME_IN_BOTH), ipython)
    assert done.returncode == 0, done.stderr
    missing = [cell for cell, part in SAME_IN_BOTH.items() if part not in f"\n{done.stdout}"]
    assert not missing, done.stdout + done.stderr


@BOTH
def test_a_script_cell_that_fails_ends_the_notebook_in_both(tmp_path, ipython):
    done = run(notebook(tmp_path / "a.ipynb", "%%bash\nexit 3", "print('not reached')"), ipython)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cell 1: %%bash exited with code 3" in done.stderr


def test_a_script_cell_in_the_background(capsys):
    variables = {}
    script_cells.run("%%bash", ["bash", "--bg", "--proc", "p"], "exit 5", Notes("a"), variables)
    assert variables["p"].wait() == 5
    with pytest.raises(subprocess.CalledProcessError):
        script_cells.run("%%bash", ["bash"], "exit 5", Notes("a"), variables)
    script_cells.run("%%script", [], "exit 5", Notes("a"), variables)
    assert "skipped %%script (it names no program)" in capsys.readouterr().err
