"""Notebooks without Jupyter: they run in IPython, or in a small shell where it is missing."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from notebook_runs import BOTH, command, notebook, run

from scriptrun.dropin import scan
from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import docker_cells
from scriptrun.dropin.notebook.cells import CodeCell
from scriptrun.spec.errors import UserErrorException
from scriptrun.testing.jobs import PATIENCE


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """Where IPython keeps what ``%store`` stores."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))


@BOTH
def test_a_tutorial_runs_from_its_own_directory(tmp_path, ipython):
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
    done = run(path, ipython)
    assert done.returncode == 0, done.stderr
    assert "{'n': 3}" in done.stdout
    assert "cell 2: skipped !pip install azureml-sdk" in done.stderr
    assert (path.parent / ".scriptrun").is_dir()


@BOTH
def test_a_failing_cell_ends_it_and_shows_its_line(tmp_path, ipython):
    path = notebook(tmp_path / "bad.ipynb", "a = 1", "b = 2\nprint(a / 0)", "print('not reached')")
    done = run(path, ipython)
    assert done.returncode == 1
    assert "cell 2" in done.stderr and "print(a / 0)" in done.stderr
    assert "not reached" not in done.stdout


@BOTH
def test_cells_of_other_languages_are_passed_over(tmp_path, ipython):
    path = notebook(tmp_path / "a.ipynb", "%%R\nx <- 1", "%load_ext x", "print('goes on')")
    done = run(path, ipython)
    assert done.stdout == "goes on\n"
    assert "cell 1: skipped %%R" in done.stderr
    assert "cell 2: skipped %load_ext x" in done.stderr


SHELL = """
import os
folder = "made here"
names = ["a", "b"]
!mkdir "$folder"
for name in names:
    !echo {name.upper()} \\
        again > "{folder}/{name}.txt"
found = !ls "{folder}"
print("found", list(found))
def inside(word):
    !echo in {word}
inside("function")
%env COLOUR = blue
!echo "$COLOUR ${COLOUR%lue} $HOME" > "made here/c.txt"
total = 6
here = %pwd
%cd "{folder}"
print(total, here == os.path.dirname(os.getcwd()), open("a.txt").read().split())
!false
!{sys.executable} -m pip install nothing
"""


@BOTH
def test_shell_lines_and_magics_are_done_as_jupyter_does(tmp_path, ipython):
    path = notebook(
        tmp_path / "shell.ipynb",
        f"import sys\n{SHELL}",
        "%%bash\ncat c.txt\necho end >> c.txt",
        "%matplotlib inline\nos.environ['MPLBACKEND']",
        "import asyncio\nawait asyncio.sleep(0, 'awaited')",
    )
    done = run(path, ipython)
    assert done.returncode == 0, done.stderr
    home = os.environ["HOME"]
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith(("/", "env:"))] == [
        *("found ['a.txt', 'b.txt']", "in function", "6 True ['A', 'again']"),
        *(f"blue b {home}", "'agg'", "'awaited'"),
    ]
    assert "!false exited with code 1" in done.stderr
    assert "skipped !{sys.executable} -m pip install nothing" in done.stderr


@BOTH
def test_another_notebook_and_a_script_are_run(tmp_path, ipython):
    notebook(tmp_path / "common.ipynb", "shared = 5")
    (tmp_path / "part.py").write_text(
        "import sys\nwords = sys.argv[1:]\nassert __name__ == '__main__'\n"
    )
    path = notebook(
        tmp_path / "main.ipynb",
        "x = 'two words'\n%run common.ipynb\n%run ./part.py one \"$x\"\nprint(shared, words)",
    )
    done = run(path, ipython)
    assert done.stdout == "5 ['one', 'two words']\n", done.stderr


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_what_is_no_notebook_is_refused(tmp_path, text):
    (tmp_path / "x.ipynb").write_text(text)
    with pytest.raises(UserErrorException, match="is not a Python notebook"):
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
    expected = "env: COLOUR=red\nWriting src/train.py\n['print(1)', 'red']\n"
    assert done.stdout == expected, done.stderr


def test_it_says_which_shell_runs_the_cells(tmp_path):
    path = notebook(tmp_path / "a.ipynb", "type(get_ipython()).__module__")
    done = run(path)
    assert re.search(r"^scriptrun: a.ipynb: IPython \d.* runs the cells, in /", done.stderr)
    assert done.stdout == "'scriptrun.dropin.notebook.ipython_shell'\n"
    done = run(path, ipython=False)
    assert (
        "IPython is not installed, so a simple shell with few magics runs the cells" in done.stderr
    )
    assert done.stderr.rstrip().endswith("-m pip install 'scriptrun[notebook]'")


def test_an_ipython_that_is_too_old_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "old" / "IPython").mkdir(parents=True)
    (tmp_path / "old" / "IPython" / "__init__.py").write_text("")
    (tmp_path / "old" / "ipython-7.1.dist-info").mkdir()
    (tmp_path / "old" / "ipython-7.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: ipython\nVersion: 7.1\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "old"))
    done = run(notebook(tmp_path / "a.ipynb", "print(1)"))
    assert (done.stdout, done.returncode) == ("1\n", 0)
    assert "a.ipynb: IPython 7.1 is older than 8, so a simple shell" in done.stderr


@BOTH
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_stops_nothing(tmp_path, ipython, closed):
    path = notebook(
        tmp_path / "a.ipynb", "print(1)\n1", "%%R\nx", "!true", "open('end', 'w').close()"
    )
    done = subprocess.run(f"{shlex.join(command(path, ipython))} {closed}", shell=True)
    assert (done.returncode, (tmp_path / "end").exists()) == (0, True)


#: cells, and what each prints
DONE_BY_BOTH = {
    "%%capture out\nprint('hidden')\n!echo of a child": "",
    "print(repr(out.stdout))": "'hidden\\nof a child\\n'",
    "import os; os.environ['ONE'] = '1'\na = %env ONE\nprint(a)": "1",
    "%env TWO=2\n%set_env THREE 3\nos.environ['TWO'] + os.environ['THREE']": (
        "env: TWO=2\nenv: THREE=3\n'23'"
    ),
    "os.makedirs('src/deep')": "",
    "%%writefile src/deep/a.py\nprint(1)": "Writing src/deep/a.py",
    "# the same\n%%writefile -a src/deep/a.py\nprint(2)": "Appending to src/deep/a.py",
    "%run src/deep/a.py": "1\n2",
    "x = ! echo 1; echo 2\nlist(x)": "['1', '2']",
    "x.n, x.s, _exit_code": r"('1\n2', '1 2', 0)",
    "! echo blank": "blank",
    "if x:\n    !echo indented \\\n      further": "indented further",
    "!!echo double": "['double']",
    "3 + 4": "7",
    "_ + 1": "8",
    "Out[14], In[14], _ih[14]": "(7, '3 + 4', '3 + 4')",
    "1;": "",
    "y = 5;\nprint(y);": "5",
    "import asyncio\nawait asyncio.sleep(0, 1)": "1",
    "asyncio.get_event_loop().is_running()": "False",
    "asyncio.run(asyncio.sleep(0, 2))": "2",
    "asyncio.get_event_loop().is_closed()": "False",
    "import threading\nt = threading.Thread(target=print, args=[3]); t.start(); t.join()": "3",
    "import pickle\nclass A: pass\nisinstance(pickle.loads(pickle.dumps(A())), A)": "True",
    "__name__, '__file__' in globals()": "('__main__', False)",
    "%%bash\necho bash\npip install nothing": "bash",
    "%%sh\necho sh": "sh",
    "cat src/deep/a.py": "print(1)\nprint(2)",
    "get_ipython().run_line_magic('pwd', '') == os.getcwd()": "True",
    "get_ipython().system('echo $y')": "5",
    "get_ipython().run_cell_magic('writefile', 'w.txt', 'text')": "Writing w.txt",
    "get_ipython().magic('env FOUR=4')": "env: FOUR=4",
    "import sys\nprint(sys.argv[1:], end='')": "[]",
}


@BOTH
def test_what_notebooks_use_is_done(tmp_path, ipython):
    sources = [f"{cell}" for cell in DONE_BY_BOTH]
    done = run(notebook(tmp_path / "all.ipynb", *sources), ipython)
    assert done.returncode == 0, done.stderr
    expected = [line for text in DONE_BY_BOTH.values() for line in text.splitlines()]
    assert done.stdout.splitlines() == expected
    notes = [line for line in done.stderr.splitlines() if "runs the cells" not in line]
    assert len(notes) == 1 and "cell 26: skipped pip install nothing" in notes[0]


#: done by IPython alone: cells, and a part of what each prints
DONE_BY_IPYTHON = {
    "%time x = 5\nprint(x)": "Wall time",
    "%timeit -n1 -r1 x": "per loop",
    "%%time\ny = x": "Wall time",
    "%load_ext autoreload\n%autoreload 2": "",
    "%%script python3\nprint('by a script')": "by a script",
    "%store x": "Stored 'x'",
    "del x\n%store -r x\nprint('again', x)": "again 5",
    "len?": "Return the number of items",
    "%who int": "x",
    "%%html\n<b>x</b>": "HTML object",
    "%%javascript\nalert(1)": "Javascript object",
    "from IPython.display import HTML, display\ndisplay(HTML('x'), {'a': 1})": "{'a': 1}",
    "from IPython import get_ipython as known\nknown() is get_ipython()": "True",
    "z = !printf 'b c'\nz.n, z.s": "('b c', 'b c')",
    "import asyncio\ntask = asyncio.create_task(asyncio.sleep(0, 'task'))": "",
    "await task": "'task'",
    "%cd ..\n%cd -": "",
    "%config InlineBackend.figure_format = 'retina'": "",
    "%ls": "all.ipynb",
    "name = 'kept'; line = cell = self = 'own'": "",
    "%%writefile {name}.txt\n": "Writing kept.txt",
    "%%writefile $line-${cell}.txt\nx": "Writing own-",
}


def test_what_ipython_does_is_done(tmp_path):
    done = run(notebook(tmp_path / "all.ipynb", *DONE_BY_IPYTHON))
    assert done.returncode == 0, done.stderr
    for part in DONE_BY_IPYTHON.values():
        assert part in done.stdout
    assert "skipped" not in done.stderr


#: cells that are named in one line, and what is said
NAMED = {
    "! pip install --upgrade azureml-sdk": "scriptrun provides azureml",
    "%pip install pandas": "exec installs nothing",
    "pip install pandas": "exec installs nothing",
    "%conda install -y pandas": "exec installs nothing",
    "conda install pandas": "exec installs nothing",
    "x = !pip install pandas\nassert not x": "exec installs nothing",
    "%load_ext sparkmagic": "sparkmagic is not installed",
    "%tensorboard --logdir logs": "start it yourself",
    "%%sql\nselect 1": "no such magic",
    "x = %sql select 1\nassert x is None": "not found",
    "%%R\nx": "no such magic",
    "%%cython\nx": "no such magic",
    "%autosave 60": "not found",
    "%debug": "terminal",
    "%load x.py": "to run a file, use %run",
    "%%time": "empty",
    "x = 1\n%%time\nx = 2": "not in the first line",
}


def test_what_cannot_be_done_is_named_in_one_line_each(tmp_path):
    done = run(notebook(tmp_path / "named.ipynb", *NAMED, "print('goes on')"))
    assert (done.returncode, done.stdout) == (0, "goes on\n"), done.stderr
    notes = [line for line in done.stderr.splitlines() if "runs the cells" not in line]
    assert len(notes) == len(NAMED)
    for number, (reason, note) in enumerate(zip(NAMED.values(), notes, strict=True), 1):
        assert (
            note.startswith(f"scriptrun: named.ipynb, cell {number}: skipped ") and reason in note
        )


@BOTH
@pytest.mark.parametrize(
    ("cell", "code", "said"),
    [
        ("exit()", 0, ""),
        ("quit()", 0, ""),
        ("import sys\nsys.exit()", 0, ""),
        ("import sys\nsys.exit(4)", 4, "cell 1: it ended the notebook with exit(4)"),
        ("import sys\nsys.exit('the reason')", 1, "the reason"),
        ("x = 1\nprint 'x'", 1, 'cell 1", line 2'),
        ("x = 1\n\n  y = 2", 1, "IndentationError"),
        ("x = 1\ninput('name? ')", 1, "asks for input, but there is none on standard input"),
        ("%%time\n\nx = 1\n1/0", 1, 'cell 1", line 4'),
        ("!echo a \\\n  b\n1/0", 1, 'cell 1", line 3'),
        ("%run failing.py", 1, 'failing.py", line 2'),
        ("%run absent.py", 1, "absent.py"),
        ("%%time\nimport sys\nsys.exit(3)", 3, "it ended the notebook with exit(3)"),
        ("%run absent.ipynb", 1, "Notebook 'absent.ipynb' does not exist"),
        ("breakpoint()\nx = 1", 1, "the code stops in a debugger, which needs a terminal"),
        ("%time import nowhere_at_all", 1, "nowhere_at_all is not installed in"),
        ("import nowhere_at_all", 1, "nowhere_at_all is not installed in"),
        ("raise ModuleNotFoundError('', name='pkg_resources')", 1, "setuptools before 81 has it"),
        ("x = 1\n%%writefile a.py\nprint('never')", 1, "%%writefile"),
    ],
)
def test_how_a_cell_ends_the_notebook(tmp_path, ipython, cell, code, said):
    (tmp_path / "failing.py").write_text("def f():\n    1/0\nf()\n")
    done = run(notebook(tmp_path / "a.ipynb", cell, "print('not reached')"), ipython)
    assert (done.returncode, "not reached" in done.stdout) == (code, False), done.stderr
    assert said in done.stderr
    assert "IPython/core" not in done.stderr and "UserWarning" not in done.stderr


@BOTH
def test_paths_of_windows_are_taken_as_paths_of_this_system(tmp_path, ipython):
    path = notebook(
        tmp_path / "a.ipynb",
        "import os; os.makedirs('src/deep', exist_ok=True)",
        "%%writefile src\\deep\\train.py\nprint(__name__)",
        "%run .\\src\\deep\\train.py",
        "%cd src\\deep\nos.path.basename(os.getcwd())",
    )
    done = run(path, ipython)
    assert "__main__\n" in done.stdout and "'deep'" in done.stdout, done.stderr
    assert (
        "cell 2: %%writefile takes the path src\\deep\\train.py as src/deep/train.py" in done.stderr
    )


def test_a_cell_may_show_what_it_caught(tmp_path):
    cell = (
        "try:\n    1/0\nexcept ZeroDivisionError:\n    get_ipython().showtraceback()\nprint('on')"
    )
    done = run(notebook(tmp_path / "a.ipynb", cell))
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert "ZeroDivisionError: division by zero" in done.stderr


def test_input_is_read_where_there_is_some(tmp_path):
    done = run(notebook(tmp_path / "a.ipynb", "print(input('name? ') + '!')"), stdin="me\n")
    assert done.stdout == "name? me!\n", done.stderr


def test_a_shell_cell_that_fails_ends_the_notebook(tmp_path):
    done = run(notebook(tmp_path / "a.ipynb", "%%bash\nexit 3", "print('not reached')"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "cell 1: %%bash exited with code 3" in done.stderr


@BOTH
def test_tags_say_which_cells_are_not_run_and_which_may_fail(tmp_path, ipython):
    path = notebook(
        tmp_path / "tags.ipynb",
        *("1/0", "1/0", "print('goes on')"),
        tags={1: ["raises-exception"], 2: ["skip-execution"]},
    )
    done = run(path, ipython)
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert done.stderr.count("ZeroDivisionError") == 1
    assert "cell 2: not run (tag skip-execution)" in done.stderr


@BOTH
def test_output_stays_in_order_in_a_file(tmp_path, ipython):
    cell = "import sys\nprint(1)\nprint(2, file=sys.stderr)\n!echo 3; echo 4 >&2\nprint(5)\n1/0"
    path = notebook(tmp_path / "a.ipynb", cell, "!false", tags={1: ["raises-exception"]})
    with open(tmp_path / "log", "w") as handle:
        subprocess.run(command(path, ipython), stdout=handle, stderr=subprocess.STDOUT)
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[1:6] == ["1", "2", "3", "4", "5"]
    assert lines[-2:] == [
        "ZeroDivisionError: division by zero",
        "scriptrun: a.ipynb, cell 2: !false exited with code 1",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "print('begun')\nimport time\ntime.sleep(600)",
        "!echo begun; exec sleep 600",
        "%%bash\necho begun\nexec sleep 600",
        "import asyncio\nprint('begun')\nawait asyncio.sleep(600)",
        "%%time\nimport time\nprint('begun')\ntime.sleep(600)",
    ],
    ids=["python", "command", "script", "await", "timed"],
)
@BOTH
def test_an_interrupt_ends_it(tmp_path, ipython, cell):
    path = notebook(tmp_path / "a.ipynb", cell, "print('not reached')")
    with subprocess.Popen(
        command(path, ipython),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "not reached" in out) == (130, False)
    assert "a.ipynb, cell 1: interrupted; submitted jobs keep running" in err


FORMAT_3 = {
    "nbformat": 3,
    "worksheets": [{"cells": [{"cell_type": "code", "input": ["print(1)\r\n", "print(2)"]}]}],
}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(FORMAT_3),
        "\ufeff" + json.dumps(FORMAT_3, indent=1).replace("\n", "\r\n"),
        json.dumps({"cells": [{"cell_type": "code", "source": "print(1)\nprint(2)"}]}),
        json.dumps(
            {
                "cells": [
                    {"cell_type": "code", "source": s}
                    for s in ("", [], "\n", "print(1)", "print(2)")
                ]
            }
        ),
    ],
    ids=["format-3", "bom-and-crlf", "text", "empty"],
)
@BOTH
def test_notebooks_of_all_formats_run(tmp_path, content, ipython):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content.encode())
    assert run(path, ipython).stdout == "1\n2\n"


def test_a_notebook_of_another_language_is_refused(tmp_path):
    content = {"metadata": {"kernelspec": {"language": "R"}}, "cells": []}
    (tmp_path / "x.ipynb").write_text(json.dumps(content))
    with pytest.raises(UserErrorException, match="its language is R"):
        notebook_cells.cells(str(tmp_path / "x.ipynb"))


def test_the_check_reads_cells_as_they_run(tmp_path):
    path = notebook(
        tmp_path / "a.ipynb",
        "! pip install azureml-sdk\nx = ! ls\nfrom azureml.core import LinkedService",
        "pip install x",
        "print 'two'",
        "%%writefile train.py\nfrom azureml.core import LinkedService",
        "%time from azureml.core import LinkedService",
        "from azureml.core import LinkedService",
        tags={6: ["skip-execution"]},
    )
    found = scan.check(str(path))
    assert [(usage.place.removeprefix(f"{path}, "), usage.name) for usage in found] == [
        ("cell 1:3", "azureml.core.LinkedService"),
        ("cell 3:1", "not valid Python"),
        ("cell 4:2", "azureml.core.LinkedService"),
        ("cell 5:1", "azureml.core.LinkedService"),
    ]


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        ("!docker ps", True),
        ("! sudo docker build .", True),
        ("x = !docker images", True),
        ("%%bash\nset -e\ndocker run hello-world\n", True),
        ("# !docker ps", False),
        ("env.docker.enabled = True", False),
        ("%%writefile Dockerfile\nRUN docker ps\n", False),
    ],
)
def test_cells_that_run_docker_are_known(source, uses):
    assert docker_cells.uses_docker(source) is uses


def test_a_docker_without_its_daemon_is_told_before_the_first_cell(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    docker_cells.note([CodeCell(2, "!docker ps"), CodeCell(4, "!docker images")])
    said = capfd.readouterr().err
    assert "cells 2, 4 run docker, but" in said and len(said.splitlines()) == 1
    docker_cells.note([CodeCell(1, "print(1)")])
    assert capfd.readouterr().err == ""
