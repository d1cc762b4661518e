"""More that real notebooks hold: what each cell does in IPython, and in the small shell."""

from __future__ import annotations

import subprocess

import pytest
from IPython import display
from IPython.core import display as core_display
from notebook_runs import BOTH, notebook, run

from scriptrun.dropin.notebook import cells, commands, old_ipython, script_cells
from scriptrun.dropin.notebook.notes import Notes
from scriptrun.spec.errors import UserErrorException


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
    "!echo {1 + 1} {'q'.upper()}": "2 Q",
    "lines = !printf 'a b\\nc d'\nprint(lines.grep('C'), lines.fields(1))": "['c d'] ['b', 'd']",
    "get_ipython().run_cell('z = 9\\nprint(z)');": "9\n",
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


DOCKER_CELLS = (
    "!docker ps",
    "x = !docker images\nprint('list', list(x))",
    "%%bash\nset -e\ndocker build -t x \\\n  .\necho 'after it'",
    "!docker login -u me && docker push x",
    "!docker --version",
    "!docker-compose up",
)
CLIENT_ONLY = (
    '#!/bin/sh\n[ "$1" = --version ] && echo the client && exit 0\n'
    "echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2\n"
    "exit 1\n"
)


def machine_with(folder, monkeypatch, **programs):
    """A PATH with these programs and those of the system, but for docker and podman."""
    folder.mkdir()
    for name in ("bash", "sh"):
        (folder / name).symlink_to(f"/bin/{name}")
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@BOTH
@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ({"docker": CLIENT_ONLY}, "cannot connect to the Docker daemon at unix:///x"),
        ({"podman": "#!/bin/sh\n"}, "is not installed on this machine; podman is"),
        ({}, "docker is not installed on this machine"),
    ],
    ids=["client", "podman", "neither"],
)
def test_docker_that_cannot_be_used_stops_nothing(tmp_path, monkeypatch, ipython, programs, said):
    machine_with(tmp_path / "bin", monkeypatch, **programs)
    done = run(notebook(tmp_path / "a.ipynb", *DOCKER_CELLS), ipython)
    assert done.returncode == 0, done.stderr
    assert "list []\nafter it\n" in done.stdout
    assert ("the client" in done.stdout) is ("docker" in programs)
    assert "These commands are skipped. Jobs on Azure's images" in done.stderr
    skipped = [line for line in done.stderr.splitlines() if "skipped" in line and "cell " in line]
    assert len(skipped) == 5 and all(said in line for line in skipped), done.stderr


@BOTH
def test_docker_that_works_is_run(tmp_path, monkeypatch, ipython):
    machine_with(tmp_path / "bin", monkeypatch, docker="#!/bin/sh\necho ran $1\n")
    done = run(notebook(tmp_path / "a.ipynb", "!docker ps"), ipython)
    assert done.stdout == "ran ps\n"
    assert "docker" not in done.stderr


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("az login", "no Azure login is needed"),
        ("az account set -s x", "no Azure login is needed"),
        ("az acr build --image x .", "does nothing in Azure"),
        ("az ml model deploy -n x -m m:1 --ic i.json", "`scriptrun serve MODEL --entry FILE`"),
        ("az ml service delete --name x", "`scriptrun service --help`"),
        ("az ml model list", "`scriptrun --help`"),
        ("az ml run submit-script -c sklearn train.py", "`scriptrun --help`"),
        ("docker --version", None),
        ("echo docker ps", None),
    ],
)
def test_what_is_said_of_a_command_that_is_skipped(command, reason):
    found = commands.why_skipped(command)
    assert found == reason if reason is None else reason in found


@BOTH
def test_other_files_are_run_as_their_options_say(tmp_path, ipython):
    (tmp_path / "part.py").write_text("print(__name__)\nfound = 5\n")
    notebook(tmp_path / "lib" / "common.ipynb", "shared = 'from the notebook'")
    sources = (
        "%run -n part.py\n%run -m part\n%run -t part\n%run -i part.py one\nprint(found)",
        "%run ./lib/common\nprint(shared)",
        "shared = 0\n%run -i lib/common.ipynb\nprint(shared)",
    )
    done = run(notebook(tmp_path / "a.ipynb", *sources), ipython)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(("part", "_", "5", "fr"))]
    names = ["part", *["__main__"] * 3]
    assert lines == [*names, "5", "from the notebook", "from the notebook"]


@BOTH
def test_cells_of_databricks(tmp_path, ipython):
    sources = (
        "%md\n# A title\nit isn't Python",
        "%sql\nselect * from table",
        "%sh\necho by a shell",
        "%sh echo in one line",
        "%python\nprint('by Python')",
        "# MAGIC %md\n# MAGIC text",
        "%fs ls /mnt",
        "%scala\nval x = 1",
        "%r\nx <- 1",
        "dbutils.widgets.get('x')",
    )
    done = run(notebook(tmp_path / "a.ipynb", *sources), ipython)
    assert done.stdout == "by a shell\nin one line\nby Python\n", done.stderr
    for number, name in ((1, "md"), (2, "sql"), (7, "fs ls /mnt"), (8, "scala"), (9, "r")):
        assert f"cell {number}: skipped %%{name}" in done.stderr
    assert "scriptrun: dbutils exists only in Databricks" in done.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n", "it is empty"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:a\n", "git lfs pull"),
        ('{\n<<<<<<< HEAD\n "a": 1\n=======\n', "unresolved merge conflict"),
        ("<!DOCTYPE html><html>", "it is a web page"),
        ('{"nbformat": 4, "metadata": {"kernelspec": {"name": "ir"}}, "cells": []}', "is ir, and"),
        (
            '{"metadata": {"kernelspec": {"name": "julia-1.6", "display_name": "Julia 1.6"}}}',
            "its language is Julia 1.6, and only Python is run",
        ),
    ],
)
def test_what_is_no_notebook_of_python_is_named(tmp_path, text, reason):
    (tmp_path / "x.ipynb").write_text(text)
    with pytest.raises(UserErrorException, match="is not a Python notebook") as caught:
        cells.cells(str(tmp_path / "x.ipynb"))
    assert reason in str(caught.value)


def test_a_notebook_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(UserErrorException, match="No such file"):
        cells.cells(str(tmp_path / "x.ipynb"))


def test_a_notebook_in_utf_16(tmp_path):
    (tmp_path / "x.ipynb").write_text('{"cells": []}', "utf-16")
    assert cells.cells(str(tmp_path / "x.ipynb")) == []


def test_a_notebook_in_an_old_encoding(tmp_path):
    (tmp_path / "x.ipynb").write_text('{"cells": "ä"}', "latin-1")
    with pytest.raises(UserErrorException, match="it is not UTF-8 text"):
        cells.cells(str(tmp_path / "x.ipynb"))


OLD_NAMES = (
    "from IPython.core.display import display, HTML",
    "display(HTML('<style>.container { width:100% !important; }</style>'))",
    "from IPython.display import set_matplotlib_formats\nset_matplotlib_formats('retina')",
    "from IPython.core.display import clear_output, publish_display_data, Image\nclear_output()",
    "print('on')",
)


def test_names_that_ipython_has_removed(tmp_path):
    done = run(notebook(tmp_path / "a.ipynb", *OLD_NAMES))
    assert done.stdout == "<IPython.core.display.HTML object>\non\n", done.stderr
    old_ipython.restore()
    assert core_display.display is display.display
